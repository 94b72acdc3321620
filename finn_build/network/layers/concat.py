"""The channels of two streams beside each other."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build.errors import ModelError
from finn_build.folding.beats import JOIN, Beats, Timing
from finn_build.folding.cost import Cost
from finn_build.network.layers.base import Codes, Integers, Layer, Place, Shape
from finn_build.rtl.design import Design, Stream


@dataclass(frozen=True, kw_only=True, eq=False)
class Concat(Layer):
    """The channels of two streams in one pixel, first one stream's, then the other's.

    positions: pixels of a frame; channels, widths: each stream's channels, and its codes' bits;
    by_turns: the streams' channels alternate.
    """

    kind = "concat"
    stage = "before"
    arity = 2
    positions: int
    channels: tuple[int, int]
    widths: tuple[int, int]
    by_turns: bool = False

    def __post_init__(self) -> None:
        """Raise ModelError for channels that cannot alternate because their numbers differ."""
        if self.by_turns and len(set(self.channels)) > 1:
            raise ModelError(f"{self.name}: {self.channels} channels cannot take turns; use equal")

    @property
    def bits(self) -> int:
        """Bits of a code in its output."""
        return max(self.widths)

    def shape(self, *before: Shape) -> Shape:
        """A pixel of all channels. Raises ModelError for images of several sizes."""
        first, second = before
        if first.sizes[:-1] != second.sizes[:-1]:
            raise ModelError(
                f"{self.name}: joins images of {first.sizes} and {second.sizes}; use equal sizes"
            )
        return Shape(sizes=(*first.sizes[:-1], sum(self.channels)), bits=self.bits)

    def _joined(self, first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
        if self.by_turns:
            return np.stack((first, second), axis=-1).reshape(*first.shape[:-1], -1)
        return np.concatenate((first, second), axis=-1)

    def compute(self, *x: Integers) -> Integers:
        """All channels of images (N, H, W, C), or of vectors (N, C)."""
        return self._joined(*x)

    def doubt(self, *steps: Codes) -> Codes:
        """A code is unsure where it was unsure in its stream."""
        first, second = steps
        return Codes(
            codes=self._joined(first.codes, second.codes),
            unsure=self._joined(first.unsure, second.unsure),
        )

    def cost(self, place: Place) -> Cost:
        """Cost of holding two pixels of each stream."""
        beat = sum(c * b for c, b in zip(self.channels, self.widths, strict=True))
        return Cost(cycles=self.positions, lut=beat + 10, ff=2 * beat + 10)

    def times(self, place: Place, timing: Timing, *streams: Beats) -> Beats:
        """A pixel comes as soon as both streams have theirs."""
        pieces = [s.in_pieces(c) for s, c in zip(streams, self.channels, strict=True)]
        both = np.maximum(pieces[0].times, pieces[1].times)
        for stream, mine, side in zip(streams, pieces, "ab", strict=True):
            timing.waits[f"{self.name}_{side}"] = stream.before(mine, both, both)
        return replace(pieces[0], times=both + JOIN, elems=sum(self.channels), pooled=None, spare=0)

    def build(self, design: Design, place: Place) -> None:
        """Add the join, after FIFOs in which the earlier stream waits."""
        ends = []
        for source, channels, side in zip(design.inputs, self.channels, "ab", strict=True):
            design.end = source
            design.feed(f"{self.name}_{side}", channels)
            ends.append(design.end)
        first, second = ends
        design.join(
            "nn_join",
            self.name,
            Stream(elems=sum(self.channels), bits=self.bits),
            {
                "A_ELEMS": self.channels[0],
                "B_ELEMS": self.channels[1],
                "A_W": self.widths[0],
                "B_W": self.widths[1],
                "OUT_W": self.bits,
                "BY_TURNS": int(self.by_turns),
            },
            (first, second),
        )
