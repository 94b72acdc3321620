"""The lowest and the highest value that a tensor may have."""

from __future__ import annotations

from fractions import Fraction

from finn_build.frontend.elementwise import apply_all
from finn_build.frontend.stream import Codes, Moving, Pairs, Stream, Sums
from finn_build.frontend.thresholds import reach_of, span
from finn_build.network.layers.add import Weighted


def extremes(stream: Stream, channel: int) -> tuple[Fraction, Fraction]:
    """Bounds of a channel's values behind all operations; padding is not among these values."""
    way = [op for op in stream.ops if not isinstance(op, Moving)]
    found = [apply_all(way, x, channel) for x in _ends(stream.base, channel)]
    return min(found), max(found)


def _ends(base: Codes | Pairs | Sums, channel: int) -> list[Fraction]:
    """The lowest and the highest value of a channel, before any operation."""
    if isinstance(base, Codes):
        return [base.value(code, channel) for code in (0, (1 << base.bits) - 1)]
    if isinstance(base, Pairs):
        first, second = (_ends(codes, channel) for codes in (base.first, base.second))
        return [min(first) + min(second), max(first) + max(second)]
    found = []
    for row in range(channel, len(base.units), base.channels):
        reach = reach_of(base.weights[row : row + 1], base.product.codes.bits)
        skips = [Fraction(0)]
        if (skip := base.skip) is not None and skip.gains is not None:
            reach = Weighted(gains=skip.gains, ranges=(reach, span(skip.base))).reach
        elif skip is not None:
            skips = _ends(skip.base, channel)
        values = [base.units[row] * end + base.offsets[row] for end in reach]
        found += [value + more for value in values for more in skips]
    return [min(found), max(found)]
