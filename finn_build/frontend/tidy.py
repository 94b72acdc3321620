"""Tidy an exporter's graph: keep only what its function needs.

The result takes one image and gives logits. Nodes are in order, constants are computed, the batch
size is 1, and QONNX's operators are in qonnx's own domain. Unused branches, leftovers of training
and all nodes after the logits are removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from finn_build.errors import ModelError
from finn_build.frontend import channels_last
from finn_build.frontend.check import (
    MOST_PIXELS,
    array,
    attributes,
    called,
    clip_limits,
    data_type,
    finite,
    kind,
    opset,
    refuse,
    shown,
)
from finn_build.frontend.constant import FOLDED, MOST_ELEMENTS, compute
from finn_build.frontend.domains import DOMAINS, OURS, QONNX, standard
from finn_build.frontend.probabilities import before_labels
from finn_build.frontend.shapes import shape_of
from finn_build.frontend.unique import all_names, copied, fresh

_IDLE = ("Identity", "Dropout")
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)
_HALVES = (TensorProto.FLOAT16, TensorProto.BFLOAT16)  # their sums are off by more than float32's
LEFT_OUT = "headrace.left_out"  # metadata: outputs beyond the first, and what followed the logits
AXES = "headrace.axes"  # metadata: dimensions over which labels or probabilities were taken
OUTPUT = "headrace.output"  # metadata: what it ends in, label or values
CLASSES = "classes"  # metadata: names of the classes, a list in JSON


def tidy(proto: ModelProto) -> ModelProto:
    """Build a tidy copy of a checked graph. Raises ModelError for what cannot be resolved."""
    graph = proto.graph
    made = _Tidy(proto)
    output = graph.output[0].name
    for node in _ordered(graph.node, output):
        for name in filter(None, node.input):
            if not made.knows(name):
                raise refuse(node, f"reads {shown(name)}, which no node makes")
        made.take(node)
    logits, followed, axes = before_labels(made.nodes, made.alias.get(output, output), made.opset)
    if logits not in made.computed:
        raise ModelError(f"the output {shown(output)} does not depend on an image")
    model = _model(made, logits)
    left = [f"output {shown(o.name)}" for o in graph.output[1:]] + followed
    notes = {p.key: p.value for p in proto.metadata_props if p.key in (CLASSES, OUTPUT)}
    notes |= {LEFT_OUT: ", ".join(left)} if left else {}
    notes |= {AXES: ",".join(map(str, axes))} if axes else _axes_of(proto)
    helper.set_model_props(model, notes)
    return model


def _axes_of(proto: ModelProto) -> dict[str, str]:
    """The notes that an earlier `tidy` left in the same graph. Raises ModelError for others."""
    notes = {p.key: p.value for p in proto.metadata_props if p.key in (AXES, LEFT_OUT)}
    if not re.fullmatch(r"(-?\d{1,3}(,|$))*", notes.get(AXES, "")):
        raise ModelError(f"metadata {AXES!r}: {shown(notes[AXES])}; want numbers of dimensions")
    return notes


def _ordered(nodes: Iterable[NodeProto], output: str) -> list[NodeProto]:
    """The nodes that an output depends on, each after the nodes that it reads."""
    makers = {name: node for node in nodes for name in node.output if name}
    done: dict[int, NodeProto] = {}
    entered: set[int] = set()
    waiting = [(makers[output], False)]
    while waiting:
        node, left = waiting.pop()
        if left:
            done[id(node)] = node
        elif id(node) not in done:
            if id(node) in entered:
                raise refuse(node, "depends on its own output; a network must have no cycles")
            entered.add(id(node))
            waiting.append((node, True))
            below = [makers[name] for name in node.input if name in makers]
            waiting += [(each, False) for each in below if id(each) not in done]
    return list(done.values())


def scaled(graph: ModelProto, pixel_max: float) -> ModelProto:
    """A tidy graph that takes bytes where `pixel_max` stands for 255.

    The bytes are divided, as in PyTorch's ToTensor, so that the quotients are bit for bit the same.
    """
    made = copied(graph)
    source, names = made.graph.input[0].name, all_names(graph)
    scaled = fresh(f"{source}.scaled", names)
    for node in made.graph.node:
        node.input[:] = [scaled if name == source else name for name in node.input]
    name = fresh(f"{source}.divisor", names)
    divisor = numpy_helper.from_array(np.array(255 / pixel_max, np.float32), name)
    made.graph.initializer.append(divisor)
    node = helper.make_node("Div", [source, divisor.name], [scaled], name="pixels")
    made.graph.node.insert(0, node)
    return made


class _Tidy:
    """The new graph so far: nodes that depend on images, constants, and aliases of tensors."""

    def __init__(self, proto: ModelProto) -> None:
        graph = proto.graph
        self.opset = opset(proto)
        self.limits = clip_limits(proto)
        self.folded = 0  # elements of the constants that were computed
        self.constants = {
            t.name: array(t, infinite=t.name in self.limits) for t in graph.initializer
        }
        self.images = {i.name: i for i in graph.input if i.name not in self.constants}
        self.computed = set(self.images)
        self.weights: set[str] = set()  # tensors of quantised weights
        self.shapes: dict[str, list[int]] = {}  # of tensors on images, as far as asked for
        self.alias: dict[str, str] = {}
        self.nodes: list[NodeProto] = []
        self.names = all_names(proto)
        sides = (i.type.tensor_type.shape.dim[:1] for i in self.images.values())
        self.batches = {-1, 0, 1, *(side.dim_value for first in sides for side in first)}

    def knows(self, name: str) -> bool:
        """Whether a tensor exists so far."""
        places = (self.constants, self.computed, self.weights, self.alias)
        return any(name in place for place in places)

    def take(self, node: NodeProto) -> None:
        """Add a node, or the constant or alias that it amounts to."""
        node = _copy(node)
        node.input[:] = [self.alias.get(name, name) for name in node.input]
        said = attributes(node)
        if node.domain == channels_last.DOMAIN:
            self._rewritten(node)
            return
        if node.op_type in OURS and node.domain in DOMAINS:
            standard(node)
        elif node.domain not in ("", "ai.onnx"):
            known = f"; of QONNX's are {', '.join(OURS)}" if node.domain in DOMAINS else ""
            raise refuse(
                node, f"operators of the domain {shown(node.domain)} are not supported{known}"
            )
        on_images = [name for name in node.input if name in self.computed]
        if not on_images:
            self._constant(node, said)
        elif node.op_type == "Shape":
            sides = self._shape(node, node.input[0])[said.get("start", 0) : said.get("end")]
            self.constants[node.output[0]] = np.array(sides, np.int64)
        elif self._idle(node, said):
            self.alias[node.output[0]] = node.input[0]
        else:
            if node.op_type == "Reshape":
                self._reshape(node)
            node.output[:] = node.output[: 1 if node.op_type not in ("TopK", "Split") else None]
            self.nodes.append(node)
            self.computed.update(name for name in node.output if name)

    def _rewritten(self, node: NodeProto) -> None:
        """Add ONNX's own nodes for one on a channels-last tensor."""
        made = channels_last.channels_first(
            node,
            rank=lambda: len(self._shape(node, node.input[0])),
            fresh=lambda name: fresh(name, self.names),
        )
        for each in made:
            self.take(each)

    def _constant(self, node: NodeProto, said: dict[str, Any]) -> None:
        """Compute a node that no image enters. Quantisers of weights stay, for `read` to find."""
        if node.op_type in OURS:
            self._keep(node)
            return
        inputs = [self.constants.get(name) if name else None for name in node.input]
        if node.op_type in ("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze") and (
            node.input[0] not in self.constants
        ):
            self._keep(node)  # of quantised weights
            return
        cast = node.op_type == "Cast" and node.input[0] not in self.constants
        if node.op_type in _IDLE or (cast and self._idle(node, said)):
            self.alias[node.output[0]] = node.input[0]
            return
        missing = [n for n, v in zip(node.input, inputs, strict=True) if n and v is None]
        if missing:
            raise refuse(
                node,
                f"does more with the quantised weights {shown(missing[0])} than the "
                "hardware can; quantise its result",
            )
        if node.op_type not in FOLDED:
            hint = f" ({QCDQ})" if node.op_type in ("QuantizeLinear", "DequantizeLinear") else ""
            raise refuse(node, f"operator {kind(node)} of constants is not supported{hint}")
        for name, value in zip(node.output, compute(node, said, inputs, self.opset), strict=False):
            if name:
                self._check_numbers(node, name, value)
                self.constants[name] = value

    def _check_numbers(self, node: NodeProto, name: str, value: NDArray[Any]) -> None:
        """Refuse numbers that are not finite, but for limits of a Clip, and too many of them."""
        what = f"{called(node)}: the constant {shown(name)} that it makes"
        if value.dtype.kind == "f":
            finite(np.nan_to_num(value, nan=np.nan) if name in self.limits else value, what)
        self.folded += value.size
        if self.folded > MOST_ELEMENTS:
            raise refuse(
                node,
                f"the constants that the file computes up to here have more than "
                f"{MOST_ELEMENTS:,} elements; fold them before (onnxsim)",
            )

    def _keep(self, node: NodeProto) -> None:
        """Add a node whose results are weights."""
        del node.output[1:]
        self.nodes.append(node)
        self.weights.update(name for name in node.output if name)

    def _idle(self, node: NodeProto, said: dict[str, Any]) -> bool:
        """Whether a node does not change images."""
        if node.op_type == "Cast":
            if said.get("to") in _HALVES:
                raise refuse(
                    node, "rounds to half precision, which no layer does; export in float32"
                )
            # A cast to integers belongs to labels; elsewhere `read` refuses it.
            return said.get("to") in _FLOATS
        if node.op_type == "Dropout" and len(node.input) > 2:
            mode = self.constants.get(node.input[2])
            if mode is None or bool(np.any(mode)):
                raise refuse(node, "is in training mode; export the model in evaluation mode")
        return node.op_type in _IDLE

    def _reshape(self, node: NodeProto) -> None:
        """Make a reshape keep the batch, whatever its size."""
        target = self.constants.get(node.input[1])
        if target is None:
            raise refuse(node, "its target shape is computed from the image; export a fixed shape")
        shape = [int(n) for n in target.ravel()]
        rest = shape[1:]
        if not rest or min(rest) < -1 or rest.count(-1) > 1 or shape[0] not in self.batches:
            raise refuse(node, f"cannot reshape to {shape}: keep the batch as the first dimension")
        if 0 in rest and attributes(node).get("allowzero"):
            raise refuse(node, f"cannot reshape to {shape}: with allowzero it has no elements")
        name = fresh(f"{node.output[0]}.shape", self.names)
        self.constants[name] = np.array([0, *rest], np.int64)
        node.input[1] = name
        del node.attribute[:]  # allowzero would take the 0 for a size

    def _shape(self, node: NodeProto, tensor: str) -> list[int]:
        """Shape of a tensor that depends on images, for batch 1, inferred from the nodes so far."""
        if tensor in self.images:
            sides = _image(self.images[tensor]).type.tensor_type.shape.dim
            return [side.dim_value for side in sides]
        if tensor not in self.shapes:
            found = shape_of(self._behind(tensor), tensor)
            if found is None:
                raise refuse(
                    node, f"the shape of {shown(tensor)} is not known; export a fixed shape"
                )
            self.shapes[tensor] = found
        return self.shapes[tensor]

    def _behind(self, tensor: str) -> ModelProto:
        """A graph of the nodes that lead from tensors of known shape to this one."""
        nodes: list[NodeProto] = []
        wanted, known = {tensor}, {}
        for node in reversed(self.nodes):
            if wanted.isdisjoint(node.output):
                continue
            nodes.insert(0, node)
            for name in node.input:
                if name in self.images:
                    known[name] = _image(self.images[name])
                elif name in self.shapes:
                    known[name] = helper.make_tensor_value_info(
                        name, TensorProto.FLOAT, self.shapes[name]
                    )
                else:
                    wanted.add(name)
        return _graph(self, nodes, list(known.values()), tensor)


