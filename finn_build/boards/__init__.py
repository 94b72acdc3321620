"""Boards: the chip, its resources, the share of them that each tool may use, and its clocks.

A board is a TOML file in boards/, its chip one in boards/chips/; docs/boards.md says what is in
them.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from finn_build.errors import ConfigError

FOLDER = (Path(__file__).parent / "../boards").resolve()
BUDGETS = ("openxc7", "vivado")
# Xilinx DS187: the processing system's crystal and its PLLs; UG585: two dividers of 6 bits.
_PS_CLK_MHZ, _PLL_MHZ, _DIVISORS = (30, 60), (780, 1600), range(1, 64)


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
    board = _Table.read(path)
    title, part = board.text("title"), board.text("part")
    name = board.text("chip")
    chip_path = path.parent / "chips" / f"{name}.toml"
    if not chip_path.is_file():
        known = ", ".join(sorted(each.stem for each in chip_path.parent.glob("*.toml")))
        raise board.wrong("chip", name, f"one of {chip_path.parent}: {known}")
    if not part.startswith(name):
        raise board.wrong("part", part, f"a part of that chip, as {name}clg400-1")
    ps_clk = board.number("ps_clk_mhz", *_PS_CLK_MHZ)
    pll = board.number("io_pll_mhz", *_PLL_MHZ)
    if abs(pll / ps_clk - round(pll / ps_clk)) > 0.01:
        raise board.wrong("io_pll_mhz", pll, f"a whole multiple of ps_clk_mhz, {ps_clk:g}")
    board.end()
    chip = _Table.read(chip_path)
    whole = _resources(chip.table("resources"))
    shares = chip.table("budget")
    budget = {tool: _resources(shares.table(tool), within=whole) for tool in BUDGETS}
    shares.end()
    made = Board(
        name=path.stem,
        title=title,
        part=part,
        chip=whole,
        bitstream_bytes=chip.whole("bitstream_bytes", least=1),
        budget=budget,
        ps_clk_mhz=ps_clk,
        io_pll_mhz=pll,
        most_mhz=chip.number("most_mhz", 1, pll),
    )
    chip.end()
    return made


def _resources(table: "_Table", within: Resources | None = None) -> Resources:
    def most(key: str) -> float | None:
        return None if within is None else float(getattr(within, key))

    made = Resources(
        lut=table.whole("lut", most=most("lut")),
        ff=table.whole("ff", most=most("ff")),
        bram36=table.number("bram36", 0, most("bram36")),
        dsp=table.whole("dsp", most=most("dsp")),
    )
    table.end()
    return made


class _Table:
    """A table of a TOML file, whose keys are taken one by one; one that is left over is wrong."""

    def __init__(self, path: Path, place: str, values: dict[str, Any]) -> None:
        self.path, self.place, self.values = path, place, values
        self.taken: list[str] = []

    @classmethod
    def read(cls, path: Path) -> "_Table":
        try:
            return cls(path, "", tomllib.loads(path.read_text()))
        except (ValueError, OSError) as error:
            raise ConfigError(f"{path}: not a readable TOML file: {error}") from error

    def wrong(self, key: str, value: Any, right: str) -> ConfigError:
        return ConfigError(f"{self.path}: {self.place}{key} = {value!r}; use {right}")

    def take(self, key: str, right: str, check: Callable[[Any], bool]) -> Any:
        self.taken.append(key)
        if key not in self.values:
            raise ConfigError(f"{self.path}: {self.place}{key} is missing; use {right}")
        if not check(self.values[key]):
            raise self.wrong(key, self.values[key], right)
        return self.values[key]

    def text(self, key: str) -> str:
        value: str = self.take(key, "a text", lambda v: isinstance(v, str) and v != "")
        return value

    def number(self, key: str, least: float, most: float | None = None) -> float:
        value: float = self.take(
            key,
            f"a number{_range(least, most)}",
            lambda v: type(v) in (int, float) and _within(v, least, most),
        )
        return value

    def whole(self, key: str, least: int = 0, most: float | None = None) -> int:
        value: int = self.take(
            key,
            f"a whole number{_range(least, most)}",
            lambda v: type(v) is int and _within(v, least, most),
        )
        return value

    def table(self, key: str) -> "_Table":
        values = self.take(key, f"a table [{self.place}{key}]", lambda v: isinstance(v, dict))
        return _Table(self.path, f"{self.place}{key}.", values)

    def end(self) -> None:
        for key in sorted(self.values.keys() - self.taken):
            known = ", ".join(self.taken)
            raise ConfigError(f"{self.path}: {self.place}{key} is unknown; known here: {known}")


def _within(value: float, least: float, most: float | None) -> bool:
    return least <= value and (most is None or value <= most)


def _range(least: float, most: float | None) -> str:
    return f" of {least:g} or more" if most is None else f" from {least:g} to {most:g}"
