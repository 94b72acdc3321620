"""Integer thresholds of a layer, proven for every accumulator.

A quantiser's level rises with the accumulator. Each threshold is the least integer that reaches a
level, found backwards through the operations between accumulator and quantiser. It is checked
forwards through the same operations: the threshold must reach the level, and the integer below it
must not. Both directions are exact, so this proves the threshold for every accumulator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import inf, prod

import numpy as np
from numpy.typing import NDArray

from finn_build.frontend.elementwise import (
    Affine,
    Elementwise,
    Quantiser,
    apply_all,
    joined,
    pull_all,
)
from finn_build.frontend.lines import Line, line
from finn_build.frontend.rational import as_float
from finn_build.frontend.stream import Codes, Sums, wide
from finn_build.network.layers import Ints, Mvtu
from finn_build.network.layers.add import Weighted

EPS = Fraction(1, 1 << 23)
# How many roundings of float32 a reference may be off, relative to the largest number on the way.
SLACK = 16


@dataclass(frozen=True, kw_only=True)
class Levels:
    """Weights, negated where needed so that levels rise with all accumulators, and thresholds.

    weights: (ROWS, ...); thresholds: (ROWS, CODES, T), ascending, a set for every code that a skip
    may add (one set without a skip); bounds: the float64 numbers that they follow from, infinite
    where all accumulators or none reach the level; slack: (ROWS,), how far from a bound, in
    accumulators, float32 arithmetic may put a value on the wrong side.
    """

    weights: Ints
    thresholds: Ints
    bounds: NDArray[np.float64]
    slack: NDArray[np.float64]


@dataclass(frozen=True)
class _Row:
    """The operations from one row's accumulator to its level."""

    ops: tuple[Elementwise, ...]
    quantiser: Quantiser
    channel: int
    start: Affine

    @cached_property
    def way(self) -> tuple[Elementwise, ...]:
        """All operations between the accumulator and the quantiser."""
        return joined((self.start, *self.ops), self.channel)

    @cached_property
    def line(self) -> Line | None:
        """The same as a line, where it is one."""
        return line(self.way, self.quantiser, self.channel)

    def first(self, level: int) -> tuple[int | None, float]:
        """The least accumulator that reaches a level, and the bound that it follows from.

        None if all do, with -inf, or none, with inf.
        """
        if self.line is not None:
            return self.line.first(level)
        half = pull_all(self.way, self.quantiser.reaching(level, self.channel), self.channel)
        if half.bound is None:
            return None, inf if half.empty else -inf
        return half.least(), as_float(half.bound)

    def level(self, accumulator: int) -> int:
        """The level of an accumulator, computed forwards."""
        x = apply_all(self.way, Fraction(accumulator), self.channel)
        return self.quantiser.level(x, self.channel)

    def slack(self, reach: int) -> float:
        """See Levels; `reach` is the largest accumulator."""
        most, gain = Fraction(reach), Fraction(1)
        for op in (self.start, *self.ops):
            step = abs(op.gain(self.channel if op is not self.start else 0))
            most *= step
            gain *= step
            if isinstance(op, Affine):
                offsets = op.offsets
                index = self.channel if len(offsets) > 1 and op is not self.start else 0
                most += abs(offsets[index])
        scales = self.quantiser.scales
        most += abs(self.quantiser.zero) * scales[self.channel if len(scales) > 1 else 0]
        if gain:
            return as_float(SLACK * EPS * most / gain)
        x = apply_all(self.way, Fraction(0), self.channel)
        return float("inf") if doubtful(self.quantiser, x, self.channel) else 0.0


