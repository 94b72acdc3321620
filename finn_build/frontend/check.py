"""What must hold for every graph, before anything looks at its meaning."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, defs, helper, numpy_helper

from finn_build.errors import ModelError
from finn_build.frontend.schema import check_text, misfit

# What libraries and arithmetic raise for odd numbers and shapes that no check foresees.
UNFORESEEN = (ArithmeticError, LookupError, MemoryError, TypeError, ValueError)
MOST_NODES = 2500
LEAST_OPSET = 7  # older operators broadcast in ways of their own, and no runtime executes them
MOST_PIXELS = 1 << 22  # elements of an image
MOST_SIDE = 1 << 16  # of a window
_GRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
_INTEGERS = (
    TensorProto.BOOL,
    TensorProto.INT8,
    TensorProto.INT16,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.UINT8,
    TensorProto.UINT16,
    TensorProto.UINT32,
    TensorProto.UINT64,
)


def shown(text: str) -> str:
    """A name from a file in quotes, its control characters escaped, cut after 60 characters."""
    return (
        repr(text if len(text) <= 60 else f"{text[:57]}...")
        .encode("ascii", "backslashreplace")
        .decode()
    )


def called(node: NodeProto) -> str:
    """How messages name a node: by its name, or by its output if it has none."""
    name = node.name or next((o for o in node.output if o), "")
    return f"node {shown(name)} ({kind(node)})"


def kind(node: NodeProto) -> str:
    """A node's operator for messages: in quotes unless it is a plain and short word."""
    word = node.op_type.isidentifier() and node.op_type.isascii() and len(node.op_type) <= 60
    return node.op_type if word else shown(node.op_type)


def refuse(node: NodeProto, why: str) -> ModelError:
    """The error for a node. A long text is cut, since it may quote a whole tensor."""
    return ModelError(f"{called(node)}: {why if len(why) <= 1000 else f'{why[:997]}...'}")


def attributes(node: NodeProto) -> dict[str, Any]:
    """Attributes by name, text decoded. Raises ModelError for numbers that are not finite."""
    found: dict[str, Any] = {}
    for each in node.attribute:
        value = helper.get_attribute_value(each)
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        numbers = value if isinstance(value, list | tuple) else [value]
        # A constant may be an infinite limit of a Clip; its numbers are looked at where it is read.
        refused = math.isnan if node.op_type == "Constant" else _infinite
        if any(isinstance(n, float) and refused(n) for n in numbers):
            raise refuse(node, f"attribute {shown(each.name)} is not finite")
        found[each.name] = value
    return found


def _infinite(number: float) -> bool:
    return not math.isfinite(number)


def check_structure(proto: ModelProto) -> None:
    """Raise ModelError where names, edges or tensors do not fit together."""
    check_text(proto)
    graph = proto.graph
    if not graph.node:
        raise ModelError("the graph has no nodes")
    if len(graph.node) > MOST_NODES:
        raise ModelError(
            f"the graph has {len(graph.node):,} nodes, the first of them {called(graph.node[0])}; "
            f"use at most {MOST_NODES:,}: simplify it (onnxsim, qonnx-cleanup)"
        )
    if not LEAST_OPSET <= opset(proto) <= defs.onnx_opset_version():
        raise ModelError(
            f"operators of version {opset(proto)}; use {LEAST_OPSET} to "
            f"{defs.onnx_opset_version()} (onnx.version_converter)"
        )
    if not graph.output:
        raise ModelError("the graph has no outputs")
    for function in proto.functions:
        raise ModelError(
            f"the file has functions of its own, as {shown(function.name)}; inline them "
            "(onnx.inliner)"
        )
    for sparse in graph.sparse_initializer:
        raise ModelError(f"tensor {shown(sparse.values.name)}: it is sparse; save it dense")
    constants = {t.name for t in graph.initializer}
    if len(constants) != len(graph.initializer):
        raise ModelError("two of the graph's initialisers have the same name")
    limits = clip_limits(proto)
    for tensor in graph.initializer:
        array(tensor, infinite=tensor.name in limits)
    makers: dict[str, NodeProto] = {}
    inputs = {i.name for i in graph.input}
    for node in graph.node:
        if any(each.type in _GRAPHS for each in node.attribute):
            raise refuse(node, "graphs within nodes are not supported; unroll conditions and loops")
        wrong = misfit(node, opset(proto))
        if wrong is not None:
            raise refuse(node, wrong)
        _check_window(node)
        for name in filter(None, node.output):
            if name in makers:
                raise refuse(node, f"makes {shown(name)}, as {called(makers[name])} does")
            if name in constants or name in inputs:
                raise refuse(node, f"makes {shown(name)}, which is an input or initialiser")
            makers[name] = node
    if graph.output[0].name not in makers:
        raise ModelError(f"no node makes the output {shown(graph.output[0].name)}")


