"""The sum of two streams whose codes are multiples of one scale, as FINN's AddStreams."""

from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from finn_build.errors import ModelError
from finn_build.folding.beats import Beats, Timing
from finn_build.folding.cost import Cost
from finn_build.network.layers.base import Codes, Integers, Layer, Place, Shape
from finn_build.rtl.design import Design, Stream


@dataclass(frozen=True, kw_only=True)
class Weighted:
    """gains[0] * a + gains[1] * b of integers a and b that lie within two ranges.

    ranges: the lowest and the highest value of each.
    """

    gains: tuple[int, int]
    ranges: tuple[tuple[int, int], tuple[int, int]]

    @property
    def reach(self) -> tuple[int, int]:
        """The lowest and the highest sum."""
        ends = [sorted(g * end for end in r) for g, r in zip(self.gains, self.ranges, strict=True)]
        return sum(low for low, _ in ends), sum(high for _, high in ends)

    @property
    def adders(self) -> int:
        """Additions of the sum: the digits of the gains, less one (rtl_templates: nn_weigh)."""
        return sum(abs(gain).bit_count() for gain in self.gains) - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(Layer):
    """The sum of each two neighbours in a stream, which a Concat by turns put there.

    positions: pixels of a frame; channels: sums of a pixel; gains: what each neighbour is
    multiplied with; widths: bits of each neighbour's code. The lowest sum is code 0.
    """

    kind = "add"
    stage = "before"
    positions: int
    channels: int
    gains: tuple[int, int]
    widths: tuple[int, int]

    def __post_init__(self) -> None:
        """Make tuples of JSON's lists. Raises ModelError for a stream that is not added."""
        for name in ("gains", "widths"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not all(self.gains) or min(self.widths) < 1:
            raise ModelError(f"{self.name}: gains {self.gains}; use numbers other than 0")

    @property
    def _sum(self) -> Weighted:
        first, second = ((0, (1 << bits) - 1) for bits in self.widths)
        return Weighted(gains=self.gains, ranges=(first, second))

    @property
    def start(self) -> int:
        """What is added so that the lowest sum is 0."""
        return -self._sum.reach[0]

    @property
    def out_bits(self) -> int:
        """Width of the highest sum."""
        low, high = self._sum.reach
        return (high - low).bit_length()

    def shape(self, *before: Shape) -> Shape:
        """As many pixels as enter. Raises ModelError for other streams than two side by side."""
        (image,) = before
        if image.sizes[-1] != 2 * self.channels:
            raise ModelError(
                f"{self.name}: adds {self.channels} pairs in pixels of {image.sizes[-1]} elements; "
                f"use {2 * self.channels}"
            )
        return Shape(sizes=(*image.sizes[:-1], self.channels), bits=self.out_bits)

    def compute(self, *x: Integers) -> Integers:
        """The sums (N, ..., C) of pairs (N, ..., 2 * C)."""
        pairs = x[0].reshape(*x[0].shape[:-1], self.channels, 2).astype(np.int64)
        sums = pairs @ np.array(self.gains) + self.start
        return np.asarray(sums.astype(np.min_scalar_type((1 << self.out_bits) - 1)))

    def doubt(self, *steps: Codes) -> Codes:
        """A sum is unsure where one of its codes is."""
        (step,) = steps
        pairs = step.unsure.reshape(*step.unsure.shape[:-1], self.channels, 2)
        return Codes(codes=self.compute(step.codes), unsure=np.asarray(pairs.any(axis=-1)))

    def at_once(self, pixels: int) -> int:
        """As many pixels as a frame is made of beats of; between them and the unit may be pools."""
        return gcd(pixels, self.positions)

    def cost(self, place: Place) -> Cost:
        """Cost of the adders of a beat and their registers."""
        pixels = self.at_once(place.fold.pixels)
        sums = pixels * self.channels
        return Cost(
            cycles=self.positions // pixels,
            lut=sums * self._adder() + 1,
            ff=sums * self.out_bits + 1,
        )

    def _adder(self) -> int:
        """LUTs of a sum: a carry chain takes one where both of its numbers have a bit."""
        luts, spans = 0, list[tuple[int, int]]()
        for gain, width in zip(self.gains, self.widths, strict=True):
            low, *more = (place for place in range(13) if abs(gain) >> place & 1)
            high = low + width
            for place in more:
                luts += max(0, min(high, place + width) - place) + 1
                high = max(high, place + width) + 1
            spans.append((low, high))
        (low, high), (other_low, other_high) = spans
        return luts + max(0, min(high, other_high) - max(low, other_low))

    def times(self, place: Place, timing: Timing, *streams: Beats) -> Beats:
        """A beat comes one cycle after its pairs."""
        (beats,) = streams
        pieces = beats.in_pieces(2 * self.at_once(place.fold.pixels) * self.channels)
        return replace(pieces, times=pieces.times + 1, elems=pieces.elems // 2)

    def build(self, design: Design, place: Place) -> None:
        """Add an adder for each pair of a beat."""
        sums = self.at_once(place.fold.pixels) * self.channels
        design.resize(self.name, 2 * sums)
        design.add(
            "nn_add",
            self.name,
            Stream(elems=sums, bits=self.out_bits),
            {
                "CHANNELS": sums,
                "IN_W": max(self.widths),
                "A_W": self.widths[0],
                "B_W": self.widths[1],
                "OUT_W": self.out_bits,
                "A_GAIN": self.gains[0],
                "B_GAIN": self.gains[1],
                "START": self.start,
            },
        )
