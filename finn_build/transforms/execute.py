"""Run QONNX and FINN graphs on many images, and read the activations out of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.general.intquant import min_int
from qonnx.custom_op.registry import getCustomOp

from finn_build.golden import Outputs
from finn_build.transforms.stages import quiet

BATCH = 100


def with_batch(model: ModelWrapper, batch: int) -> ModelWrapper:
    """Copy a graph of batch size 1 for `batch` images at a time."""
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


def activation_nodes(model: ModelWrapper) -> list[NodeProto]:
    """Nodes that quantise a computed tensor, in order: Quants in QONNX, MultiThresholds in FINN."""
    found = model.get_nodes_by_op_type("MultiThreshold")
    return found or [
        node
        for node in model.graph.node
        if node.op_type in ("Quant", "BipolarQuant")
        and model.get_initializer(node.input[0]) is None
    ]


def run(
    model: ModelWrapper, images: NDArray[np.uint8], *, activations: bool = True, batch: int = BATCH
) -> Outputs:
    """Run a graph on images (N, H, W, C) uint8.

    Logits are the graph's own (float); activations are integers by node order ("0", "1", ...),
    channels last: how many values that the node can give lie below its output.

    A graph with Im2Col or pooling of lowered images must be run with batch=1: qonnx 1.0.0's
    Im2Col mixes up the images of a batch.
    """
    nodes = activation_nodes(model) if activations else []
    parts: list[Outputs] = []
    for start in range(0, len(images), batch):
        block = images[start : start + batch].astype(np.float32).transpose(0, 3, 1, 2)
        sized = with_batch(model, len(block))
        with quiet():
            context = execute_onnx(
                sized, {model.graph.input[0].name: block}, return_full_exec_context=activations
            )
        logits = context[model.graph.output[0].name].reshape(len(block), -1)
        parts.append(
            Outputs(
                labels=np.argmax(logits, axis=1),
                logits=logits,
                activations={
                    str(i): _integers(model, node, context) for i, node in enumerate(nodes)
                },
            )
        )
    return Outputs(
        labels=np.concatenate([p.labels for p in parts]),
        logits=np.concatenate([p.logits for p in parts]),
        activations={
            key: np.concatenate([p.activations[key] for p in parts]) for key in parts[0].activations
        },
    )


def _integers(
    model: ModelWrapper, node: NodeProto, context: dict[str, NDArray[Any]]
) -> NDArray[np.int64]:
    values = context[node.output[0]].astype(np.float64)
    op = getCustomOp(node)
    channels_last = False
    if node.op_type == "MultiThreshold":
        values = (values - op.get_nodeattr("out_bias")) / op.get_nodeattr("out_scale")
        channels_last = op.get_nodeattr("data_layout") == "NHWC"
    else:
        values = values / context[node.input[1]].astype(np.float64)
        if node.op_type == "BipolarQuant":
            values = (values + 1) / 2
        else:
            zero, bits = (float(context[name].item()) for name in node.input[2:4])
            signed, narrow = op.get_nodeattr("signed"), op.get_nodeattr("narrow")
            values = values + zero - min_int(bool(signed), bool(narrow), bits)
    if values.ndim == 4 and not channels_last:
        values = values.transpose(0, 2, 3, 1)
    rounded = np.rint(values)
    if np.abs(values - rounded).max(initial=0) > 1e-3:
        raise AssertionError(f"{node.name}: activations are not integers")
    return rounded.astype(np.int64)
