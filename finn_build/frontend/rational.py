"""Exact numbers: float parameters as fractions, square roots, common units, half-lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from math import floor, gcd, inf, isqrt, lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Bits of a square root that is not a fraction. Float32 parameters have 24 significant bits, so sums
# and products of a few of them, if they differ at all, differ in far earlier bits.
_ROOT_BITS = 512


def fractions(values: NDArray[Any]) -> list[Fraction]:
    """The exact numbers of an array, flattened."""
    return [Fraction(each) for each in np.asarray(values).ravel().tolist()]


def root(x: Fraction) -> Fraction:
    """Square root: exact if it is a fraction, else rounded down to 512 bits."""
    top, bottom = x.numerator * x.denominator, x.denominator
    exact = isqrt(top)
    if exact * exact == top:
        return Fraction(exact, bottom)
    shift = max(0, _ROOT_BITS - top.bit_length() // 2)
    return Fraction(isqrt(top << 2 * shift), bottom << shift)


def unit(values: Iterable[Fraction]) -> Fraction:
    """The largest number of which all values are multiples; 1 where all are zero."""
    some = [v for v in values if v]
    if not some:
        return Fraction(1)
    bottom = reduce(lcm, (v.denominator for v in some))
    return Fraction(
        reduce(gcd, (abs(v.numerator) * (bottom // v.denominator) for v in some)), bottom
    )


def as_float(x: Fraction) -> float:
    """The nearest float64; infinite beyond the largest."""
    if abs(x) < 1 << 1000:
        return float(x)
    return inf if x > 0 else -inf


@dataclass(frozen=True)
class Half:
    """Numbers y on one side of a bound: y >= bound, or y > bound if `strict`; <= and < if `down`.

    Without a bound it holds all numbers, or none if `empty`.
    """

    bound: Fraction | None = None
    strict: bool = False
    down: bool = False
    empty: bool = False

    def holds(self, y: Fraction) -> bool:
        """Whether a number is one of these."""
        if self.bound is None:
            return not self.empty
        if y == self.bound:
            return not self.strict
        return (y < self.bound) == self.down

    def move(self, gain: Fraction, offset: Fraction) -> Half:
        """The x for which gain * x + offset is one of these."""
        if self.bound is None:
            return self
        if not gain:
            return Half() if self.holds(offset) else NONE
        return replace(self, bound=(self.bound - offset) / gain, down=self.down != (gain < 0))

    def least(self) -> int:
        """The least integer in it. It must have a lower bound."""
        if self.bound is None or self.down:
            raise AssertionError(f"{self} has no least integer")
        down = floor(self.bound)
        return down if down == self.bound and not self.strict else down + 1


ALL, NONE = Half(), Half(empty=True)
