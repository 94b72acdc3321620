"""LUTs of a dot product: the plan of counters that rtl_templates' nn_heap carries out, counted."""

from functools import cache


@cache
def lut(*, simd: int, weight_bits: int, in_bits: int, ternary: bool, sum_bits: int) -> int:
    """LUTs of one nn_heap with the parameters SIMD, W_BITS, A_BITS, TERNARY and SUM_W."""
    signs = ternary or weight_bits == 1
    top = simd * ((1 << in_bits) - 1) * (1 if signs else (1 << weight_bits) - 1)
    heights = [0] * min(top.bit_length(), sum_bits)
    for i in range(1 if signs else weight_bits):
        for j in range(in_bits):
            if i + j < len(heights):
                heights[i + j] += simd
    if ternary:
        spent = sum(heights)
    else:
        spent = sum(2 * ((h + 1) // 3) + (h % 3 == 1) for h in heights)
        heights = _next([((0, (h + 1) // 3, 0), int(h % 3 == 1)) for h in heights])
    while max(heights) > 2:
        plan = _level(heights)
        spent += sum(3 * six + 2 * (three + two) for (six, three, two), _ in plan)
        heights = _next(plan)
    return spent + sum(h == 2 for h in heights)


# Counters of six, three and two bits of a column, and the bits that pass them by.
_Column = tuple[tuple[int, int, int], int]


def _level(heights: list[int]) -> list[_Column]:
    """What a level of counters does to each column."""
    most, before, plan = max(heights), 0, list[_Column]()
    for rest in heights:
        six = three = two = 0
        if most > 3:
            six, rest = (rest + 1) // 6, 0 if rest % 6 == 5 else rest % 6
            if rest >= 3 and most <= 6:
                three, rest = 1, rest - 3
        elif rest == 3:
            three, rest = 1, 0
        elif rest == 2 and before:
            two, rest = 1, 0
        before = six + three + two
        plan.append(((six, three, two), rest))
    return plan


def _next(plan: list[_Column]) -> list[int]:
    """Bits per column after a level: sums and passed bits, carries, carries of six."""
    heights = []
    for c, (counters, passed) in enumerate(plan):
        carries = sum(plan[c - 1][0]) if c >= 1 else 0
        fours = plan[c - 2][0][0] if c >= 2 else 0
        heights.append(sum(counters) + passed + carries + fours)
    return heights
