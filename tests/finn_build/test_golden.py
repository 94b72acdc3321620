import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finn_build import golden


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 7),
    st.integers(1, 7),
    st.integers(1, 4),
    st.sampled_from([(1, 0), (3, 0), (3, 1), (5, 2), (2, 0)]),
    st.integers(1, 2),
    st.integers(0, 1000),
)
def test_window_and_matvec_are_a_convolution(height, width, channels, shape, stride, seed):
    kernel, pad = shape
    if min(height, width) + 2 * pad < kernel:
        return
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (2, height, width, channels))
    weights = random.integers(-7, 8, (5, kernel, kernel, channels))
    bias = random.integers(-9, 9, 5)
    windows = golden.window(x, kernel=kernel, stride=stride, pad=pad)
    ours = golden.matvec(windows, weights.reshape(5, -1), bias)
    theirs = torch.nn.functional.conv2d(
        torch.tensor(x.transpose(0, 3, 1, 2), dtype=torch.float64),
        torch.tensor(weights.transpose(0, 3, 1, 2), dtype=torch.float64),
        torch.tensor(bias, dtype=torch.float64),
        stride=stride,
        padding=pad,
    )
    assert np.array_equal(ours, theirs.numpy().transpose(0, 2, 3, 1)), f"seed {seed}"


def test_matvec_is_exact_beyond_float32():
    v = np.array([[(1 << 24) + 1, 1]])
    assert golden.matvec(v, np.array([[1, 1], [1, -1]])).tolist() == [[(1 << 24) + 2, 1 << 24]]


def test_matvec_refuses_what_float64_cannot_hold():
    with pytest.raises(OverflowError, match="9007199254740992"):
        golden.matvec(np.array([[1 << 52]]), np.array([[2]]))


def test_threshold_counts_the_steps_that_are_reached():
    acc = np.array([[-5, 3], [0, 4], [7, 5]])
    steps = np.array([[-5, 0, 7], [4, 4, 6]])
    assert golden.threshold(acc, steps).tolist() == [[1, 0], [2, 2], [3, 2]]


def test_max_pool_drops_a_ragged_rest():
    x = np.arange(15).reshape(1, 3, 5, 1)
    assert golden.max_pool(x, kernel=(2, 2), stride=(2, 2)).reshape(-1).tolist() == [6, 8]


def test_argmax_takes_the_lowest_of_equals():
    assert golden.argmax(np.array([[1, 3, 3], [-2, -2, -2]])).tolist() == [1, 0]


def test_batches_do_not_change_the_result(network):
    images = np.random.default_rng(1).integers(0, 256, (7, 4, 4, 2)).astype(np.uint8)
    whole, parts = golden.run(network, images, batch=7), golden.run(network, images, batch=2)
    assert np.array_equal(whole.logits, parts.logits)
    assert np.array_equal(whole.activations["conv0"], parts.activations["conv0"])
