"""Read the layer list from FINN's graph, and compare every stage before the RTL with the next."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper

from finn_build import golden
from finn_build.files import save_json
from finn_build.golden import Outputs
from finn_build.pipeline import Build
from finn_build.transforms import execute, stages
from finn_build.transforms.extract import extract
from finn_build.verify import Comparison, compare, settle

LOWERED_IMAGES = 10  # qonnx runs a lowered graph one image at a time


def run(build: Build, out: Path) -> str:
    """Leave network.npz and verification.json in `out`.

    The chain: training's own activations, QONNX, streamlined, lowered, golden; each is compared
    with the next on every activation of the 100 test images (lowered: on 10).
    """
    network = extract(
        ModelWrapper(str(build.path("streamline", "hardware.onnx"))), build.options.name
    )
    network.save(out / "network.npz")
    with np.load(build.path("export", "vectors.npz"), allow_pickle=False) as stored:
        vectors = dict(stored)
    images = vectors["images"]
    results: dict[str, Outputs] = {}
    if "logits" in vectors:
        results["qat"] = settle(network, _trained(vectors))
    build.tick(0, 4)
    qonnx = stages.load(str(build.path("export", "model.onnx")))
    results["qonnx"] = settle(network, execute.run(qonnx, images))
    build.tick(1, 4)
    streamlined = execute.run(_graph(build, "streamlined"), images)
    results["streamlined"] = settle(network, streamlined)
    build.tick(2, 4)
    few = images[:LOWERED_IMAGES]
    lowered = execute.run(_graph(build, "lowered"), few, batch=1)
    results["lowered"] = settle(network, lowered)
    build.tick(3, 4)
    results["golden"] = golden.run(network, images)
    order = [("qat", "qonnx"), ("qonnx", "streamlined"), ("streamlined", "lowered")]
    order += [("lowered", "golden"), ("streamlined", "golden")]
    comparisons = []
    for pair in order:
        if pair[0] in results:
            n = len(few) if "lowered" in pair else len(images)
            first, second = (_head(results[p], n) for p in pair)
            made = compare(network, images[:n], names=pair, first=first, second=second)
            comparisons.append(made)
    save_json(out / "verification.json", [c.record() for c in comparisons])
    return _summary(comparisons)


def _graph(build: Build, stage: str) -> ModelWrapper:
    return ModelWrapper(str(build.path("streamline", f"{stage}.onnx")))


def _trained(vectors: dict[str, NDArray[Any]]) -> Outputs:
    """Brevitas' activations, channels first in the file, channels last here."""
    acts = {}
    count = sum(name.startswith("act") for name in vectors)
    for i in range(count):
        values = vectors[f"act{i}"]
        acts[str(i)] = values.transpose(0, 2, 3, 1) if values.ndim == 4 else values
    logits = vectors["logits"]
    return Outputs(labels=np.argmax(logits, axis=1), logits=logits, activations=acts)


def _head(outputs: Outputs, n: int) -> Outputs:
    return Outputs(
        labels=outputs.labels[:n],
        logits=outputs.logits[:n],
        activations={k: v[:n] for k, v in outputs.activations.items()},
    )


def _summary(comparisons: list[Comparison]) -> str:
    mismatches = sum(c.mismatches for c in comparisons)
    explained = sum(c.explained for c in comparisons)
    ladder = " = ".join(dict.fromkeys([c.stage for c in comparisons[:-1]] + ["golden"]))
    return f"{ladder}: {mismatches} mismatches, {explained} of them explained by rounding"
