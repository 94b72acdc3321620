"""Nearest upsampling by whole factors: pixels and rows are repeated."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build.errors import ModelError
from finn_build.folding.beats import Beats, Timing, in_turn
from finn_build.folding.cost import Cost, bits_for, lutram
from finn_build.network.layers.base import Codes, Integers, Layer, Place, Shape
from finn_build.rtl.design import Design, Stream


@dataclass(frozen=True, kw_only=True)
class Upsample(Layer):
    """An image of HEIGHT x WIDTH x CHANNELS codes in which every pixel becomes several.

    factors: how often rows and columns are repeated.
    """

    kind = "upsample"
    stage = "after"
    height: int
    width: int
    channels: int
    bits: int
    factors: tuple[int, int]

    def __post_init__(self) -> None:
        """Make a tuple of JSON's list. Raises ModelError for factors below 1."""
        object.__setattr__(self, "factors", tuple(self.factors))
        if min(self.factors) < 1:
            raise ModelError(f"{self.name}: factors {self.factors}; use 1 or more")

    @property
    def out_height(self) -> int:
        """Rows of the larger image."""
        return self.height * self.factors[0]

    @property
    def out_width(self) -> int:
        """Columns of the larger image."""
        return self.width * self.factors[1]

    def shape(self, *before: Shape) -> Shape:
        """The larger image."""
        return Shape(sizes=(self.out_height, self.out_width, self.channels), bits=self.bits)

    def compute(self, *x: Integers) -> Integers:
        """The larger images (N, OH, OW, C) of images (N, H, W, C), or of vectors (N, C)."""
        return self._repeated(*x)

    def _repeated(self, image: NDArray[Any]) -> NDArray[Any]:
        image = image.reshape(len(image), self.height, self.width, self.channels)
        return image.repeat(self.factors[0], axis=1).repeat(self.factors[1], axis=2)

    def doubt(self, *steps: Codes) -> Codes:
        """A code is unsure where its pixel is."""
        (step,) = steps
        return Codes(codes=self._repeated(step.codes), unsure=self._repeated(step.unsure))

    def at_once(self, pixels: int) -> int:
        """One: a pixel comes out per cycle."""
        return 1

    def cost(self, place: Place) -> Cost:
        """Cost of the row that is repeated, and of the counters."""
        pixel, (down, across) = self.channels * self.bits, self.factors
        line = lutram(self.width, pixel) if down > 1 and self.width > 1 else 0
        counted = bits_for(self.width) + bits_for(down) + bits_for(across)
        return Cost(
            cycles=self.out_height * self.out_width,
            lut=max(5, line + (pixel if down > 1 else 0)),
            ff=pixel + counted + 1,
        )

    def times(self, place: Place, timing: Timing, *streams: Beats) -> Beats:
        """A beat comes a cycle after its pixel, and a cycle after the beat before it."""
        (beats,) = streams
        pieces = beats.in_pieces(self.channels)
        down, across = self.factors
        ready = np.full((timing.frames, self.height, down, self.width, across), -np.inf)
        ready[:, :, 0, :, 0] = pieces.times.reshape(timing.frames, self.height, self.width)
        moved = in_turn(ready.ravel(), 1)
        taken = moved.reshape(ready.shape)[:, :, 0, :, 0].ravel()
        timing.waits[self.name] = beats.before(pieces, taken, taken)
        return Beats(times=moved + 1, elems=self.channels)

    def build(self, design: Design, place: Place) -> None:
        """Add the module, after a FIFO for the pixels that come while a row is repeated."""
        design.feed(self.name, self.channels)
        design.add(
            "nn_upsample",
            self.name,
            Stream(elems=self.channels, bits=self.bits),
            {
                "ELEM_W": self.bits,
                "CHANNELS": self.channels,
                "WIDTH": self.width,
                "UP_H": self.factors[0],
                "UP_W": self.factors[1],
            },
        )
