"""The numbers that a matrix-vector unit holds in place of a layer's numbers.

A dot product in LUTs lifts every product w * x to zero or more, so that it sums positive bits only.
The rows' starts and thresholds make up for the lift, which therefore costs nothing. There are two
units: one with its weights in a memory (rtl_templates: nn_mvtu), and one with constant weights
(nn_constant), where a weight is the sum of a few signed powers of two.
"""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import ceil, log2

import numpy as np

from finn_build.network.layers.base import Ints
from finn_build.network.layers.matrix import Matrix
from finn_build.rtl.rom import BANK

# LUTs, or selected bits, that one register of a unit drives (rtl_templates: nn_mvtu, nn_constant).
DRIVEN = 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Unit:
    """Numbers of a unit.

    ternary: whether its weights are -1, 0 and 1 in two bits;
    acc_bits: width of its accumulators, unsigned with thresholds, two's complement without;
    start: (ROWS,) int64, where each row's accumulator starts;
    thresholds: (ROWS, T) int64 in 0..2^acc_bits - 1, or None.
    """

    ternary: bool
    acc_bits: int
    start: Ints
    thresholds: Ints | None

    @property
    def starts_differ(self) -> bool:
        """Whether rows start from different values."""
        return bool(np.ptp(self.start))


@lru_cache(maxsize=64)
def unit(layer: Matrix, *, dsp: bool = False) -> Unit:
    """The numbers of the unit that computes a layer, its dot products in LUTs or in DSP slices."""
    ternary = not dsp and layer.weight_bits == 2 and int(layer.weights.min()) >= -1
    lift = np.zeros(layer.rows, np.int64)
    if not dsp:
        lift = _lift(layer, only_signs=ternary or layer.weight_bits == 1)
    bias = np.zeros(layer.rows, np.int64) if layer.bias is None else layer.bias
    if layer.thresholds is None:
        return Unit(ternary=ternary, acc_bits=layer.acc_bits, start=bias - lift, thresholds=None)
    top = (1 << layer.in_bits) - 1
    low = lift + np.minimum(layer.weights, 0).sum(axis=1) * top
    start = -int(low.min())
    acc_bits, thresholds = _thresholds(layer, lift + start)
    return Unit(
        ternary=ternary,
        acc_bits=acc_bits,
        start=np.full(layer.rows, start),
        thresholds=thresholds,
    )


def _thresholds(layer: Matrix, added: Ints) -> tuple[int, Ints]:
    """Width of the accumulators, and the thresholds, if the sums are larger by `added` (ROWS,)."""
    assert layer.thresholds is not None
    bias = np.zeros(layer.rows, np.int64) if layer.bias is None else layer.bias
    high = added + np.maximum(layer.weights, 0).sum(axis=1) * ((1 << layer.in_bits) - 1)
    # The highest sum plus one is a threshold that no sum reaches.
    most = int(high.max()) + 1
    return most.bit_length(), np.clip(layer.thresholds + (added - bias)[:, None], 0, most)


@dataclass(frozen=True, kw_only=True)
class Counting:
    """How a unit compares sums with thresholds (rtl_templates: nn_threshold).

    ways: comparators of an accumulator; passes: cycles in which they compare all its thresholds.
    """

    steps: int
    ways: int
    passes: int

    @classmethod
    def of(cls, steps: int, spacing: int) -> "Counting":
        """The comparisons with `steps` thresholds, spread over the `spacing` cycles of a result."""
        ways = ceil(steps / spacing)
        return cls(steps=steps, ways=ways, passes=ceil(steps / ways))

    @property
    def slots(self) -> int:
        """Words of a row group: its passes, rounded up so that they are bits of the address."""
        return 1 << (self.passes - 1).bit_length()

    def words(self, thresholds: Ints, pe: int) -> Ints:
        """Thresholds (ROWS, steps) as words (ROWS/PE * slots, PE * ways) of PE rows in a pass."""
        room = self.slots * self.ways - self.steps
        levels = np.pad(thresholds, ((0, 0), (0, room)))
        levels = levels.reshape(-1, pe, self.slots, self.ways).transpose(0, 2, 1, 3)
        return levels.reshape(-1, pe * self.ways)


def spacing(layer: Matrix, *, pe: int, simd: int) -> int:
    """Cycles from one result of a unit with its weights in a memory to the next."""
    return layer.cols // simd if layer.windowed or pe == layer.rows else 1


