"""Grouped and depthwise convolutions: each group of channels goes to its own rows."""

from dataclasses import replace

import numpy as np
import pytest
from models import alone, simulate
from tiers import every

from finn_build.errors import FoldingError, ModelError
from finn_build.folding.calibration import random_unit
from finn_build.folding.fold import Fold
from finn_build.folding.folding import make
from finn_build.folding.schedule import depths, latency
from finn_build.folding.search import choices
from finn_build.frontend.hardware import by_groups
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.network.layers import Argmax, Mvtu, Window
from finn_build.network.layers.base import Codes

SIDE = 8


def conv(index: int, channels: int, rows: int, groups: int, side: int, stride: int) -> list:
    """A padded 3 x 3 window and its unit."""
    window = Window(
        name=f"w{index}", height=side, width=side, channels=channels, bits=2 if index else 8,
        kernel=(3, 3), stride=(stride,) * 2, pad=(1,) * 4, groups=groups, filters=rows // groups,
    )  # fmt: skip
    draw = np.random.default_rng(index)
    unit = random_unit(
        draw, (rows, 9 * channels // groups), weight_bits=2, in_bits=window.bits, low=-1,
        positions=window.positions, windowed=True,
    )  # fmt: skip
    unit = replace(unit, name=f"conv{index}", groups=groups)
    low, high = np.array(unit.reach) // 3
    return [window, replace(unit, thresholds=np.sort(draw.integers(low, high, (rows, 3)), axis=1))]


def network(channels: int, rows: int, groups: int, stride: int = 1) -> Network:
    """A convolution, one of groups, and a dense layer."""
    first, second = conv(0, 2, channels, 1, SIDE, 1), conv(1, channels, rows, groups, SIDE, stride)
    cols = second[0].positions * rows
    last = random_unit(np.random.default_rng(5), (5, cols), weight_bits=2, in_bits=2, low=-1)
    ends = (replace(last, name="dense0"), Argmax(name="argmax", classes=5, bits=last.acc_bits))
    return Network(
        name="n", height=SIDE, width=SIDE, channels=2, scale=1.0, layers=(*first, *second, *ends)
    )


@pytest.mark.parametrize(("channels", "rows", "groups"), [(4, 4, 4), (4, 8, 4), (6, 9, 3)])
def test_a_grouped_convolution_is_one_with_zeros_for_other_groups(channels, rows, groups):
    window, unit = conv(1, channels, rows, groups, 5, 2)
    x = np.random.default_rng(1).integers(0, 4, (3, 5, 5, channels))
    sums = unit.accumulate(window.compute(x))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    each = channels // groups
    for row, (i, j) in ((r, p) for r in range(rows) for p in np.ndindex(3, 3)):
        first = row // (rows // groups) * each
        patch = padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3, first : first + each]
        kernel = unit.weights[row].reshape(3, 3, each)
        assert np.array_equal(sums[:, i, j, row], (patch * kernel).sum(axis=(1, 2, 3)))
    assert unit.macs == 9 * rows * 9 * each


def test_groups_are_read_off_the_weights():
    draw = np.random.default_rng(2)
    own = draw.integers(1, 4, (12, 3, 3, 2))
    whole = np.zeros((12, 3, 3, 8), np.int64)
    for row in range(12):
        first = row // 3 * 2
        whole[row, :, :, first : first + 2] = own[row]
    groups, found = by_groups(whole)
    assert groups == 4 and np.array_equal(found, own)
    whole[0, 1, 1, 2] = 1
    assert by_groups(whole)[0] == 2, "a weight joins the first two groups"
    whole[0, 1, 1, 4] = 1
    assert by_groups(whole)[0] == 1


def test_a_stored_network_has_its_groups(tmp_path):
    made = network(4, 8, 4)
    made.save(tmp_path / "n.npz")
    loaded = Network.load(tmp_path / "n.npz")
    assert loaded.layers[2:3] == made.layers[2:3]
    images = np.random.default_rng(3).integers(0, 256, (3, SIDE, SIDE, 2)).astype(np.uint8)
    assert np.array_equal(golden.run(loaded, images).logits, golden.run(made, images).logits)


def test_a_doubt_stays_in_its_group():
    window, unit = conv(1, 4, 8, 4, 5, 1)
    x = np.random.default_rng(4).integers(0, 4, (1, 5, 5, 4))
    unsure = np.zeros(x.shape, bool)
    unsure[0, 2, 2, 1] = True
    found = unit.doubt(window.doubt(Codes(codes=x, unsure=unsure))).unsure[0]
    assert found[1:4, 1:4, 2:4].all() and found.sum() == 18


