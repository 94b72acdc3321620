"""What a backend is: a class that finds its tools, places, routes and writes a bitstream.

Steps, `doctor`, the command line and the report know these classes by
`finn_build.backends.registry` alone.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from finn_build.boards import Board
from finn_build.config import Options
from finn_build.errors import ToolError
from finn_build.flow.pipeline import Build

# In the folder that emit leaves: the list of the chip's sources, and their top module.
SOURCES, TOP = "chip.f", "chip"
# The accelerator that these sources are.
OURS = "headrace"


class Places(Protocol):
    """Where the user says that tools and their databases are; Options are such places."""

    @property
    def chipdb(self) -> Path | None:
        """nextpnr's database of the chip."""

    @property
    def prjxray_db(self) -> Path | None:
        """Project X-Ray's database."""

    @property
    def vivado(self) -> Path | None:
        """Vivado's folder."""


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One net of a path: its name, its loads, and the delay of its wire in ns."""

    net: str
    loads: int
    ns: float


@dataclass(frozen=True, kw_only=True)
class Routed:
    """A routed design.

    mhz: the fastest clock by its tool; logic_ns, hops, start, end: the critical path's;
    used: what is taken of each kind of the chip's elements, and how many it has.
    """

    seed: int
    mhz: float
    start: str
    end: str
    logic_ns: float
    hops: list[Hop]
    used: dict[str, tuple[int, int]]

    @property
    def path(self) -> str:
        """The critical path in words."""
        wires = sum(hop.ns for hop in self.hops)
        nets = ", ".join(f"{hop.net} ({hop.ns:.1f} ns, {hop.loads:,} loads)" for hop in self.hops)
        return (
            f"{self.start} to {self.end}: {self.logic_ns + wires:.1f} ns, {wires:.1f} of them in "
            f"wires: {nets}"
        )


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A chip that is placed and routed, and what its tool says of it.

    timing: what says how fast the clock is; resources: report.json's; best: the fastest of all
    seeds; seeds: the clock of each, MHz; cycles: per frame, where the accelerator is not ours;
    software: the folder, within the step's, of what that accelerator needs on the board instead of
    our driver.
    """

    tool_version: str
    timing: str
    resources: dict[str, float]
    best: Routed
    seeds: dict[int, float]
    cycles: int | None = None
    software: str | None = None


class Backend(ABC):
    """Makes a bitstream from the RTL, or from the model.

    name: as --tool takes it; title: for people; share: the budget of a chip that it keeps to;
    seeded: whether it takes --seeds; boards: those that it knows, None for all; programs: what it
    looks for on PATH; reads: steps whose results it takes, other than the chip's RTL and netlists;
    accelerator: whose it builds; lacking: what `doctor` says is not possible without its tools.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    share: ClassVar[str]
    seeded: ClassVar[bool] = False
    boards: ClassVar[tuple[str, ...] | None] = None
    programs: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    accelerator: ClassVar[str] = OURS
    lacking: ClassVar[str] = "no bitstream"

    @abstractmethod
    def find(self, board: Board, places: Places) -> object:
        """Look for all that a bitstream needs. Raises ToolError that says what to install."""

    @abstractmethod
    def attempt(self, board: Board, places: Places) -> str:
        """Try the tools; returns what was found. Raises ToolError as `find`, or why they fail."""

    @abstractmethod
    def key(self, options: Options) -> Any:
        """What the routed chip depends on: the tools, and all that is asked of them."""

    @abstractmethod
    def place_and_route(self, build: Build, out: Path) -> Placed:
        """Leave in `out` what `bitstream` reads.

        Raises ToolError where a tool or a database is missing or does not work, before the long
        part, or where the design does not fit.
        """

    @abstractmethod
    def bitstream(self, build: Build, path: Path) -> None:
        """Write the bitstream of what `place_and_route` left in the step `route`.

        Raises ToolError if that is not the design, or the file could not be loaded.
        """

    def diagnose(self, board: Board, places: Places) -> str:
        """What the tools on this machine make possible for a board, for `doctor`."""
        try:
            return f"bitstreams by {self.name}: {self.attempt(board, places)}"
        except ToolError as error:
            return f"{self.lacking}: {error}"
