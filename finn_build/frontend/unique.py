"""Names of tensors that no other has."""

from onnx import ModelProto


def all_names(proto: ModelProto) -> set[str]:
    """Names of all tensors that a graph speaks of."""
    graph = proto.graph
    named = (*graph.input, *graph.output, *graph.initializer)
    return {each.name for each in named} | {
        name for node in graph.node for name in (*node.input, *node.output)
    }


def fresh(name: str, names: set[str]) -> str:
    """A name like this one that nothing has, and that is had from now on."""
    while name in names:
        name += "_"
    names.add(name)
    return name
