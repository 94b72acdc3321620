"""The maximum of every window; windows may overlap and be padded."""

from dataclasses import dataclass, fields
from math import gcd

import numpy as np

from finn_build.errors import ModelError
from finn_build.folding.beats import Beats, Pooled, Timing
from finn_build.folding.cost import NOTHING, Cost, divisors, lutram
from finn_build.folding.fold import Fold
from finn_build.network.layers.base import Codes, Integers, Layer, Place, Shape
from finn_build.network.layers.window import Window
from finn_build.rtl.design import Design, Stream


def maxima(
    x: Integers,
    *,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> Integers:
    """Maximum of every window of images padded with zeros; a ragged rest is dropped.

    x: (N, H, W, C) unsigned; pad: top, left, bottom, right. Returns (N, OH, OW, C) of x's dtype.
    """
    top, left, bottom, right = pad
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
    return np.asarray(views[:, :: stride[0], :: stride[1]].max(axis=(4, 5)))


def side_by_side(pixels: int, width: int, across: int) -> int:
    """The most pixels of a row that are whole windows of so many columns, or even parts of one."""
    legal = divisors(gcd(pixels, width))
    return max(n for n in legal if n % across == 0 or across % n == 0)


@dataclass(frozen=True, kw_only=True)
class MaxPool(Layer):
    """Maximum of every window of an image of HEIGHT x WIDTH x CHANNELS.

    kernel, stride: rows and columns; pad: rows above, columns at the left, rows below, columns at
    the right, all of them code 0, which no pixel is below. A ragged rest is dropped.
    """

    kind = "maxpool"
    stage = "after"
    height: int
    width: int
    channels: int
    bits: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        """Make tuples of what JSON has as lists. Raises ModelError for windows without a pixel."""
        for name in ("kernel", "stride", "pad"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        (kh, kw), (top, left, bottom, right) = self.kernel, self.pad
        if min(*self.kernel, *self.stride) < 1 or min(self.pad) < 0:
            raise ModelError(f"{self.name}: kernel and stride must be 1 or more, pads 0 or more")
        if max(top, bottom) >= kh or max(left, right) >= kw:
            raise ModelError(
                f"{self.name}: with pads {self.pad} some windows of {kh} x {kw} would be padding "
                "alone; use pads smaller than the window"
            )
        if self.out_height < 1 or self.out_width < 1:
            raise ModelError(
                f"{self.name}: a {kh} x {kw} window is larger than the {self.height} x "
                f"{self.width} image; use a smaller one"
            )

    @property
    def out_height(self) -> int:
        """Rows of windows."""
        top, _, bottom, _ = self.pad
        return (self.height + top + bottom - self.kernel[0]) // self.stride[0] + 1

    @property
    def out_width(self) -> int:
        """Windows of a row."""
        _, left, _, right = self.pad
        return (self.width + left + right - self.kernel[1]) // self.stride[1] + 1

    @property
    def window(self) -> Window | None:
        """The layer that gathers windows; None if they neither overlap nor are padded."""
        if self.stride == self.kernel and not any(self.pad):
            return None
        shape = {f.name: getattr(self, f.name) for f in fields(self)}
        return Window(**{**shape, "name": f"{self.name}_windows"})

    def shape(self, *before: Shape) -> Shape:
        """A pixel for each window."""
        (image,) = before
        return Shape(sizes=(self.out_height, self.out_width, self.channels), bits=image.bits)

    def compute(self, *x: Integers) -> Integers:
        """The maximum of every window of images (N, H, W, C), as (N, OH, OW, C)."""
        return maxima(*x, kernel=self.kernel, stride=self.stride, pad=self.pad)

    def doubt(self, *steps: Codes) -> Codes:
        """A maximum is unsure where any of its window is."""
        (step,) = steps
        unsure = self.compute(step.unsure.astype(np.uint8)).astype(bool)
        return Codes(codes=self.compute(step.codes), unsure=unsure)

    def at_once(self, pixels: int) -> int:
        """The most pixels that are whole windows, or an even part of one."""
        if self.window is not None:
            return max(n for n in self.window.legal_pixels if pixels % n == 0)
        return side_by_side(pixels, self.width, self.kernel[1])

    def needs_begun(self, fold: Fold) -> bool:
        """It does if it gathers windows."""
        return self.window is not None

    def cost(self, place: Place) -> Cost:
        """Cost with the pixels of a beat in every cycle."""
        pixels = self.at_once(place.fold.pixels)
        if self.window is not None:
            return self.window.whole_cost(pixels, "logic") + self._maxima_cost(pixels)
        across = self.kernel[1]
        pixel, squares = self.channels * self.bits, max(1, pixels // across)
        row = lutram(self.width // across // squares, squares * pixel)
        # Comparisons between the neighbouring pixels of a square, its beats, and its rows.
        compared = pixels - squares + (pixels < across) + squares
        out = squares * pixel
        return Cost(
            cycles=self.height * self.width // pixels,
            lut=row + compared * pixel + 20,
            ff=(2 + (pixels >= across)) * out + 25,
        )

    def _maxima_cost(self, windows: int) -> Cost:
        """Cost of the maxima of whole windows: first of each row, then of these maxima."""
        (high, wide), pixel = self.kernel, self.channels * self.bits
        cost = NOTHING
        for rows, across in ((high, wide), (1, high)):
            squares = windows * rows
            cost += Cost(lut=squares * (across - 1) * pixel + 20, ff=3 * squares * pixel + 25)
        return cost

    def times(self, place: Place, timing: Timing, *streams: Beats) -> Beats:
        """The maximum of each window comes soon after the window's last pixel."""
        (beats,) = streams
        pixels = self.at_once(place.fold.pixels)
        pieces = beats.in_pieces(pixels * self.channels)
        if self.window is not None:
            return self._overlapping(self.window, pixels, beats, pieces, timing)
        down, wide = self.kernel
        squares = max(1, pixels // wide)
        across = wide * squares // pixels
        image = pieces.times.reshape(timing.frames, self.height, self.width // pixels)
        last = image[:, down - 1 :: down, across - 1 :: across]
        latency = 2 if pixels == squares else 3
        places = np.arange(len(pieces.times)).reshape(image.shape)
        completes = places[:, down - 1 :: down, across - 1 :: across].ravel()
        return Beats(
            times=last.ravel() + latency,
            elems=squares * self.channels,
            pooled=Pooled(times=pieces.times, last=completes, spare=pieces.spare),
        )

    def _overlapping(
        self, window: Window, pixels: int, beats: Beats, pieces: Beats, timing: Timing
    ) -> Beats:
        """The maximum of each window comes some cycles after the whole window."""
        started, taken = window.gather(pieces, pixels, 1, timing.frames)
        last = np.searchsorted(taken, started, side="right") - 1
        # Both maxima take two cycles, and a third where they compare neighbouring pixels.
        latency = sum(2 + (across > 1) for across in self.kernel)
        pooled = Pooled(times=pieces.times, last=last, spare=pieces.spare)
        timing.waits[self.name] = beats.before(pieces, taken, taken)
        return Beats(times=started + latency, elems=pieces.elems, pooled=pooled)

    def build(self, design: Design, place: Place) -> None:
        """Add a module for the maxima, after one that gathers windows if that is needed."""
        pixels = self.at_once(place.fold.pixels)
        if self.window is None:
            design.resize(self.name, pixels * self.channels)
            self._largest(design, self.name, (self.height, self.width), self.kernel, pixels)
            return
        design.feed(self.name, pixels * self.channels)
        self.window.whole(design, pixels, "logic", prompt=True)
        # The rows of all windows in a beat are an image of one row; their maxima are another.
        high, wide = self.kernel
        for name, rows, across in ((f"{self.name}_across", high, wide), (self.name, 1, high)):
            count = pixels * rows * across
            self._largest(design, name, (1, count), (1, across), count)

    def _largest(
        self,
        design: Design,
        name: str,
        size: tuple[int, int],
        kernel: tuple[int, int],
        pixels: int,
    ) -> None:
        """Add a module for the maxima of rectangles side by side, at `pixels` pixels in a beat."""
        design.add(
            "nn_maxpool",
            name,
            Stream(elems=max(1, pixels // kernel[1]) * self.channels, bits=self.bits),
            {
                "ELEM_W": self.bits,
                "CHANNELS": self.channels,
                **dict(zip(("HEIGHT", "WIDTH"), size, strict=True)),
                **dict(zip(("KERNEL_H", "KERNEL_W"), kernel, strict=True)),
                "PIXELS": pixels,
            },
        )
