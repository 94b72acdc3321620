from dataclasses import replace

import numpy as np
import pytest

from finn_build import golden
from finn_build.errors import ModelError
from finn_build.layers import Network


def test_a_stored_network_computes_the_same(network, tmp_path):
    path = tmp_path / "network.npz"
    network.save(path)
    first = path.read_bytes()
    loaded = Network.load(path)
    images = np.random.default_rng(2).integers(0, 256, (5, 4, 4, 2)).astype(np.uint8)
    assert np.array_equal(golden.run(network, images).logits, golden.run(loaded, images).logits)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in network.layers]
    loaded.save(path)
    assert path.read_bytes() == first


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "network.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(ModelError, match=r"network\.npz: not a layer list"):
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
