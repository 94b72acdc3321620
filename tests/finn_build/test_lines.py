"""Thresholds of rows as lines of integers: the same as by fractions, operation after operation."""

from fractions import Fraction
from math import inf

import numpy as np
import pytest
from graphs import Graph
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import at_most

from finn_build import frontend
from finn_build.frontend.elementwise import (
    ROUNDINGS,
    Affine,
    Clip,
    Leaky,
    Quantiser,
    apply_all,
    pull_all,
)
from finn_build.frontend.lines import line
from finn_build.frontend.rational import as_float

MODES = sorted({*ROUNDINGS.values()})
NUMBERS = st.fractions(-4, 4, max_denominator=8)
CLIPS = st.builds(
    lambda a, b, ends: Clip(
        low=min(a, b) if ends & 1 else None, high=max(a, b) if ends & 2 else None
    ),
    NUMBERS,
    NUMBERS,
    st.integers(0, 3),
)
AFFINES = st.builds(lambda g, o: Affine(gains=(g,), offsets=(o,)), NUMBERS.filter(bool), NUMBERS)
QUANTISERS = st.builds(
    lambda low, span, zero, scale, mode, bipolar: Quantiser(
        tensor="", low=low, high=low + span, zero=Fraction(zero), scales=(scale,), rounding=mode,
        bipolar=bipolar,
    ),
    st.integers(-8, 4), st.integers(1, 9), st.integers(-3, 3),
    st.fractions(Fraction(1, 8), 3, max_denominator=8), st.sampled_from(MODES), st.booleans(),
)  # fmt: skip


@given(way=st.lists(AFFINES | CLIPS, min_size=1, max_size=4), quantiser=QUANTISERS)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_line_has_the_levels_and_the_thresholds_of_its_operations(way, quantiser):
    found = line(way, quantiser, 0)
    falls = np.prod([np.sign(float(op.gain(0))) for op in way]) < 0
    assert (found is None) == falls
    if found is None:
        return
    for x in range(-30, 31):
        y = apply_all(way, Fraction(x), 0)
        assert found.level(x) == quantiser.level(y, 0)
    for level in range(1, quantiser.levels + 1):
        half = pull_all(way, quantiser.reaching(level, 0), 0)
        least, bound = found.first(level)
        if half.bound is None:
            assert (least, bound) == (None, inf if half.empty else -inf)
        else:
            assert least == half.least()
            assert bound == pytest.approx(as_float(half.bound), rel=1e-12)


@pytest.mark.parametrize("other", [Leaky(slopes=(Fraction(1, 2),)), Affine(gains=(Fraction(0),))])
def test_what_is_no_line_has_none(other):
    quantiser = Quantiser(tensor="", low=0, high=3, zero=Fraction(0), scales=(Fraction(1),))
    assert line([other], quantiser, 0) is None


def test_a_bound_beyond_float64_is_infinite():
    quantiser = Quantiser(tensor="", low=0, high=3, zero=Fraction(0), scales=(Fraction(1),))
    tiny = Affine(gains=(Fraction(1, 10**400),))
    found = line([tiny], quantiser, 0)
    assert found is not None and found.first(1) == (5 * 10**399 + 1, inf)


def test_wide_activations_take_few_calls_for_each_threshold(tmp_path):
    """A layer of 512 channels and 8 bits has 131,000 thresholds: seconds, not a minute."""
    g = Graph(3, 6, 6)
    x = g.act(g.norm(g.conv(g.quant("in0"), 32), 170.0), 0.03, 8)
    (tmp_path / "m.onnx").write_bytes(g.end(x).SerializeToString())
    graph = frontend.load(tmp_path / "m.onnx")
    with at_most(32 * 255 * 150):
        frontend.read(graph, "m")
