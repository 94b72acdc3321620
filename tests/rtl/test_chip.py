"""The whole chip on real images: DMA, registers and accelerator between PS7's buses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from tiers import every

from finn_build.backends import verilator
from finn_build.folding.calibration import random_unit
from finn_build.folding.fold import Fold
from finn_build.folding.folding import make
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.network.layers import Argmax, MaxPool, Window
from finn_build.rtl import accelerator, chip, emit

if TYPE_CHECKING:
    from conftest import Simulate

REPO = Path(__file__).parents[2]
HASH = "0123456789abcdef0f1e2d3c4b5a6978"


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A written chip and its vectors; input_bytes: what its accelerator takes per beat."""

    folder: Path
    vectors: Path
    input_bytes: int


def run(simulate: Simulate, chip: Chip, **case: object) -> None:
    """Run benches of bench_chip."""
    simulate("chip", {}, "bench_chip", folder=chip.folder, vectors=str(chip.vectors), hash=HASH,
             defines=["NN_COMPRESSOR_FORMULA"], **case)  # fmt: skip


def tiny(images: NDArray[np.uint8], classes: int) -> Network:
    """A convolution, a pool and a dense layer: random weights, thresholds that the images reach."""
    draw = np.random.default_rng(3)
    height, width, channels = map(int, images.shape[1:])
    window = Window(
        name="conv0_window", height=height, width=width, channels=channels, bits=8, kernel=(3, 3),
        stride=(1, 1), pad=(1, 1, 1, 1),
    )  # fmt: skip
    conv = random_unit(
        draw, (4, 9 * channels), weight_bits=2, in_bits=8, low=-1, positions=height * width,
        windowed=True,
    )  # fmt: skip
    sums = conv.accumulate(window.compute(images)).reshape(-1, 4)
    steps = np.sort(np.quantile(sums, [0.25, 0.5, 0.75], axis=0).T.astype(np.int64), axis=1)
    pool = MaxPool(
        name="pool0", height=height, width=width, channels=4, bits=2, kernel=(2, 2), stride=(2, 2)
    )
    cols = 4 * (height // 2) * (width // 2)
    dense = random_unit(draw, (classes, cols), weight_bits=4, in_bits=2, low=-7)
    last = replace(dense, name="dense0", bias=draw.integers(-20, 20, classes))
    return Network(
        name="tiny",
        height=height,
        width=width,
        channels=channels,
        scale=1.0,
        layers=(
            window,
            replace(conv, name="conv0", thresholds=steps),
            pool,
            last,
            Argmax(name="argmax", classes=classes, bits=last.acc_bits),
        ),
    )


def build(folder: Path, images: NDArray[np.uint8], classes: int) -> Chip:
    """Write a chip whose accelerator takes a window per cycle."""
    network = tiny(images, classes)
    folds = {
        "conv0": Fold(pe=4, simd=network.mvtus[0].cols, memory="logic"),
        "dense0": Fold(pe=classes, simd=4, memory="logic"),
    }
    folding = make(network, folds)
    made = accelerator.design(network, folding)
    rtl, vectors = folder / "rtl", folder / "vectors.npz"
    emit.write(made, rtl)
    chip.write(made, network, HASH, rtl)
    expected = golden.run(network, images)
    words = np.column_stack([expected.labels, expected.logits]).astype(np.int32)
    assert len(np.unique(expected.labels)) > 1
    np.savez(vectors, images=images, words=words)
    return Chip(folder=rtl, vectors=vectors, input_bytes=network.input_bytes)


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    with np.load(REPO / "quant" / "zoo" / "cifar10_test100.npz") as stored:
        return np.asarray(stored["images"])


@pytest.fixture(scope="module")
def small(images: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Chip:
    """Crops of 8 x 8 pixels, five classes: 192 bytes in, an even number of words out."""
    return build(tmp_path_factory.mktemp("small"), images[:20, 12:20, 12:20], 5)


@pytest.fixture(scope="module")
def whole(images: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Chip:
    """Whole images, ten classes: 3072 bytes in, 11 words out."""
    return build(tmp_path_factory.mktemp("whole"), images[:20], 10)


@pytest.mark.parametrize("stall", [False, True], ids=["", "stalls"])
def test_small(simulate: Simulate, small: Chip, stall: bool) -> None:
    benches = ["identity", "accesses", "jobs", "queue", "interrupt", "faults", "resets",
               "counters", "ram"]  # fmt: skip
    run(simulate, small, stall=stall, seed=1 + stall, cycles=64, benches=benches)


@pytest.mark.slow
def test_frames_that_are_no_words(
    simulate: Simulate, images: NDArray[np.uint8], tmp_path: Path
) -> None:
    """75 bytes come in one by one, from 80 in memory; seven words make three beats and a half."""
    odd = build(tmp_path, images[:20, 12:17, 12:17], 6)
    assert odd.input_bytes == 1
    run(simulate, odd, stall=True, seed=5, frames=[1, 2, 7], benches=["identity", "jobs"])


def test_the_chip_is_as_fast_as_the_accelerator(
    simulate: Simulate, whole: Chip, images: NDArray[np.uint8], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    program = verilator.build(
        whole.folder, tmp_path / "sim", input_bytes=whole.input_bytes, log=log, fast=True
    )
    ran = verilator.run(
        program,
        whole.folder,
        images[:20],
        end=tiny(images, 10).end,
        limit=20_000,
        scratch=tmp_path,
        log=log,
    )
    alone = int(ran.last_out[-1] - ran.first_in[0]) + 1
    run(simulate, whole, alone=alone, benches=["rate"])


@pytest.mark.parametrize("seed", every(5, range(1, 21)))
def test_images_with_stalls(simulate: Simulate, whole: Chip, seed: int) -> None:
    """Twenty frames, every channel of both buses with pauses of its own."""
    run(simulate, whole, stall=True, seed=seed, frames=[20], benches=["jobs"])
