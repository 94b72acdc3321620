"""Accuracy of the golden model, and its logits against QONNX, on all the images there are."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finn_build import frontend
from finn_build.backends import tools
from finn_build.config import CIFAR10, DATA
from finn_build.flow import labels
from finn_build.flow.labels import Labels
from finn_build.flow.pipeline import Build
from finn_build.frontend import execute
from finn_build.network import differences, golden
from finn_build.network.golden import Outputs
from finn_build.network.graph import Network
from finn_build.network.layers import Floats
from finn_build.network.verify import Comparison, compare, settle
from finn_build.system.files import save_json

CHUNK = 500
SHAPE = (32, 32, 3)  # of the images that come with quant


def run(build: Build, out: Path) -> str:
    """Leave result.json in `out`: accuracy, by class, confusion matrix, comparison with QONNX.

    The whole test set is used where --data names it, and CIFAR-10's where the model is of that and
    the data set is present; otherwise the images that came with the model. Where nobody says that
    their labels are the model's, the accuracy is not known.
    """
    network = Network.load(build.path("golden", "network.npz"))
    if build.options.data is not None:
        labels.check_fit(build.options.data, network)
    task = labels.of_build(build, network)
    images, truth, source = _images(build, network, task, out)
    start = time.monotonic()
    exact = golden.run(network, images)
    seconds = time.monotonic() - start
    verification = _against_qonnx(build, network, images, exact).record()
    result = {
        "images": len(images),
        "source": source,
        "images_per_second": round(len(images) / seconds, 1),
        "verification": verification,
        "accuracy": None,
        "classes": task.names,
        "unknown": task.unknown,
        "values": _range(network.values(exact.logits)),
    }
    summary = f"accuracy: not known, {task.unknown}; {len(images):,} images"
    if truth is not None:
        accuracy = float((exact.labels == truth).mean())
        confusion = np.zeros((network.end.integers,) * 2, np.int64)
        np.add.at(confusion, (truth, exact.labels), 1)
        result["accuracy"] = accuracy
        result["confusion"] = confusion.tolist()
        summary = f"{100 * accuracy:.2f} % of {len(images):,} images"
    save_json(out / "result.json", result)
    rate = len(images) / seconds
    warning = differences.worst([verification])
    said = f"{summary} ({source}), golden model {rate:,.0f} images/s"
    return f"{said}; {warning}" if warning else said


def _range(values: Floats) -> dict[str, float]:
    """The lowest, the mean and the highest of what the network gave."""
    return {"low": float(values.min()), "mean": float(values.mean()), "high": float(values.max())}


def _images(
    build: Build, network: Network, task: Labels, out: Path
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None, str]:
    """Images, their labels where these are of the model's classes, and where they are from."""
    shape = (network.height, network.width, network.channels)
    path, data = build.path("export", "vectors.npz"), build.options.data
    if data is None and task.data == CIFAR10 and DATA.is_dir():
        data = DATA
    if data is not None:
        path, source = out / "test.npz", "whole test set"
        asked = labels.reading(data, shape)
        tools.run_module("quant", "data", *asked, "--out", path, log=build.log("accuracy"))
    with np.load(path, allow_pickle=False) as stored:
        images, found, classes = (stored.get(name) for name in ("images", "labels", "classes"))
    (out / "test.npz").unlink(missing_ok=True)
    if data is None:
        source = _where(task, shape)
    elif classes is not None:
        labels.check_classes(data, network, classes)
    if found is None or not task.known:
        return images, None, source
    return images, labels.truth(task, found, classes, f"--data {data}"), source


def _where(task: Labels, shape: tuple[int, ...]) -> str:
    """Where the images are from that came with the model."""
    if task.data in (None, CIFAR10) and shape == SHAPE:
        return "images of the repository"
    return "images that came with the model" if task.known else "random images"


def _against_qonnx(
    build: Build, network: Network, images: NDArray[np.uint8], exact: Outputs
) -> Comparison:
    """Compare logits; images whose logits differ run once more, activations and all."""
    graph = frontend.load(build.path("export", "model.onnx"))
    reading = frontend.read(graph, network.name)
    model = frontend.with_shapes(graph)
    different: list[int] = []
    for start in range(0, len(images), CHUNK):
        build.tick(start, len(images))
        block = execute.run(model, reading, images[start : start + CHUNK], activations=False)
        part = _part(exact, slice(start, start + CHUNK))
        wrong = settle(network, block, part).logits != part.logits
        different += [start + int(i) for i in np.flatnonzero(wrong.any(axis=1))]
    names = ("qonnx", "golden")
    if not different:
        return Comparison(
            stage=names[0], against=names[1], images=len(images), mismatches=0, explained=0
        )
    few, second = images[different], golden.run(network, images[different])
    first = settle(network, execute.run(model, reading, few), second)
    comparison = compare(network, few, names=names, first=first, second=second, numbers=different)
    return replace(comparison, images=len(images))


def _part(outputs: Outputs, part: slice) -> Outputs:
    """Labels and logits of some images."""
    return Outputs(labels=outputs.labels[part], logits=outputs.logits[part], activations={})
