import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finn_build.network import golden
from finn_build.network.layers.argmax import first_largest
from finn_build.network.layers.matrix import matvec, threshold
from finn_build.network.layers.max_pool import maxima
from finn_build.network.layers.window import windows

SIDES = st.tuples(st.integers(1, 5), st.integers(1, 5))


@st.composite
def shapes(draw):
    """An image's height and width, and a window's kernel, stride and padding that go with them."""
    kernel = draw(SIDES)
    pad = tuple(draw(st.integers(0, kernel[side % 2] - 1)) for side in range(4))
    size = tuple(
        draw(st.integers(max(1, kernel[axis] - pad[axis] - pad[axis + 2]), 7)) for axis in range(2)
    )
    return size, {"kernel": kernel, "stride": draw(SIDES), "pad": pad}


@settings(max_examples=60, deadline=None)
@given(shapes(), st.integers(1, 3), st.integers(0, 1000))
def test_windows_are_those_of_a_naive_loop(shape, fill, seed):
    (height, width), values = shape
    (high, wide), (down, right), (top, left, bottom, after) = values.values()
    x = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3))
    made = windows(x, **values, fill=fill)
    rows = range(-top, height + bottom - high + 1, down)
    cols = range(-left, width + after - wide + 1, right)
    assert made.shape == (2, len(rows), len(cols), high * wide * 3)
    for r, c in np.ndindex(len(rows), len(cols)):
        for kh, kw in np.ndindex(high, wide):
            y, z = rows[r] + kh, cols[c] + kw
            inside = 0 <= y < height and 0 <= z < width
            want = x[:, y, z] if inside else np.full((2, 3), fill)
            at = (kh * wide + kw) * 3
            assert np.array_equal(made[:, r, c, at : at + 3], want), f"{r} {c} {kh} {kw}"


@settings(max_examples=40, deadline=None)
@given(shapes(), st.integers(1, 4), st.integers(0, 1000))
def test_window_and_matvec_are_a_convolution(shape, channels, seed):
    size, values = shape
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (2, *size, channels))
    weights = random.integers(-7, 8, (5, *values["kernel"], channels))
    bias = random.integers(-9, 9, 5)
    vectors = windows(x, **values)
    ours = matvec(vectors, weights.reshape(5, -1), bias)
    top, left, bottom, right = values["pad"]
    image = torch.tensor(x.transpose(0, 3, 1, 2), dtype=torch.float64)
    theirs = torch.nn.functional.conv2d(
        torch.nn.functional.pad(image, (left, right, top, bottom)),
        torch.tensor(weights.transpose(0, 3, 1, 2), dtype=torch.float64),
        torch.tensor(bias, dtype=torch.float64),
        stride=values["stride"],
    )
    assert np.array_equal(ours, theirs.numpy().transpose(0, 2, 3, 1)), f"seed {seed}"


def test_matvec_is_exact_beyond_float32():
    v = np.array([[(1 << 24) + 1, 1]])
    assert matvec(v, np.array([[1, 1], [1, -1]])).tolist() == [[(1 << 24) + 2, 1 << 24]]


def test_matvec_refuses_what_float64_cannot_hold():
    with pytest.raises(OverflowError, match="9007199254740992"):
        matvec(np.array([[1 << 52]]), np.array([[2]]))


def test_threshold_counts_the_steps_that_are_reached():
    acc = np.array([[-5, 3], [0, 4], [7, 5]])
    steps = np.array([[-5, 0, 7], [4, 4, 6]])
    assert threshold(acc, steps).tolist() == [[1, 0], [2, 2], [3, 2]]


def test_max_pool_drops_a_ragged_rest():
    x = np.arange(15).reshape(1, 3, 5, 1)
    assert maxima(x, kernel=(2, 2), stride=(2, 2)).reshape(-1).tolist() == [6, 8]


def test_argmax_takes_the_lowest_of_equals():
    assert first_largest(np.array([[1, 3, 3], [-2, -2, -2]])).tolist() == [1, 0]


def test_batches_do_not_change_the_result(network):
    images = np.random.default_rng(1).integers(0, 256, (7, 4, 4, 2)).astype(np.uint8)
    whole, parts = golden.run(network, images, batch=7), golden.run(network, images, batch=2)
    assert np.array_equal(whole.logits, parts.logits)
    assert np.array_equal(whole.activations["conv0"], parts.activations["conv0"])
