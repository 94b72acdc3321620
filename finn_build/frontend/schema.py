"""What ONNX and QONNX require of a node: its inputs and outputs, its attributes' types."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from onnx import AttributeProto, ModelProto, NodeProto, defs

from finn_build.errors import ModelError

_QUANTISER = {
    "signed": {int(AttributeProto.INT)},
    "narrow": {int(AttributeProto.INT)},
    "rounding_mode": {int(AttributeProto.STRING)},
}
_OURS = ("Quant", "IntQuant", "BipolarQuant", "Trunc")


def check_text(proto: ModelProto) -> None:
    """Raise ModelError for names that are not text: protobuf leaves these as bytes."""
    graph = proto.graph
    names: list[object] = [each.domain for each in proto.opset_import]
    names += [info.name for info in (*graph.input, *graph.output)]
    names += [tensor.name for tensor in graph.initializer]
    for node in graph.node:
        names += [node.name, node.op_type, node.domain, *node.input, *node.output]
        names += [each.name for each in node.attribute]
    for name in names:
        if not isinstance(name, str):
            raise ModelError(f"the name {name!r} is not text in UTF-8; the file is damaged")


def misfit(node: NodeProto, opset: int) -> str | None:
    """What is wrong with the form of a node; None if nothing is, or the operator is unknown.

    opset: version of ONNX's own operators that the file uses.
    """
    if node.op_type in _OURS:
        return _mistyped(node, _QUANTISER)
    if node.domain not in ("", "ai.onnx"):
        return None
    version = min(max(opset, 1), defs.onnx_opset_version())
    try:
        schema = defs.get_schema(node.op_type, version, "")
    except defs.SchemaError:
        return None
    known = _history()[node.op_type]
    for what, names, least, most in (
        ("inputs", node.input, schema.min_input, known.inputs),
        ("outputs", node.output, schema.min_output, len(node.output)),
    ):
        if not least <= len(names) <= most or "" in names[:least]:
            wanted = f"{least}" if most == least else f"{least} or more"
            return f"has {len([n for n in names if n])} {what}; want {wanted}"
    return _mistyped(node, known.types)


@dataclass
class _Known:
    """The most inputs that an operator has had in any version, and the types of its attributes."""

    inputs: int = 0
    types: dict[str, set[int]] = field(default_factory=dict)


@cache
def _history() -> dict[str, _Known]:
    kinds = AttributeProto.AttributeType
    known: dict[str, _Known] = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "":
            operator = known.setdefault(schema.name, _Known())
            operator.inputs = max(operator.inputs, schema.max_input)
            for name, each in schema.attributes.items():
                kind = kinds.Value(str(each.type).rpartition(".")[2])
                operator.types.setdefault(name, set()).add(int(kind))
    return known


def _mistyped(node: NodeProto, types: dict[str, set[int]]) -> str | None:
    kinds = AttributeProto.AttributeType
    for each in node.attribute:
        wanted = types.get(each.name)
        if wanted is not None and each.type not in wanted:
            found = kinds.Name(each.type) if each.type in kinds.values() else str(each.type)
            named = " or ".join(kinds.Name(kind) for kind in sorted(wanted))
            return f"attribute {each.name} is of the type {found}; want {named}"
    return None
