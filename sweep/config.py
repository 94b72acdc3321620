"""What a sweep.toml holds: the space, how trials are trained, constraints, and the search."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from finn_build.boards import BUDGETS, find_board
from finn_build.config import TOOLS, VECTORS
from headrace import tables
from headrace.tables import Range
from quant.config import Device, Network, Precision, Ranking
from quant.recipes import find_recipe
from quant.topologies import get_network
from sweep.errors import ConfigError, HeadraceError

_MAY_BE_EMPTY = ("dense",)
Schedule = Literal["even", "ranked", "folding"]
_Width = Annotated[int, Range(least=1, most=8)]
_Some = Annotated[int, Range(least=1)]
_Count = Annotated[int, Range(least=0)]
_Share = Annotated[float, Range(above=0, below=1)]


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


def _need_all(name: str, values: tuple[Any, ...], known: tuple[Any, ...]) -> None:
    for value in values:
        use = ", ".join(map(str, known))
        _need(value in known, f"{name}: {value!r} is not known; use {use}")


def _need_once(table: object, *names: str) -> None:
    for name in names:
        values = getattr(table, name)
        _need(
            bool(values) or name in _MAY_BE_EMPTY,
            f"{name} is empty; give one value or more, or leave the key out",
        )
        twice = sorted({str(value) for value in values if values.count(value) > 1})
        _need(not twice, f"{name}: {', '.join(twice)} is given twice; give it once")


@dataclass(frozen=True, kw_only=True)
class Bits:
    """Bit widths to try, by group of layers; every combination is one.

    weights: of the hidden layers; acts: after each ReLU; first, last: weights of the first and the
    last layer; dense: weights of hidden dense layers, () where they have those of `weights`.
    """

    weights: tuple[_Width, ...] = (2,)
    acts: tuple[_Width, ...] = (2,)
    first: tuple[_Width, ...] = (4,)
    last: tuple[_Width, ...] = (4,)
    dense: tuple[_Width, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a value that is given twice, and lists without any."""
        _need_once(self, "weights", "acts", "first", "last", "dense")


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """How many filters go, and which.

    iterations: how often filters go and the network recovers, 0 for all filters; schedules: `even`
    takes the same share of every layer, `ranked` the least important of all layers together,
    `folding` what the target rate asks for; rankings: which filters of a layer go first; share: of
    the filters, in an iteration; block: layers keep a multiple of so many filters (even, folding).
    """

    iterations: tuple[_Count, ...] = (0,)
    schedules: tuple[Schedule, ...] = ("even",)
    rankings: tuple[Ranking, ...] = ("taylor",)
    share: _Share = 0.05
    block: _Some = 8

    def __post_init__(self) -> None:
        """Refuse a value that is given twice, and lists without any."""
        _need_once(self, "iterations", "schedules", "rankings")


@dataclass(frozen=True, kw_only=True)
class Space:
    """All designs that are looked at: every combination.

    networks: names or .toml files; budgets: share of the chip that a tool may use; target_fps:
    frames/s to fold for at the least cost, 0 for as fast as fits; seeds: trainings of each design.
    """

    networks: tuple[str, ...]
    bits: Bits = field(default_factory=Bits)
    pruning: Pruning = field(default_factory=Pruning)
    boards: tuple[str, ...] = ("pynq-z2",)
    budgets: tuple[str, ...] = ("vivado",)
    clocks_mhz: tuple[float, ...] = (100.0,)
    target_fps: tuple[Annotated[float, Range(least=0)], ...] = (0.0,)
    seeds: tuple[_Count, ...] = (1,)

    def __post_init__(self) -> None:
        """Check what boards and networks say, and that no two values contradict each other."""
        _need_once(self, "networks", "boards", "budgets", "clocks_mhz", "target_fps", "seeds")
        _need_all("budgets", self.budgets, BUDGETS)
        try:
            most = min(find_board(name).most_mhz for name in self.boards)
            for name in self.networks:
                self._need_filters(get_network(name))
        except HeadraceError as error:
            raise ConfigError(f"networks, boards: {error}") from error
        for clock in self.clocks_mhz:
            _need(1 <= clock <= most, f"clocks_mhz = {clock:g}: use 1 to {most:g} on these boards")
        if "folding" in self.pruning.schedules:
            _need(
                max(self.target_fps) > 0 and max(self.pruning.iterations) > 0,
                "pruning.schedules: folding has nothing to prune for; give a rate in "
                "space.target_fps and one or more space.pruning.iterations, or leave it out",
            )

    def _need_filters(self, network: Network) -> None:
        block, most = self.pruning.block, max(self.pruning.iterations)
        if most and min(network.filters, default=block) < block:
            raise ConfigError(
                f"pruning.block = {block} is more than the {min(network.filters)} filters of a "
                f"layer of {network.name}; use at most so many"
            )


