"""Nothing between the layers costs a cycle in the steady state."""

from dataclasses import replace

import numpy as np
import pytest
from models import alone, simulate
from tiers import every

from finn_build.folding.calibration import random_unit
from finn_build.folding.fold import Fold
from finn_build.folding.folding import make
from finn_build.folding.schedule import depths, latency
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.network.layers import Argmax, Lookup, MaxPool, Mvtu, SumPool, Window

SAME = {"kernel": (3, 3), "stride": (1, 1), "pad": (1, 1, 1, 1)}


@pytest.mark.parametrize(
    ("stride", "pad", "pe", "gathered"),
    [(1, 0, 4, 13), (2, 1, 2, 3), (2, 0, 1, 4)],
    ids=["unpadded", "strided", "strided, unpadded"],
)
def test_windows_wait_where_pixels_complete_none(stride, pad, pe, gathered, tmp_path):
    draw = np.random.default_rng(1)
    shape = {"height": 12, "width": 12, "channels": 2}
    window = Window(name="w0", bits=8, kernel=(3, 3), stride=(stride,) * 2, pad=(pad,) * 4, **shape)
    positions = window.out_height * window.out_width
    conv = random_unit(
        draw, (8, 18), weight_bits=2, in_bits=8, low=-1, positions=positions, windowed=True
    )
    steps = np.sort(draw.integers(-400, 400, (8, 3)), axis=1)
    last = random_unit(draw, (6, 8 * positions), weight_bits=2, in_bits=2, low=-1)
    network = Network(
        name="n",
        scale=1.0,
        layers=(
            window,
            replace(conv, name="conv0", thresholds=steps),
            replace(last, name="dense0"),
            Argmax(name="argmax", classes=6, bits=last.acc_bits),
        ),
        **shape,
    )
    folds = {
        "conv0": Fold(pe=pe, simd=18, memory="logic"),
        "dense0": Fold(pe=6, simd=8, memory="logic"),
    }
    made = make(network, folds)
    assert depths(network, made)["conv0"] == gathered
    images = draw.integers(0, 256, (20, 12, 12, 2)).astype(np.uint8)
    ran = simulate(network, images, tmp_path, folding=made, stall=0)
    assert np.array_equal(ran.logits, golden.run(network, images).logits)
    assert ran.cycles_per_frame == made.cycles
    assert abs(ran.latency_cycles - latency(network, made)) <= 10
    assert set(ran.fifos) == {f"{name}_fifo" for name, n in depths(network, made).items() if n}
    assert all(most <= depth <= max(2, 2 * most) for depth, most in ran.fifos.values())


@pytest.mark.parametrize(
    ("pe", "simd"),
    [((2, 2), (3, 8)), ((4, 1), (1, 8)), ((8, 2), (3, 4)), ((1, 6), (1, 1))],
)
def test_sliding_windows_leave_no_gap(pe, simd, tmp_path):
    draw = np.random.default_rng(2)
    shape = {"height": 8, "width": 8}
    widths = {"weight_bits": 2, "low": -1, "positions": 64, "windowed": True}
    first = random_unit(draw, (8, 27), in_bits=8, **widths)
    second = random_unit(draw, (6, 72), in_bits=2, **widths)
    last = random_unit(draw, (5, 6 * 64), weight_bits=2, in_bits=2, low=-1)
    steps = [np.sort(draw.integers(*each.reach, (each.rows, 3))) for each in (first, second)]
    same = {**SAME, **shape}
    network = Network(
        name="n",
        scale=1.0,
        channels=3,
        layers=(
            Window(name="w0", channels=3, bits=8, **same),
            replace(first, name="conv0", thresholds=steps[0]),
            Window(name="w1", channels=8, bits=2, **same),
            replace(second, name="conv1", thresholds=steps[1]),
            replace(last, name="dense0"),
            Argmax(name="argmax", classes=5, bits=last.acc_bits),
        ),
        **shape,
    )
    made = make(
        network,
        {
            "conv0": Fold(pe=pe[0], simd=simd[0], memory="logic"),
            "conv1": Fold(pe=pe[1], simd=simd[1], memory="logic"),
            "dense0": Fold(pe=5, simd=6, memory="logic"),
        },
    )
    assert all(network.windows[name].slides(made.folds[name]) for name in ("conv0", "conv1"))
    images = draw.integers(0, 256, (12, 8, 8, 3)).astype(np.uint8)
    ran = simulate(network, images, tmp_path, folding=made, stall=0)
    assert np.array_equal(ran.logits, golden.run(network, images).logits)
    assert ran.cycles_per_frame == made.cycles
    assert abs(ran.latency_cycles - latency(network, made)) <= 10
    assert all(most <= depth <= max(2, 2 * most) for depth, most in ran.fifos.values())


