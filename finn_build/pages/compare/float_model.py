"""What a CPU would run: a QONNX network's weights in float or int8, as ONNX and as PyTorch.

Weights keep their quantised values. Activations are clipped where the network quantises them, but
not rounded: a CPU gains nothing from 2 bits, and rounding takes it half as long again.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper
from onnxruntime import quantization
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.general.intquant import max_int, min_int
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.fold_constants import FoldConstants
from torch import Tensor

from finn_build import frontend
from finn_build.errors import ModelError
from finn_build.system.quiet import quiet

Predict = Callable[[NDArray[np.uint8]], NDArray[np.int64]]  # (N, H, W, C) to labels (N,)


def write_float(source: Path, out: Path) -> None:
    """Write a QONNX file's network as plain float ONNX for any batch, simplified."""
    with quiet():
        graph = frontend.with_shapes(frontend.load(source))
        model = ModelWrapper(graph).transform(FoldConstants(exclude_op_types=[]))
    for node in list(model.graph.node):
        if node.op_type in ("Quant", "BipolarQuant"):
            _replace(model, node, _clip(model, node))
        elif node.op_type == "Trunc":
            _replace(model, node, _shift(model, node))
    proto = model.model
    used = {name for node in proto.graph.node for name in node.input}
    kept = [tensor for tensor in proto.graph.initializer if tensor.name in used]
    del proto.graph.initializer[:], proto.graph.value_info[:]
    proto.graph.initializer.extend(kept)
    for tensor in (proto.graph.input[0], proto.graph.output[0]):
        tensor.type.tensor_type.shape.dim[0].dim_param = "N"
    plain = [opset for opset in proto.opset_import if opset.domain == ""]
    del proto.opset_import[:]
    proto.opset_import.extend(plain)
    options = _options(1)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(out)
    onnxruntime.InferenceSession(proto.SerializeToString(), options)


def _replace(model: ModelWrapper, node: NodeProto, nodes: Sequence[NodeProto]) -> None:
    at = list(model.graph.node).index(node)
    model.graph.node.remove(node)
    for i, other in enumerate(nodes):
        model.graph.node.insert(at + i, other)


def _shift(model: ModelWrapper, node: NodeProto) -> list[NodeProto]:
    """What a Trunc does to float values: its first version keeps the scale and drops bits."""
    ratio = np.float32(1)
    if len(node.input) == 5:
        given, left = (float(model.get_initializer(name)) for name in node.input[3:])
        ratio = np.float32(2.0 ** (left - given))
    name = f"{node.output[0]}_ratio"
    model.set_initializer(name, np.asarray(ratio))
    return [helper.make_node("Mul", [node.input[0], name], [node.output[0]])]


def _clip(model: ModelWrapper, node: NodeProto) -> list[NodeProto]:
    """The limits of an activation's quantiser."""
    name, scale = node.output[0], model.get_initializer(node.input[1])
    if node.op_type == "BipolarQuant":
        low, high = -scale, scale
    else:
        zero, width = (model.get_initializer(operand) for operand in node.input[2:4])
        op = getCustomOp(node)
        signed, narrow = bool(op.get_nodeattr("signed")), bool(op.get_nodeattr("narrow"))
        low, high = (
            (end(signed, narrow, float(width)) - zero) * scale for end in (min_int, max_int)
        )
    one = np.size(low) == 1
    for end, value in (("low", low), ("high", high)):
        limit = np.asarray(value, np.float32)
        model.set_initializer(f"{name}_{end}", limit.reshape(()) if one else limit)
    if one:
        return [helper.make_node("Clip", [node.input[0], f"{name}_low", f"{name}_high"], [name])]
    return [
        helper.make_node("Max", [node.input[0], f"{name}_low"], [f"{name}_floor"]),
        helper.make_node("Min", [f"{name}_floor", f"{name}_high"], [name]),
    ]


