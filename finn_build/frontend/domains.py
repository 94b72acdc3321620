"""QONNX's operators under the names that they have today."""

from __future__ import annotations

from onnx import NodeProto, helper

from finn_build.frontend.check import refuse

QONNX = "qonnx.custom_op.general"
OURS = ("Quant", "IntQuant", "BipolarQuant", "Trunc")
_INPUTS = {"BipolarQuant": (2,), "Trunc": (5, 6)}  # of QONNX's operators; others have 4
# Domains that QONNX's operators have had; "" is none.
DOMAINS = (QONNX, "finn.custom_op.general", "onnx.brevitas", "qonnx", "")


def standard(node: NodeProto) -> None:
    """Give a QONNX quantiser the operator name and domain that qonnx uses today."""
    wanted = _INPUTS.get(node.op_type, (4,))
    if len(node.input) not in wanted or "" in node.input:
        raise refuse(node, f"has {len(node.input)} inputs; want {' or '.join(map(str, wanted))}")
    if node.op_type == "IntQuant":
        node.op_type = "Quant"
    node.domain = QONNX
    if node.op_type == "Quant":
        said = {each.name for each in node.attribute}
        defaults = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
        missing = {name: value for name, value in defaults.items() if name not in said}
        node.attribute.extend(helper.make_attribute(n, v) for n, v in missing.items())
        for each in node.attribute:
            if each.name == "rounding_mode" and each.s.upper() == b"ROUND_TO_ZERO":
                each.s = b"DOWN"  # the name that qonnx knows