def conv(name: str, rows: int, cols: int, *, in_bits: int, positions: int) -> Mvtu:
    draw = np.random.default_rng(len(name))
    made = random_unit(
        draw,
        (rows, cols),
        weight_bits=2,
        in_bits=in_bits,
        low=-1,
        positions=positions,
        windowed=True,
    )
    return replace(made, name=name, thresholds=np.sort(draw.integers(*made.reach, (rows, 3))))


@pytest.mark.slow
def test_several_pixels_come_in_every_cycle(tmp_path):
    """Through a table, unpadded windows, a pool, single pixels and padded windows."""
    draw = np.random.default_rng(2)
    shape = {"height": 12, "width": 12, "channels": 2}
    last = replace(
        random_unit(draw, (4, 32), weight_bits=2, in_bits=2, low=-1), name="dense0", positions=1
    )
    network = Network(
        name="n",
        scale=1.0,
        layers=(
            Lookup(
                name="pixels",
                height=12,
                width=12,
                in_bits=8,
                tables=255 - draw.permuted(np.tile(np.arange(256), (2, 1)), axis=1),
            ),
            Window(name="w0", bits=8, kernel=(5, 5), stride=(1, 1), pad=(0,) * 4, **shape),
            conv("conv0", 2, 50, in_bits=8, positions=64),
            MaxPool(
                name="pool0", height=8, width=8, channels=2, bits=2, kernel=(2, 2), stride=(2, 2)
            ),
            conv("conv1x", 3, 2, in_bits=2, positions=16),
            Window(name="w2", height=4, width=4, channels=3, bits=2, **SAME),
            conv("conv2", 2, 27, in_bits=2, positions=16),
            last,
            Argmax(name="argmax", classes=4, bits=last.acc_bits),
        ),
        **shape,
    )
    constant = Fold(pe=0, simd=0, memory="constant")
    folds = {
        "conv0": replace(constant, pe=2, simd=50, slice_bits=8, pixels=4),
        "conv1x": replace(constant, pe=3, simd=2, slice_bits=1, pixels=4),
        "conv2": replace(constant, pe=2, simd=27, slice_bits=2, pixels=2),
        "dense0": Fold(pe=4, simd=4, memory="logic"),
    }
    made = make(network, folds)
    assert made.cycles == 12 * 12 * 2 // 8 == made.costs["w0"].cycles
    images = draw.integers(0, 256, (20, 12, 12, 2)).astype(np.uint8)
    ran = simulate(network, images, tmp_path, folding=made, stall=0)
    assert np.array_equal(ran.logits, golden.run(network, images).logits)
    assert ran.cycles_per_frame == made.cycles
    assert abs(alone(tmp_path, images[:1], classes=4).latency_cycles - latency(network, made)) <= 10
    assert all(most <= depth <= max(2, 2 * most) for depth, most in ran.fifos.values())


