"""The parallelism of every layer, as a user reads and edits it, and what it costs."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finn_build import cost
from finn_build.boards import Resources
from finn_build.cost import Cost
from finn_build.errors import FoldingError
from finn_build.files import load_json, save_json
from finn_build.layers import Mvtu, Network, Window
from finn_build.slices import worth

MEMORIES = ("logic", "block")
CONSTANT = "constant"


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Parallelism of one layer: PE outputs, SIMD inputs per cycle, weights in logic or BRAM.

    `dsp`: multiplied in DSP slices. Or weights built in (`constant`): all outputs and inputs at
    once, `slice_bits` bits of every input per cycle.
    """

    pe: int
    simd: int
    memory: str
    slice_bits: int = 0
    dsp: bool = False


@dataclass(frozen=True, kw_only=True)
class Folding:
    """Folds by layer name; costs by layer name, of every layer."""

    folds: dict[str, Fold]
    costs: dict[str, Cost]

    @property
    def cycles(self) -> int:
        """Cycles per frame in the steady state: the slowest layer's."""
        return max(c.cycles for c in self.costs.values())

    @property
    def bottleneck(self) -> str:
        """Name of the slowest layer."""
        return max(self.costs, key=lambda name: self.costs[name].cycles)

    @property
    def total(self) -> Resources:
        """Estimated resources; flip-flops are not estimated."""
        return Resources(
            lut=sum(c.lut for c in self.costs.values()),
            ff=0,
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
            folds = {name: Fold(**fold) for name, fold in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise FoldingError(
                f"{path}: not a folding ({error}); want {{layer: {{pe, simd, memory}}}}"
            ) from error
        return make(network, folds)


def make(network: Network, folds: dict[str, Fold]) -> Folding:
    """Check folds against the network and add the costs. Raises FoldingError."""
    names = [m.name for m in network.mvtus]
    if sorted(folds) != sorted(names):
        raise FoldingError(f"the folding is for {sorted(folds)}; the network has {sorted(names)}")
    costs = {}
    windows = network.windows
    for layer in network.layers:
        if isinstance(layer, Mvtu):
            window, fold = windows.get(layer.name), folds[layer.name]
            costs[layer.name] = price(layer, fold, window)
            if window is not None:
                costs[window.name] = price_window(window, fold)
        elif not isinstance(layer, Window):
            costs[layer.name] = cost.fixed(layer)
    return Folding(folds=folds, costs={layer.name: costs[layer.name] for layer in network.layers})


def slides(window: Window | None, fold: Fold) -> bool:
    """Whether a unit gets its windows piece by piece, as it takes them, and not each as a whole."""
    if window is None or fold.memory == CONSTANT:
        return False
    return window.same and window.kernel > 1 and window.channels % fold.simd == 0


def price_window(window: Window, fold: Fold) -> Cost:
    """Cost of the window before a layer with a fold."""
    if slides(window, fold):
        return cost.sliding_window(window, simd=fold.simd)
    return cost.fixed(window)


def price(layer: Mvtu, fold: Fold, window: Window | None = None) -> Cost:
    """Cost of a layer with a fold behind a window. Raises FoldingError if it is not legal."""
    built_in = fold.memory == CONSTANT
    if not built_in and fold.memory not in MEMORIES:
        raise FoldingError(
            f"{layer.name}: memory {fold.memory!r} is unknown; use "
            f"{', '.join(MEMORIES)} or {CONSTANT}"
        )
    if not built_in:
        _check(layer.name, "PE", fold.pe, layer.rows, "rows")
        _check(layer.name, "SIMD", fold.simd, layer.cols, "inputs")
        if fold.dsp and not worth(layer, fold.pe):
            raise FoldingError(
                f"{layer.name}: a DSP for one product of {layer.weight_bits} by {layer.in_bits} "
                "bits; use a larger PE or dsp false"
            )
        if fold.slice_bits:
            raise FoldingError(f"{layer.name}: slice_bits are for memory {CONSTANT} only; use 0")
        return cost.mvtu(
            layer,
            pe=fold.pe,
            simd=fold.simd,
            memory=fold.memory,
            dsp=fold.dsp,
            sliding=slides(window, fold),
        )
    if fold.dsp:
        raise FoldingError(f"{layer.name}: memory {CONSTANT} has no use for DSPs; use dsp false")
    if not can_be_constant(layer):
        raise FoldingError(
            f"{layer.name}: only a convolution can have memory {CONSTANT}; use "
            f"{' or '.join(MEMORIES)}"
        )
    if (fold.pe, fold.simd) != (layer.rows, layer.cols):
        raise FoldingError(
            f"{layer.name}: memory {CONSTANT} takes all at once; use PE={layer.rows} and "
            f"SIMD={layer.cols}"
        )
    if not 1 <= fold.slice_bits <= layer.in_bits:
        raise FoldingError(
            f"{layer.name}: slice_bits={fold.slice_bits} of {layer.in_bits} bits of an input; use "
            f"1 to {layer.in_bits}"
        )
    return cost.constant(layer, slice_bits=fold.slice_bits)


def can_be_constant(layer: Mvtu) -> bool:
    """Whether a layer's weights can be built in."""
    return layer.windowed and layer.thresholds is not None


def _check(layer: str, what: str, value: int, count: int, of: str) -> None:
    if not isinstance(value, int) or value < 1 or count % value:
        legal = ", ".join(map(str, cost.divisors(count)))
        raise FoldingError(f"{layer}: {what}={value} does not divide {count} {of}; use {legal}")


def fits(used: Resources, budget: Resources) -> bool:
    """Whether LUTs, BRAM and DSPs are within the budget."""
    return used.lut <= budget.lut and used.bram36 <= budget.bram36 and used.dsp <= budget.dsp


def shortfall(used: Resources, budget: Resources) -> str:
    """Resources over budget, in words."""
    over = []
    kinds = (("lut", "LUTs"), ("ff", "FFs"), ("bram36", "BRAM36"), ("dsp", "DSPs"))
    for name, title in kinds:
        have, want = getattr(budget, name), getattr(used, name)
        if want > have:
            over.append(f"{want:,g} {title} of {have:,g}")
    return ", ".join(over)
