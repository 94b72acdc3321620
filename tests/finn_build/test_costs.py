"""The exported table of costs."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from finn_build.errors import ConfigError
from finn_build.folding import compressor_tree, cost_table
from finn_build.folding.calibration import random_unit
from finn_build.folding.fold import Fold
from finn_build.network.layers import Add, Argmax, Mvtu, Place, SumPool, Upsample, Values, Window

PLACE = Place(
    fold=Fold(pe=1, simd=1, memory="logic"),
    unit=random_unit(np.random.default_rng(0), (2, 2), weight_bits=2, in_bits=2, low=-1),
    window=None,
    cycles=1,
    brought=0,
)


def test_every_width_has_its_cost_and_more_bits_cost_more(tmp_path):
    path = tmp_path / "costs.json"
    command = [sys.executable, "-m", "headrace", "costs", "--out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    table = json.loads(path.read_text())
    assert table["format"] == 1 and table["channels_multiple"] == 8
    lut = table["lut_per_mac"]
    widths = range(1, 9)
    assert list(lut) == [f"w{w}a{a}" for w in widths for a in widths]
    grid = np.array(list(lut.values())).reshape(8, 8)
    assert (np.diff(grid, axis=0) > 0).all() and (np.diff(grid, axis=1) > 0).all()
    assert [p.name for p in tmp_path.iterdir()] == ["costs.json"]


def test_the_numbers_are_those_of_the_cost_function():
    weights = np.where(np.arange(64 * 576) % 2, 1, -1).reshape(64, 576)
    layer = Mvtu(
        name="typical",
        positions=1,
        windowed=True,
        in_bits=2,
        weight_bits=2,
        weights=weights,
    )
    made = layer.hardware(Fold(pe=8, simd=72, memory="block")).cost()
    table = cost_table.table()
    assert table["source"]["fold"] == {"pe": 8, "simd": 72, "memory": "block"}
    assert table["lut_per_mac"]["w2a2"] == round(made.lut / 576, 3)


@pytest.mark.parametrize(
    ("bits", "low", "counted"),
    [
        ((1, 1, 1), -1, 351),
        ((1, 2, 2), -1, 626),
        ((2, 2, 2), -1, 816),
        ((2, 2, 2), -2, 1032),
        ((2, 4, 4), -1, 1698),
        ((3, 3, 3), -3, 2137),
    ],
)
def test_the_estimates_are_near_what_yosys_counts(bits, low, counted):
    """A windowed unit of 16 x 144 random weights in block RAM, four outputs, 36 inputs a cycle."""
    weight_bits, in_bits, out_bits = bits
    layer = random_unit(
        np.random.default_rng(0),
        (16, 144),
        weight_bits=weight_bits,
        in_bits=in_bits,
        low=low,
        positions=64,
        windowed=True,
    )
    layer = replace(layer, thresholds=np.zeros((16, 2**out_bits - 1), np.int64))
    assert layer.hardware(Fold(pe=4, simd=36, memory="block")).cost().lut == pytest.approx(
        counted, rel=0.08
    )


@pytest.mark.parametrize(
    ("channels", "bits", "fold", "counted"),
    [
        (32, 4, Fold(pe=8, simd=9, memory="logic"), (2943, 3631)),
        (64, 2, Fold(pe=16, simd=3, memory="logic"), (957, 1184)),
    ],
)
def test_the_estimates_of_depthwise_units_are_near_as_well(channels, bits, fold, counted):
    """Of whole 3 x 3 windows, LUTs and FFs."""
    made = depthwise(channels, bits).hardware(fold).cost()
    assert (made.lut, made.ff) == pytest.approx(counted, rel=0.1)


def test_the_estimate_of_a_depthwise_unit_with_its_sliding_windows_is_near():
    """Of 128 channels, of which 16 pass at a time."""
    unit, fold = depthwise(128, 4), Fold(pe=16, simd=1, memory="block")
    window = Window(
        name="w", height=8, width=8, channels=128, bits=4, kernel=(3, 3), stride=(1, 1),
        pad=(1, 1, 1, 1), groups=128,
    )  # fmt: skip
    assert window.slides(fold)
    place = Place(fold=fold, unit=unit, window=window, cycles=1, brought=0)
    made = window.cost(place) + unit.cost(place)
    assert (made.lut, made.ff) == pytest.approx((1827, 2207), rel=0.1)


def depthwise(channels: int, bits: int) -> Mvtu:
    """A unit of random 3 x 3 weights of its own for each channel, with thresholds."""
    low = 1 - (1 << (bits - 1))
    shape, draw = (channels, 9), np.random.default_rng(0)
    made = random_unit(
        draw, shape, weight_bits=bits, in_bits=bits, low=low, positions=64, windowed=True
    )
    steps = np.zeros((channels, (1 << bits) - 1), np.int64)
    return replace(made, groups=channels, thresholds=steps)


@pytest.mark.parametrize(
    ("bits", "low", "slice_bits", "counted"), [((2, 2), -1, 1, 360), ((4, 8), -7, 3, 1338)]
)
def test_the_estimates_of_constant_weights_are_near_as_well(bits, low, slice_bits, counted):
    """A unit of 8 x 27 random weights with three thresholds."""
    weight_bits, in_bits = bits
    draw = np.random.default_rng(0)
    layer = random_unit(
        draw, (8, 27), weight_bits=weight_bits, in_bits=in_bits, low=low, windowed=True
    )
    layer = replace(layer, thresholds=np.zeros((8, 3), np.int64))
    fold = Fold(pe=8, simd=27, memory="constant", slice_bits=slice_bits)
    assert layer.hardware(fold).cost().lut == pytest.approx(counted, rel=0.2)


@pytest.mark.parametrize(("simd", "weight_bits", "ternary", "counted"), [(288, 2, True, 1156)])
def test_the_dot_product_is_counted_as_yosys_counts_it(simd, weight_bits, ternary, counted):
    made = compressor_tree.lut(
        simd=simd, weight_bits=weight_bits, in_bits=2, ternary=ternary, sum_bits=10
    )
    assert made == pytest.approx(counted, rel=0.01)


@pytest.mark.parametrize(("rows", "counted"), [(64, 653), (72, 912)])
def test_more_words_than_a_bank_take_another_register(rows, counted):
    """256 and 288 words of ternary weights in logic, as Yosys counts the whole unit's FFs."""
    layer = random_unit(
        np.random.default_rng(0), (rows, 144), weight_bits=2, in_bits=2, low=-1, windowed=True
    )
    layer = replace(layer, thresholds=np.zeros((rows, 3), np.int64))
    made = layer.hardware(Fold(pe=1, simd=36, memory="logic")).cost()
    assert made.ff == pytest.approx(counted, rel=0.03)


