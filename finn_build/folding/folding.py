"""The parallelism of every layer, as a user reads and edits it, and its cost."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from finn_build.boards import Resources
from finn_build.errors import FoldingError
from finn_build.folding.cost import Cost
from finn_build.folding.fold import MEMORIES, Fold
from finn_build.network.graph import IMAGE, Network
from finn_build.network.layers import Layer, Mvtu, Place, Window
from finn_build.system.files import load_json, save_json


@dataclass(frozen=True, kw_only=True)
class Folding:
    """The folds of all units and the costs of all layers.

    folds: by the unit's name; costs, stages: each layer's cost and stage, by its name;
    input_cycles: beats in which an image comes.
    """

    folds: dict[str, Fold]
    costs: dict[str, Cost]
    stages: "dict[str, Stage]"
    input_cycles: int

    def fold(self, layer: Layer) -> Fold:
        """The fold of a layer: that of its stage's unit."""
        return self.folds[self.stages[layer.name].unit.name]

    def place(self, layer: Layer) -> Place:
        """The place of a layer in the accelerator."""
        stage = self.stages[layer.name]
        cycles = self.costs[stage.unit.name].cycles
        brought = self.input_cycles if stage.first else 0
        return stage.place(self.fold(layer), cycles=cycles, brought=brought)

    def pixels(self, layer: Layer) -> int:
        """Pixels in a beat of a layer."""
        return layer.at_once(self.fold(layer).pixels)

    @property
    def cycles(self) -> int:
        """Cycles per frame in the steady state: those of the slowest layer or of the input."""
        return max(self.input_cycles, *(c.cycles for c in self.costs.values()))

    @property
    def bottleneck(self) -> str:
        """Name of the slowest layer, or "input"."""
        slowest = max(self.costs, key=lambda name: self.costs[name].cycles)
        return slowest if self.costs[slowest].cycles == self.cycles else "input"

    @property
    def total(self) -> Resources:
        """Estimated resources."""
        return Resources(
            lut=sum(c.lut for c in self.costs.values()),
            ff=sum(c.ff for c in self.costs.values()),
            bram36=sum(c.bram18 for c in self.costs.values()) / 2,
            dsp=sum(c.dsp for c in self.costs.values()),
        )

    def save(self, path: Path) -> None:
        """Write the folds as JSON."""
        save_json(path, {name: asdict(f) for name, f in self.folds.items()})

    @classmethod
    def load(cls, path: Path, network: Network) -> "Folding":
        """Read folds that `save` wrote or a user edited.

        Raises FoldingError for a fold that is not legal, with the legal values.
        """
        try:
            stored: dict[str, Any] = load_json(path)
            folds = {name: _fold(name, fold) for name, fold in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise FoldingError(
                f"{path}: not a folding ({error}); want {{layer: {{pe, simd, memory}}}}"
            ) from error
        return make(network, folds)


def _fold(name: str, said: dict[str, Any]) -> Fold:
    """A fold as a file has it. Raises TypeError for values of another type."""
    for each in fields(Fold):
        value = said.get(each.name, each.default)
        if each.name in said and type(value) is not each.type:
            raise TypeError(f"{name}: {each.name} is {value!r}")
    return Fold(**said)


def make(network: Network, folds: dict[str, Fold]) -> Folding:
    """Check folds against the network and add the costs. Raises FoldingError."""
    names = [m.name for m in network.mvtus]
    if sorted(folds) != sorted(names):
        raise FoldingError(f"the folding is for {sorted(folds)}; the network has {sorted(names)}")
    costs: dict[str, Cost] = {}
    by_layer: dict[str, Stage] = {}
    for stage in stages(network):
        costs |= stage.costs(folds[stage.unit.name])
        by_layer |= {layer.name: stage for layer in stage.layers}
    beats = network.frame_bytes // network.input_bytes
    return Folding(folds=folds, costs=costs, stages=by_layer, input_cycles=beats)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A unit that multiplies, and all layers, in order, that have its fold.

    window: the layer that gathers windows for the unit; first: whether no other unit is before it.
    """

    unit: Mvtu
    layers: tuple[Layer, ...]
    window: Window | None = None
    first: bool = False

    def place(self, fold: Fold, *, cycles: int = 0, brought: int = 0) -> Place:
        """The place of its layers, with a fold."""
        return Place(fold=fold, unit=self.unit, window=self.window, cycles=cycles, brought=brought)

    def legal_lines(self, fold: Fold) -> tuple[str, ...]:
        """Memories that the window's lines can be in; logic if it has none, or slides."""
        window = self.window
        whole = window is not None and window.kernel[0] > 1 and not window.slides(fold)
        return MEMORIES if whole else MEMORIES[:1]

    @property
    def legal_pixels(self) -> tuple[int, ...]:
        """Numbers of positions that the unit can take at once with constant weights."""
        return self.unit.legal_pixels(self.window)

    def fits(self, fold: Fold) -> bool:
        """Whether the hardware of all layers is possible with a fold that is legal for the unit."""
        return all(layer.fits(self.place(fold)) for layer in self.layers)

    def check(self, fold: Fold) -> None:
        """Raise FoldingError, with what is legal, if the fold is not."""
        if not isinstance(fold.pixels, int) or fold.pixels not in self.legal_pixels:
            raise FoldingError(
                f"{self.unit.name}: pixels={fold.pixels} cannot be taken at once; use "
                f"{', '.join(map(str, self.legal_pixels))}"
            )
        if fold.lines not in (legal := self.legal_lines(fold)):
            raise FoldingError(
                f"{self.unit.name}: lines cannot be in {fold.lines!r}; use {' or '.join(legal)}"
            )
        self.unit.hardware(fold).check()
        if not self.fits(fold):
            raise FoldingError(
                f"{self.unit.name}: with PE={fold.pe} the thresholds after it are too many for a "
                "block RAM; use a larger PE"
            )

    def costs(self, fold: Fold) -> dict[str, Cost]:
        """Costs of all layers by their names. Raises FoldingError if the fold is not legal."""
        self.check(fold)
        place = self.place(fold)
        return {layer.name: layer.cost(place) for layer in self.layers}


def stages(network: Network) -> list[Stage]:
    """All layers, each in the stage of a unit that it leads to or follows."""
    members: dict[str, list[Layer]] = {unit.name: [] for unit in network.mvtus}
    behind: dict[str, str | None] = {IMAGE: None}  # the last unit that a stream went through
    for layer, sources in network.walk():
        units = (behind[source] for source in sources if behind[source] is not None)
        behind[layer.name] = layer.name if layer.stage == "unit" else next(units, None)
    fed = {IMAGE: False}  # whether a unit is anywhere before a layer
    for layer, sources in network.walk():
        fed[layer.name] = any(fed[source] or source in members for source in sources)
    ahead: dict[str, str] = {}  # the first unit that a stream goes to
    for layer, sources in reversed(list(network.walk())):
        unit = layer.name if layer.stage == "unit" else ahead.get(layer.name)
        ahead |= {source: unit for source in sources if unit is not None}
    for layer in network.layers:
        near, far = behind[layer.name], ahead.get(layer.name)
        chosen = far or near if layer.stage == "before" else near or far
        assert chosen is not None, "a network without a unit has no folding"
        members[chosen].append(layer)
    windows = network.windows
    return [
        Stage(
            unit=unit,
            layers=tuple(members[unit.name]),
            window=windows.get(unit.name),
            first=not fed[unit.name],
        )
        for unit in network.mvtus
    ]


def fits(used: Resources, budget: Resources) -> bool:
    """Whether all resources are within the budget."""
    return not shortfall(used, budget)


def shortfall(used: Resources, budget: Resources) -> str:
    """Resources over budget, in words."""
    over = []
    kinds = (("lut", "LUTs"), ("ff", "FFs"), ("bram36", "BRAM36"), ("dsp", "DSPs"))
    for name, title in kinds:
        have, want = getattr(budget, name), getattr(used, name)
        if want > have:
            over.append(f"{want:,g} {title} of {have:,g}")
    return ", ".join(over)
