from dataclasses import replace

import numpy as np
import pytest

from finn_build.errors import ModelError
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.network.layers import Add, MaxPool, SumPool, Upsample, Window
from finn_build.network.layers.base import Codes


def test_a_stored_network_computes_the_same(network, tmp_path):
    path = tmp_path / "network.npz"
    network.save(path)
    first = path.read_bytes()
    loaded = Network.load(path)
    images = np.random.default_rng(2).integers(0, 256, (5, 4, 4, 2)).astype(np.uint8)
    assert np.array_equal(golden.run(network, images).logits, golden.run(loaded, images).logits)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in network.layers]
    assert loaded.windows == network.windows, "tuples among them"
    loaded.save(path)
    assert path.read_bytes() == first


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "network.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(ModelError, match=r"network\.npz: not a network that headrace stored"):
        Network.load(path)


def test_the_accumulator_holds_its_extremes_and_a_threshold_above(network):
    conv = network.mvtus[0]
    ends = np.stack([np.where(conv.weights > 0, 255, 0), np.where(conv.weights < 0, 255, 0)])
    high = (ends[0] * conv.weights).sum(axis=1).max()
    low = (ends[1] * conv.weights).sum(axis=1).min()
    assert conv.reach == (low, high)
    top = 1 << (conv.acc_bits - 1)
    assert -top <= low and high + 1 < top
    assert low < -top // 2 or high + 1 >= top // 2, "wider than needed"


def test_bias_widens_the_reach(network):
    dense = network.mvtus[1]
    free = replace(dense, bias=None)
    assert dense.reach[0] <= free.reach[0] and dense.reach[1] >= free.reach[1] + dense.bias.min()


@pytest.mark.parametrize(
    ("bits", "weight", "legal"), [(2, 2, "-2 to 1"), (4, -9, "-8 to 7"), (1, 0, "-1 and 1")]
)
def test_a_weight_outside_its_type_is_named(network, bits, weight, legal):
    weights = np.where(network.mvtus[0].weights < 0, -1, 1)
    weights[2, 5] = weight
    message = f"conv0: weight {weight} of row 2, input 5 is outside its {bits} bits; use {legal}"
    with pytest.raises(ModelError, match=message):
        replace(network.mvtus[0], weights=weights, weight_bits=bits)


def test_thresholds_that_do_not_ascend_are_named(network):
    steps = np.tile([[3, 5, 5]], (4, 1))
    replace(network.mvtus[0], thresholds=steps)
    steps[1, 2] = 4
    message = "conv0: threshold 2 of row 1, 4, is below the one before, 5; sort each row's"
    with pytest.raises(ModelError, match=message):
        replace(network.mvtus[0], thresholds=steps)


WINDOW = {"name": "w", "height": 4, "width": 6, "channels": 2, "bits": 2}


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "message"),
    [
        ((3, 0), (1, 1), (0, 0, 0, 0), "w: 6 columns, windows of 0 and a stride of 1; use 1 or"),
        ((3, 3), (0, 1), (0, 0, 0, 0), "w: 4 rows, windows of 3 and a stride of 0; use 1 or more"),
        ((3, 3), (1, 1), (0, 0, 3, 0), "w: padding of 0 and 3 rows for windows of 3; use 0 to 2"),
        ((3, 1), (1, 1), (0, 1, 0, 0), "w: padding of 1 and 0 columns for windows of 1; use 0 to"),
        ((6, 3), (1, 1), (1, 0, 0, 0), "w: 4 rows with 1 of padding hold no window of 6; use a"),
    ],
)
def test_windows_that_cannot_be_are_named(kernel, stride, pad, message):
    with pytest.raises(ModelError, match=message):
        Window(kernel=kernel, stride=stride, pad=pad, **WINDOW)


@pytest.mark.parametrize(
    ("kernel", "pad", "same"),
    [
        ((3, 3), (1, 1, 1, 1), True),
        ((1, 3), (0, 1, 0, 1), True),
        ((3, 3), (0, 0, 2, 2), False),
        ((2, 3), (1, 1, 1, 1), False),
    ],
)
def test_every_pixel_is_the_middle_of_a_window(kernel, pad, same):
    made = Window(kernel=kernel, stride=(1, 1), pad=pad, **WINDOW)
    assert made.same == same
    assert not replace(made, stride=(2, 1)).same


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "out"),
    [
        ((1, 2), (1, 2), (0, 0, 0, 0), (6, 3)),
        ((3, 3), (2, 2), (0, 0, 0, 0), (2, 3)),
        ((3, 3), (2, 2), (1, 1, 1, 1), (3, 4)),
        ((2, 2), (2, 2), (0, 0, 1, 1), (3, 4)),
        ((6, 7), (6, 7), (0, 0, 0, 0), (1, 1)),
    ],
)
def test_a_pool_is_the_maximum_of_each_window(kernel, stride, pad, out, tmp_path):
    pool = MaxPool(
        name="p", height=6, width=7, channels=2, bits=3, kernel=kernel, stride=stride, pad=pad
    )
    assert (pool.out_height, pool.out_width) == out
    network = Network(name="n", height=6, width=7, channels=2, scale=1.0, layers=(pool,))
    network.save(tmp_path / "n.npz")
    assert Network.load(tmp_path / "n.npz").layers == (pool,)
    x = np.random.default_rng(1).integers(0, 8, (2, 6, 7, 2))
    y = pool.compute(x)
    assert y.shape == (2, *out, 2)
    for r, c in np.ndindex(*out):
        top, left = r * stride[0] - pad[0], c * stride[1] - pad[1]
        rows, cols = slice(max(0, top), top + kernel[0]), slice(max(0, left), left + kernel[1])
        assert np.array_equal(y[:, r, c], x[:, rows, cols].max(axis=(1, 2)))


