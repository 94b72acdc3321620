"""Every way to round, on exact ties: thresholds and tables give what qonnx's int_quant gives."""

from fractions import Fraction

import numpy as np
import pytest
from graphs import QONNX, Graph
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from qonnx.custom_op.general.bipolar_quant import binary_quant
from qonnx.custom_op.general.intquant import int_quant

from finn_build import frontend
from finn_build.errors import ModelError
from finn_build.frontend.elementwise import (
    ROUNDINGS,
    Affine,
    Clip,
    Leaky,
    Quantiser,
    apply_all,
    pull_all,
)
from finn_build.frontend.rational import Half
from finn_build.frontend.tidy import tidy
from finn_build.network.layers import Lookup
from finn_build.network.layers.matrix import threshold

MODES = sorted(ROUNDINGS)
FEW = settings(max_examples=40, deadline=None, derandomize=True)
powers = st.integers(-3, 3).map(lambda n: 2.0**n)


def reference(x, scale, zero, bits, signed, narrow, mode):
    """The integers that qonnx makes, counted from the lowest."""
    numbers = [np.array(n, np.float64) for n in (scale, zero, bits)]
    name = "DOWN" if mode == "ROUND_TO_ZERO" else mode  # qonnx knows it by this name alone
    values = int_quant(np.asarray(x, np.float64), *numbers, signed, narrow, name)
    q = values / scale + zero
    if bits == 1 and signed:
        return (q + 1) / 2
    return q - (-(2 ** (bits - 1)) + narrow if signed else 0)


def check_thresholds(graph, weights, scale, expected):
    """Every accumulator of the first layer against codes that follow from its value."""
    layer = frontend.read(tidy(graph), "m").network.mvtus[0]
    low, high = layer.reach
    sums = np.arange(low, high + 1)
    for row, found in enumerate(layer.weights):
        turned = -1 if np.array_equal(found, -weights[:, row]) else 1
        assert np.array_equal(turned * found, weights[:, row])
        codes = threshold(sums[:, None], layer.thresholds[row : row + 1])[:, 0]
        wanted = expected(turned * sums * scale)
        wrong = np.flatnonzero(codes != wanted)
        assert not len(wrong), (row, sums[wrong[0]], codes[wrong[0]], wanted[wrong[0]])


@pytest.mark.parametrize("mode", MODES)
@given(
    bits=st.integers(1, 5),
    signed=st.integers(0, 1),
    narrow=st.integers(0, 1),
    zero=st.integers(-4, 4),
    scale=st.sampled_from([4.0, 16.0, 64.0]),
    weight_scale=powers,
    gain=st.sampled_from([1.0, -1.0, 0.5]),
    offset=st.integers(-64, 64).map(lambda n: n / 8),
)
@FEW
def test_thresholds_round_as_qonnx(
    mode, bits, signed, narrow, zero, scale, weight_scale, gain, offset
):
    assume(bits > 1 or signed or not narrow)
    g = Graph(2)
    weights = np.array([[1, 3, -2], [2, -3, 0]])
    w = g.quant(g.constant(weights * weight_scale), weight_scale, 4, signed=1)
    x = g.op("MatMul", "in0", w, shape=(3,))
    x = g.op("Add", g.op("Mul", x, g.constant(gain)), g.constant(offset))
    x = g.quant(x, scale, bits, zero=zero, signed=signed, narrow=narrow, rounding=mode)

    def expected(values):
        return reference(gain * values + offset, scale, zero, bits, signed, narrow, mode)

    check_thresholds(g.model(g.dense(x, 2)), weights, weight_scale, expected)


