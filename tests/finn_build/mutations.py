"""Random changes to sound graphs, as broken or hostile files have them."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import cases
import numpy as np
from graphs import QONNX
from numpy.random import Generator
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

SOURCES = (
    *("auto_pad", "avgpool", "brev_TFC_1W1A", "concat", "depthwise", "end_bn", "end_conv4d"),
    *("end_topk", "gap", "in_1bit", "keras_nhwc", "leaky", "leftovers", "mlp2d", "mlp4d_q"),
    *("pad_node", "pool_ceil", "qcdq", "relu6", "requant", "residual", "round_down", "zp_int"),
)
WHOLE = (-(2**63), -1, 0, 1, 2, 3, 4, 7, 255, 2**16, 2**31, 2**62, 2**63 - 1)
REAL = (float("nan"), float("inf"), -float("inf"), 0.0, -0.0, -1.0, 0.5, 1e-45, 1e30, 3e38)
TEXT = ("", "ROUND", "up", "SAME_LOWER", "VALID", "reflect", "\x1b[31m\n", "\udc80")
KINDS = (
    *("Add", "And", "ArgMax", "AveragePool", "BatchNormalization", "BipolarQuant", "Cast", "Clip"),
    *("Concat", "Constant", "ConstantOfShape", "Conv", "ConvTranspose", "Div", "Dropout", "Einsum"),
    *("Equal", "Erf", "Expand", "Flatten", "Gather", "Gemm", "GlobalAveragePool", "GlobalMaxPool"),
    *(
        "Identity",
        "If",
        "IntQuant",
        "LeakyRelu",
        "Loop",
        "MatMul",
        "Max",
        "MaxPool",
        "Mul",
        "NonZero",
    ),
    *(
        "NonZero",
        "PRelu",
        "Pad",
        "Pow",
        "Quant",
        "Range",
        "ReduceMean",
        "Relu",
        "Reshape",
        "Resize",
        "Scan",
    ),
    *("Shape", "Slice", "Softmax", "Split", "Squeeze", "Sub", "Tile", "TopK", "Transpose", "Trunc"),
    *("Unsqueeze", "Where", "", "Er\x1b[2J\nr"),
)
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "finn.custom_op.general", QONNX)
ATTRIBUTES: dict[str, Any] = {
    "allowzero": 1,
    "alpha": -0.5,
    "auto_pad": "SAME_UPPER",
    "axes": [1],
    "axis": -1,
    "ceil_mode": 1,
    "dilations": [2, 2],
    "group": 3,
    "kernel_shape": [2, 2],
    "keepdims": 0,
    "mode": "edge",
    "narrow": 1,
    "pads": [0, 1, 0, 1],
    "perm": [0, 2, 1],
    "signed": 1,
    "storage_order": 1,
    "strides": [2, 1],
    "to": 7,
    "training_mode": 1,
    "transA": 1,
    "transB": 1,
}


def _pick(random: Generator, values: Any) -> Any:
    return values[int(random.integers(len(values)))]


def _node(model: ModelProto, random: Generator) -> NodeProto:
    return _pick(random, model.graph.node)


def _name(model: ModelProto, random: Generator) -> str:
    names = ["", "in0", *(t.name for t in model.graph.initializer)]
    names += [name for node in model.graph.node for name in node.output]
    return str(_pick(random, names))


def attribute(model: ModelProto, random: Generator) -> None:
    """Another value, or none, or one of another type, or one more."""
    node = _node(model, random)
    choice = random.integers(4)
    if choice == 0 or not node.attribute:
        name = _pick(random, sorted(ATTRIBUTES))
        node.attribute.append(helper.make_attribute(name, ATTRIBUTES[name]))
        return
    each = _pick(random, node.attribute)
    if choice == 1:
        node.attribute.remove(each)
        return
    name = each.name
    kind = "ints" if each.ints else "f" if each.HasField("f") else "s" if each.s else "i"
    if choice == 2:
        kind = str(_pick(random, ("ints", "f", "s", "i", "t")))
    if kind == "ints":
        ints = list(each.ints) or [1]
        ints[int(random.integers(len(ints)))] = _pick(random, WHOLE)
        if random.integers(4) == 0:
            ints = ints[1:] if random.integers(2) else [*ints, 1]
        made = helper.make_attribute(name, ints, attr_type=7)
    elif kind == "f":
        made = helper.make_attribute(name, float(_pick(random, REAL)))
    elif kind == "s":
        text = str(_pick(random, TEXT)).encode(errors="surrogateescape")
        made = helper.make_attribute(name, text)
    elif kind == "t":
        made = helper.make_attribute(name, numpy_helper.from_array(np.zeros((0, 2), np.float32)))
    else:
        made = helper.make_attribute(name, int(_pick(random, WHOLE)))
    each.CopyFrom(made)


def dims(model: ModelProto, random: Generator) -> None:
    """Another side of the image or of a tensor, or another number of them."""
    if random.integers(2):
        sides = model.graph.input[0].type.tensor_type.shape.dim
        if not sides or random.integers(5) == 0:
            sides.add().dim_value = 1
        elif random.integers(5) == 0:
            del sides[-1]
        elif random.integers(5) == 0:
            _pick(random, sides).dim_param = "N"
        else:
            _pick(random, sides).dim_value = _pick(random, WHOLE)
        return
    tensor = _pick(random, model.graph.initializer)
    if tensor.dims and random.integers(3):
        tensor.dims[int(random.integers(len(tensor.dims)))] = _pick(random, WHOLE)
    elif random.integers(2):
        tensor.dims.append(1)
    else:
        del tensor.dims[:]


def dtype(model: ModelProto, random: Generator) -> None:
    """Another type of numbers, with or without the data that belong to it."""
    kind = int(random.integers(0, 27))
    if random.integers(4) == 0:
        model.graph.input[0].type.tensor_type.elem_type = kind
        return
    tensor = _pick(random, model.graph.initializer)
    if random.integers(2):
        tensor.data_type = kind
        return
    target = _pick(random, (np.float64, np.float16, np.int8, np.int64, np.bool_, np.complex64))
    with np.errstate(all="ignore"):
        values = numpy_helper.to_array(tensor).astype(target)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def wiring(model: ModelProto, random: Generator) -> None:
    """Another tensor as input or output, nodes that are gone, twice there or in another order."""
    node, nodes = _node(model, random), model.graph.node
    choice = random.integers(9)
    if choice <= 2 and node.input:
        node.input[int(random.integers(len(node.input)))] = _name(model, random)
    elif choice == 3 and node.output:
        node.output[int(random.integers(len(node.output)))] = _name(model, random)
    elif choice == 4 and node.input:
        del node.input[int(random.integers(len(node.input)))]
    elif choice == 5:
        node.input.append(_name(model, random))
    elif choice == 6:
        model.graph.output[0].name = _name(model, random)
    elif choice == 7 and len(nodes) > 1:
        nodes.remove(node)
    else:
        order = [nodes[i] for i in random.permutation(len(nodes))]
        del nodes[:]
        nodes.extend(order)
        if choice == 8:
            nodes.append(order[0])


def values(model: ModelProto, random: Generator) -> None:
    """Other numbers in a tensor."""
    tensor = _pick(random, model.graph.initializer)
    found = np.array(numpy_helper.to_array(tensor))
    if not found.size:
        return
    number = _pick(random, REAL if found.dtype.kind == "f" else WHOLE)
    with np.errstate(all="ignore"):
        number = np.array(number).astype(found.dtype)
    if random.integers(2):
        found[...] = number
    else:
        found.reshape(-1)[int(random.integers(found.size))] = number
    tensor.CopyFrom(numpy_helper.from_array(found, tensor.name))


def operator(model: ModelProto, random: Generator) -> None:
    """Another operator."""
    _node(model, random).op_type = _pick(random, KINDS)


def domain(model: ModelProto, random: Generator) -> None:
    """Another domain, version or name."""
    choice = random.integers(5)
    node = _node(model, random)
    if choice == 0 and model.opset_import:
        _pick(random, model.opset_import).version = _pick(random, (*WHOLE, 6, 9, 11, 18, 21, 24))
    elif choice == 1:
        model.ir_version = _pick(random, (-1, 0, 1, 3, 9, 99))
    elif choice == 2:
        del model.opset_import[:]
    elif choice == 3:
        node.name = "\x1b[31m<script>" if random.integers(2) else ""
    else:
        node.domain = _pick(random, DOMAINS)


def extra(model: ModelProto, random: Generator) -> None:
    """Inputs, outputs and constants that do not belong there."""
    info = helper.make_tensor_value_info(_name(model, random), TensorProto.FLOAT, [1, 3])
    choice = random.integers(5)
    if choice == 0:
        model.graph.input.append(info)
    elif choice == 1:
        model.graph.output.insert(0, info)
    elif choice == 2:
        model.graph.value_info.append(info)
    elif choice == 3:
        model.graph.initializer.append(_pick(random, model.graph.initializer))
    else:
        name = _name(model, random)
        model.graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), name))


MUTATIONS: tuple[Callable[[ModelProto, Generator], None], ...] = (
    *(attribute, attribute, dims, dtype, wiring, wiring, values, operator, domain, extra),
)


def mutated(seed: int) -> bytes:
    """A file with one to three changes; in one of eight, bytes are changed as well."""
    random = np.random.default_rng(seed)
    model = cases.CASES[_pick(random, SOURCES)]()
    for _ in range(int(random.integers(1, 4))):
        if model.graph.node and model.graph.initializer:
            with suppress(ValueError, TypeError):  # what an earlier change has made unreadable
                _pick(random, MUTATIONS)(model, random)
    data = bytearray(model.SerializeToString())
    if random.integers(8) == 0:
        for _ in range(int(random.integers(1, 4))):
            data[int(random.integers(min(len(data), 3000)))] = int(random.integers(256))
    return bytes(data)