class _Images(quantization.CalibrationDataReader):  # type: ignore[misc]
    """Images one batch at a time, for ONNX Runtime's calibration."""

    def __init__(self, name: str, images: NDArray[np.uint8]) -> None:
        self.batches: Iterator[NDArray[np.float32]] = iter([floats(images)])
        self.name = name

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next batch, or None at the end."""
        batch = next(self.batches, None)
        return None if batch is None else {self.name: batch}


def write_int8(source: Path, out: Path, images: NDArray[np.uint8]) -> None:
    """Quantise a float model statically with ONNX Runtime, calibrated on images (N, H, W, C).

    Seven bits per weight and channel: with eight, CPUs without VNNI saturate.
    """
    name = onnx.load(source).graph.input[0].name
    with _no_warnings():
        quantization.quantize_static(
            source,
            out,
            _Images(name, images),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
        )


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Keep ONNX Runtime's advice on preparing a model, which was done, off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def floats(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bytes (N, H, W, C) as a network takes them: float (N, C, H, W)."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    return options


def by_onnxruntime(source: Path, threads: int) -> Predict:
    """Run an ONNX file with ONNX Runtime on the CPU."""
    session = onnxruntime.InferenceSession(
        str(source), _options(threads), providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name

    def predict(images: NDArray[np.uint8]) -> NDArray[np.int64]:
        logits: NDArray[np.float32] = session.run(None, {name: floats(images)})[0]
        return np.asarray(logits.argmax(axis=1), np.int64)

    return predict


def by_torch(source: Path) -> Predict:
    """Run a float ONNX file of `write_float` with PyTorch, on the threads that torch has.

    Raises ModelError for an operator that has no counterpart here.
    """
    graph = onnx.load(source).graph
    constants = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in graph.initializer
    }
    steps = [(node, _operator(node)) for node in graph.node]
    first, last = graph.input[0].name, graph.output[0].name

    def predict(images: NDArray[np.uint8]) -> NDArray[np.int64]:
        values = {**constants, first: torch.from_numpy(floats(images))}
        with torch.inference_mode():
            for node, compute in steps:
                values[node.output[0]] = compute(*(values[name] for name in node.input))
        labels: NDArray[np.int64] = values[last].argmax(dim=1).numpy()
        return labels

    return predict


def _operator(node: NodeProto) -> Callable[..., Tensor]:
    """PyTorch's counterpart of an ONNX node."""
    said = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    pads = said.get("pads", [0, 0, 0, 0])
    even = list(pads[:2]) == list(pads[2:])
    if node.op_type == "Conv" and even:
        stride, pad = said.get("strides", [1, 1]), pads[:2]
        dilation, groups = said.get("dilations", [1, 1]), said.get("group", 1)
        return lambda x, w, b=None: functional.conv2d(x, w, b, stride, pad, dilation, groups)
    if node.op_type == "MaxPool" and even and not said.get("ceil_mode"):
        kernel, stride = said["kernel_shape"], said.get("strides", [1, 1])
        return lambda x: functional.max_pool2d(x, kernel, stride, pads[:2])
    if node.op_type == "Gemm" and said.get("alpha", 1) == said.get("beta", 1) == 1:
        left, right = said.get("transA", 0), said.get("transB", 0)
        return lambda x, w, b=None: functional.linear(x.T if left else x, w if right else w.T, b)
    if node.op_type == "BatchNormalization":
        eps = said.get("epsilon", 1e-5)
        return lambda x, w, b, mean, var: functional.batch_norm(x, mean, var, w, b, eps=eps)
    if node.op_type == "Flatten":
        return lambda x: x.flatten(said.get("axis", 1))
    simple: dict[str, Callable[..., Tensor]] = {
        "Add": torch.add,
        "Clip": torch.clamp,
        "Div": torch.div,
        "Identity": lambda x: x,
        "MatMul": torch.matmul,
        "Max": torch.maximum,
        "Min": torch.minimum,
        "Mul": torch.mul,
        "Relu": torch.relu,
        "Reshape": lambda x, shape: x.reshape(-1, *shape.tolist()[1:]),
        "Sub": torch.sub,
        "Transpose": lambda x: x.permute(said["perm"]),
    }
    if node.op_type not in simple:
        raise ModelError(
            f"{node.name}: no counterpart of {node.op_type} in PyTorch here; use --no-baselines"
        )
    return simple[node.op_type]
