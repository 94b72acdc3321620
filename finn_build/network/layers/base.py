"""What a kind of layer says of itself: its arithmetic, what of it is parallel, its hardware.

A kind is one file in this folder with one class. All else knows this protocol and no kind, as
qonnx's CustomOp holds an operator's shape, datatype and execution in one place.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from finn_build.folding.beats import Beats, Timing
from finn_build.folding.cost import Cost
from finn_build.folding.fold import Fold
from finn_build.rtl.design import Design

if TYPE_CHECKING:
    from finn_build.network.layers.mvtu import Mvtu
    from finn_build.network.layers.window import Window

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Integers = NDArray[np.integer]  # of any width, as activations are


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What leaves a layer in a frame: sizes, channels last, and the bits of an element."""

    sizes: tuple[int, ...]
    bits: int


@dataclass(frozen=True, kw_only=True)
class Codes:
    """A layer's codes of some images, where float32 may give others, and of a unit its sums."""

    codes: NDArray[Any]
    unsure: NDArray[np.bool_]
    sums: Ints | None = None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a layer stands in the accelerator: with a unit, whose fold it goes by.

    window: what gathers windows for the unit; cycles: of the unit, per frame; brought: beats in
    which an image comes to a unit that no other is before, else 0.
    """

    fold: Fold
    unit: "Mvtu"
    window: "Window | None"
    cycles: int
    brought: int

    @property
    def spent(self) -> float:
        """Cycles of the unit for each beat of its vectors."""
        return self.cycles * self.fold.pixels / self.unit.positions


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer(ABC):
    """A layer of the network, and hardware of its own in the accelerator.

    What it reads comes to each method in the order of the network's edges.

    kind: its name in stored networks and reports; stage: whether it multiplies ("unit"), or goes by
    the fold of the next unit ("before") or of the one before it ("after"); arity: streams that it
    reads.
    """

    kind: ClassVar[str]
    stage: ClassVar[Literal["before", "unit", "after"]]
    arity: ClassVar[int] = 1
    name: str

    @abstractmethod
    def shape(self, *before: Shape) -> Shape:
        """What leaves it, of what enters."""

    @abstractmethod
    def compute(self, *x: Integers) -> Integers:
        """Its output for N images, exactly: this is the definition of the layer.

        x: of each layer that it reads (N, H, W, C) or (N, ...) unsigned codes, or accumulators.
        """

    @abstractmethod
    def doubt(self, *steps: Codes) -> Codes:
        """Its codes, and those of which float32 arithmetic is not sure."""

    def why(self, step: Codes, position: tuple[int, ...]) -> str:
        """What a code at a position follows from, in words that continue a sentence."""
        return ""

    @property
    def coded(self) -> bool:
        """Whether codes leave it that any other stage has as well, under its name."""
        return True

    @property
    def macs(self) -> int:
        """Multiply-accumulates per frame."""
        return 0

    def at_once(self, pixels: int) -> int:
        """Pixels in a beat of it, in a stage whose unit takes so many."""
        return pixels

    def memory(self, fold: Fold) -> str | None:
        """Where it keeps its weights or lines; None if it has none to place."""
        return None

    def simd(self, fold: Fold) -> int | None:
        """Elements of its input per cycle, where they are pieces of a pixel or a vector."""
        return None

    def fits(self, place: Place) -> bool:
        """Whether its hardware can be had with the fold that it goes by."""
        return True

    def needs_begun(self, fold: Fold) -> bool:
        """Whether it has to know how many frames have begun."""
        return False

    @abstractmethod
    def cost(self, place: Place) -> Cost:
        """Cycles per frame and resources of its hardware."""

    @abstractmethod
    def times(self, place: Place, timing: Timing, *streams: Beats) -> Beats:
        """When its output's beats are there; what waits before it goes into `timing`."""

    @abstractmethod
    def build(self, made: Design, place: Place) -> None:
        """Add its modules at the end of the design."""