def test_groups_that_cannot_be_are_named():
    window, unit = conv(1, 6, 12, 3, 5, 1)
    with pytest.raises(ModelError, match="conv1: 12 rows in 5 groups; use 1, 2, 3, 4, 6, 12"):
        replace(unit, groups=5)
    with pytest.raises(ModelError, match="conv1: 12 rows in 3 groups; use 1$"):
        replace(unit, windowed=False)
    with pytest.raises(ModelError, match="w1: 6 channels in 4 groups; use 1, 2, 3, 6"):
        replace(window, groups=4)


@pytest.mark.parametrize(
    ("pe", "simd", "message"),
    [
        (6, 3, "conv1: PE=6 takes parts of several groups of 4 rows; use 1, 2, 4, 12"),
        (5, 3, "conv1: PE=5 does not divide 12 rows; use 1, 2, 3, 4, 6, 12"),
        (4, 4, "conv1: SIMD=4 does not divide 18 inputs; use 1, 2, 3, 6, 9, 18"),
    ],
)
def test_a_fold_across_groups_is_named(pe, simd, message):
    _, unit = conv(1, 6, 12, 3, 5, 1)
    with pytest.raises(FoldingError, match=message):
        unit.hardware(Fold(pe=pe, simd=simd, memory="logic")).check()


def test_a_search_sees_legal_folds_alone():
    made = make(network(4, 8, 4), folds(4, 3))
    stage = made.stages["conv1"]
    found = choices(stage, dsp=False)
    assert {fold.pe for fold, _ in found} == {1, 2, 4, 8}
    for fold, _ in found:
        stage.check(fold)


def folds(pe: int, simd: int, memory: str = "logic", **more: int) -> dict[str, Fold]:
    """Of the grouped convolution; the others work in its time."""
    small = Fold(pe=1, simd=9, memory="logic")
    return {
        "conv0": replace(small, pe=4),
        "conv1": Fold(pe=pe, simd=simd, memory=memory, **more),
        "dense0": Fold(pe=5, simd=4, memory="logic"),
    }


# Sliding and whole windows; one channel, some and all at once; several rows for each group.
RUNS = {
    "sliding": (8, 8, 8, 1, 2, 1, "logic"),
    "sliding_alone": (4, 4, 4, 1, 1, 1, "block"),
    "sliding_all": (4, 4, 4, 1, 4, 1, "logic"),
    "whole": (8, 8, 8, 1, 2, 9, "logic"),
    "strided": (8, 8, 8, 2, 4, 3, "logic"),
    "two_groups": (8, 12, 2, 1, 3, 4, "logic"),
    "two_groups_at_once": (8, 8, 2, 1, 8, 4, "block"),
    "four_groups": (8, 16, 4, 1, 8, 6, "logic"),
    "strided_groups": (8, 8, 4, 2, 1, 2, "logic"),
}


@pytest.mark.parametrize("name", every(2, RUNS))
def test_groups_run_as_scheduled(name, tmp_path):
    channels, rows, groups, stride, pe, simd, memory = RUNS[name]
    made = network(channels, rows, groups, stride)
    folding = make(made, folds(pe, simd, memory))
    assert made.windows["conv1"].slides(folding.folds["conv1"]) == (
        name.startswith("sliding") or name.startswith("two")
    )
    images = np.random.default_rng(6).integers(0, 256, (12, SIDE, SIDE, 2)).astype(np.uint8)
    expected = golden.run(made, images).logits
    assert len(np.unique(expected, axis=0)) == 12
    ran = simulate(made, images, tmp_path, folding=folding, stall=0)
    assert np.array_equal(ran.logits, expected)
    assert ran.cycles_per_frame == folding.cycles
    first = alone(tmp_path, images[:1], classes=5)
    assert abs(first.latency_cycles - latency(made, folding)) <= 10
    assert set(ran.fifos) == {f"{n}_fifo" for n, depth in depths(made, folding).items() if depth}
    assert all(most <= depth <= max(2, 2 * most) for depth, most in ran.fifos.values())
    for stall in (64, 160):
        assert np.array_equal(
            alone(tmp_path, images[:4], classes=5, stall=stall).logits, expected[:4]
        )


def test_weights_of_groups_can_be_constant(tmp_path):
    made = network(4, 8, 4)
    unit = made.mvtus[1]
    constant = folds(unit.rows, unit.cols, "constant", slice_bits=1, pixels=2)
    folding = make(made, constant)
    images = np.random.default_rng(7).integers(0, 256, (8, SIDE, SIDE, 2)).astype(np.uint8)
    ran = simulate(made, images, tmp_path, folding=folding, stall=0)
    assert np.array_equal(ran.logits, golden.run(made, images).logits)
    assert isinstance(unit, Mvtu) and ran.cycles_per_frame == folding.cycles
