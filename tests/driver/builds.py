"""A tiny network as the build leaves it, and real images for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build.config import Options
from finn_build.flow.pipeline import Build
from finn_build.flow.steps import deploy
from finn_build.folding.calibration import random_unit
from finn_build.folding.fold import Fold
from finn_build.folding.folding import make
from finn_build.network import golden
from finn_build.network.golden import Outputs
from finn_build.network.graph import Network
from finn_build.network.layers import Argmax, MaxPool, Window
from finn_build.rtl import accelerator, chip, emit
from finn_build.system.files import save_json, save_npz
from quant.dataset import CIFAR10

HERE = Path(__file__).parent
REPO = HERE.parents[1]
BUILDS = REPO / "build" / "tests" / "board"
TILE, CLASSES = 8, 10
ODD = 5  # of images of 75 bytes, which are 80 in memory
OF_CIFAR10 = {"data": "cifar10", "classes": list(CIFAR10.classes)}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network, real images, their true classes, and what the golden model makes of them."""

    network: Network
    images: NDArray[np.uint8]
    truth: NDArray[np.int64]
    expected: Outputs


def network(images: NDArray[np.uint8]) -> Network:
    """A convolution, a pool and a dense layer: random weights, thresholds that the images reach."""
    draw = np.random.default_rng(5)
    _, height, width, channels = images.shape
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
    dense = random_unit(draw, (CLASSES, cols), weight_bits=4, in_bits=2, low=-7)
    last = replace(dense, name="dense0", bias=draw.integers(-20, 20, CLASSES))
    layers = (window, replace(conv, name="conv0", thresholds=steps), pool, last,
              Argmax(name="argmax", classes=CLASSES, bits=last.acc_bits))  # fmt: skip
    return Network(
        name="tiny", height=height, width=width, channels=channels, scale=0.5, layers=layers
    )


def tiles(size: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All tiles of the repository's test images, and the classes of these."""
    with np.load(REPO / "quant" / "zoo" / "cifar10_test100.npz") as stored:
        images, labels = stored["images"], stored["labels"]
    count = 32 // size
    cut = images[:, : count * size, : count * size].reshape(-1, count, size, count, size, 3)
    cut = cut.transpose(0, 1, 3, 2, 4, 5).reshape(-1, size, size, 3)
    return np.ascontiguousarray(cut), np.repeat(labels, count * count)


def case(size: int) -> Case:
    images, truth = tiles(size)
    order = np.random.default_rng(9).permutation(len(images))
    images, truth = images[order], truth[order]
    made = network(images)
    expected = golden.run(made, images)
    assert len(np.unique(expected.labels)) > 3
    return Case(network=made, images=images, truth=truth, expected=expected)


FOLDS = {
    "conv0": Fold(pe=2, simd=9, memory="logic"),
    "dense0": Fold(pe=2, simd=4, memory="logic"),
}


def build(
    made: Case,
    folder: Path,
    record: Mapping[str, Any] = OF_CIFAR10,
    folds: dict[str, Fold] = FOLDS,
) -> Build:
    """What the steps from export to emit leave of a network, and its deploy folder.

    record: what training says of the network's task.
    """
    built = Build(options=Options(board="pynq-z2", model="tiny", out=folder))
    for step in ("golden", "export", "fold", "emit", "deploy"):
        built.path(step).mkdir(parents=True, exist_ok=True)
    made.network.save(built.path("golden", "network.npz"))
    vectors = built.path("export", "vectors.npz")
    save_npz(vectors, images=made.images[:100], labels=made.truth[:100])
    save_json(built.path("export", "model.json"), record)
    folding = make(made.network, folds)
    costs = {"cycles": folding.cycles, "latency_cycles": 2 * folding.cycles}
    save_json(built.path("fold", "costs.json"), costs)
    emitted = accelerator.design(made.network, folding)
    emit.write(emitted, built.path("emit"))
    identity = chip.model_hash(built.path("golden", "network.npz"))
    chip.write(emitted, made.network, identity, built.path("emit"))
    deploy.write(built, built.path("deploy"), bitstream=None, critical_path="conv0, 9.9 ns")
    return built