def _copy(node: NodeProto) -> NodeProto:
    made = NodeProto()
    made.CopyFrom(node)
    return made


QCDQ = "this is a QCDQ export; export as QONNX (brevitas.export.export_qonnx)"


def _model(made: _Tidy, output: str) -> ModelProto:
    """The new graph as a model."""
    used = {name for node in made.nodes for name in node.input}
    pixels = [name for name in made.images if name in used]
    if len(pixels) != 1:
        names = ", ".join(shown(name) for name in pixels) or "none"
        raise ModelError(f"the network reads the inputs {names}; want a single image")
    return _graph(made, made.nodes, [_image(made.images[pixels[0]])], output)


def _graph(
    made: _Tidy, nodes: Sequence[NodeProto], inputs: Sequence[ValueInfoProto], output: str
) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "headrace",
        inputs,
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.asarray(value, order="C"), name)
            for name, value in _values(made, nodes).items()
        ],
    )
    # Of QONNX's operators only Trunc has two versions that differ.
    second = any(node.op_type == "Trunc" and len(node.input) == 6 for node in nodes)
    opsets = [helper.make_opsetid("", made.opset), helper.make_opsetid(QONNX, 2 if second else 1)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="headrace")
    model.ir_version = 8
    return model


def _values(made: _Tidy, nodes: Sequence[NodeProto]) -> dict[str, NDArray[Any]]:
    """Constants that nodes read. Those of quantisers are float32, in which qonnx computes."""
    read = {name for node in nodes for name in node.input}
    floats = {n for node in nodes if node.domain == QONNX for n in node.input}
    return {
        name: value.astype(np.float32) if name in floats else value
        for name, value in made.constants.items()
        if name in read
    }


def _image(given: ValueInfoProto) -> ValueInfoProto:
    """The input with batch 1. Raises ModelError for shapes that are not those of an image."""
    kind, name = given.type.tensor_type, shown(given.name)
    if kind.elem_type not in (*_FLOATS, TensorProto.UINT8):
        raise ModelError(
            f"input {name}: its numbers are {data_type(kind.elem_type)}; use FLOAT, or UINT8"
        )
    sides = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
    if len(sides) < 2:
        raise ModelError(f"input {name}: its shape is {sides}; want a batch and an image")
    rest = sides[1:]
    if any(side is None or side < 1 for side in rest):
        raise ModelError(
            f"input {name}: its shape is {[side if side else '?' for side in sides]}; every side "
            "but the batch must be a fixed number of 1 or more"
        )
    size = int(np.prod([float(side or 0) for side in rest]))
    if size > MOST_PIXELS:
        raise ModelError(f"input {name}: {size:,} values in an image; use at most {MOST_PIXELS:,}")
    return helper.make_tensor_value_info(given.name, TensorProto.FLOAT, [1, *rest])
