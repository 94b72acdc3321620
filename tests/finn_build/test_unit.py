"""The numbers of a matrix-vector unit give the results of its layer."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finn_build.folding.calibration import random_unit
from finn_build.network.layers import Mvtu
from finn_build.network.layers.matrix import matvec, threshold
from finn_build.network.layers.numbers import Counting, _terms, constants, unit


def layer(draw: np.random.Generator, weight_bits: int, low: int, in_bits: int, steps: int) -> Mvtu:
    made = random_unit(draw, (5, 12), weight_bits=weight_bits, in_bits=in_bits, low=low)
    made = replace(made, bias=draw.integers(-9, 9, 5))
    if not steps:
        return made
    low_sum, high_sum = made.reach
    thresholds = np.sort(draw.integers(low_sum - 3, high_sum + 4, (5, steps)), axis=1)
    return replace(made, thresholds=thresholds)


def lifted(made: Mvtu, ternary: bool) -> np.ndarray:
    """What the hardware's dot product adds for each weight (rtl_templates: nn_compressor)."""
    top = (1 << made.in_bits) - 1
    if ternary or made.weight_bits == 1:
        return np.where(made.weights < 0, top, 0)
    return np.full(made.weights.shape, top << (made.weight_bits - 1))


@given(
    seed=st.integers(0, 2**31),
    weights=st.sampled_from([(1, -1), (2, -1), (2, -2), (3, -4), (4, -7), (8, -128)]),
    in_bits=st.integers(1, 8),
    steps=st.sampled_from([0, 1, 3, 15]),
)
def test_start_and_thresholds_make_up_for_the_lift(seed, weights, in_bits, steps):
    draw = np.random.default_rng(seed)
    made = layer(draw, *weights, in_bits, steps)
    numbers = unit(made)
    x = draw.integers(0, 1 << in_bits, (20, 12))
    x[0], x[1], x[2] = 0, (1 << in_bits) - 1, ((1 << in_bits) - 1) * (made.weights[0] < 0)
    products = x[:, None, :] * made.weights + lifted(made, numbers.ternary)
    assert (products >= 0).all()
    acc = (numbers.start + products.sum(axis=2)) % (1 << numbers.acc_bits)
    expected = matvec(x, made.weights, made.bias)
    if numbers.thresholds is None:
        half = 1 << (numbers.acc_bits - 1)
        assert np.array_equal((acc + half) % (2 * half) - half, expected)
    else:
        assert numbers.thresholds.min() >= 0 and numbers.thresholds.max() < 1 << numbers.acc_bits
        found = (numbers.thresholds <= acc[..., None]).sum(axis=2)
        assert np.array_equal(found, threshold(expected, made.thresholds))


@pytest.mark.parametrize("weights", [(1, -1), (2, -1), (3, -4)])
@pytest.mark.parametrize("how", ["in LUTs", "in DSPs", "constant"])
def test_the_highest_sum_reaches_no_threshold_above_it(weights, how):
    """Of three thresholds, at the highest sum, just above and far above, it reaches the first."""
    bits, low = weights
    made = random_unit(np.random.default_rng(6), (5, 12), weight_bits=bits, in_bits=2, low=low)
    highest = np.maximum(made.weights, 0).sum(axis=1) * 3
    steps = highest[:, None] + [0, 1, 1000]
    made = replace(made, thresholds=steps, windowed=True)
    numbers = constants(made, 2) if how == "constant" else unit(made, dsp=how == "in DSPs")
    # What the accumulator is then: the first threshold, lifted as the sum is.
    acc = numbers.thresholds[:, :1]
    assert (numbers.thresholds[:, 1:] > acc).all()
    assert numbers.thresholds.max() < 1 << numbers.acc_bits


@pytest.mark.parametrize(("low", "ternary"), [(-1, True), (-2, False)])
def test_two_bits_without_their_lowest_value_are_ternary(low, ternary):
    made = layer(np.random.default_rng(3), 2, low, 2, 3)
    assert unit(made).ternary == ternary
    assert len(set(unit(made).start.tolist())) == 1, "thresholds take all"