def shapes(channels: int, *windows: dict[str, tuple[int, ...]]) -> Network:
    """Windows of these shapes in a row, over an image of 8 x 10, each with a unit of 4 outputs."""
    draw = np.random.default_rng(len(windows))
    size, bits, layers = (8, 10, channels), 8, []
    for index, values in enumerate(windows):
        height, width, deep = size
        each = {"height": height, "width": width, "channels": deep, "bits": bits}
        window = Window(name=f"w{index}", fill=index, **each, **values)
        unit = conv(f"conv{index}", 4, window.elements, in_bits=bits, positions=window.positions)
        layers += [window, unit]
        size, bits = (window.out_height, window.out_width, 4), 2
    cols = 4 * layers[-1].positions
    last = random_unit(draw, (5, cols), weight_bits=2, in_bits=2, low=-1)
    ends = (replace(last, name="dense0"), Argmax(name="argmax", classes=5, bits=last.acc_bits))
    return Network(
        name="n", height=8, width=10, channels=channels, scale=1.0, layers=(*layers, *ends)
    )


ROW = {"kernel": (1, 3), "stride": (1, 1), "pad": (0, 1, 0, 1)}
COLUMN = {"kernel": (3, 1), "stride": (2, 1), "pad": (1, 0, 1, 0)}
CORNER = {"kernel": (3, 3), "stride": (2, 2), "pad": (0, 0, 1, 1)}
WIDE = {"kernel": (2, 3), "stride": (1, 1), "pad": (1, 2, 1, 2)}
HIGH = {"kernel": (8, 2), "stride": (1, 3), "pad": (0, 1, 0, 0)}


@pytest.mark.parametrize(
    ("windows", "pe", "slowest"),
    [
        ((ROW, COLUMN, CORNER, WIDE), 1, "conv0"),
        ((ROW, WIDE), 4, "w1"),
        ((WIDE, CORNER), 2, "conv0"),
        ((HIGH,), 1, "w0"),
    ],
    ids=["four", "wider than the image", "wide first", "as high as the image"],
)
def test_windows_of_any_shape_run_as_scheduled(windows, pe, slowest, tmp_path):
    network = shapes(4, *windows)
    folds = {m.name: Fold(pe=pe, simd=m.cols, memory="logic") for m in network.mvtus[:-1]}
    made = make(network, {**folds, "dense0": Fold(pe=5, simd=4, memory="logic")})
    assert made.bottleneck == slowest
    runs_as_scheduled(network, made, tmp_path, late=10)


def runs_as_scheduled(network, made, folder, *, late):
    """Simulate a dozen images; returns them with what came. late: cycles of the first that may."""
    size = (12, network.height, network.width, network.channels)
    images = np.random.default_rng(3).integers(0, 256, size).astype(np.uint8)
    ran = simulate(network, images, folder, folding=made, stall=0)
    assert np.array_equal(ran.logits, golden.run(network, images).logits)
    assert ran.cycles_per_frame == made.cycles
    first = alone(folder, images[:1], classes=5).latency_cycles
    assert abs(first - latency(network, made)) <= late
    assert all(most <= depth <= max(2, 2 * most) for depth, most in ran.fifos.values())
    return images, ran


def pooled(kernel, stride, pad, *, channels=3, side=12):
    """A convolution, maxima of these windows, another convolution and a dense layer."""
    draw = np.random.default_rng(4)
    first = conv("conv0", 4, 9 * channels, in_bits=8, positions=side * side)
    pool = MaxPool(
        name="pool0", height=side, width=side, channels=4, bits=2,
        kernel=kernel, stride=stride, pad=pad,
    )  # fmt: skip
    size = {"height": pool.out_height, "width": pool.out_width}
    second = conv("conv1", 4, 36, in_bits=2, positions=pool.out_height * pool.out_width)
    last = random_unit(draw, (5, 4 * second.positions), weight_bits=2, in_bits=2, low=-1)
    layers = (
        Window(name="w0", height=side, width=side, channels=channels, bits=8, **SAME),
        first,
        pool,
        Window(name="w1", channels=4, bits=2, **SAME, **size),
        second,
        replace(last, name="dense0"),
        Argmax(name="argmax", classes=5, bits=last.acc_bits),
    )
    return Network(name="n", height=side, width=side, channels=channels, scale=1.0, layers=layers)


