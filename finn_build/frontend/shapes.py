"""Shapes of all tensors of a tidy graph, by ONNX's own inference in one pass.

It also finds what cannot be: axes that a tensor does not have, sides that do not fit, integers
beside floats. qonnx's inference leaves all of this for whoever executes the graph.
"""

from __future__ import annotations

from onnx import ModelProto, shape_inference

from finn_build.errors import ModelError
from finn_build.frontend.check import called
from finn_build.frontend.domains import QONNX
from finn_build.frontend.unique import copied


def with_shapes(graph: ModelProto) -> ModelProto:
    """A tidy graph with the shapes of all tensors, which qonnx needs to execute it.

    Raises ModelError, naming the node, where these do not fit together.
    """
    made, inferred = copied(graph), _inferred(graph)
    known = {info.name for info in inferred.graph.input}
    for info in (*inferred.graph.value_info, *inferred.graph.output):
        sides = info.type.tensor_type.shape.dim
        if info.type.tensor_type.HasField("shape") and all(side.dim_value > 0 for side in sides):
            known.add(info.name)
    for node in graph.graph.node:
        if unknown := [name for name in node.output if name and name not in known]:
            raise ModelError(f"{called(node)}: the shape of its output {unknown[0]!r} is not known")
    del made.graph.value_info[:]
    made.graph.value_info.extend(inferred.graph.value_info)
    made.graph.output[0].CopyFrom(inferred.graph.output[0])
    return made


def shape_of(graph: ModelProto, tensor: str) -> list[int] | None:
    """The shape of one tensor of a graph; None if it is not known."""
    inferred = _inferred(graph).graph
    for info in (*inferred.value_info, *inferred.output):
        if info.name == tensor:
            sides = [side.dim_value for side in info.type.tensor_type.shape.dim]
            return sides if sides and min(sides) > 0 else None
    return None


def _inferred(graph: ModelProto) -> ModelProto:
    """A copy with shapes, in which QONNX's operators are identities, as their shapes are."""
    made = copied(graph)
    del made.graph.value_info[:]
    for node in made.graph.node:
        if node.domain == QONNX:
            node.op_type, node.domain = "Identity", ""
            del node.input[1:], node.attribute[:]
    try:
        return shape_inference.infer_shapes(made, check_type=True, strict_mode=True)
    except (shape_inference.InferenceError, ValueError, TypeError) as error:
        # The first of several errors, without onnx's own heads.
        lines = [line for line in str(error).split("\n") if "error" not in line.lower()[-12:]]
        text = (lines or [type(error).__name__])[0].split("Inference error(s): ")[-1]
        raise ModelError(f"its tensors' shapes do not fit together ({text[:300]!r})") from error