@pytest.mark.parametrize(("classes", "counted"), [(60, 100), (100, 135), (128, 134)])
def test_the_label_search_keeps_two_frames_of_logits(classes, counted):
    """Of 12 bits, as Yosys counts them in LUTRAM with what chooses among it."""
    made = Argmax(name="argmax", classes=classes, bits=12).cost(PLACE)
    assert made.lut == pytest.approx(counted, rel=0.08)


@pytest.mark.parametrize(
    ("values", "bits", "signed", "counted"),
    [(1, 13, True, (17, 29)), (24, 4, False, (13, 18)), (640, 17, True, (29, 49))],
)
def test_values_are_counted_as_yosys_counts_them(values, bits, signed, counted):
    end = Values(
        name="values", height=1, width=1, channels=values, bits=bits, signed=signed, sizes=(values,)
    )
    fold = Fold(pe=1, simd=1, memory="logic")
    unit = random_unit(np.random.default_rng(0), (2, 2), weight_bits=2, in_bits=2, low=-1)
    made = end.cost(Place(fold=fold, unit=unit, window=None, cycles=1, brought=0))
    assert (made.lut, made.ff) == pytest.approx(counted, rel=0.08)


@pytest.mark.parametrize(
    ("size", "bits", "kernel", "pe", "pixels", "counted"),
    [
        ((8, 8, 64), 4, (8, 8), 2, 1, (56, 59)),
        ((16, 16, 32), 4, (2, 2), 8, 1, (104, 110)),
        ((24, 24, 12), 2, (3, 3), 12, 3, (167, 132)),
        ((7, 7, 128), 8, (7, 7), 8, 1, (217, 204)),
    ],
)
def test_sums_of_windows_take_what_yosys_counts(size, bits, kernel, pe, pixels, counted):
    height, width, channels = size
    layer = SumPool(
        name="sum", height=height, width=width, channels=channels, bits=bits, kernel=kernel
    )
    unit = random_unit(np.random.default_rng(0), (channels, 2), weight_bits=2, in_bits=2, low=-1)
    fold = Fold(pe=pe, simd=2, memory="logic", pixels=pixels)
    made = layer.cost(Place(fold=fold, unit=unit, window=None, cycles=1, brought=0))
    assert (made.lut, made.ff) == pytest.approx(counted, rel=0.05)


@pytest.mark.parametrize(
    ("channels", "gains", "widths", "counted"),
    [
        (16, (1, 2), (6, 5), (81, 113)),
        (8, (3, 1), (8, 8), (129, 81)),
        (8, (1, -1), (4, 5), (33, 49)),
        (32, (1, 1), (8, 8), (257, 289)),
        (8, (7, 10), (4, 4), (145, 65)),
    ],
)
def test_additions_take_what_yosys_counts(channels, gains, widths, counted):
    made = Add(name="a", positions=64, channels=channels, gains=gains, widths=widths).cost(PLACE)
    assert (made.lut, made.ff) == pytest.approx(counted, rel=0.05)


@pytest.mark.parametrize(
    ("channels", "bits", "width", "factors", "counted"),
    [
        (16, 2, 8, (2, 2), (56, 38)),
        (32, 4, 16, (2, 2), (201, 135)),
        (8, 8, 32, (3, 1), (104, 72)),
        (16, 4, 10, (1, 2), (5, 66)),
        (64, 4, 80, (2, 2), (779, 266)),
    ],
)
def test_larger_images_take_what_yosys_counts(channels, bits, width, factors, counted):
    layer = Upsample(name="u", height=8, width=width, channels=channels, bits=bits, factors=factors)
    made = layer.cost(PLACE)
    assert (made.lut, made.ff) == pytest.approx(counted, rel=0.08)
    assert made.cycles == 8 * width * factors[0] * factors[1]


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        cost_table.write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"--out .*lost/c.json: .*lost is not a folder"):
        cost_table.write(tmp_path / "lost" / "c.json")

    def fail(path, value):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cost_table, "save_json", fail)
    with pytest.raises(ConfigError, match=r"c.json: cannot be written \(No space left on device"):
        cost_table.write(tmp_path / "c.json")
    assert not list(tmp_path.iterdir())
