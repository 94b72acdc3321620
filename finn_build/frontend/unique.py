"""Copies of graphs, and unique names of their tensors."""

from onnx import ModelProto


def all_names(proto: ModelProto) -> set[str]:
    """Names of all tensors in a graph."""
    graph = proto.graph
    named = (*graph.input, *graph.output, *graph.initializer)
    return {each.name for each in named} | {
        name for node in graph.node for name in (*node.input, *node.output)
    }


def fresh(name: str, names: set[str]) -> str:
    """An unused name that begins with this one; it is added to `names`."""
    while name in names:
        name += "_"
    names.add(name)
    return name


def copied(graph: ModelProto) -> ModelProto:
    """A graph that can be changed while the given one stays as it is."""
    made = ModelProto()
    made.CopyFrom(graph)
    return made