def test_a_window_of_padding_alone_is_no_pool():
    shape = {"height": 6, "width": 7, "channels": 2, "bits": 3, "stride": (1, 1)}
    with pytest.raises(ModelError, match="padding alone; use pads smaller"):
        MaxPool(name="p", kernel=(2, 2), pad=(2, 0, 0, 0), **shape)
    with pytest.raises(ModelError, match="larger than the 6 x 7 image"):
        MaxPool(name="p", kernel=(7, 2), **shape)


@pytest.mark.parametrize(
    ("kernel", "out", "bits"),
    [((1, 2), (6, 3), 4), ((3, 3), (2, 2), 6), ((6, 7), (1, 1), 9), ((1, 1), (6, 7), 3)],
)
def test_a_mean_is_the_sum_of_each_window(kernel, out, bits, tmp_path):
    pool = SumPool(name="p", height=6, width=7, channels=2, bits=3, kernel=kernel)
    assert (pool.out_height, pool.out_width, pool.out_bits) == (*out, bits)
    network = Network(name="n", height=6, width=7, channels=2, scale=1.0, layers=(pool,))
    network.save(tmp_path / "n.npz")
    assert Network.load(tmp_path / "n.npz").layers == (pool,)
    x = np.random.default_rng(1).integers(0, 8, (3, 6, 7, 2)).astype(np.uint8)
    x[0] = 7
    y = pool.compute(x)
    assert y.shape == (3, *out, 2) and y.max() == 7 * kernel[0] * kernel[1] < 1 << bits
    unsure = np.zeros(x.shape, bool)
    unsure[1, 0, 1, 1] = True
    doubted = pool.doubt(Codes(codes=x, unsure=unsure)).unsure
    for r, c in np.ndindex(*out):
        part = (slice(None), slice(r * kernel[0], (r + 1) * kernel[0]),
                slice(c * kernel[1], (c + 1) * kernel[1]))  # fmt: skip
        assert np.array_equal(y[:, r, c], x[part].astype(int).sum(axis=(1, 2)))
        assert np.array_equal(doubted[:, r, c], unsure[part].any(axis=(1, 2)))


def test_a_window_that_the_image_has_not_is_no_sum():
    shape = {"height": 6, "width": 7, "channels": 2, "bits": 3}
    with pytest.raises(ModelError, match="p: a window of 0 x 2 pixels; use 1 or more"):
        SumPool(name="p", kernel=(0, 2), **shape)
    with pytest.raises(ModelError, match="p: a 7 x 2 window is larger than the 6 x 7 image"):
        SumPool(name="p", kernel=(7, 2), **shape)


def test_neighbours_are_added_with_their_gains(tmp_path):
    layer = Add(name="a", positions=2, channels=2, gains=(3, -1), widths=(2, 3))
    assert (layer.start, layer.out_bits) == (7, 5)
    network = Network(name="n", height=1, width=2, channels=4, scale=1.0, layers=(layer,))
    network.save(tmp_path / "n.npz")
    loaded = Network.load(tmp_path / "n.npz").layers[0]
    assert isinstance(loaded, Add) and (loaded.gains, loaded.widths) == ((3, -1), (2, 3))
    x = np.array([[[[0, 7, 3, 0], [1, 2, 2, 1]]]], np.uint8)
    assert layer.compute(x).tolist() == [[[[0, 16], [8, 12]]]]
    unsure = np.zeros(x.shape, bool)
    unsure[0, 0, 0, 3] = unsure[0, 0, 1, 0] = True
    doubted = layer.doubt(Codes(codes=x, unsure=unsure)).unsure
    assert doubted.tolist() == [[[[False, True], [True, False]]]]


@pytest.mark.parametrize(("gains", "text"), [((0, 1), "gains"), ((1, 0), "gains")])
def test_nothing_is_added_without_a_gain(gains, text):
    with pytest.raises(ModelError, match=f"a: {text}"):
        Add(name="a", positions=2, channels=2, gains=gains, widths=(2, 3))


def test_a_pixel_becomes_several(tmp_path):
    layer = Upsample(name="u", height=2, width=2, channels=1, bits=4, factors=(2, 3))
    network = Network(name="n", height=2, width=2, channels=1, scale=1.0, layers=(layer,))
    network.save(tmp_path / "n.npz")
    assert Network.load(tmp_path / "n.npz").layers == (layer,)
    x = np.array([[1, 2], [3, 4]], np.uint8).reshape(1, 2, 2, 1)
    y = layer.compute(x)
    top, bottom = [1, 1, 1, 2, 2, 2], [3, 3, 3, 4, 4, 4]
    assert y[0, ..., 0].tolist() == [top, top, bottom, bottom]
    doubted = layer.doubt(Codes(codes=x, unsure=x == 3))
    assert np.array_equal(doubted.unsure, y == 3) and np.array_equal(doubted.codes, y)
    with pytest.raises(ModelError, match=r"u: factors \(0, 1\); use 1 or more"):
        Upsample(name="u", height=2, width=2, channels=1, bits=4, factors=(0, 1))
