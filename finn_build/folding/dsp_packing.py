"""Dot products in DSP48E1 slices (rtl_templates: nn_dsp): resources, latency, coded weights."""

from dataclasses import dataclass
from functools import cache, lru_cache
from math import ceil, log2

from finn_build.network.layers.base import Ints
from finn_build.network.layers.matrix import Matrix

# Bits of the multiplier's wider port.
_PORT = 25
# Fewest bits of a single product for which synthesis takes a slice.
_LEAST = 9
# Most bits of a weight as coded, and of an input (rtl_templates: nn_dsp).
MOST_WEIGHT, MOST_INPUT = 9, 8
# Lengths of a chain of slices, which add in sequence; the first with room for two rows is taken.
_CHAINS = (4, 2)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How operands share slices: rows of a slice, slices of a chain."""

    weight_bits: int
    in_bits: int
    chain: int

    @property
    def spacing(self) -> int:
        """Bits from one row's products to the next one's."""
        return self.weight_bits + self.in_bits + ceil(log2(self.chain))

    @property
    def most(self) -> int:
        """Most rows whose weights fit beside each other in a multiplier."""
        return (_PORT - self.weight_bits) // self.spacing + 1

    def groups(self, pe: int) -> list[range]:
        """PE rows in groups that share a multiplier."""
        count = ceil(pe / self.most)
        return [range(g * pe // count, (g + 1) * pe // count) for g in range(count)]

    def slices(self, pe: int, simd: int) -> int:
        """Slices of a unit."""
        return len(self.groups(pe)) * simd

    def latency(self, simd: int) -> int:
        """Cycles from the operands to their sum."""
        return self.chain + 2 + ceil(log2(ceil(simd / self.chain)))

    def lut(self, pe: int, simd: int) -> int:
        """LUTs of the trees that add up the chains."""
        left, width, spent = ceil(simd / self.chain), self.spacing, 0
        while left > 1:
            spent += left // 2 * width
            left, width = ceil(left / 2), width + 1
        return pe * spent

    def ff(self, pe: int, simd: int) -> int:
        """FFs of those trees, and of operands that wait for their slice in a chain."""
        left, width, spent = ceil(simd / self.chain), self.spacing, 0
        while left > 1:
            left = ceil(left / 2)
            spent, width = spent + left * (width + 1), width + 1
        waiting = sum(range(self.chain)) * ceil(simd / self.chain)
        return pe * spent + waiting * (self.in_bits + pe * self.weight_bits) + simd * self.in_bits


@cache
def plan(weight_bits: int, in_bits: int) -> Plan:
    """The plan for two's complement weights and unsigned inputs of these widths."""
    plans = [Plan(weight_bits=weight_bits, in_bits=in_bits, chain=chain) for chain in _CHAINS]
    return next((candidate for candidate in plans if candidate.most > 1), plans[0])


def fits(layer: Matrix, pe: int) -> bool:
    """Whether operands of a layer's widths fit a slice."""
    return layer.in_bits <= MOST_INPUT and plan_of(layer, pe).weight_bits <= MOST_WEIGHT


def worth(layer: Matrix, pe: int) -> bool:
    """Whether synthesis takes slices for PE rows: for a single narrow product it takes none."""
    return pe > 1 or max(2, layer.weight_bits) + layer.in_bits + 1 >= _LEAST


@lru_cache(maxsize=512)
def plan_of(layer: Matrix, pe: int) -> Plan:
    """The plan for the weights of a layer, as coded for PE rows at a time."""
    bits = max(2, layer.weight_bits)
    packing, lowest = plan(bits, layer.in_bits), -(1 << (bits - 1))
    # Coding may lower a weight by one, and only the lowest weight then takes another bit.
    if int(layer.weights.min()) > lowest or int(_code(layer.weights, pe, packing).min()) >= lowest:
        return packing
    return plan(bits + 1, layer.in_bits)


def code(layer: Matrix, pe: int) -> Ints:
    """(ROWS, COLS) int64, the weights of a layer as the multipliers hold them, PE rows at a time.

    A weight is one less where the row below it in the multiplier, as coded, is negative.
    """
    return _code(layer.weights, pe, plan_of(layer, pe))


def _code(weights: Ints, pe: int, packing: Plan) -> Ints:
    coded = weights.reshape(-1, pe, weights.shape[1]).copy()
    for rows in packing.groups(pe):
        for row in rows[1:]:
            coded[:, row] -= coded[:, row - 1] < 0
    return coded.reshape(weights.shape)
