"""LUTs and FFs of a dot product, counted from the plan of counters in nn_compressor."""

from functools import cache


@cache
def lut(*, simd: int, weight_bits: int, in_bits: int, ternary: bool, sum_bits: int) -> int:
    """LUTs of one nn_compressor with the parameters SIMD, W_BITS, A_BITS, TERNARY and SUM_W."""
    signs = ternary or weight_bits == 1
    planes = (simd,) if signs else (simd,) * weight_bits
    heights = _heights(planes, in_bits, sum_bits)
    if ternary:
        return sum(heights) + _counters(heights)
    products = sum(2 * ((h + 1) // 3) + (h % 3 == 1) for h in heights)
    return products + _counters(_next([((0, (h + 1) // 3, 0), int(h % 3 == 1)) for h in heights]))


def latency(*, simd: int, weight_bits: int, in_bits: int) -> int:
    """Cycles of a dot product with weights from a memory (rtl_templates: nn_mvtu)."""
    few, many = sorted((weight_bits, in_bits))
    return (simd - 1).bit_length() + (few - 1).bit_length() + (3 if many > 2 else 2)


@cache
def ff(*, simd: int, weight_bits: int, in_bits: int, ternary: bool, sum_bits: int) -> int:
    """FFs of one nn_compressor with those parameters, with the latency that a unit gives it."""
    signs = ternary or weight_bits == 1
    heights = _heights((simd,) if signs else (simd,) * weight_bits, in_bits, sum_bits)
    if not ternary:
        heights = _next([((0, (h + 1) // 3, 0), int(h % 3 == 1)) for h in heights])
    rest = latency(simd=simd, weight_bits=weight_bits, in_bits=in_bits)
    return sum(heights) + _registers(heights, rest - 1, sum_bits)


@cache
def constant_ff(*, places: tuple[int, ...], in_bits: int, sum_bits: int, latency: int) -> int:
    """FFs of one nn_compressor with constant weights, without those of shared products."""
    return _registers(_heights(places, in_bits, sum_bits), latency - 1, sum_bits)


@cache
def constant_lut(*, places: tuple[int, ...], in_bits: int, sum_bits: int) -> int:
    """LUTs of one nn_compressor with constant weights, whose products are wires.

    places: how many weights are at each place.
    """
    return _counters(_heights(places, in_bits, sum_bits))


def _heights(planes: tuple[int, ...], in_bits: int, sum_bits: int) -> list[int]:
    """Products in each column; planes: how many operands are in each plane."""
    top = sum(n << i for i, n in enumerate(planes)) * ((1 << in_bits) - 1)
    heights = [0] * min(top.bit_length(), sum_bits)
    for i, operands in enumerate(planes):
        for j in range(in_bits):
            if i + j < len(heights):
                heights[i + j] += operands
    return heights


def _counters(heights: list[int]) -> int:
    """LUTs that add up columns of bits."""
    spent = 0
    while max(heights, default=0) > 2:
        plan = _level(heights)
        spent += sum(3 * six + 2 * (three + two) for (six, three, two), _ in plan)
        heights = _next(plan)
    return spent + sum(h == 2 for h in heights)


def _registers(heights: list[int], latency: int, sum_bits: int) -> int:
    """Bits after each level of counters, and bits of the sum in the cycles that are left."""
    spent = 0
    while max(heights, default=0) > 2:
        heights = _next(_level(heights))
        spent += sum(heights)
        latency -= 1
    return spent + max(1, latency) * min(sum_bits, len(heights) + 1)


# Counters of six, three and two bits of a column, and the bits that no counter takes.
_Column = tuple[tuple[int, int, int], int]


def _level(heights: list[int]) -> list[_Column]:
    """The counters of one level, column by column."""
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
    """Bits per column after a level: sums, passed bits, carries, and second carries of sixes."""
    heights = []
    for c, (counters, passed) in enumerate(plan):
        carries = sum(plan[c - 1][0]) if c >= 1 else 0
        fours = plan[c - 2][0][0] if c >= 2 else 0
        heights.append(sum(counters) + passed + carries + fours)
    return heights
