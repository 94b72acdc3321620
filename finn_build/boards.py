"""Boards: the chip, its resources, and the share of them that each tool may use."""

from dataclasses import dataclass

from finn_build.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Counts of LUTs, flip-flops, BRAM36 (halves for an 18 kbit block) and DSP48."""

    lut: int
    ff: int
    bram36: float
    dsp: int


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board, its chip and what the accelerator may take of it, by tool.

    bitstream_bytes: configuration data of a whole bitstream.
    """

    name: str
    title: str
    part: str
    chip: Resources
    bitstream_bytes: int
    budget: dict[str, Resources]


# Budgets are for the accelerator alone: the tool's share of the chip less what DMA, registers and
# the PS7 wrapper take (2,000 LUTs, 2 BRAM36).
BOARDS = {
    "pynq-z2": Board(
        name="pynq-z2",
        title="TUL PYNQ-Z2",
        part="xc7z020clg400-1",
        chip=Resources(lut=53_200, ff=106_400, bram36=140, dsp=220),
        bitstream_bytes=4_045_564,
        budget={
            "openxc7": Resources(lut=29_000, ff=39_000, bram36=110, dsp=0),
            "vivado": Resources(lut=40_500, ff=85_000, bram36=110, dsp=176),
        },
    ),
}


def find_board(name: str) -> Board:
    """Look a board up by name. Raises ConfigError that lists the known ones."""
    if name not in BOARDS:
        raise ConfigError(f"unknown board {name!r}; known boards: {', '.join(sorted(BOARDS))}")
    return BOARDS[name]
