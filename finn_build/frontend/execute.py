"""Run QONNX and FINN graphs on many images, and read their activations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import getCustomOp

from finn_build.errors import MismatchError, ModelError
from finn_build.frontend.build import Tap
from finn_build.frontend.walk import Reading
from finn_build.network.golden import Outputs
from finn_build.system.quiet import quiet

BATCH = 100


def run(
    graph: ModelProto,
    reading: Reading,
    images: NDArray[np.uint8],
    *,
    activations: bool = True,
    batch: int = BATCH,
) -> Outputs:
    """Run a QONNX graph that was read on images (N, H, W, C) uint8, as qonnx executes it.

    Logits are the graph's own (float), in its order. Activations (N, H, W, C) are the codes of the
    tensors in `reading.taps`, by the layer whose output they are.
    """

    def codes(context: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.int64]]:
        return {tap.layer: _codes(tap, context[tap.tensor]) for tap in reading.taps}

    return _run(ModelWrapper(graph), reading, images, codes if activations else None, batch)


def run_finn(
    model: ModelWrapper, reading: Reading, images: NDArray[np.uint8], *, batch: int = BATCH
) -> Outputs:
    """Run a graph of FINN's on images (N, H, W, C).

    Its MultiThresholds note the quantised tensors that they came from.

    A graph with Im2Col or pooling of lowered images must be run with batch=1: qonnx 1.0.0's Im2Col
    mixes up a batch.
    """
    nodes = {node.doc_string: node for node in model.get_nodes_by_op_type("MultiThreshold")}
    pairs = [(tap.layer, nodes[tap.tensor]) for tap in reading.taps if tap.tensor in nodes]

    def codes(context: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.int64]]:
        return {layer: _counts(node, context[node.output[0]]) for layer, node in pairs}

    return _run(model, reading, images, codes, batch)


def _run(
    model: ModelWrapper,
    reading: Reading,
    images: NDArray[np.uint8],
    codes: Any,
    batch: int,
) -> Outputs:
    parts: list[Outputs] = []
    source, target = model.graph.input[0].name, model.graph.output[0].name
    given = list(model.get_tensor_shape(source))[1:]
    for start in range(0, len(images), batch):
        block = images[start : start + batch].astype(np.float32)
        pixels = np.ascontiguousarray(reading.image.from_stream(block))
        sized = with_batch(model, len(block))
        try:
            with quiet():
                context = execute_onnx(
                    sized,
                    {source: pixels.reshape(len(block), *given)},
                    return_full_exec_context=codes is not None,
                )
        except Exception as error:  # qonnx and ONNX Runtime raise whatever their operators do
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(f"qonnx cannot execute the model ({first[:200]!r})") from error
        out = np.asarray(context[target], np.float64).reshape(len(block), -1)
        logits = reading.network.end.ordered(out)
        parts.append(
            Outputs(
                labels=np.argmax(logits, axis=1),
                logits=logits,
                activations=codes(context) if codes else {},
            )
        )
    return Outputs(
        labels=np.concatenate([p.labels for p in parts]),
        logits=np.concatenate([p.logits for p in parts]),
        activations={
            key: np.concatenate([p.activations[key] for p in parts]) for key in parts[0].activations
        },
    )


def with_batch(model: ModelWrapper, batch: int) -> ModelWrapper:
    """Copy a graph of batch size 1 and make it take `batch` images at a time."""
    model = ModelWrapper(ModelProto.FromString(model.model.SerializeToString()))
    computed = {model.graph.input[0].name}
    for node in model.graph.node:
        if computed.intersection(node.input):
            computed.update(node.output)
    for tensor in sorted(computed):
        shape = model.get_tensor_shape(tensor)
        if shape:
            model.set_tensor_shape(tensor, [batch, *shape[1:]])
    return model


def _codes(tap: Tap, values: NDArray[Any]) -> NDArray[np.int64]:
    """Values of a quantised tensor as the codes of the stream."""
    scales, shifts = (np.array([float(v) for v in each]) for each in (tap.scales, tap.shifts))
    wide = tap.layout.to_stream(np.asarray(values, np.float64))
    return _whole((wide - shifts) / scales, tap.tensor)


def _counts(node: NodeProto, values: NDArray[Any]) -> NDArray[np.int64]:
    """Values of a MultiThreshold as counts of thresholds, channels last."""
    op = getCustomOp(node)
    wide = np.asarray(values, np.float64)
    counts = (wide - op.get_nodeattr("out_bias")) / op.get_nodeattr("out_scale")
    if counts.ndim == 4 and op.get_nodeattr("data_layout") != "NHWC":
        counts = counts.transpose(0, 2, 3, 1)
    return _whole(counts, node.output[0])


def _whole(values: NDArray[np.float64], tensor: str) -> NDArray[np.int64]:
    rounded = np.rint(values)
    # `not (... <= ...)` catches NaN too, since every comparison with NaN is false.
    if not (np.abs(values - rounded) <= 1e-3).all():
        raise MismatchError(f"tensor {tensor!r}: activations that are not multiples of their scale")
    return rounded.astype(np.int64)
