"""Labels and probabilities at the end of a graph: hardware gives the logits before them."""

from __future__ import annotations

from typing import Any

from onnx import NodeProto

from finn_build.frontend.check import attributes, called, refuse

LABELS = ("Softmax", "LogSoftmax", "ArgMax", "TopK")
_SHAPING = ("Cast", "Squeeze", "Unsqueeze", "Reshape", "Flatten")


def before_labels(
    nodes: list[NodeProto], output: str, opset: int
) -> tuple[str, list[str], list[int]]:
    """The logits behind an output of labels or probabilities; what follows them is removed.

    Returns the logits' name, the nodes that followed them, for messages, and the axes that labels
    or probabilities were taken over.
    """
    makers = {name: node for node in nodes for name in node.output}
    at, followed, axes = output, list[str](), list[int]()
    kinds: list[str] = []
    logits = output
    while at in makers:
        node = makers[at]
        if node.op_type in LABELS:
            if kinds and (at != logits or node.op_type not in ("Softmax", "LogSoftmax")):
                raise refuse(node, "makes labels or probabilities from which others are made")
            axes.append(_axis(node, attributes(node), opset))
            logits = node.input[0]
            followed.append(called(node))
            kinds.append(node.op_type)
        elif node.op_type not in _SHAPING:
            break
        at = node.input[0]
    if followed:
        if logits not in makers:
            raise refuse(makers[output], "makes labels of the image itself; there is no network")
        last = max(i for i, node in enumerate(nodes) if logits in node.output)
        del nodes[last + 1 :]
    return logits, followed, axes


def _axis(node: NodeProto, said: dict[str, Any], opset: int) -> int:
    if said.get("select_last_index") or not said.get("largest", 1):
        raise refuse(node, "does not take the first of the largest values; the label is that one")
    # Before version 13 probabilities are taken over all dimensions from the second one on.
    default = {"ArgMax": 0, "TopK": -1}.get(node.op_type, 1 if opset < 13 else -1)
    return int(said.get("axis", default))
