"""Compute nodes whose inputs are all constants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import NodeProto, helper
from qonnx.custom_op.general.bipolar_quant import binary_quant
from qonnx.custom_op.general.intquant import int_quant

from finn_build.errors import ModelError
from finn_build.frontend.check import array, attributes, finite, refuse, shown

MOST_ELEMENTS = 1 << 26  # of one constant, and of all that are computed together
# What a Constant may hold; the others are text and sparse tensors.
_NUMBERS = frozenset(["value", "value_float", "value_floats", "value_int", "value_ints"])
_BROADCAST = (
    *("Add", "Div", "Equal", "Greater", "Less", "Max", "Min"),
    *("Mod", "Mul", "Pow", "Sub", "Sum", "Where"),
)
# Operators whose results are no larger than their inputs, or whose size `_size` foresees.
FOLDED = frozenset(
    [
        "Abs",
        "Add",
        "BatchNormalization",
        "Cast",
        "Ceil",
        "Clip",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "Div",
        "Equal",
        "Exp",
        "Expand",
        "Flatten",
        "Floor",
        "Gather",
        "Greater",
        "Identity",
        "Less",
        "Log",
        "Max",
        "Min",
        "Mod",
        "Mul",
        "Neg",
        "Not",
        "Pow",
        "Range",
        "Reciprocal",
        "ReduceMax",
        "ReduceMean",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Round",
        "Shape",
        "Sign",
        "Size",
        "Slice",
        "Split",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Sum",
        "Tile",
        "Transpose",
        "Unsqueeze",
        "Where",
    ]
)


def compute(
    node: NodeProto, said: dict[str, Any], inputs: Sequence[NDArray[Any] | None], opset: int
) -> list[NDArray[Any]]:
    """The results of one node in ONNX Runtime, in its shapes. Raises ModelError where it fails."""
    if node.op_type == "Constant" and not _NUMBERS.intersection(said):
        raise refuse(node, f"holds no numbers, but {', '.join(map(shown, said)) or 'nothing'}")
    _size(node, inputs)
    given = [(n, v) for n, v in zip(node.input, inputs, strict=True) if v is not None]
    if node.op_type == "Constant" and "value" in said:
        return [array(said["value"], infinite=True, name=node.output[0])]
    graph = helper.make_graph(
        [node],
        "constant",
        [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for n, v in dict(given).items()
        ],
        [helper.make_empty_tensor_value_info(name) for name in node.output if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        results = session.run(None, dict(given))
    except Exception as error:  # ONNX Runtime's own types, one for each kind of failure
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise refuse(node, f"cannot be computed ({first[:200]!r})") from error
    return [_widened(np.asarray(value)) for value in results]


def _widened(value: NDArray[Any]) -> NDArray[Any]:
    """Floats as float32, integers as int64, truth values as they are."""
    if value.dtype.kind not in "fiub":
        raise ModelError(f"a constant of the type {value.dtype} is not supported")
    if value.dtype.kind == "f":
        return value.astype(np.float32)
    return value.astype(np.int64) if value.dtype.kind in "iu" else value


def _size(node: NodeProto, inputs: Sequence[NDArray[Any] | None]) -> None:
    """Refuse results that would fill the memory."""
    shape: Sequence[float] = []
    values = [np.zeros(0) if v is None else np.asarray(v).ravel() for v in inputs]
    if node.op_type in ("ConstantOfShape", "Expand"):
        shape = values[-1].tolist()
    elif node.op_type == "Tile":
        shape = [values[0].size, *values[1].tolist()]
    elif node.op_type == "Range":
        start, limit, delta = (float(v[0]) if v.size else 0.0 for v in values[:3])
        shape = [abs(limit - start) / abs(delta) if delta else math.inf]
    elif node.op_type == "Concat":
        shape = [sum(float(v.size) for v in values)]
    elif node.op_type == "Gather":
        # Each index picks at most the whole of the first input.
        shape = [float(v.size) for v in values]
    elif node.op_type in _BROADCAST:
        shape = _broadcast([np.shape(v) for v in inputs if v is not None])
    if math.prod(float(abs(n)) for n in shape) > MOST_ELEMENTS:
        raise refuse(node, f"its constant would have more than {MOST_ELEMENTS:,} elements")


def _broadcast(shapes: Sequence[Sequence[int]]) -> list[float]:
    """The shape of some arrays together; sides that do not fit are left to the runtime."""
    sides = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    return [float(max(side)) for side in sides]


def _fits(shape: Sequence[int], target: Sequence[int]) -> bool:
    """Whether repeating an array of one shape is enough to broadcast it to another."""
    sides = zip(reversed(shape), reversed(target), strict=False)
    return len(shape) <= len(target) and all(a in (1, b) for a, b in sides)


def quantised(
    node: NodeProto, inputs: Sequence[NDArray[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Quantised weights as qonnx executes them: integers and their scales, both of one shape.

    The zero point is subtracted from the integers. Raises ModelError for results that are not
    multiples of their scales.
    """
    x, scale = inputs[0].astype(np.float32), inputs[1].astype(np.float32)
    if any(not _fits(each.shape, x.shape) for each in inputs[1:]):
        shapes = ", ".join(str(list(each.shape)) for each in inputs[1:])
        raise refuse(node, f"its parameters of shapes {shapes} do not fit weights {list(x.shape)}")
    with np.errstate(all="ignore"):
        if node.op_type == "BipolarQuant":
            values = binary_quant(x, scale)
        else:
            said = attributes(node)
            values = int_quant(
                x,
                scale,
                *(each.astype(np.float32) for each in inputs[2:4]),
                said.get("signed", 1),
                said.get("narrow", 0),
                said.get("rounding_mode", "ROUND"),
            )
    finite(np.asarray(values), f"{node.op_type} node of weights {node.output[0]!r}")
    wide = np.broadcast_to(scale, np.shape(values)).astype(np.float64)
    some = np.where(wide == 0, 1.0, wide)
    scaled = np.asarray(values, np.float64) / some
    integers = np.rint(scaled)
    room = 1e-3 + np.abs(integers) * 2.0**-22  # qonnx rounds int * scale to float32
    if not (np.abs(scaled - integers) <= room).all():
        raise refuse(
            node, "its weights are not multiples of their scale (is its zero point whole?)"
        )
    return integers.astype(np.int64), np.array(wide)