def opset(proto: ModelProto) -> int:
    """Version of ONNX's own operators that a file wants."""
    own = (o.version for o in proto.opset_import if o.domain in ("", "ai.onnx"))
    return max(own, default=13)


def _check_window(node: NodeProto) -> None:
    """Refuse sizes that end the process in onnx's shape inference."""
    said = attributes(node)
    for name in ("kernel_shape", "strides", "dilations", "group"):
        values = said.get(name, 1)
        if not isinstance(values, int | list):
            raise refuse(node, f"{name} is not a whole number")
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, int) or not 1 <= value <= MOST_SIDE:
                raise refuse(node, f"{name} {values}: use 1 to {MOST_SIDE:,}")


def clip_limits(proto: ModelProto) -> set[str]:
    """Tensors that are read only as limits of a Clip; these may be infinite."""
    nodes = proto.graph.node
    limits = {name for n in nodes if n.op_type == "Clip" for name in n.input[1:]}
    others = {i for n in nodes for i in (n.input[:1] if n.op_type == "Clip" else n.input)}
    return limits - others


def array(tensor: TensorProto, *, infinite: bool = False, name: str = "") -> NDArray[Any]:
    """A tensor's numbers as float32 or int64.

    name: of a tensor without a name of its own. Raises ModelError where its data does not fit its
    shape, its type is not supported, a number is not finite, or a float64 would lose digits.
    """
    name = shown(tensor.name or name)
    if tensor.data_location == TensorProto.EXTERNAL:
        raise ModelError(f"tensor {name}: its data is in another file; save the model as one")
    if any(d < 0 for d in tensor.dims):
        raise ModelError(f"tensor {name}: its shape {list(tensor.dims)} has a negative side")
    if tensor.data_type not in (*_FLOATS, *_INTEGERS):
        raise ModelError(
            f"tensor {name}: its numbers are {data_type(tensor.data_type)}; use FLOAT or integers"
        )
    try:
        size = math.prod(tensor.dims)
        held = len(tensor.raw_data) // max(
            1, helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        )
        fields = ("float_data", "double_data", "int32_data", "int64_data", "uint64_data")
        held = max(held, *(len(getattr(tensor, field)) for field in fields))
        if held != size:
            raise ModelError(
                f"tensor {name}: {held:,} numbers for the shape {list(tensor.dims)}, "
                f"which has {size:,}"
            )
        values = np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"tensor {name}: cannot be read ({error})") from error
    if tensor.data_type in _INTEGERS:
        return values.astype(np.int64)
    if infinite and not np.isnan(values).any():
        return values.astype(np.float32)
    return as_float32(values, f"tensor {name}")


def data_type(number: int) -> str:
    """Name of a type of numbers."""
    known = TensorProto.DataType.DESCRIPTOR.values_by_number
    return str(known[number].name) if number in known else f"of type {number}"


def as_float32(values: NDArray[Any], what: str) -> NDArray[np.float32]:
    """Floating-point numbers of any shape as float32.

    Raises ModelError for infinities and lost digits.
    """
    wide = values.astype(np.float64)
    finite(wide, what)
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    lost = wide != narrow
    # Constants in float64 often hold float32 numbers, which lose nothing; others would.
    if lost.any():
        where = [int(i) for i in np.argwhere(lost)[0]]
        raise ModelError(
            f"{what}: element {where}, {wide[tuple(where)]!r}, has more digits than float32; "
            "export the model in float32"
        )
    return narrow


def finite(values: NDArray[Any], what: str) -> None:
    """Raise ModelError naming the first element, in any shape, that is NaN or infinite."""
    bad: Iterable[Any] = np.argwhere(~np.isfinite(values))
    for where in bad:
        place = [int(i) for i in where]
        raise ModelError(
            f"{what}: element {place} is {values[tuple(place)]!s}, not finite"
            if place
            else f"{what}: it is {values!s}, not finite"
        )
