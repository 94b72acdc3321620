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
