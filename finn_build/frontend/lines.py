"""Thresholds of rows whose levels follow a line: most rows, and faster than fractions.

Where only scales, biases and limits lie between an accumulator x and its quantiser, what is rounded
is (gain * x + offset) / below, within limits, all of them integers. Both directions are then
integer divisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf, lcm

from finn_build.frontend.elementwise import Affine, Clip, Elementwise, Quantiser

_LARGEST = 1 << 1000  # larger ratios are infinite as float64


@dataclass(frozen=True, kw_only=True)
class Line:
    """(gain * x + offset) / below, limited to low / below and high / below, then quantised."""

    gain: int
    offset: int
    below: int
    low: int | None
    high: int | None
    quantiser: Quantiser

    def level(self, x: int) -> int:
        """The level of an accumulator, computed forwards."""
        top = self.gain * x + self.offset
        if self.low is not None and top < self.low:
            top = self.low
        if self.high is not None and top > self.high:
            top = self.high
        return self.quantiser.counted(top, self.below)

    def first(self, level: int) -> tuple[int | None, float]:
        """The least accumulator that reaches a level, and the bound that it follows from.

        None if all do, with -inf, or none, with inf.
        """
        halves, strict = self.quantiser.edge(level)
        edge = halves * self.below

        def holds(top: int) -> bool:
            return 2 * top > edge or (2 * top == edge and not strict)

        if self.low is not None and holds(self.low):
            return None, -inf
        if self.high is not None and not holds(self.high):
            return None, inf
        top, bottom = edge - 2 * self.offset, 2 * self.gain
        down, rest = divmod(top, bottom)
        bound = top / bottom if abs(top) < _LARGEST * bottom else inf if top > 0 else -inf
        return down + bool(rest or strict), bound


def line(way: Sequence[Elementwise], quantiser: Quantiser, channel: int) -> Line | None:
    """The line of some operations and a quantiser; None where they are no rising one."""
    gain, offset = Fraction(1), Fraction(0)
    low: Fraction | None = None
    high: Fraction | None = None
    scale = quantiser.scales[channel if len(quantiser.scales) > 1 else 0]
    for op in (*way, Affine(gains=(1 / scale,), offsets=(Fraction(quantiser.zero),))):
        if isinstance(op, Clip):
            # Limits after limits: the later ones also limit the earlier.
            low, high = (
                x if limit is None else op.apply(limit, channel)
                for limit, x in ((low, op.low), (high, op.high))
            )
        elif isinstance(op, Affine) and (factor := op.gain(channel)) > 0:
            gain, offset = gain * factor, op.apply(offset, channel)
            low = None if low is None else op.apply(low, channel)
            high = None if high is None else op.apply(high, channel)
        elif isinstance(op, Affine) and factor < 0:
            gain, offset = gain * factor, op.apply(offset, channel)
            low, high = (None if x is None else op.apply(x, channel) for x in (high, low))
        else:
            return None
    if gain <= 0:
        return None
    some = [x for x in (gain, offset, low, high) if x is not None]
    below = lcm(*(x.denominator for x in some))
    whole = [None if x is None else int(x * below) for x in (gain, offset, low, high)]
    return Line(
        gain=whole[0] or 0,
        offset=whole[1] or 0,
        below=below,
        low=whole[2],
        high=whole[3],
        quantiser=quantiser,
    )
