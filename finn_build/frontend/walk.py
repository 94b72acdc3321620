"""Walk along a tidy graph and build the integer network."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod

import numpy as np
from onnx import ModelProto, NodeProto, numpy_helper

from finn_build.errors import ModelError
from finn_build.frontend import ends, operators, outputs, values
from finn_build.frontend.build import Tap as Tap
from finn_build.frontend.check import UNFORESEEN, attributes, refuse, shown
from finn_build.frontend.layout import Layout, of_axes
from finn_build.frontend.scope import Scope
from finn_build.frontend.shapes import with_shapes
from finn_build.frontend.stream import Codes, Constant, Stream
from finn_build.frontend.tidy import AXES, LEFT_OUT
from finn_build.network.graph import Network

_PIXEL_BITS = 8
MOST_VALUES = 1 << 24  # of a tensor, for one image
# What appends the last layers, by what they give.
ENDS = {outputs.LABEL: ends.finish, outputs.VALUES: values.finish}
# Operators that want channels first, as ONNX has them.
_ON_IMAGES = ("AveragePool", "Conv", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "Pad")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A network, and where to compare it with the graph that it came from.

    image: how the dimensions of the graph's input map to rows, columns and channels; logits: the
    same for its output; taps: its quantised tensors, in stream order.
    """

    network: Network
    image: Layout
    logits: Layout
    taps: tuple[Tap, ...] = field(default=())


def read(graph: ModelProto, name: str) -> Reading:
    """The integer network of a graph that `load` returned, for images of bytes.

    Raises ModelError, naming the node, for operators that the hardware has no layer for.
    """
    image = image_of(graph)
    scope = Scope()
    for tensor in graph.graph.initializer:
        scope.values[tensor.name] = Constant(values=numpy_helper.to_array(tensor))
    pixels = Codes(
        height=image.height,
        width=image.width,
        channels=image.channels,
        bits=_PIXEL_BITS,
        scales=(Fraction(1),),
    )
    scope.values[graph.graph.input[0].name] = Stream(layout=image, base=pixels)
    readers = Counter(name for node in graph.graph.node for name in node.input)
    for node in graph.graph.node:
        handler = operators.HANDLERS.get(node.op_type)
        if handler is None:
            raise refuse(node, operators.unsupported(node))
        try:
            made = handler(scope, node)
            if isinstance(made, Stream):
                _check_size(node, made.layout)
            if isinstance(made, Stream) and readers[node.output[0]] > 1:
                made = scope.shared(made, node)
            scope.values[node.output[0]] = made
        except UNFORESEEN as error:
            raise refuse(
                node, f"is put together in a way that cannot be read ({error!r})"
            ) from error
    last = scope.values[graph.graph.output[0].name]
    if not isinstance(last, Stream):
        raise ModelError(f"the output {shown(graph.graph.output[0].name)} is a constant")
    with_shapes(graph)  # raises ModelError where ONNX's rules are not kept
    _check_axes(graph, last.layout)
    try:
        ended = ENDS[outputs.kind_of(graph, last.layout)](scope, last, graph.graph.node[-1])
    except UNFORESEEN as error:
        raise ModelError(f"the network's end cannot be read ({error!r})") from error
    network = Network(
        name=name,
        height=image.height,
        width=image.width,
        channels=image.channels,
        scale=ended.scale,
        offset=ended.offset,
        floor=ended.floor,
        layers=tuple(scope.builder.layers),
        reads=scope.builder.reads,
    )
    network.shapes()  # raises ModelError where layers do not fit together
    _check_values(network, graph.graph.node[-1])
    return Reading(network=network, image=image, logits=last.layout, taps=tuple(scope.builder.taps))


def _check_size(node: NodeProto, layout: Layout) -> None:
    """Refuse tensors that no memory holds, as those of hostile sizes of windows and paddings."""
    count = layout.height * layout.width * layout.channels
    if count > MOST_VALUES:
        raise refuse(node, f"gives {count:,} values for an image; use at most {MOST_VALUES:,}")


def _check_values(network: Network, node: NodeProto) -> None:
    """Refuse values that float32, in which other programs compute them, does not have."""
    most = np.abs(network.scale) * network.reach + np.abs(network.offset)
    if not np.all(most <= np.finfo(np.float32).max):
        raise refuse(node, "its values reach beyond those of float32; leave out its scale or bias")


def _check_axes(graph: ModelProto, logits: Layout) -> None:
    """Refuse labels that are taken over a dimension that does not hold all classes."""
    notes = {p.key: p.value for p in graph.metadata_props}
    shape = (1, *logits.shape)
    for axis in (int(each) for each in notes.get(AXES, "").split(",") if each):
        if not -len(shape) <= axis < len(shape) or shape[axis] != prod(shape):
            raise ModelError(
                f"{notes.get(LEFT_OUT, 'the end')}: labels or probabilities over dimension {axis} "
                f"of {shape}, which does not hold all classes; flatten what they read"
            )


def image_of(graph: ModelProto) -> Layout:
    """How the dimensions of a graph's input map to rows, columns and channels.

    After the batch, three dimensions are channels, rows and columns, two are channels and columns,
    and one is the columns of a single row. Channels are last if the graph begins with a transpose
    that brings them to the front. Raises ModelError for other dimensions.
    """
    source = graph.graph.input[0]
    sides = [d.dim_value for d in source.type.tensor_type.shape.dim][1:]
    if len(sides) == 1:
        return of_axes(1, sides[0], 1, ("w",))
    if len(sides) == 2:
        if _channels_last(graph, source.name):
            return of_axes(1, sides[0], sides[1], ("w", "c"))
        return of_axes(1, sides[1], sides[0], ("c", "w"))
    if len(sides) != 3:
        raise ModelError(
            f"input {shown(source.name)}: {len(sides)} dimensions beside the batch; want channels, "
            "height and width"
        )
    if _channels_last(graph, source.name):
        return of_axes(sides[0], sides[1], sides[2], ("h", "w", "c"))
    return of_axes(sides[1], sides[2], sides[0], ("c", "h", "w"))


def _channels_last(graph: ModelProto, tensor: str) -> bool:
    """Whether what reads a tensor beyond scales, biases and quantisers brings channels forward.

    Where branches part there, one that does is enough, unless another one reads an image with
    channels first.
    """
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    idle = ("Add", "BatchNormalization", "Div", "Mul", "Quant", "BipolarQuant", "Sub")
    waiting, brought = [tensor], False
    while waiting:
        for node in readers.get(waiting.pop(), []):
            if node.op_type in idle:
                waiting += node.output
            elif node.op_type == "Transpose":
                brought |= attributes(node).get("perm") in ([0, 3, 1, 2], [0, 2, 1])
            elif node.op_type in _ON_IMAGES:
                return False
    return brought
