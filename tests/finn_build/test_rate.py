"""Nothing between the layers costs a cycle in the steady state."""

from dataclasses import replace

import numpy as np
import pytest
from models import simulate

from finn_build import golden
from finn_build.backends import verilator
from finn_build.fit import random_unit
from finn_build.folding import Fold, make, slides
from finn_build.layers import Argmax, Lookup, MaxPool, Mvtu, Network, Window
from finn_build.schedule import depths, latency


@pytest.mark.parametrize(
    ("stride", "pad", "pe", "gathered"),
    [(1, 0, 4, 13), (2, 1, 2, 3), (2, 0, 1, 4)],
    ids=["unpadded", "strided", "strided, unpadded"],
)
def test_windows_wait_where_pixels_complete_none(stride, pad, pe, gathered, tmp_path):
    draw = np.random.default_rng(1)
    shape = {"height": 12, "width": 12, "channels": 2}
    window = Window(name="w0", bits=8, kernel=3, stride=stride, pad=pad, **shape)
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
    same = {"kernel": 3, "stride": 1, "pad": 1, **shape}
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
    assert all(slides(network.windows[name], made.folds[name]) for name in ("conv0", "conv1"))
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
            Window(name="w0", bits=8, kernel=5, stride=1, pad=0, **shape),
            conv("conv0", 2, 50, in_bits=8, positions=64),
            MaxPool(
                name="pool0", height=8, width=8, channels=2, bits=2, kernel=(2, 2), stride=(2, 2)
            ),
            conv("conv1x", 3, 2, in_bits=2, positions=16),
            Window(name="w2", height=4, width=4, channels=3, bits=2, kernel=3, stride=1, pad=1),
            conv("conv2", 2, 27, in_bits=2, positions=16),
            last,
            Argmax(name="argmax", classes=4, bits=last.acc_bits),
        ),
        **shape,
    )
    built_in = Fold(pe=0, simd=0, memory="constant")
    folds = {
        "conv0": replace(built_in, pe=2, simd=50, slice_bits=8, pixels=4),
        "conv1x": replace(built_in, pe=3, simd=2, slice_bits=1, pixels=4),
        "conv2": replace(built_in, pe=2, simd=27, slice_bits=2, pixels=2),
        "dense0": Fold(pe=4, simd=4, memory="logic"),
    }
    made = make(network, folds)
    assert made.cycles == 12 * 12 * 2 // 8 == made.costs["w0"].cycles
    images = draw.integers(0, 256, (20, 12, 12, 2)).astype(np.uint8)
    ran = simulate(network, images, tmp_path, folding=made, stall=0)
    assert np.array_equal(ran.logits, golden.run(network, images).logits)
    assert ran.cycles_per_frame == made.cycles
    # Its end would wait for the pixels of the next image, which come no faster than they can.
    single = verilator.run(
        tmp_path / "sim" / "Vtop",
        tmp_path / "rtl",
        images[:1],
        classes=4,
        limit=20_000,
        scratch=tmp_path / "scratch",
        log=tmp_path / "log",
    )
    assert abs(single.latency_cycles - latency(network, made)) <= 10
    assert all(most <= depth <= max(2, 2 * most) for depth, most in ran.fifos.values())