def constant(unit: Mvtu, pixels: int) -> Fold:
    return Fold(
        pe=unit.rows, simd=unit.cols, memory="constant", slice_bits=unit.in_bits, pixels=pixels
    )


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "pixels", "pe"),
    every(
        3,
        [
            ((3, 3), (2, 2), (0, 0, 0, 0), 1, 2),
            ((3, 3), (2, 2), (1, 1, 1, 1), 0, 1),
            ((2, 2), (2, 2), (0, 0, 1, 1), 1, 4),
            ((3, 2), (1, 1), (1, 0, 1, 1), 2, 4),
            ((2, 4), (3, 1), (0, 3, 0, 0), 3, 4),
            ((3, 3), (1, 1), (1, 1, 1, 1), 4, 4),
            ((1, 3), (1, 3), (0, 1, 0, 2), 1, 1),
        ],
    ),
    ids=["overlap", "padded", "ragged", "pairs", "wider", "fours", "row"],
)
def test_pools_that_overlap_run_as_scheduled(kernel, stride, pad, pixels, pe, tmp_path):
    network = pooled(kernel, stride, pad)
    first = network.mvtus[0]
    folds = {
        "conv0": constant(first, pixels) if pixels else Fold(pe=2, simd=3, memory="logic"),
        "conv1": Fold(pe=pe, simd=36, memory="logic"),
        "dense0": Fold(pe=5, simd=4, memory="logic"),
    }
    made = make(network, folds)
    images, ran = runs_as_scheduled(network, made, tmp_path, late=16)
    assert np.array_equal(alone(tmp_path, images[:4], classes=5, stall=96).logits, ran.logits[:4])


def summed(kernel, *, side=12):
    """A convolution, sums of these windows, another convolution and a dense layer."""
    draw = np.random.default_rng(4)
    first = conv("conv0", 4, 27, in_bits=8, positions=side * side)
    pool = SumPool(name="sum0", height=side, width=side, channels=4, bits=2, kernel=kernel)
    second = conv("conv1", 4, 4, in_bits=pool.out_bits, positions=pool.out_height * pool.out_width)
    last = random_unit(draw, (5, 4 * second.positions), weight_bits=2, in_bits=2, low=-1)
    layers = (
        Window(name="w0", height=side, width=side, channels=3, bits=8, **SAME),
        first,
        pool,
        second,
        replace(last, name="dense0"),
        Argmax(name="argmax", classes=5, bits=last.acc_bits),
    )
    return Network(name="n", height=side, width=side, channels=3, scale=1.0, layers=layers)


@pytest.mark.parametrize(
    ("kernel", "pixels", "pe"),
    every(2, [((2, 2), 0, 1), ((3, 3), 3, 2), ((12, 12), 0, 1), ((12, 12), 2, 4), ((5, 5), 1, 2)]),
    ids=["parts", "pixels", "whole", "whole, pixels", "ragged"],
)
def test_sums_run_as_scheduled(kernel, pixels, pe, tmp_path):
    network = summed(kernel)
    first = network.mvtus[0]
    folds = {
        "conv0": constant(first, pixels) if pixels else Fold(pe=2, simd=9, memory="logic"),
        "conv1": Fold(pe=pe, simd=2, memory="logic"),
        "dense0": Fold(pe=5, simd=4, memory="logic"),
    }
    made = make(network, folds)
    images, ran = runs_as_scheduled(network, made, tmp_path, late=16)
    assert np.array_equal(alone(tmp_path, images[:4], classes=5, stall=96).logits, ran.logits[:4])
