"""Weights beside each other in a multiplier, by plain integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finn_build.folding.calibration import random_unit
from finn_build.folding.dsp_packing import Plan, code, plan, plan_of


@pytest.mark.parametrize(
    ("weight_bits", "in_bits", "rows", "chain"),
    [
        (2, 2, 4, 4),
        (3, 3, 3, 4),
        (4, 4, 3, 4),
        (4, 8, 2, 4),
        (8, 4, 2, 4),
        (8, 8, 2, 2),
        (9, 8, 1, 4),
    ],
)
def test_rows_of_a_slice(weight_bits, in_bits, rows, chain):
    made = plan(weight_bits, in_bits)
    assert (made.most, made.chain) == (rows, chain)
    assert (rows - 1) * made.spacing + weight_bits <= 25


@given(
    st.integers(2, 8), st.integers(1, 8), st.integers(1, 7), st.booleans(), st.integers(0, 1 << 32)
)
def test_one_product_holds_the_products_of_all_rows(weight_bits, in_bits, pe, narrow, seed):
    draw = np.random.default_rng(seed)
    low = -(1 << (weight_bits - 1)) + narrow
    layer = random_unit(draw, (2 * pe, 5), weight_bits=weight_bits, in_bits=in_bits, low=low)
    coded, made = code(layer, pe), plan_of(layer, pe)
    assert made.weight_bits in (weight_bits, weight_bits + (not narrow))
    half = 1 << (made.weight_bits - 1)
    assert -half <= coded.min() and coded.max() < half
    x = draw.integers(0, 1 << in_bits, (made.chain, 5))
    field = 1 << made.spacing
    groups = [[first + row for row in rows] for first in (0, pe) for rows in made.groups(pe)]
    assert [row for rows in groups for row in rows] == list(range(2 * pe))
    assert max(map(len, groups)) <= made.most
    for rows in groups:
        for col in range(5):
            # What the multiplier gets: fields beside each other, the last one with its sign.
            codes = [int(coded[row, col]) for row in rows]
            fields = [each % field for each in codes[:-1]] + codes[-1:]
            word = sum(each << (i * made.spacing) for i, each in enumerate(fields))
            assert -(1 << 24) <= word < 1 << 24
            total = sum(word * int(value) for value in x[:, col])
            total += sum((field // 2) << (i * made.spacing) for i in range(len(rows)))
            for i, row in enumerate(rows):
                got = (total >> (i * made.spacing)) % field - field // 2
                assert got == int(layer.weights[row, col]) * int(x[:, col].sum())


def test_slices_and_latency():
    made = Plan(weight_bits=4, in_bits=4, chain=4)
    assert made.groups(7) == [range(2), range(2, 4), range(4, 7)]
    assert made.slices(4, 9) == 18 and made.latency(9) == 8
    assert made.lut(4, 9) == 4 * (10 + 11)
