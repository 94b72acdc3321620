"""The schedule's FIFO depths."""

from dataclasses import replace

import numpy as np
import pytest

from finn_build.folding.calibration import random_unit
from finn_build.folding.fold import Fold
from finn_build.folding.folding import make
from finn_build.folding.schedule import depths
from finn_build.network.graph import Network
from finn_build.network.layers import Argmax, MaxPool, Window
from finn_build.rtl import accelerator


def window(name, side, channels, **others):
    values = {"kernel": (3, 3), "stride": (1, 1), "pad": (1, 1, 1, 1), **others}
    return Window(name=name, height=side, width=side, channels=channels, bits=2, **values)


def conv(name, rows, cols, positions):
    draw = np.random.default_rng(len(name))
    made = random_unit(draw, (rows, cols), weight_bits=2, in_bits=2, low=-1)
    steps = np.zeros((rows, 3), np.int64)
    return replace(made, name=name, thresholds=steps, positions=positions, windowed=True)


def network(*layers, side=8):
    return Network(name="n", height=side, width=side, channels=4, scale=1.0, layers=layers)


def test_even_pixels_wait_for_nothing():
    made = network(
        window("w0", 8, 4), conv("c0", 4, 36, 64), window("w1", 8, 4), conv("c1", 4, 36, 64)
    )
    fold = Fold(pe=1, simd=36, memory="logic")
    assert depths(made, make(made, {"c0": fold, "c1": fold})) == {"w1": 0}


def test_half_of_a_pooled_row_waits():
    made = network(
        window("w0", 32, 4),
        conv("c0", 4, 36, 1024),
        MaxPool(name="p0", height=32, width=32, channels=4, bits=2, kernel=(2, 2), stride=(2, 2)),
        window("w1", 16, 4),
        conv("c1", 8, 36, 256),
        side=32,
    )
    folds = {n: Fold(pe=p, simd=36, memory="logic") for n, p in (("c0", 2), ("c1", 1))}
    # Sixteen pixels come in the time of eight convolutions; one window waits in registers.
    assert depths(made, make(made, folds)) == {"w1": 7}
    assert depths(made, make(made, {**folds, "c0": replace(folds["c0"], pe=1)})) == {"w1": 0}


def test_a_convolution_of_single_pixels_has_its_own_buffer():
    made = network(
        window("w0", 8, 4),
        conv("c0", 4, 36, 64),
        MaxPool(name="p0", height=8, width=8, channels=4, bits=2, kernel=(2, 2), stride=(2, 2)),
        conv("c1", 8, 4, 16),
    )
    folds = {n: Fold(pe=p, simd=s, memory="logic") for n, p, s in (("c0", 2, 36), ("c1", 1, 4))}
    assert depths(made, make(made, folds)) == {"c1": 2}


def test_pixels_wait_where_windows_are_fewer():
    """Without padding two rows make no windows; meanwhile the rows after them have gathered."""
    made = network(
        window("w0", 8, 4),
        conv("c0", 4, 36, 64),
        window("w1", 8, 4, pad=(0, 0, 0, 0)),
        conv("c1", 16, 36, 36),
    )
    folds = {n: Fold(pe=1, simd=36, memory="logic") for n in ("c0", "c1")}
    assert 8 < depths(made, make(made, folds))["w1"] <= 2 * 8 + 2
    assert depths(made, make(made, {**folds, "c1": replace(folds["c1"], pe=16)}))["w1"] == 0


