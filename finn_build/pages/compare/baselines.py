"""The same networks on this machine's CPU, timed on the spot and under the same conditions."""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build.backends import tools
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.pages.compare import float_model
from finn_build.pages.compare.float_model import Predict
from finn_build.system.machine import cpu
from finn_build.system.threads import threads as pytorch_threads

BATCH = 100
ROUNDS = 3  # in each of which every program runs once
FILES = ("export/model.onnx", "export/vectors.npz", "golden/network.npz")  # of a build


@dataclass(frozen=True, kw_only=True)
class Images:
    """Images (N, H, W, C) uint8 and labels (N,) to count the accuracy on; where they are from.

    classes: names of the classes in the order of the labels, None where they have none.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    source: str
    classes: list[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """One program on the CPU.

    accuracy: on `images`, counted now, or None where nothing has labels; calls: timed calls of one
    image and of a batch, whose medians the figures are.
    """

    name: str
    fps: float
    latency_us: float
    calls: tuple[int, int]
    accuracy: float | None
    images: int
    source: str


@dataclass(kw_only=True)
class _Program:
    name: str
    predict: Predict
    single: list[float] = field(default_factory=list)
    batch: list[float] = field(default_factory=list)


def machine(threads: int) -> dict[str, Any]:
    """The CPU and the programs, for whoever reads the figures."""
    return {
        "cpu": cpu(),
        "threads": threads,
        "batch": BATCH,
        "load": round(os.getloadavg()[0], 2),
        "versions": {name: metadata.version(name) for name in ("torch", "onnxruntime", "numpy")},
    }


def whole_test_set(data: Path, log: Path) -> Images:
    """A data set's test images and labels, read by quant in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "test.npz"
        tools.run_module("quant", "data", "--data", data, "--out", out, log=log)
        return _load(out, "the whole test set")


def _load(path: Path, source: str) -> Images:
    with np.load(path, allow_pickle=False) as stored:
        classes = stored["classes"].tolist() if "classes" in stored else None
        found = stored["images"], stored.get("labels")
        return Images(images=found[0], labels=found[1], source=source, classes=classes)


def measure(
    build: Path,
    *,
    test: Images | None,
    exact: tuple[float | None, int],
    classes: Sequence[str] | None,
    threads: int,
    seconds: float,
    tick: Callable[[str], None],
) -> list[Baseline]:
    """Time a build's network on the CPU: float, int8 and the golden integers.

    test: images for the accuracy where they have the network's shape and its classes, otherwise
    those of the build; classes: the network's, None where they have no names; exact: the golden
    model's accuracy and its images, as the build counted them: where it is not known, no labels
    here are of the network's classes either; seconds: for each program, on single images and again
    on batches.
    """
    network = Network.load(build / "golden" / "network.npz")
    own = _load(build / "export" / "vectors.npz", "the build's images")
    fits = test is not None and test.images.shape[1:] == own.images.shape[1:]
    if test is not None and classes is not None and test.classes is not None:
        fits = fits and test.classes == list(classes)
    judged = test if test is not None and fits else own
    if exact[0] is None:
        judged = replace(judged, labels=None)
    with tempfile.TemporaryDirectory() as folder, pytorch_threads(threads):
        programs = _programs(build, Path(folder), network, own.images, threads)
        for _ in range(ROUNDS):
            for program in programs:
                tick(f"{network.name}: {program.name}")
                program.single += _time(program.predict, own.images, 1, seconds / ROUNDS)
                program.batch += _time(program.predict, own.images, BATCH, seconds / ROUNDS)
        measured = []
        for program in programs:
            tick(f"{network.name}: accuracy of {program.name}")
            ours = program.name == "golden integers"
            measured.append(
                Baseline(
                    name=program.name,
                    fps=min(BATCH, len(own.images)) / median(program.batch),
                    latency_us=1e6 * median(program.single),
                    calls=(len(program.single), len(program.batch)),
                    accuracy=exact[0] if ours else _accuracy(program.predict, judged),
                    images=exact[1] if ours else len(judged.images),
                    source="the build" if ours else judged.source,
                )
            )
    return measured


def _programs(
    build: Path, folder: Path, network: Network, images: NDArray[np.uint8], threads: int
) -> Sequence[_Program]:
    plain, int8 = folder / "float.onnx", folder / "int8.onnx"
    float_model.write_float(build / "export" / "model.onnx", plain)
    float_model.write_int8(plain, int8, images)
    return [
        _Program(name="PyTorch float", predict=float_model.by_torch(plain)),
        _Program(name="ONNX Runtime float", predict=float_model.by_onnxruntime(plain, threads)),
        _Program(name="ONNX Runtime int8", predict=float_model.by_onnxruntime(int8, threads)),
        _Program(name="golden integers", predict=lambda x: golden.run(network, x).labels),
    ]


def _time(predict: Predict, images: NDArray[np.uint8], batch: int, seconds: float) -> list[float]:
    """Seconds of each call, bytes in and labels out: three or more, after one to warm up."""
    predict(images[:batch])
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < 3 or time.perf_counter() < end:
        at = len(taken) * batch % max(1, len(images) - batch + 1)
        start = time.perf_counter()
        predict(images[at : at + batch])
        taken.append(time.perf_counter() - start)
    return taken


def _accuracy(predict: Predict, judged: Images) -> float | None:
    if judged.labels is None:
        return None
    right = 0
    for start in range(0, len(judged.images), BATCH):
        block = slice(start, start + BATCH)
        right += int((predict(judged.images[block]) == judged.labels[block]).sum())
    return right / len(judged.images)
