"""Read the integer network from the QONNX graph, and compare every stage before the RTL with it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto
from qonnx.core.modelwrapper import ModelWrapper

from finn_build import frontend
from finn_build.errors import MismatchError
from finn_build.flow.pipeline import Build
from finn_build.flow.steps import streamline
from finn_build.frontend import Reading, execute
from finn_build.network import differences, golden
from finn_build.network.golden import Outputs
from finn_build.network.verify import Comparison, compare, settle
from finn_build.system.files import load_json, save_json

LOWERED_IMAGES = 10  # qonnx runs a lowered graph one image at a time


def run(build: Build, out: Path) -> str:
    """Leave network.npz and verification.json in `out`.

    Training's own activations, those of QONNX and those of FINN's graphs, if there are any, are
    compared with the golden model's on the 100 test images (lowered: on 10).
    """
    graph = frontend.load(build.path("export", "model.onnx"))
    reading = frontend.read(graph, build.options.name)
    network = reading.network
    network.save(out / "network.npz")
    with np.load(build.path("export", "vectors.npz"), allow_pickle=False) as stored:
        vectors = dict(stored)
    images = vectors["images"]
    exact = golden.run(network, images)
    results: dict[str, Outputs] = {}
    if "logits" in vectors:
        results["qat"] = settle(network, _trained(graph, reading, vectors), exact)
    build.tick(1, 4)
    qonnx = frontend.with_shapes(graph)
    results["qonnx"] = settle(network, execute.run(qonnx, reading, images), exact)
    build.tick(2, 4)
    comparisons = [
        compare(network, images, names=names, first=results[names[0]], second=second)
        for names, second in ((("qat", "qonnx"), results["qonnx"]), (("qonnx", "golden"), exact))
        if names[0] in results
    ]
    of_qonnx, notes = comparisons[-1].mismatches, []
    for stage, count, batch in (("streamlined", len(images), 100), ("lowered", LOWERED_IMAGES, 1)):
        found = _of_finn(build, reading, stage, images[:count], _head(exact, count), batch)
        if isinstance(found, str):
            notes += [found] if found else []
        elif found.mismatches > of_qonnx:
            # FINN's thresholds include ties, whichever way the file's rounding sends them.
            notes.append(
                f"FINN's {stage} graph differs on {found.mismatches} images, QONNX on {of_qonnx}"
            )
        else:
            comparisons.append(found)
    build.tick(3, 4)
    records = [c.record() for c in comparisons]
    save_json(out / "verification.json", records)
    warning = differences.worst(records)
    return "; ".join([_summary(comparisons), *notes, *([warning] if warning else [])])


def _of_finn(
    build: Build,
    reading: Reading,
    stage: str,
    images: NDArray[np.uint8],
    exact: Outputs,
    batch: int,
) -> Comparison | str:
    """A graph of FINN's compared with the golden model, or why there is nothing to compare."""
    if stage not in load_json(build.path("streamline", streamline.RESULT))["graphs"]:
        return ""
    model = ModelWrapper(str(build.path("streamline", f"{stage}.onnx")))
    try:
        finn = settle(reading.network, execute.run_finn(model, reading, images, batch=batch), exact)
        return compare(reading.network, images, names=(stage, "golden"), first=finn, second=exact)
    except MismatchError as error:
        return f"FINN's {stage} graph is another function ({error})"
    except Exception as error:  # FINN's operators may raise anything, and none is needed
        return f"FINN's {stage} graph does not run ({str(error).splitlines()[0][:100]!r})"


def _trained(graph: ModelProto, reading: Reading, vectors: dict[str, NDArray[Any]]) -> Outputs:
    """Brevitas' activations, channels first in the file, channels last here.

    They are those of quantisers; a mean, which needs none, has a tap as well.
    """
    quantised = {node.output[0] for node in graph.graph.node if node.op_type == "Quant"}
    acts = {}
    for i, tap in enumerate(tap for tap in reading.taps if tap.tensor in quantised):
        values = vectors[f"act{i}"]
        acts[tap.layer] = values.transpose(0, 2, 3, 1) if values.ndim == 4 else values
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
    ladder = " = ".join(dict.fromkeys([c.stage for c in comparisons] + ["golden"]))
    return f"{ladder}: {mismatches} mismatches, {explained} of them explained by rounding"
