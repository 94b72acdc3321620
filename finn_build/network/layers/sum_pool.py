"""The sum of every window, for means; windows do not overlap, and a later scale divides."""

from dataclasses import dataclass
from math import ceil

import numpy as np

from finn_build.errors import ModelError
from finn_build.folding.beats import Beats, Pooled, Timing, in_turn
from finn_build.folding.cost import Cost, bits_for, lutram
from finn_build.network.layers.base import Codes, Integers, Ints, Layer, Place, Shape
from finn_build.network.layers.max_pool import side_by_side
from finn_build.rtl.design import Design, Stream

# Cycles from a sum's last beat to the sum (rtl_templates: nn_sumpool).
LATENCY = 2


def sums(x: Integers, *, kernel: tuple[int, int]) -> Ints:
    """Sum of every window of images; windows lie side by side, and a ragged rest is dropped.

    x: (N, H, W, C) unsigned. Returns (N, OH, OW, C) int64.
    """
    (kh, kw), (n, height, width, channels) = kernel, x.shape
    rows, cols = height // kh, width // kw
    used = x[:, : rows * kh, : cols * kw].reshape(n, rows, kh, cols, kw, channels)
    return np.asarray(used.sum(axis=(2, 4), dtype=np.int64))


def sum_bits(bits: int, kernel: tuple[int, int]) -> int:
    """Bits of the largest sum of a window of codes."""
    return (kernel[0] * kernel[1] * ((1 << bits) - 1)).bit_length()


@dataclass(frozen=True, kw_only=True)
class SumPool(Layer):
    """Sum of every window of an image of HEIGHT x WIDTH x CHANNELS codes.

    kernel: rows and columns of the windows, which lie side by side; a ragged rest is dropped. A
    mean is such a sum, divided by the window's size in the scale of its codes.
    """

    kind = "sumpool"
    stage = "after"
    height: int
    width: int
    channels: int
    bits: int
    kernel: tuple[int, int]

    def __post_init__(self) -> None:
        """Make a tuple of JSON's list. Raises ModelError for empty or too large windows."""
        object.__setattr__(self, "kernel", tuple(self.kernel))
        kh, kw = self.kernel
        if min(self.kernel) < 1:
            raise ModelError(f"{self.name}: a window of {kh} x {kw} pixels; use 1 or more")
        if kh > self.height or kw > self.width:
            raise ModelError(
                f"{self.name}: a {kh} x {kw} window is larger than the {self.height} x "
                f"{self.width} image; use a smaller one"
            )

    @property
    def out_height(self) -> int:
        """Rows of windows."""
        return self.height // self.kernel[0]

    @property
    def out_width(self) -> int:
        """Windows of a row."""
        return self.width // self.kernel[1]

    @property
    def out_bits(self) -> int:
        """Width of the largest sum."""
        return sum_bits(self.bits, self.kernel)

    def shape(self, *before: Shape) -> Shape:
        """A pixel for each window."""
        return Shape(sizes=(self.out_height, self.out_width, self.channels), bits=self.out_bits)

    def compute(self, *x: Integers) -> Integers:
        """The sum of every window of images (N, H, W, C), as (N, OH, OW, C)."""
        return sums(*x, kernel=self.kernel).astype(np.min_scalar_type((1 << self.out_bits) - 1))

    def doubt(self, *steps: Codes) -> Codes:
        """A sum is unsure where any of its window is."""
        (step,) = steps
        unsure = sums(step.unsure.astype(np.uint8), kernel=self.kernel) > 0
        return Codes(codes=self.compute(step.codes), unsure=unsure)

    def at_once(self, pixels: int) -> int:
        """The most pixels that are whole windows, or an even part of one."""
        return side_by_side(pixels, self.width, self.kernel[1])

    def _beat(self, place: Place) -> tuple[int, int]:
        """Pixels of a beat, and beats of a pixel, as the unit before gives them."""
        pixels = self.at_once(place.fold.pixels)
        parts = self.channels // place.fold.pe if place.unit.rows == self.channels else 1
        return pixels, parts if pixels == 1 else 1

    def cost(self, place: Place) -> Cost:
        """Cost of the adders of a beat, the incomplete sums, and the counters."""
        (pixels, parts), (high, across) = self._beat(place), self.kernel
        squares = max(1, pixels // across)
        side, elems = pixels // squares, squares * self.channels // parts
        words, held = self.out_width // squares * parts, elems * self.out_bits
        lut = elems * (side - 1) * self.bits
        ff = elems * (self.bits + bits_for(side)) + held
        if high * across > side:
            lut += held
            if words > 1:
                lut += _line(words, held)
            else:
                ff += held
        counted = bits_for(self.height) + bits_for(self.width // pixels) + bits_for(parts)
        phases = bits_for(high) + bits_for(across // side)
        fine = max(0, phases - 2) if (high, across) != (self.height, self.width) else 0
        return Cost(
            cycles=self.height * self.width // pixels * parts,
            lut=lut + ceil(1.1 * counted) + 2 * fine + 8,
            ff=ff + counted + phases + 2 * bits_for(words) + 4,
        )

    def times(self, place: Place, timing: Timing, *streams: Beats) -> Beats:
        """The sum of each window comes soon after the window's last pixel."""
        (beats,) = streams
        (pixels, parts), (down, wide) = self._beat(place), self.kernel
        pieces = beats.in_pieces(pixels * self.channels // parts)
        taken = in_turn(pieces.times, 1)
        squares = max(1, pixels // wide)
        across = wide * squares // pixels
        shape = (timing.frames, self.height, self.width // pixels, parts)
        places = np.arange(len(taken)).reshape(shape)
        completes = places[:, down - 1 :: down, across - 1 :: across].ravel()
        return Beats(
            times=taken[completes] + LATENCY,
            elems=squares * self.channels // parts,
            pooled=Pooled(times=taken, last=completes, spare=pieces.spare),
        )

    def build(self, design: Design, place: Place) -> None:
        """Add a module for the sums."""
        pixels, parts = self._beat(place)
        design.resize(self.name, pixels * self.channels // parts)
        squares = max(1, pixels // self.kernel[1])
        design.add(
            "nn_sumpool",
            self.name,
            Stream(elems=squares * self.channels // parts, bits=self.out_bits),
            {
                "ELEM_W": self.bits,
                "CHANNELS": self.channels,
                "HEIGHT": self.height,
                "WIDTH": self.width,
                "KERNEL_H": self.kernel[0],
                "KERNEL_W": self.kernel[1],
                "PIXELS": pixels,
                "PARTS": parts,
                "OUT_W": self.out_bits,
            },
        )


def _line(words: int, bits: int) -> int:
    """LUTs of a row of sums, in RAM32M or in RAM64M (64 words of 3 bits in four), the fewer."""
    choice = bits if words > 64 else 0
    return min(lutram(words, bits), 4 * ceil(bits / 3) * ceil(words / 64) + choice)
