"""What a tensor of the graph is in hardware: codes or sums, and the operations still to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from finn_build.frontend.elementwise import Affine, Elementwise, float32
from finn_build.frontend.layout import Layout
from finn_build.network.graph import IMAGE
from finn_build.network.layers import Ints

Sides = tuple[int, int, int, int]  # top, left, bottom, right
NO_SIDES: Sides = (0, 0, 0, 0)


def added(first: Sides, second: Sides) -> Sides:
    """One padding around another, side by side added up."""
    top, left, bottom, right = (a + b for a, b in zip(first, second, strict=True))
    return (top, left, bottom, right)


def wide(values: tuple[Fraction, ...], channels: int) -> list[Fraction]:
    """The values repeated, if needed, to one for each channel."""
    return list(values) * (channels if len(values) == 1 else 1)


@dataclass(frozen=True, kw_only=True)
class Constant:
    """A constant of the graph.

    values: float32 or int64. Quantised weights are integers * scales, both of the values' shape;
    other constants have None for both.
    """

    values: NDArray[np.float32] | NDArray[np.int64]
    integers: Ints | None = None
    scales: NDArray[np.float64] | None = None

    @property
    def exact(self) -> NDArray[Any]:
        """The numbers. Quantised ones are integers times scales, not rounded to float32.

        The product of a float32 and an integer of up to 29 bits is exact in float64.
        """
        if self.integers is None or self.scales is None:
            return self.values
        return self.integers * self.scales


@dataclass(frozen=True, kw_only=True)
class Codes:
    """Unsigned integers of few bits as they travel between layers.

    A code c of a channel stands for scales[channel] * c + shifts[channel]; single values serve all
    channels. source: the layer that makes them, or IMAGE. summed: whether they are sums of
    codes; float programs add these, and round, in different orders.
    """

    height: int
    width: int
    channels: int
    bits: int
    scales: tuple[Fraction, ...]
    shifts: tuple[Fraction, ...] = (Fraction(0),)
    source: str = IMAGE
    summed: bool = False

    @property
    def even(self) -> bool:
        """Whether a code stands for the same value in all channels."""
        return len(self.scales) == len(self.shifts) == 1

    def value(self, code: int, channel: int) -> Fraction:
        """The value that a code stands for."""
        scale, shift = (v[channel if len(v) > 1 else 0] for v in (self.scales, self.shifts))
        return scale * code + shift

    def value32(self, code: int, channel: int) -> Fraction:
        """The value that a code stands for, in float32."""
        return float32(self.value(code, channel))

    def operand(self, code: int, channel: int) -> Fraction:
        """What operations begin with: the exact value of a sum, else the value in float32."""
        return self.value(code, channel) if self.summed else self.value32(code, channel)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Sums of two codes for each channel: the stream has them side by side, the first in low bits.

    source: the layer that puts them side by side; gains: whole numbers, one multiple of which the
    scales of both codes are in every channel, or None.
    """

    first: Codes
    second: Codes
    source: str
    gains: tuple[int, int] | None = None
    summed: ClassVar[bool] = False

    @property
    def height(self) -> int:
        """As of codes."""
        return self.first.height

    @property
    def width(self) -> int:
        """As of codes."""
        return self.first.width

    @property
    def bits(self) -> int:
        """Bits of both codes beside each other, as wide as the wider one."""
        return 2 * max(self.first.bits, self.second.bits)

    @property
    def channels(self) -> int:
        """Sums of a pixel."""
        return self.first.channels

    @property
    def even(self) -> bool:
        """As of codes."""
        return self.first.even and self.second.even

    def operand(self, code: int, channel: int) -> Fraction:
        """The sum of the values that two codes stand for, in float32."""
        high, low = divmod(code, 1 << self.bits // 2)
        return float32(self.first.value32(low, channel) + self.second.value32(high, channel))


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """Nearest upsampling: every row and every column as often as the factors say."""

    factors: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Windows of a pool. Padding is never the largest value; in a mean, it counts as zeros."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: Sides


Moving = Pool | Repeat  # operations on the image, not on each element


@dataclass(frozen=True, kw_only=True)
class Product:
    """A product of constant weights with the windows of codes, as the file has it.

    integers, scales: (ROWS, KH, KW, CHANNELS), their products are the weights; bias: one for each
    row.
    """

    codes: Codes
    integers: Ints
    scales: NDArray[np.float64]
    bias: tuple[Fraction, ...]
    stride: tuple[int, int] = (1, 1)
    pad: Sides = NO_SIDES

    @property
    def out(self) -> tuple[int, int]:
        """Rows and columns of windows."""
        top, left, bottom, right = self.pad
        _, kh, kw, _ = self.integers.shape
        return (
            (self.codes.height + top + bottom - kh) // self.stride[0] + 1,
            (self.codes.width + left + right - kw) // self.stride[1] + 1,
        )


@dataclass(frozen=True, kw_only=True)
class Skip:
    """What is added to the sums of a product: codes, or other sums, of the output's shape.

    gains: whole numbers g, h where what is added is units[row] * (g * sum + h * code), or of a sum
    in place of the code; None if every code has thresholds of its own.
    """

    base: Codes | Sums
    gains: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Accumulators: a value is units[row] * accumulator + offsets[row].

    weights: (ROWS, KH, KW, CHANNELS) integers; each row has one unit and one offset. positions:
    rows and columns of the output, with `channels` values each. unrolled: the product is with the
    whole image, which is KH x KW; then there are `channels` rows for each position, position after
    position. skip: what is added to them.
    """

    product: Product
    weights: Ints
    units: tuple[Fraction, ...]
    offsets: tuple[Fraction, ...]
    unrolled: bool
    channels: int
    positions: tuple[int, int]
    fill: int = 0
    skip: Skip | None = None

    def scaled(
        self, row: int, ops: Sequence[Elementwise | Moving], channel: int
    ) -> tuple[Fraction, Fraction]:
        """Unit and offset of a row behind the scales and biases `ops` of its channel."""
        unit, offset = self.units[row], self.offsets[row]
        for op in ops:
            assert isinstance(op, Affine)
            unit, offset = unit * op.gain(channel), op.apply(offset, channel)
        return unit, offset


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A tensor: codes or sums, operations still to do on them, and zeros around the image.

    names: the nodes that it went through, for messages.
    """

    layout: Layout
    base: Codes | Pairs | Sums
    ops: tuple[Elementwise | Moving, ...] = ()
    pad: Sides = NO_SIDES
    average: Pool | None = None  # the windows of means to take
    names: tuple[str, ...] = ()

    @property
    def scaled_sums(self) -> Sums | None:
        """A product's sums, if nothing but scales and biases follow and no skip is added."""
        base = self.base
        if not isinstance(base, Sums) or base.skip is not None:
            return None
        return base if all(isinstance(op, Affine) for op in self.ops) else None
