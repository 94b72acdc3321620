"""Boards: the chip, its resources, the share of them that each tool may use, and its clocks.

A board is a TOML file in boards/, its chip one in boards/chips/; docs/boards.md says what is in
them.
"""

from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated

from finn_build.errors import ConfigError
from headrace import tables
from headrace.tables import Range

FOLDER = (Path(__file__).parent / "../boards").resolve()
# Xilinx DS187: the processing system's crystal and its PLLs; UG585: two dividers of 6 bits.
_PS_CLK_MHZ, _PLL_MHZ = Range(least=30, most=60), Range(least=780, most=1600)
_DIVISORS = range(1, 64)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Counts of LUTs, flip-flops, BRAM36 (halves for an 18 kbit block) and DSP48."""

    lut: Annotated[int, Range(least=0)]
    ff: Annotated[int, Range(least=0)]
    bram36: Annotated[float, Range(least=0)]
    dsp: Annotated[int, Range(least=0)]


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board, its chip and what the accelerator may take of it, by tool.

    bitstream_bytes: configuration data of a whole bitstream; ps_clk_mhz, io_pll_mhz: the processing
    system's crystal, and the PLL that FCLK0 is divided from, as the board's first boot stage sets
    it; most_mhz: the fastest clock of the AXI ports.
    """

    name: str
    title: str
    part: str
    chip: Resources
    bitstream_bytes: int
    budget: dict[str, Resources]
    ps_clk_mhz: float
    io_pll_mhz: float
    most_mhz: float

    def divisors(self, mhz: float) -> tuple[int, int]:
        """FCLK0's two dividers for the fastest clock that can be set, not above `mhz`."""
        least = self.io_pll_mhz / mhz - 1e-6
        pairs = ((a, b) for b in _DIVISORS for a in _DIVISORS if a * b >= least)
        return min(pairs, key=lambda pair: pair[0] * pair[1])

    def fclk_mhz(self, mhz: float) -> float:
        """The fastest clock that can be set, not above `mhz`."""
        first, second = self.divisors(mhz)
        return self.io_pll_mhz / (first * second)


def names() -> list[str]:
    """Names of all boards."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@cache
def find_board(name: str) -> Board:
    """Look a board up by name. Raises ConfigError that lists the known ones."""
    if name not in names():
        raise ConfigError(f"unknown board {name!r}; known boards: {', '.join(names())}")
    return load(FOLDER / f"{name}.toml")


def load(path: Path) -> Board:
    """Read a board and its chip. Raises ConfigError: file, key and what would work."""
    board = tables.read(_BoardFile, path, f"use one of {', '.join(names())}")
    chip_path = path.parent / "chips" / f"{board.chip}.toml"
    known = ", ".join(sorted(file.stem for file in chip_path.parent.glob("*.toml")))
    chip = tables.read(_ChipFile, chip_path, f"{path}: chip may be one of {known}")
    if chip.most_mhz > board.io_pll_mhz:
        most = f"{board.io_pll_mhz:g}, as io_pll_mhz in {path}"
        raise ConfigError(f"{chip_path}: most_mhz = {chip.most_mhz:g}; use at most {most}")
    budget = chip.budget or _usual(chip.resources)
    return Board(
        name=path.stem,
        title=board.title,
        part=board.part,
        chip=chip.resources,
        bitstream_bytes=chip.bitstream_bytes,
        budget={tool: getattr(budget, tool) for tool in BUDGETS},
        ps_clk_mhz=board.ps_clk_mhz,
        io_pll_mhz=board.io_pll_mhz,
        most_mhz=chip.most_mhz,
    )


@dataclass(frozen=True, kw_only=True)
class _BoardFile:
    """What boards/NAME.toml holds."""

    title: str
    part: str
    chip: str
    ps_clk_mhz: Annotated[float, _PS_CLK_MHZ]
    io_pll_mhz: Annotated[float, _PLL_MHZ]

    def __post_init__(self) -> None:
        """Check what keys say about each other."""
        if not self.part.startswith(self.chip):
            raise ConfigError(
                f"part = {self.part!r}; use a part of the chip {self.chip}, as {self.chip}clg400-1"
            )
        times = self.io_pll_mhz / self.ps_clk_mhz
        if abs(times - round(times)) > 0.01:
            raise ConfigError(
                f"io_pll_mhz = {self.io_pll_mhz}; use a whole multiple of ps_clk_mhz, "
                f"{self.ps_clk_mhz:g}"
            )


@dataclass(frozen=True, kw_only=True)
class _Budget:
    """The accelerator's share of the chip, by the tool that places it."""

    openxc7: Resources
    vivado: Resources


BUDGETS = tuple(item.name for item in fields(_Budget))
# What the chip around the accelerator takes: DMA, registers and the PS7 wrapper.
_AROUND_LUT, _AROUND_BRAM36 = 2_000, 2


def _usual(chip: Resources) -> _Budget:
    """The shares of a chip that nobody has tried, less what is around the accelerator.

    For Vivado 80 % of the chip, of its block RAM 95 %, since that stands on sites of its own. The
    open tools have a third fewer LUTs and half the flip-flops, since they fill slices less well,
    and no DSPs.
    """
    vivado = Resources(
        lut=chip.lut * 4 // 5 - _AROUND_LUT,
        ff=chip.ff * 4 // 5,
        bram36=chip.bram36 * 19 // 20 - _AROUND_BRAM36,
        dsp=chip.dsp * 4 // 5,
    )
    openxc7 = replace(vivado, lut=vivado.lut * 2 // 3, ff=vivado.ff // 2, dsp=0)
    return _Budget(openxc7=openxc7, vivado=vivado)


@dataclass(frozen=True, kw_only=True)
class _ChipFile:
    """What boards/chips/NAME.toml holds."""

    bitstream_bytes: Annotated[int, Range(least=1)]
    most_mhz: Annotated[float, Range(least=1)]
    resources: Resources
    budget: _Budget | None = None

    def __post_init__(self) -> None:
        """Refuse a share that is more than the whole."""
        for tool in BUDGETS if self.budget else ():
            for name, most in asdict(self.resources).items():
                value = getattr(getattr(self.budget, tool), name)
                if value > most:
                    raise ConfigError(f"budget.{tool}.{name} = {value}; use at most {most:g}")
