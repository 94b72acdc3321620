"""Operations on every element of a stream, each exact forwards and backwards.

An operation maps numbers to numbers. A larger input never gives a smaller output, except through an
`Affine` with a negative gain. `pull` is the inverse on half-lines: it finds the inputs that give an
output above a bound. A threshold is the bound of a quantiser's level, pulled back through all
operations between the accumulator and the quantiser. So the rounding of ties, narrow ranges, ReLUs,
slopes and further quantisers need no rules of their own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

import numpy as np

from finn_build.frontend.rational import ALL, NONE, Half

_LARGEST = Fraction(float(np.finfo(np.float32).max))
# Rounding modes of QONNX's Quant, by all the names that qonnx gives them.
ROUNDINGS = {
    "ROUND": "HALF_EVEN",
    "HALF_EVEN": "HALF_EVEN",
    "CEIL": "CEIL",
    "FLOOR": "FLOOR",
    "UP": "UP",
    "DOWN": "DOWN",
    "ROUND_TO_ZERO": "DOWN",
    "HALF_UP": "HALF_UP",
    "HALF_DOWN": "HALF_DOWN",
}


class Elementwise(Protocol):
    """One operation on every element; parameters may differ from channel to channel."""

    def apply(self, x: Fraction, channel: int) -> Fraction:
        """The output for an input."""

    def pull(self, half: Half, channel: int) -> Half:
        """The inputs whose outputs are in `half`."""

    def gain(self, channel: int) -> Fraction:
        """Change of the output per change of the input, with its sign; the least if it varies."""


def _of(values: Sequence[Fraction], channel: int) -> Fraction:
    return values[channel if len(values) > 1 else 0]


@dataclass(frozen=True, kw_only=True)
class Affine:
    """y = gains[c] * x + offsets[c]; a single value serves all channels."""

    gains: tuple[Fraction, ...] = (Fraction(1),)
    offsets: tuple[Fraction, ...] = (Fraction(0),)

    def apply(self, x: Fraction, channel: int) -> Fraction:
        """See Elementwise."""
        return _of(self.gains, channel) * x + _of(self.offsets, channel)

    def pull(self, half: Half, channel: int) -> Half:
        """See Elementwise."""
        return half.move(_of(self.gains, channel), _of(self.offsets, channel))

    def gain(self, channel: int) -> Fraction:
        """See Elementwise."""
        return _of(self.gains, channel)


@dataclass(frozen=True, kw_only=True)
class Clip:
    """y = x, limited to low and high; a ReLU has low = 0."""

    low: Fraction | None = None
    high: Fraction | None = None

    def apply(self, x: Fraction, channel: int) -> Fraction:
        """See Elementwise."""
        if self.low is not None and x < self.low:
            x = self.low
        return self.high if self.high is not None and x > self.high else x

    def pull(self, half: Half, channel: int) -> Half:
        """See Elementwise."""
        if half.bound is None:
            return half
        # All inputs beyond a limit give the limit itself.
        near, far = (self.high, self.low) if half.down else (self.low, self.high)
        if near is not None and half.holds(near):
            return ALL
        if far is not None and not half.holds(far):
            return NONE
        return half

    def gain(self, channel: int) -> Fraction:
        """See Elementwise."""
        return Fraction(1)


@dataclass(frozen=True, kw_only=True)
class Leaky:
    """y = x for x >= 0, else slopes[c] * x; all slopes are above zero."""

    slopes: tuple[Fraction, ...]

    def apply(self, x: Fraction, channel: int) -> Fraction:
        """See Elementwise."""
        return x if x >= 0 else x * _of(self.slopes, channel)

    def pull(self, half: Half, channel: int) -> Half:
        """See Elementwise."""
        if half.bound is None or half.bound >= 0:
            return half
        return half.move(_of(self.slopes, channel), Fraction(0))

    def gain(self, channel: int) -> Fraction:
        """See Elementwise."""
        return min(Fraction(1), _of(self.slopes, channel))


@dataclass(frozen=True, kw_only=True)
class Quantiser:
    """QONNX's Quant and BipolarQuant: y = (q - zero) * scales[c], q an integer from low to high.

    q is x / scale + zero, rounded; where `bipolar`, it is 1 for zero and more, and -1 below.
    `tensor` is the name of its output. Level n is the n-th value from below; level 0 is the lowest.
    """

    tensor: str
    low: int
    high: int
    zero: Fraction
    scales: tuple[Fraction, ...]
    rounding: str = "HALF_EVEN"
    bipolar: bool = False

    @property
    def levels(self) -> int:
        """Steps from the lowest value to the highest."""
        return 1 if self.bipolar else self.high - self.low

    def value(self, level: int, channel: int) -> Fraction:
        """The value that a level stands for."""
        q = 2 * level - 1 if self.bipolar else self.low + level
        return (q - self.zero) * _of(self.scales, channel)

    def level(self, x: Fraction, channel: int) -> int:
        """The level of a number, computed forwards."""
        y = x / _of(self.scales, channel) + self.zero
        return self.counted(y.numerator, y.denominator)

    def counted(self, top: int, below: int) -> int:
        """The level of the number top / below, which is already divided by the scale."""
        if self.bipolar:
            return int(top >= 0)
        return min(max(_rounded(top, below, self.rounding), self.low), self.high) - self.low

    def edge(self, level: int) -> tuple[int, bool]:
        """What a number divided by the scale must reach for a level, in halves.

        And whether it must be larger. The level is 1 or more.
        """
        return (0, False) if self.bipolar else _edge(self.low + level, self.rounding)

    def reaching(self, level: int, channel: int) -> Half:
        """The numbers that reach a level, which is 1 or more."""
        halves, strict = self.edge(level)
        scale = _of(self.scales, channel)
        return Half(Fraction(halves, 2), strict).move(1 / scale, Fraction(self.zero))

    def apply(self, x: Fraction, channel: int) -> Fraction:
        """See Elementwise."""
        return self.value(self.level(x, channel), channel)

    def pull(self, half: Half, channel: int) -> Half:
        """See Elementwise."""
        first, last = (half.holds(self.value(n, channel)) for n in (0, self.levels))
        if first == last:
            return ALL if first else NONE
        # The first level that is in `half` exactly if the highest one is.
        turn = bisect_left(
            range(1, self.levels + 1),
            True,
            key=lambda n: half.holds(self.value(n, channel)) == last,
        )
        reached = self.reaching(turn + 1, channel)
        return reached if last else Half(reached.bound, not reached.strict, True)

    def gain(self, channel: int) -> Fraction:
        """See Elementwise."""
        return Fraction(1)


def _rounded(top: int, below: int, rounding: str) -> int:
    """The number top / below rounded to an integer as QONNX does it; `below` is above zero."""
    down, rest = divmod(top, below)
    more, half = rest > 0, 2 * rest - below
    match rounding:
        case "HALF_EVEN":
            return down + (half > 0 or (half == 0 and down % 2 == 1))
        case "CEIL":
            return down + more
        case "FLOOR":
            return down
        case "UP":
            return down + (more and top > 0)
        case "DOWN":
            return down + (more and top < 0)
        case "HALF_UP":
            return down + (half > 0 or (half == 0 and top > 0))
        case "HALF_DOWN":
            return down + (half > 0 or (half == 0 and top < 0))
    raise AssertionError(rounding)


def _edge(q: int, rounding: str) -> tuple[int, bool]:
    """What is rounded to q or more, in halves, and whether it must be larger than that.

    Rounding modes differ in what they do with ties.
    """
    match rounding:
        case "HALF_EVEN":
            return 2 * q - 1, q % 2 == 1
        case "CEIL":
            return 2 * q - 2, True
        case "FLOOR":
            return 2 * q, False
        case "UP":
            return (2 * q - 2, True) if q > 0 else (2 * q, False)
        case "DOWN":
            return (2 * q, False) if q > 0 else (2 * q - 2, True)
        case "HALF_UP":
            return 2 * q - 1, q <= 0
        case "HALF_DOWN":
            return 2 * q - 1, q > 0
    raise AssertionError(rounding)


def float32(x: Fraction) -> Fraction:
    """The float32 nearest to a number; the largest one instead of infinity."""
    return Fraction(float(np.float32(float(min(max(x, -_LARGEST), _LARGEST)))))


def level32(ops: Sequence[Elementwise], quantiser: Quantiser, x: Fraction, channel: int) -> int:
    """The level of a float32 number after some operations, every result rounded to float32.

    Every float32 program gives this, unless there are sums, which programs add in different orders.
    """
    for op in ops:
        if isinstance(op, Affine):
            scaled = float32(_of(op.gains, channel) * x)
            x = float32(scaled + _of(op.offsets, channel))
        elif isinstance(op, Quantiser):
            x = float32(op.value(level32((), op, x, channel), channel))
        else:
            x = float32(op.apply(x, channel))
    y = float32(float32(x / _of(quantiser.scales, channel)) + quantiser.zero)
    return replace(quantiser, scales=(Fraction(1),), zero=Fraction(0)).level(y, 0)


def joined(ops: Sequence[Elementwise], channel: int) -> tuple[Elementwise, ...]:
    """The operations of one channel, with neighbouring affine operations merged into one."""
    merged: list[Elementwise] = []
    for op in ops:
        if isinstance(op, Affine):
            gain, offset = _of(op.gains, channel), _of(op.offsets, channel)
            if merged and isinstance(first := merged[-1], Affine):
                merged.pop()
                gain, offset = gain * first.gains[0], gain * first.offsets[0] + offset
            op = Affine(gains=(gain,), offsets=(offset,))
        merged.append(op)
    return tuple(merged)


def apply_all(ops: Sequence[Elementwise], x: Fraction, channel: int) -> Fraction:
    """The output of some operations in sequence."""
    for op in ops:
        x = op.apply(x, channel)
    return x


def pull_all(ops: Sequence[Elementwise], half: Half, channel: int) -> Half:
    """The inputs whose outputs after some operations are in `half`."""
    for op in reversed(ops):
        half = op.pull(half, channel)
    return half
