"""What a sweep.toml holds: the space, how trials are trained, constraints, and the search."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from finn_build.boards import BUDGETS, find_board
from finn_build.config import TOOLS, VECTORS
from headrace import tables
from quant.config import Network, Precision, Ranking
from quant.networks import get_network
from quant.recipes import find_recipe
from sweep.errors import ConfigError, HeadraceError

_MAY_BE_EMPTY = ("dense",)
SCHEDULES = ("even", "ranked", "folding")


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


def _need_all(name: str, values: tuple[Any, ...], known: tuple[Any, ...]) -> None:
    for value in values:
        use = ", ".join(map(str, known))
        _need(value in known, f"{name}: {value!r} is not known; use {use}")


def _need_least(name: str, values: tuple[float, ...], least: float) -> None:
    for value in values:
        _need(value >= least, f"{name} = {value:g} is too small; use {least:g} or more")


def _need_once(table: object, *names: str) -> None:
    for name in names:
        values = getattr(table, name)
        _need(
            bool(values) or name in _MAY_BE_EMPTY,
            f"{name} is empty; give one value or more, or leave the key out",
        )
        twice = sorted({str(each) for each in values if values.count(each) > 1})
        _need(not twice, f"{name}: {', '.join(twice)} is given twice; give it once")


@dataclass(frozen=True, kw_only=True)
class Bits:
    """Bit widths to try, by group of layers; every combination is one.

    weights: of the hidden layers; acts: after each ReLU; first, last: weights of the first and the
    last layer; dense: weights of hidden dense layers, () where they have those of `weights`.
    """

    weights: tuple[int, ...] = (2,)
    acts: tuple[int, ...] = (2,)
    first: tuple[int, ...] = (4,)
    last: tuple[int, ...] = (4,)
    dense: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check every value."""
        groups = ("weights", "acts", "first", "last", "dense")
        _need_once(self, *groups)
        for name in groups:
            _need_all(name, getattr(self, name), tuple(range(1, 9)))


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """How many filters go, and which.

    iterations: how often filters go and the network recovers, 0 for all filters; schedules: `even`
    takes the same share of every layer, `ranked` the least important of all layers together,
    `folding` what the target rate asks for; rankings: which filters of a layer go first; share: of
    the filters, in an iteration; block: layers keep a multiple of so many filters (even, folding).
    """

    iterations: tuple[int, ...] = (0,)
    schedules: tuple[str, ...] = ("even",)
    rankings: tuple[str, ...] = ("taylor",)
    share: float = 0.05
    block: int = 8

    def __post_init__(self) -> None:
        """Check every value."""
        _need_once(self, "iterations", "schedules", "rankings")
        _need_least("iterations", self.iterations, 0)
        _need_all("schedules", self.schedules, SCHEDULES)
        _need_all("rankings", self.rankings, get_args(Ranking))
        _need(0.0 < self.share < 1.0, f"share = {self.share:g}; use more than 0, less than 1")
        _need_least("block", (self.block,), 1)


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
    target_fps: tuple[float, ...] = (0.0,)
    seeds: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        """Check every value, and that no two of them contradict each other."""
        _need_once(self, "networks", "boards", "budgets", "clocks_mhz", "target_fps", "seeds")
        _need_all("budgets", self.budgets, BUDGETS)
        _need_least("target_fps", self.target_fps, 0.0)
        _need_least("seeds", self.seeds, 0)
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

    images, test_images: how many of CIFAR-10's are used, 0 for all; held_out: training images that
    every choice is made on; float_epochs: of each network, once; tune_epochs: after each pruning
    iteration; pruned_epochs: after the last; rungs: epochs of the quantised network in each round,
    between which the share `keep` of the trials goes on; batch: 0 for the recipe's; precision: of
    the float networks' products while they train.
    """

    recipe: str = "ours"
    images: int = 0
    test_images: int = 0
    held_out: int = 1000
    float_epochs: int = 20
    tune_epochs: int = 1
    pruned_epochs: int = 4
    rungs: tuple[int, ...] = (1, 4, 12)
    keep: float = 0.5
    batch: int = 0
    precision: str = "float32"

    def __post_init__(self) -> None:
        """Check every value."""
        try:
            find_recipe(self.recipe)
        except HeadraceError as error:
            raise ConfigError(str(error)) from error
        for name in ("images", "test_images", "pruned_epochs", "batch"):
            _need_least(name, (getattr(self, name),), 0)
        for name in ("held_out", "float_epochs", "tune_epochs"):
            _need_least(name, (getattr(self, name),), 1)
        _need_least("rungs", self.rungs, 1)
        _need_all("precision", (self.precision,), get_args(Precision))
        _need(0.0 < self.keep <= 1.0, f"keep = {self.keep:g}; use more than 0, at most 1")


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What a design must have; None where nothing is asked. Accuracy: a share, held-out images."""

    min_fps: float | None = None
    max_lut: int | None = None
    min_accuracy: float | None = None

    def __post_init__(self) -> None:
        """Check every value."""
        for name in ("min_fps", "max_lut"):
            value = getattr(self, name)
            _need(value is None or value > 0, f"{name} = {value}; use more than 0")
        share = self.min_accuracy
        _need(share is None or 0 < share <= 1, f"min_accuracy = {share}; use a share, as 0.87")


@dataclass(frozen=True, kw_only=True)
class Search:
    """How far the search goes.

    trials: designs in the first round of training at most; builds: of the front, synthesised and
    simulated on `images` images at most, from the most accurate; tool: for their bitstreams.
    """

    trials: int = 16
    builds: int = 4
    images: int = 10
    tool: str = "none"

    def __post_init__(self) -> None:
        """Check every value."""
        _need_least("trials", (self.trials,), 1)
        _need_least("builds", (self.builds,), 0)
        # Of fewer the simulation sees no steady state.
        _need(4 <= self.images <= VECTORS, f"images = {self.images}: use 4 to {VECTORS}")
        _need_all("tool", (self.tool,), tuple(tool for tool in TOOLS if tool != "finn"))


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What a training gets of the machines; changes no result.

    cpus: cores and threads; gpus: GPUs or a share of one, None for one where there are any;
    processes: of one training, started by torchrun; retries: of a job whose worker dies;
    device: auto, cpu or cuda; compiled: with torch.compile.
    """

    cpus: int = 1
    gpus: float | None = None
    processes: int = 1
    retries: int = 3
    device: str = "auto"
    compiled: bool = True

    def __post_init__(self) -> None:
        """Check every value."""
        _need_least("cpus", (self.cpus,), 1)
        _need_least("processes", (self.processes,), 1)
        _need_least("retries", (self.retries,), 0)
        _need(self.gpus is None or self.gpus >= 0, f"gpus = {self.gpus}; use 0 or more")
        _need_all("device", (self.device,), ("auto", "cpu", "cuda"))


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