@given(scale=powers, weight_scale=powers, offset=st.integers(-64, 64))
@FEW
def test_bipolar_thresholds_are_those_of_qonnx(scale, weight_scale, offset):
    g = Graph(2)
    weights = np.array([[1, 3, -2], [2, -3, 0]])
    w = g.quant(g.constant(weights * weight_scale), weight_scale, 4, signed=1)
    x = g.op("Add", g.op("MatMul", "in0", w, shape=(3,)), g.constant(offset))
    x = g.op("BipolarQuant", x, g.constant(scale), domain=QONNX)

    def expected(values):
        return (binary_quant(values + offset, scale) / scale + 1) / 2

    check_thresholds(g.model(g.dense(x, 2)), weights, weight_scale, expected)


@pytest.mark.parametrize("mode", MODES)
@given(
    bits=st.integers(3, 8),
    signed=st.integers(0, 1),
    narrow=st.integers(0, 1),
    zero=st.integers(-2, 3),
    finer=st.integers(0, 2),
    offset=st.sampled_from([0.0, -128.0, 0.5]),
)
@FEW
def test_pixels_are_rounded_as_qonnx(mode, bits, signed, narrow, zero, finer, offset):
    scale = 2.0 ** (8 - bits - finer)
    g = Graph(2)
    x = g.op("Add", "in0", g.constant(offset))
    x = g.quant(x, scale, bits, zero=zero, signed=signed, narrow=narrow, rounding=mode)
    graph = tidy(g.model(g.dense(x, 2)))
    try:
        layer = frontend.read(graph, "m").network.layers[0]
    except ModelError as error:  # nearly all pixels at an end of the range
        assert "--pixel-max" in str(error)
        assume(False)
    assert isinstance(layer, Lookup)
    wanted = reference(np.arange(256) + offset, scale, zero, bits, signed, narrow, mode)
    assert (layer.tables == wanted).all()


# Dyadic numbers, so that bounds are hit exactly.
numbers = st.integers(-64, 64).map(lambda n: Fraction(n, 8))
slopes = st.sampled_from([Fraction(1, 8), Fraction(1, 2), Fraction(1), Fraction(2)])


@st.composite
def quantisers(draw):
    bits, signed, narrow = draw(st.integers(2, 4)), draw(st.booleans()), draw(st.booleans())
    low = -(1 << (bits - 1)) + narrow if signed else 0
    high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1 - narrow
    return Quantiser(
        tensor="t",
        low=low,
        high=high,
        zero=draw(st.integers(-3, 3)),
        scales=(draw(slopes),),
        rounding=draw(st.sampled_from(sorted(set(ROUNDINGS.values())))),
        bipolar=draw(st.booleans()),
    )


operations = st.one_of(
    st.builds(
        Affine,
        gains=st.tuples(st.sampled_from([Fraction(n, 4) for n in (-8, -2, 0, 1, 4)])),
        offsets=st.tuples(numbers),
    ),
    st.builds(
        lambda a, b: Clip(low=min(a, b), high=max(a, b)),
        numbers,
        numbers,
    ),
    st.builds(lambda a: Clip(low=a), numbers),
    st.builds(Leaky, slopes=st.tuples(slopes)),
    quantisers(),
)


@given(
    ops=st.lists(operations, min_size=1, max_size=4),
    bound=numbers,
    strict=st.booleans(),
    down=st.booleans(),
)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_what_is_pulled_back_is_what_gets_there(ops, bound, strict, down):
    half = Half(bound, strict, down)
    pulled = pull_all(ops, half, 0)
    tiny = Fraction(1, 1 << 40)
    tried = [Fraction(n, 4) for n in range(-80, 81)]
    if pulled.bound is not None:
        tried += [pulled.bound - tiny, pulled.bound, pulled.bound + tiny]
    for x in tried:
        assert pulled.holds(x) == half.holds(apply_all(ops, x, 0)), x


@given(quantiser=quantisers(), n=st.integers(-400, 400))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_level_is_reached_where_it_is_counted(quantiser, n):
    x = Fraction(n, 16)
    level = quantiser.level(x, 0)
    reached = [quantiser.reaching(k, 0).holds(x) for k in range(1, quantiser.levels + 1)]
    assert reached == [k <= level for k in range(1, quantiser.levels + 1)]
