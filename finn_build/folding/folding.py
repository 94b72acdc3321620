"""The parallelism of every layer, as a user reads and edits it, and what it costs."""

from dataclasses import asdict, dataclass, replace
from math import gcd
from pathlib import Path
from typing import Any

from finn_build.boards import Resources
from finn_build.errors import FoldingError
from finn_build.folding import cost
from finn_build.folding.cost import Cost
from finn_build.folding.dsp_packing import worth
from finn_build.network.layers import Argmax, Layer, MaxPool, Mvtu, Network, Window
from finn_build.system.files import load_json, save_json

MEMORIES = ("logic", "block")
CONSTANT = "constant"


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Parallelism of one layer: PE outputs, SIMD inputs per cycle, weights in logic or BRAM.

    `dsp`: multiplied in DSP slices. Or weights built in (`constant`): all outputs and inputs at
    once, `slice_bits` bits of every input per cycle, of `pixels` neighbouring positions. `lines`:
    where the window before the layer keeps its rows.
    """

    pe: int
    simd: int
    memory: str
    slice_bits: int = 0
    dsp: bool = False
    pixels: int = 1
    lines: str = "logic"


@dataclass(frozen=True, kw_only=True)
class Folding:
    """Folds by layer name; costs by layer name, of every layer.

    followed: the fold that a layer goes by, by its name: of its stage's unit; input_cycles: beats
    in which an image comes.
    """

    folds: dict[str, Fold]
    costs: dict[str, Cost]
    followed: dict[str, Fold]
    input_cycles: int

    def pixels(self, layer: Layer) -> int:
        """Pixels in a beat of a layer."""
        return at_once(layer, self.followed[layer.name].pixels)

    @property
    def cycles(self) -> int:
        """Cycles per frame in the steady state: the slowest layer's, or the input's."""
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
    costs: dict[str, Cost] = {}
    followed: dict[str, Fold] = {}
    for stage in stages(network):
        fold = folds[stage.unit.name]
        costs |= stage.costs(fold)
        followed |= {layer.name: fold for layer in stage.layers}
    beats = network.frame_bytes // network.input_bytes
    return Folding(folds=folds, costs=costs, followed=followed, input_cycles=beats)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A unit that multiplies, and the layers in order that go by its fold."""

    unit: Mvtu
    layers: tuple[Layer, ...]

    @property
    def window(self) -> Window | None:
        """What gathers windows for the unit."""
        return next((each for each in self.layers if isinstance(each, Window)), None)

    def legal_lines(self, fold: Fold) -> tuple[str, ...]:
        """Where the window's lines can be; logic if there are none, or it slides."""
        window = self.window
        whole = window is not None and window.kernel[0] > 1 and not slides(window, fold)
        return MEMORIES if whole else MEMORIES[:1]

    @property
    def legal_pixels(self) -> tuple[int, ...]:
        """Positions that the unit can take at once with its weights built in."""
        window = self.window
        if window is None:
            return cost.divisors(self.unit.positions)
        return together(window)

    def costs(self, fold: Fold) -> dict[str, Cost]:
        """Costs of all layers by their names. Raises FoldingError if the fold is not legal."""
        if not isinstance(fold.pixels, int) or fold.pixels not in self.legal_pixels:
            raise FoldingError(
                f"{self.unit.name}: pixels={fold.pixels} cannot be taken at once; use "
                f"{', '.join(map(str, self.legal_pixels))}"
            )
        if fold.lines not in (legal := self.legal_lines(fold)):
            raise FoldingError(
                f"{self.unit.name}: lines cannot be in {fold.lines!r}; use {' or '.join(legal)}"
            )
        spent = price(self.unit, fold, sliding=slides(self.window, fold))
        return {
            each.name: spent if each is self.unit else _go_by(each, fold) for each in self.layers
        }


def _go_by(layer: Layer, fold: Fold) -> Cost:
    """Cost of a layer that goes by the fold of a unit."""
    if isinstance(layer, Window) and slides(layer, fold):
        return cost.sliding_window(layer, simd=fold.simd)
    pixels = at_once(layer, fold.pixels)
    return cost.fixed(layer, pixels=pixels, lines=fold.lines, dsp=fold.dsp)


def stages(network: Network) -> list[Stage]:
    """All layers: what gathers is in the stage of the unit after it, a pool of the one before."""
    found: list[Stage] = []
    gathered: tuple[Layer, ...] = ()
    for layer in network.layers:
        if isinstance(layer, Mvtu):
            found.append(Stage(unit=layer, layers=(*gathered, layer)))
            gathered = ()
        elif isinstance(layer, MaxPool | Argmax) and found:
            found[-1] = replace(found[-1], layers=(*found[-1].layers, layer))
        else:
            gathered += (layer,)
    return found


def at_once(layer: Layer, pixels: int) -> int:
    """Pixels in a beat of a layer of a stage with `pixels`; a pool needs whole squares or parts."""
    if not isinstance(layer, MaxPool):
        return pixels
    if layer.window is not None:
        return max(n for n in together(layer.window) if pixels % n == 0)
    legal = cost.divisors(gcd(pixels, layer.width))
    across = layer.kernel[1]
    return max(n for n in legal if n % across == 0 or across % n == 0)


def together(window: Window) -> tuple[int, ...]:
    """Windows that can be gathered at once (rtl_templates: nn_window)."""
    if window.stride[1] > 1:
        return (1,)
    legal = cost.divisors(gcd(window.width, window.out_width))
    # A row of a single beat would take as long as one of two.
    return tuple(n for n in legal if n == 1 or 2 * n <= window.width)


def slides(window: Window | None, fold: Fold) -> bool:
    """Whether a unit gets its windows piece by piece, as it takes them, and not each as a whole."""
    if window is None or fold.memory == CONSTANT:
        return False
    square = window.same and window.kernel[0] == window.kernel[1] > 1
    return square and fold.simd in cost.divisors(window.channels)


def price(layer: Mvtu, fold: Fold, *, sliding: bool = False) -> Cost:
    """Cost of a unit with a fold, of windows piece by piece or not.

    Raises FoldingError if it is not legal.
    """
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
        if fold.pixels != 1:
            raise FoldingError(f"{layer.name}: pixels are for memory {CONSTANT} only; use 1")
        return cost.mvtu(
            layer,
            pe=fold.pe,
            simd=fold.simd,
            memory=fold.memory,
            dsp=fold.dsp,
            sliding=sliding,
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
    return cost.constant(layer, slice_bits=fold.slice_bits, pixels=fold.pixels)


def can_be_constant(layer: Mvtu) -> bool:
    """Whether a layer's weights can be built in."""
    return layer.windowed and layer.thresholds is not None


def _check(layer: str, what: str, value: int, count: int, of: str) -> None:
    if not isinstance(value, int) or value < 1 or count % value:
        legal = ", ".join(map(str, cost.divisors(count)))
        raise FoldingError(f"{layer}: {what}={value} does not divide {count} {of}; use {legal}")


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
