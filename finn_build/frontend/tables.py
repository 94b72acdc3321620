"""Tables of codes: what a quantiser gives for each code, and where float32 may give another."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from finn_build.frontend.elementwise import (
    Elementwise,
    Quantiser,
    apply_all,
    float32,
    joined,
    level32,
)
from finn_build.frontend.stream import Codes, Pairs
from finn_build.frontend.thresholds import doubtful


def entries(
    base: Codes | Pairs, before: Sequence[Elementwise], quantiser: Quantiser, channel: int
) -> tuple[list[int], list[bool]]:
    """For each code of a channel the level that it reaches, and whether float32 may miss it."""
    way = joined(before, channel)
    operands = [base.operand(code, channel) for code in range(1 << base.bits)]
    ends = [apply_all(way, x, channel) for x in operands]
    if base.summed:
        reached = [quantiser.level(x, channel) for x in ends]
    else:
        reached = [level32(before, quantiser, x, channel) for x in operands]
    # A quantiser on the way leaves whole numbers, on which every float32 program agrees again.
    places = [i for i, op in enumerate(before) if isinstance(op, Quantiser)]
    start = places[0] if places else len(before)
    first = (*before, quantiser)[start]
    assert isinstance(first, Quantiser)
    values = [apply_all(joined(before[:start], channel), x, channel) for x in operands]
    # The numbers that are summed may be larger than their sum.
    most = max(map(abs, values)) if base.summed else Fraction(0)
    doubts = [doubtful(first, x, channel, most) for x in values]
    if places:
        whole = [float32(first.apply(x, channel)) for x in values]
        after = [level32(before[start + 1 :], quantiser, x, channel) for x in whole]
        exact = [quantiser.level(x, channel) for x in ends]
        doubts = [d or a != b for d, a, b in zip(doubts, after, exact, strict=True)]
    return reached, doubts
