"""The protocol of a kind of layer: its arithmetic, its parallelism, its hardware.

A kind is one file in this folder with one class. All other code knows only this protocol. qonnx's
CustomOp likewise holds an operator's shape, datatype and execution in one place.
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
    """A layer's output for one frame: sizes, channels last, and the bits of an element."""

    sizes: tuple[int, ...]
    bits: int


@dataclass(frozen=True, kw_only=True)
class Codes:
    """A layer's codes for some images, where float32 may give others, and its sums, if any."""

    codes: NDArray[Any]
    unsure: NDArray[np.bool_]
    sums: Ints | None = None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a layer stands in the accelerator: the unit of its stage, and that unit's fold.

    window: the layer that gathers windows for the unit; cycles: cycles of the unit per frame;
    brought: beats in which the image comes, for a unit that has no other before it, else 0.
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
    """A layer of the network, which has hardware of its own in the accelerator.

    Methods take the streams that it reads in the order of the network's edges.

    kind: its name in stored networks and reports; stage: "unit" if it multiplies, "before" if it
    has the fold of the next unit, "after" if it has that of the unit before it; arity: the number
    of streams that it reads.
    """

    kind: ClassVar[str]
    stage: ClassVar[Literal["before", "unit", "after"]]
    arity: ClassVar[int] = 1
    name: str

    @abstractmethod
    def shape(self, *before: Shape) -> Shape:
        """The shape of its output, from those of its inputs."""

    @abstractmethod
    def compute(self, *x: Integers) -> Integers:
        """Its exact output for N images: this is the definition of the layer.

        x: for each layer that it reads, (N, H, W, C) or (N, ...) unsigned codes, or accumulators.
        """

    @abstractmethod
    def doubt(self, *steps: Codes) -> Codes:
        """Its codes, and where float32 arithmetic may give others."""

    def why(self, step: Codes, position: tuple[int, ...]) -> str:
        """The numbers that a code at a position follows from, in words that continue a sentence."""
        return ""

    @property
    def coded(self) -> bool:
        """Whether its output is codes that other stages also have, under its name."""
        return True

    @property
    def macs(self) -> int:
        """Multiply-accumulates per frame."""
        return 0

    def at_once(self, pixels: int) -> int:
        """Pixels in a beat of this layer, if the unit of its stage takes `pixels` at once."""
        return pixels

    def memory(self, fold: Fold) -> str | None:
        """The memory of its weights or lines; None if it has neither."""
        return None

    def simd(self, fold: Fold) -> int | None:
        """Elements of its input per cycle; None unless it takes a pixel or a vector in pieces."""
        return None

    def fits(self, place: Place) -> bool:
        """Whether its hardware is possible with the fold of its stage."""
        return True

    def needs_begun(self, fold: Fold) -> bool:
        """Whether its hardware needs the count of frames that have begun."""
        return False

    @abstractmethod
    def cost(self, place: Place) -> Cost:
        """Cycles per frame and resources of its hardware."""

    @abstractmethod
    def times(self, place: Place, timing: Timing, *streams: Beats) -> Beats:
        """When the beats of its output come. The beats that wait before it go into `timing`."""

    @abstractmethod
    def build(self, design: Design, place: Place) -> None:
        """Add its modules at the end of the design."""