@dataclass(frozen=True, kw_only=True)
class Training:
    """How trials are trained.

    images, test_images: how many of the set's are used, 0 for all; held_out: training images that
    every choice is made on; float_epochs: of each network, once; tune_epochs: after each pruning
    iteration; pruned_epochs: after the last; rungs: epochs of the quantised network in each round,
    between which the share `keep` of the trials goes on; batch: 0 for the recipe's; precision: of
    the float networks' products while they train.
    """

    recipe: str = "ours"
    images: _Count = 0
    test_images: _Count = 0
    held_out: _Some = 1000
    float_epochs: _Some = 20
    tune_epochs: _Some = 1
    pruned_epochs: _Count = 4
    rungs: tuple[_Some, ...] = (1, 4, 12)
    keep: Annotated[float, Range(above=0, most=1)] = 0.5
    batch: _Count = 0
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        """Check the recipe, and that there is a rung."""
        try:
            find_recipe(self.recipe)
        except HeadraceError as error:
            raise ConfigError(str(error)) from error
        _need(bool(self.rungs), "rungs is empty; give one value or more, or leave the key out")


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What a design must have; None where nothing is asked. Accuracy: a share, held-out images."""

    min_fps: Annotated[float, Range(above=0)] | None = None
    max_lut: _Some | None = None
    min_accuracy: float | None = None

    def __post_init__(self) -> None:
        """Refuse a percentage."""
        share = self.min_accuracy
        _need(share is None or 0 < share <= 1, f"min_accuracy = {share}; use a share, as 0.87")


@dataclass(frozen=True, kw_only=True)
class Search:
    """How far the search goes.

    trials: designs in the first round of training at most; builds: of the front, synthesised and
    simulated on `images` images at most, from the most accurate; tool: for their bitstreams.
    """

    trials: _Some = 16
    builds: _Count = 4
    # With fewer the simulation reaches no steady state.
    images: Annotated[int, Range(least=4, most=VECTORS)] = 10
    tool: str = "none"

    def __post_init__(self) -> None:
        """Check the tool."""
        _need_all("tool", (self.tool,), tuple(tool for tool in TOOLS if tool != "finn"))


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What a training gets of the machines; changes no result.

    cpus: cores and threads; gpus: GPUs or a share of one, None for one where there are any;
    processes: of one training, started by torchrun; retries: of a job whose worker dies;
    device: auto, cpu or cuda; compiled: with torch.compile.
    """

    cpus: _Some = 1
    gpus: Annotated[float, Range(least=0)] | None = None
    processes: _Some = 1
    retries: _Count = 3
    device: Device = "auto"
    compiled: bool = True


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A whole sweep.toml."""

    space: Space
    training: Training = field(default_factory=Training)
    constraints: Constraints = field(default_factory=Constraints)
    search: Search = field(default_factory=Search)
    engine: Engine = field(default_factory=Engine)

    def __post_init__(self) -> None:
        """Check what tables say about each other."""
        tool, budgets = self.search.tool, self.space.budgets
        _need(
            tool not in BUDGETS or budgets == (tool,),
            f"search.tool = {tool!r} builds within its own share of the chip, but space.budgets = "
            f"{list(budgets)}; use space.budgets = [{tool!r}], or search.tool = 'none'",
        )


def load(path: Path) -> Sweep:
    """Read a sweep.toml.

    Raises:
        ConfigError: naming file, key, and what would work.
    """
    return tables.read(Sweep, path, "docs/sweep.md says how to write one")