def levels(
    sums: Sums, ops: Sequence[Elementwise], quantiser: Quantiser, kept: Sequence[int], in_bits: int
) -> Levels:
    """Thresholds of a layer.

    ops: operations between the sums and the quantiser; kept: the quantiser's levels that differ
    from the level below after later operations, ascending.
    """
    weights = sums.weights.copy()
    count, added = len(weights), _added(sums)
    rows: list[list[_Row]] = []  # for each row, one for every code of the skip
    for row in range(count):
        channel = row % sums.channels
        gain = sums.units[row]
        if falls(sums, ops, row):
            weights[row], gain = -weights[row], -gain
        start = Affine(gains=(gain,), offsets=(sums.offsets[row],))
        skips = [Affine(offsets=(value,)) for value in added[channel]]
        rows.append([_Row((skip, *ops), quantiser, channel, start) for skip in skips])
    low, high = reach_of(weights, in_bits)
    if sums.skip is not None and sums.skip.gains is not None:
        low, high = Weighted(
            gains=sums.skip.gains, ranges=((low, high), span(sums.skip.base))
        ).reach
    thresholds = np.empty((count, len(added[0]), len(kept)), np.int64)
    bounds = np.empty(thresholds.shape)
    slack = np.array([max(way.slack(max(-low, high)) for way in ways) for ways in rows])
    for index, ways in enumerate(rows):
        for code, way in enumerate(ways):
            for place, level in enumerate(kept):
                found = way.first(level)
                # The line is checked at its ends against the operations that it stands for.
                ends = place in (0, len(kept) - 1)
                thresholds[index, code, place] = _first(way, found, level, (low, high), ends=ends)
                bounds[index, code, place] = found[1]
    return Levels(weights=weights, thresholds=thresholds, bounds=bounds, slack=slack)


def falls(sums: Sums, ops: Sequence[Elementwise], row: int) -> bool:
    """Whether a row's level falls with its accumulator."""
    channel = row % sums.channels
    return prod((_sign(sums.units[row]), *(_sign(op.gain(channel)) for op in ops))) < 0


def span(base: Codes | Sums) -> tuple[int, int]:
    """The lowest and the highest integer of a skip."""
    if isinstance(base, Codes):
        return 0, (1 << base.bits) - 1
    return reach_of(base.weights, base.product.codes.bits)


def _added(sums: Sums) -> list[list[Fraction]]:
    """For each output channel, what every code of the skip adds; 0 if thresholds go without."""
    if sums.skip is None or sums.skip.gains is not None:
        return [[Fraction(0)]] * sums.channels
    skip = sums.skip.base
    assert isinstance(skip, Codes), "sums have no thresholds of their own"
    scales, shifts = wide(skip.scales, skip.channels), wide(skip.shifts, skip.channels)
    codes = range(1 << skip.bits)
    return [[s * code + t for code in codes] for s, t in zip(scales, shifts, strict=True)]


def reach_of(weights: Ints, in_bits: int) -> tuple[int, int]:
    """Lowest and highest accumulator of all rows (ROWS, ...) on codes of `in_bits` bits."""
    bare: Ints = weights.reshape(len(weights), -1)
    return Mvtu(
        name="reach", positions=1, windowed=False, in_bits=in_bits, weight_bits=64, weights=bare
    ).reach


def doubtful(quantiser: Quantiser, x: Fraction, channel: int, most: Fraction = Fraction(0)) -> bool:
    """Whether float32's roundings may give a number another level.

    most: the largest number in its computation, if that is larger.
    """
    room = SLACK * EPS * (max(abs(x), most) + abs(quantiser.zero) * max(quantiser.scales))
    return quantiser.level(x - room, channel) != quantiser.level(x + room, channel)


def _sign(x: Fraction) -> int:
    return -1 if x < 0 else 1


def _first(
    row: _Row, found: tuple[int | None, float], level: int, reach: tuple[int, int], *, ends: bool
) -> int:
    """The least accumulator that reaches a level; the highest plus one if none does.

    found: what follows backwards; ends: whether to check it by all operations, if a line is there.
    """
    low, high = reach
    least, bound = found
    nowhere = high + 1 if bound == inf else low
    first = nowhere if least is None else min(max(least, low), high + 1)
    ways = [row.level] if row.line is None else [row.line.level, row.level][: 1 + ends]
    for at in ways:
        if (first <= high and at(first) < level) or (first > low and at(first - 1) >= level):
            raise AssertionError(f"threshold {first} is not that of level {level}")
    return first