def test_signs_need_no_wider_accumulator_than_their_products():
    made = layer(np.random.default_rng(4), 1, -1, 2, 3)
    assert unit(made).acc_bits == (12 * 3 + 1).bit_length()


@given(st.integers(-128, 127))
def test_a_weight_is_the_sum_of_few_powers_of_two(weight):
    terms = _terms([weight])
    assert sum((-1 if t.negative else 1) << t.place for t in terms) == weight
    assert all(b.place - a.place > 1 for a, b in pairwise(terms))


@given(st.integers(0, 2**32), st.sampled_from([(2, 2, 1), (2, 2, 2), (4, 8, 3), (8, 4, 4)]))
def test_slices_of_the_inputs_give_the_activations(seed, widths):
    weight_bits, in_bits, slice_bits = widths
    draw = np.random.default_rng(seed)
    made = layer(draw, weight_bits, -(1 << (weight_bits - 1)), in_bits, 3)
    numbers = constants(made, slice_bits)
    x = draw.integers(0, 1 << in_bits, (20, made.cols))
    acc = np.zeros((20, made.rows), np.int64)
    for step in reversed(range(numbers.steps)):
        part = (x >> (step * slice_bits)) & ((1 << slice_bits) - 1)
        dot = np.zeros_like(acc)
        for row, terms in enumerate(numbers.terms):
            for term in terms:
                bits = (
                    (1 << slice_bits) - 1 - part[:, term.col]
                    if term.negative
                    else part[:, term.col]
                )
                dot[:, row] += bits << term.place
        assert dot.max() < 1 << numbers.sum_bits
        acc = (acc << slice_bits) + dot
    assert acc.max() < 1 << numbers.acc_bits
    found = (acc[:, :, None] >= numbers.thresholds).sum(axis=2)
    exact = x @ made.weights.T + made.bias
    assert (found == (exact[:, :, None] >= made.thresholds).sum(axis=2)).all()


def test_an_accumulator_takes_all_that_its_terms_could_sum_to():
    """15 times 8 + 1 needs a bit more than 15 times 8, which is what the sevens can reach."""
    made = layer(np.random.default_rng(5), 4, -7, 2, 3)
    sevens = replace(made, weights=np.where(np.arange(12) < 5, 7, 0)[None, :].repeat(made.rows, 0))
    numbers = constants(sevens, 2)
    assert (numbers.sum_bits, numbers.acc_bits) == (8, 8)


@given(
    steps=st.integers(1, 15),
    spacing=st.integers(1, 20),
    groups=st.integers(1, 4),
    pe=st.integers(1, 3),
)
def test_every_threshold_is_compared_once_with_its_own_sum(steps, spacing, groups, pe):
    counting = Counting.of(steps, spacing)
    assert counting.passes <= spacing and counting.ways * counting.passes >= steps
    thresholds = 1 + np.arange(groups * pe * steps).reshape(-1, steps)
    words = counting.words(thresholds, pe)
    assert words.shape == (groups * counting.slots, pe * counting.ways)
    # (group, pass, accumulator, comparator); beyond the passes nothing is read.
    words = words.reshape(groups, counting.slots, pe, counting.ways)
    assert not words[:, counting.passes :].any()
    found = words.transpose(0, 2, 1, 3).reshape(groups * pe, -1)
    assert [row[row > 0].tolist() for row in found] == thresholds.tolist()


def test_rows_share_the_inputs_that_a_register_can_drive():
    """Eight terms of three LUTs each, by sign: the ninth row of the same weights takes a copy."""
    made = random_unit(np.random.default_rng(0), (20, 3), weight_bits=2, in_bits=2, low=-1)
    made = replace(made, windowed=True, thresholds=np.zeros((20, 3), np.int64))
    ones = replace(made, weights=np.ones((20, 3), np.int64))
    assert constants(ones, 1).copies == (0,) * 8 + (1,) * 8 + (2,) * 4
    signs = replace(made, weights=np.ones((20, 3), np.int64) * np.array([[1], [-1]] * 10))
    assert constants(signs, 1).copies == (0,) * 16 + (1,) * 4
    none = replace(made, weights=np.zeros((20, 3), np.int64))
    assert constants(none, 1).copies == (0,) * 20
