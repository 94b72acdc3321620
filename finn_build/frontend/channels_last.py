"""QONNX's operators on channels-last tensors, as ONNX's own between transposes.

A transpose costs nothing in hardware: it only changes how a tensor names the axes of its stream.
"""

from __future__ import annotations

from collections.abc import Callable

from onnx import NodeProto, helper

from finn_build.frontend.check import attributes, refuse

DOMAIN = "qonnx.custom_op.channels_last"
_KINDS = ("BatchNormalization", "Conv", "MaxPool")


def channels_first(
    node: NodeProto, rank: Callable[[], int], fresh: Callable[[str], str]
) -> list[NodeProto]:
    """The nodes that stand for one of QONNX's channels-last operators.

    rank: gives the number of its input's dimensions, batch included; it is asked where the node
    itself does not say. fresh: makes an unused name from a name.
    """
    if node.op_type not in _KINDS:
        raise refuse(node, f"of the domain {DOMAIN} only {', '.join(_KINDS)} are supported")
    shape = attributes(node).get("kernel_shape")
    count = len(shape) + 2 if shape else rank()
    inner = NodeProto()
    inner.CopyFrom(node)
    inner.domain = ""
    nodes = []
    # Weights of a convolution have their channels last, too.
    for index in range(2 if node.op_type == "Conv" else 1):
        inner.input[index] = fresh(f"{node.input[index]}.first")
        order = [0, count - 1, *range(1, count - 1)]
        nodes.append(_transpose(node.input[index], inner.input[index], order))
    inner.output[0] = fresh(f"{node.output[0]}.first")
    back = _transpose(inner.output[0], node.output[0], [0, *range(2, count), 1])
    return [*nodes, inner, back]


def _transpose(source: str, target: str, order: list[int]) -> NodeProto:
    return helper.make_node("Transpose", [source], [target], perm=order)