def test_the_burst_of_a_dense_layer_waits_for_a_slow_one():
    draw = np.random.default_rng(1)
    first = random_unit(draw, (32, 64), weight_bits=2, in_bits=2, low=-1)
    first = replace(first, name="d0", thresholds=np.zeros((32, 3), np.int64))
    last = replace(random_unit(draw, (8, 32), weight_bits=2, in_bits=2, low=-1), name="d1")
    made = network(first, last, Argmax(name="argmax", classes=8, bits=9), side=4)
    folds = {
        "d0": Fold(pe=1, simd=8, memory="logic"),
        "d1": Fold(pe=1, simd=1, memory="logic"),
    }
    # 32 results in a row, of which the next layer takes one in eight cycles.
    assert depths(made, make(made, folds))["d1"] == pytest.approx(32 * 7 / 8, abs=1)
    quick = {**folds, "d1": Fold(pe=8, simd=1, memory="logic")}
    assert depths(made, make(made, quick))["d1"] == 0


@pytest.mark.parametrize(("pe", "simd", "waiting"), [(1, 4, 4), (2, 2, 3)])
def test_half_of_a_pooled_row_waits_for_a_dense_layer(pe, simd, waiting):
    """One of them in the width converter, where there is one."""
    draw = np.random.default_rng(1)
    last = random_unit(draw, (8, 64 * 4), weight_bits=2, in_bits=2, low=-1)
    made = network(
        window("w0", 16, 4),
        conv("c0", 4, 36, 256),
        MaxPool(name="p0", height=16, width=16, channels=4, bits=2, kernel=(2, 2), stride=(2, 2)),
        replace(last, name="d0"),
        side=16,
    )
    folds = {
        "c0": Fold(pe=2, simd=36, memory="logic"),
        "d0": Fold(pe=pe, simd=simd, memory="logic"),
    }
    assert depths(made, make(made, folds))["d0"] == waiting


def wide(pixels, dense):
    """A convolution of so many pixels at once over 4 x 32 pixels, a pool, a dense layer."""
    draw = np.random.default_rng(1)
    layers = (
        Window(
            name="w0",
            height=4,
            width=32,
            channels=1,
            bits=8,
            kernel=(3, 3),
            stride=(1, 1),
            pad=(1, 1, 1, 1),
        ),
        replace(conv("c0", 4, 9, 128), in_bits=8, thresholds=np.array([[1, 2, 3]] * 4)),
        MaxPool(name="p0", height=4, width=32, channels=4, bits=2, kernel=(2, 2), stride=(2, 2)),
        replace(random_unit(draw, (5, 128), weight_bits=2, in_bits=2, low=-1), name="d0"),
    )
    made = Network(name="n", height=4, width=32, channels=1, scale=1.0, layers=layers)
    folds = {
        "c0": Fold(pe=4, simd=9, memory="constant", slice_bits=8, pixels=pixels),
        "d0": Fold(pe=5, simd=dense, memory="logic"),
    }
    return made, make(made, folds)


def test_what_a_busy_pool_gives_never_waits_outside_of_a_fifo():
    """It takes a beat in every cycle: whenever its result waits, the frame takes longer."""
    made, folding = wide(4, 4)
    # In 8 cycles come 8 beats of two pixels, of which the layer takes one pixel a cycle.
    assert folding.cycles == 32
    assert depths(made, folding)["d0"] == pytest.approx(4 + 1, abs=1)
    # A layer that takes pixels as fast as they come needs none.
    assert depths(*wide(1, 4))["d0"] == 0


def test_wide_beats_wait_before_they_are_split():
    """After the split they would come no faster than the narrow ones are taken."""
    made = network(
        window("w0", 8, 4),
        conv("c0", 4, 36, 64),
        MaxPool(name="p0", height=8, width=8, channels=4, bits=2, kernel=(2, 2), stride=(2, 2)),
        window("w1", 4, 4),
        conv("c1", 4, 36, 16),
    )
    folds = {n: Fold(pe=4, simd=36, memory="logic") for n in ("c0", "c1")}
    folds["c1"] = Fold(pe=1, simd=1, memory="logic")
    names = [each.name for each in accelerator.design(made, make(made, folds)).instances]
    assert depths(made, make(made, folds))["w1"] > 0
    assert names.index("w1_fifo") < names.index("w1_width")
