"""Models of all kinds: built to what qonnx's execution of the file gives, or refused by name."""

import re
import subprocess
import sys
from functools import cache, lru_cache
from pathlib import Path

import cases
import numpy as np
import onnx
import onnxruntime
import pytest
from cases import CASES, REFUSED
from qonnx.core import onnx_exec
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes
from samples import IMAGES, images_of, load, write

from finn_build import frontend
from finn_build.errors import ModelError
from finn_build.network import golden
from finn_build.network.golden import Outputs
from finn_build.network.verify import compare, settle
from finn_build.system.quiet import quiet

BUILT = sorted(set(CASES) - set(REFUSED))
# Accumulators of these lie on ties, which float32 rounds as it happens: images that may differ.
ROUNDED = {"lenet": 100}
# What qonnx says to those that it cannot execute as they are: the tidy graph is executed instead.
TIDIED = {
    "channels_last_norm": "Required attribute 'consumed_inputs' is missing",
    "dyn_batch": "Shape mismatch for provided input|unspecified tensor shapes",
    "mal_allf64": "Type parameter .* bound to different types",
    "mal_unsorted": "unspecified tensor shapes",
    "no_domain": "unspecified tensor shapes",
}


@pytest.fixture(scope="module", autouse=True)
def sessions():
    """qonnx makes a session of ONNX Runtime for every node of every image; the same ones serve."""
    real, patch = onnxruntime.InferenceSession, pytest.MonkeyPatch()
    patch.setattr(
        onnx_exec.rt, "InferenceSession", lru_cache(maxsize=64)(lambda *given: real(*given))
    )
    yield
    patch.undo()


class Settled(ModelWrapper):
    """A graph that changes no more: what qonnx asks about it at every node of every image."""

    def __init__(self, model) -> None:
        super().__init__(model)
        for question in (
            "analysis",
            "check_all_tensor_shapes_specified",
            "get_tensor_datatype",
            "get_tensor_shape",
        ):
            setattr(self, question, cache(getattr(self, question)))


def context(model: ModelWrapper, reading, images: np.ndarray) -> list[dict]:
    """All tensors of a graph for images, each by itself or in the file's own batch."""
    source = model.graph.input[0].name
    shape = model.get_tensor_shape(source)
    pixels = reading.image.from_stream(images.astype(np.float32))
    settled = Settled(model.model)
    found = []
    batch = shape[0] or 1
    for start in range(0, len(images), batch):
        block = np.ascontiguousarray(pixels[start : start + batch].reshape(batch, *shape[1:]))
        with quiet():
            found.append(onnx_exec.execute_onnx(settled, {source: block}, True))
    return found


def original(name: str, graph, folder: Path, divisor: float) -> tuple[ModelWrapper, float]:
    """The file's graph with the shapes of its tensors, and by what its pixels are divided."""
    if name in TIDIED:
        return ModelWrapper(frontend.with_shapes(graph)), 1.0
    with quiet():
        model = ModelWrapper(str(folder / f"{name}.onnx")).transform(InferShapes())
    return model, divisor


def codes(tap, values: np.ndarray) -> np.ndarray:
    """A quantised tensor's values as the stream has them."""
    scales, shifts = (np.array([float(v) for v in each]) for each in (tap.scales, tap.shifts))
    q = (tap.layout.to_stream(values.astype(np.float64)) - shifts) / scales
    assert np.abs(q - np.rint(q)).max() < 1e-3
    return np.rint(q).astype(np.int64)


@pytest.mark.parametrize("name", BUILT)
def test_what_is_built_is_equal_to_the_file(name, tmp_path):
    graph, reading = load(name, tmp_path)
    network = reading.network
    images = images_of(network)
    exact = golden.run(network, images)
    model, divisor = original(name, graph, tmp_path, 255 / cases.PIXEL_MAX.get(name, 255.0))
    scaled = images if divisor == 1 else images / np.float32(divisor)
    ran = context(model, reading, scaled)
    target = graph.graph.output[0].name

    def together(tensor: str) -> np.ndarray:
        return np.concatenate([each[tensor] for each in ran])

    logits = network.end.ordered(together(target).astype(np.float64).reshape(IMAGES, -1))
    raw = Outputs(
        labels=np.argmax(logits, axis=1),
        logits=logits,
        activations={tap.layer: codes(tap, together(tap.tensor)) for tap in reading.taps},
    )
    first = settle(network, raw, exact)
    made = compare(network, images, names=("qonnx", "golden"), first=first, second=exact)
    assert made.mismatches == made.explained <= ROUNDED.get(name, 10), made.explanations
    assert made.labels is None or made.labels <= 10
    same = (first.logits == exact.logits).all(axis=1)
    if network.end.labelled:
        check_labels(network, exact, raw, model, together, same)
    if name != "allzero_last":
        assert len(np.unique(exact.logits, axis=0)) >= 25


def check_labels(network, exact, raw, model, together, same) -> None:
    """The label is the file's wherever its two largest logits are not the same but for rounding."""
    values, labels = network.values(exact.logits), exact.labels
    ordered = np.sort(values, axis=1)
    room = 1e-5 * np.abs(values).max(axis=1)
    clear = same & (ordered[:, -1] - ordered[:, -2] > room)
    assert np.array_equal(labels[clear], raw.labels[clear])
    top = [
        o.name for o in model.graph.output if o.type.tensor_type.elem_type == onnx.TensorProto.INT64
    ]
    if top:
        assert np.array_equal(together(top[0]).ravel()[clear], labels[clear])


@pytest.mark.parametrize("name", TIDIED)
def test_only_what_qonnx_cannot_execute_is_tidied_first(name, tmp_path):
    _, reading = load(name, tmp_path)
    with pytest.raises(Exception, match=TIDIED[name]), quiet():
        model = ModelWrapper(str(tmp_path / f"{name}.onnx")).transform(InferShapes())
        context(model, reading, images_of(reading.network)[:1])


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_not_built_is_refused_by_name(name, tmp_path):
    with pytest.raises(ModelError) as caught:
        load(name, tmp_path)
    text = str(caught.value)
    assert re.search(REFUSED[name], text), text
    assert text.isprintable() and len(text) < 1000


@pytest.mark.parametrize("name", ["mlp4d_q", "mal_stride0", "pool_over"])
def test_the_command_says_the_same(name, tmp_path):
    path = write(name, tmp_path)
    command = [sys.executable, "-m", "headrace", "pynq-z2", "--model", path.name, "--to", "fold"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    if name in REFUSED:
        assert done.returncode == 2 and re.search(REFUSED[name], " ".join(said.split())), said
    else:
        assert done.returncode == 0, said
        assert "0 mismatches" in said