def threshold_words(layer: Matrix, *, pe: int, simd: int) -> int:
    """Words of thresholds of a unit with its weights in a memory; 0 without thresholds."""
    if not layer.steps:
        return 0
    counting = Counting.of(layer.steps, spacing(layer, pe=pe, simd=simd))
    return layer.rows // pe * counting.slots


def threshold_memory(words: int) -> str:
    """The memory of so many words of thresholds (rtl_templates: nn_threshold)."""
    return "block" if words > BANK else "logic"


@dataclass(frozen=True, kw_only=True)
class Term:
    """A power of two in a weight: its input, its exponent, and whether it is subtracted."""

    col: int
    place: int
    negative: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Constants:
    """Numbers of a unit with constant weights.

    terms: those of each row, by place; slice_bits: bits of every input that are taken at a time;
    steps: how many times that is; acc_bits, thresholds: as in Unit.
    """

    terms: tuple[tuple[Term, ...], ...]
    slice_bits: int
    steps: int
    acc_bits: int
    thresholds: Ints

    def places(self, row: int) -> tuple[int, ...]:
        """How many terms of a row are at each place."""
        found = [term.place for term in self.terms[row]]
        return tuple(found.count(place) for place in range(max(found, default=0) + 1))

    @cached_property
    def copies(self) -> tuple[int, ...]:
        """Which copy of the inputs each row reads, so that no register drives too many LUTs.

        A term goes to a counter of six bits, which is three LUTs.
        """
        found, used = list[int](), Counter[tuple[int, bool]]()
        for row in self.terms:
            mine = Counter((term.col, term.negative) for term in row)
            fits = max((used + mine).values(), default=0) * 3 <= DRIVEN
            found.append((found[-1] + (not fits)) if found else 0)
            used = used + mine if fits else mine
        return tuple(found)

    @property
    def sum_bits(self) -> int:
        """Width of the largest dot product with a slice of the inputs."""
        most = max(sum(1 << term.place for term in row) for row in self.terms)
        return max(1, (most * ((1 << self.slice_bits) - 1)).bit_length())

    @property
    def latency(self) -> int:
        """Registers in the dot product (nn_compressor), enough for every row."""
        most = max(len(row) for row in self.terms)
        return ceil(log2(max(2, most))) + ceil(log2(self.slice_bits)) + 4


@lru_cache(maxsize=128)
def constants(layer: Matrix, slice_bits: int) -> Constants:
    """The numbers of a unit with constant weights, of a layer with thresholds."""
    terms = _all_terms(layer)
    steps = ceil(layer.in_bits / slice_bits)
    # The last slice may have zeros above the input's bits; they are inverted with the bits.
    top = (1 << (steps * slice_bits)) - 1
    lift = [sum(top << term.place for term in row if term.negative) for row in terms]
    acc_bits, thresholds = _thresholds(layer, np.array(lift))
    numbers = Constants(
        terms=terms, slice_bits=slice_bits, steps=steps, acc_bits=acc_bits, thresholds=thresholds
    )
    # A weight of 7 is 8 - 1. Its terms, both positive, would sum to 9: the value never occurs, but
    # the wires for it do.
    return replace(numbers, acc_bits=max(acc_bits, numbers.sum_bits))


@lru_cache(maxsize=64)
def _all_terms(layer: Matrix) -> tuple[tuple[Term, ...], ...]:
    first = (row // layer.filters * layer.cols for row in range(layer.rows))
    return tuple(
        tuple(_terms(row, start)) for row, start in zip(layer.weights.tolist(), first, strict=True)
    )


def _terms(weights: list[int], first: int = 0) -> list[Term]:
    """Weights as the fewest signed powers of two (non-adjacent form: Reitwiesner, 1960).

    first: the input of the first weight.
    """
    found = []
    for col, weight in enumerate(weights, first):
        place, rest = 0, weight
        while rest:
            if rest % 2:
                digit = 2 - rest % 4
                found.append(Term(col=col, place=place, negative=digit < 0))
                rest -= digit
            place, rest = place + 1, rest // 2
    return sorted(found, key=lambda term: term.place)


def _lift(layer: Matrix, *, only_signs: bool) -> Ints:
    """What nn_compressor's lift of the products adds to each row's sum, (ROWS,)."""
    top = (1 << layer.in_bits) - 1
    if only_signs:
        negative: Ints = (layer.weights < 0).sum(axis=1)
        return negative * top
    return np.full(layer.rows, layer.cols * (top << (layer.weight_bits - 1)))
