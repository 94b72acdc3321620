"""Operators that only move elements (flatten, reshape, transpose, pad), and ONNX's windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from finn_build.frontend.check import attributes, refuse
from finn_build.frontend.layout import Layout, of_axes
from finn_build.frontend.quantised import uniform
from finn_build.frontend.rewiring import picked
from finn_build.frontend.scope import Scope, Value
from finn_build.frontend.stream import NO_SIDES, Codes, Constant, Moving, Sides, Stream, added
from finn_build.network.graph import IMAGE

MOST_DIMENSIONS = 8  # dimensions that a node may add


def shape_of(stream: Stream) -> str:
    """The shape of a stream's tensor, for messages."""
    return f"(1, {', '.join(str(n) for n in stream.layout.shape)})"


def image_only(node: NodeProto, stream: Stream) -> tuple[bool, int]:
    """Whether an image is transposed, and its dimensions. Raises ModelError for other tensors."""
    found = stream.layout.image()
    if found is None:
        raise refuse(
            node,
            f"its input of shape {shape_of(stream)} is not an image with channels first; transpose "
            "it before, as ONNX requires",
        )
    return found


def _moved(
    scope: Scope,
    node: NodeProto,
    of_constant: Callable[[NDArray[Any]], NDArray[Any]],
    of_layout: Callable[[Layout], Layout | None],
) -> Value:
    """A constant or a stream in another shape; its elements stay the same."""
    value = scope.values[node.input[0]]
    if isinstance(value, Constant):
        parts = (value.values, value.integers, value.scales)
        try:
            values, integers, scales = (None if v is None else of_constant(v) for v in parts)
        except (ValueError, IndexError) as error:  # NumPy's, for axes and sizes that do not fit
            raise refuse(
                node, f"does not fit constants of shape {list(value.values.shape)} ({error})"
            ) from error
        assert values is not None
        return Constant(values=values, integers=integers, scales=scales)
    if value.pad != NO_SIDES:
        raise refuse(node, "reads a padded image; only a convolution can follow a Pad")
    layout = of_layout(value.layout)
    if layout is None:
        raise refuse(
            node,
            f"splits activations of shape {shape_of(value)} in a way in which no stream can be "
            "read; merge whole dimensions only",
        )
    return replace(value, layout=layout)


def flatten(scope: Scope, node: NodeProto) -> Value:
    """Flatten: all dimensions but the batch become one."""
    axis = attributes(node).get("axis", 1)

    def constant(values: NDArray[Any]) -> NDArray[Any]:
        at = axis % max(1, values.ndim)
        return values.reshape(prod(values.shape[:at]), -1)

    def layout(before: Layout) -> Layout | None:
        at = axis if axis >= 0 else axis + 1 + len(before.dims)
        return before.reshaped([prod(before.shape)]) if at == 1 else None

    return _moved(scope, node, constant, layout)


def reshape(scope: Scope, node: NodeProto) -> Value:
    """Reshape to a constant shape whose first dimension is the batch."""
    target = scope.numbers(node, 1)
    assert target is not None
    sizes = [int(n) for n in target]
    value = scope.values[node.input[0]]
    if isinstance(value, Stream):
        before = value.layout
        sizes = sizes[1:]
        sizes = [
            before.shape[i] if n == 0 and i < len(before.dims) else n for i, n in enumerate(sizes)
        ]
        unfolded = _unfolded(value, sizes)
        if unfolded is not None:
            return unfolded

    def constant(values: NDArray[Any]) -> NDArray[Any]:
        kept = [values.shape[i] if n == 0 and i < values.ndim else n for i, n in enumerate(sizes)]
        return values.reshape(kept)

    return _moved(scope, node, constant, lambda layout: layout.reshaped(sizes))


def _unfolded(stream: Stream, sizes: list[int]) -> Stream | None:
    """A flat input reshaped to an image of one channel, or to one row of pixels; else None."""
    layout, base = stream.layout, stream.base
    alike = not any(isinstance(op, Moving) or not uniform((op,)) for op in stream.ops)
    plain = alike and stream.average is None
    if not plain or not isinstance(base, Codes) or base.source != IMAGE:
        return None
    if len(sizes) not in (2, 3):
        return None
    if layout.order != "w" or -1 in sizes or prod(sizes) != layout.width or len(base.scales) > 1:
        return None
    if sizes[0] != 1 or len(layout.dims) == 3:
        return None
    height, width = sizes[1:] if len(sizes) == 3 else (1, sizes[1])
    dims = ("c", "h", "w") if len(sizes) == 3 else ("c", "w")
    return replace(
        stream,
        layout=of_axes(height, width, 1, dims),
        base=replace(base, height=height, width=width),
    )


def transpose(scope: Scope, node: NodeProto) -> Value:
    """Transpose; the batch must stay the first dimension."""
    value = scope.values[node.input[0]]
    rank = 1 + len(value.layout.dims) if isinstance(value, Stream) else value.values.ndim
    order: list[int] = attributes(node).get("perm") or list(range(rank))[::-1]
    if isinstance(value, Stream) and (sorted(order) != list(range(rank)) or order[0] != 0):
        raise refuse(node, f"the order {order} moves the batch from the front")
    return _moved(
        scope, node, lambda values: values.transpose(order), lambda layout: layout.transposed(order)
    )


def _axes(scope: Scope, node: NodeProto) -> list[int] | None:
    values = scope.numbers(node, 1)
    axes = attributes(node).get("axes") if values is None else values.ravel().tolist()
    return None if axes is None else [int(a) for a in axes]


def squeeze(scope: Scope, node: NodeProto) -> Value:
    """Squeeze: remove dimensions of size 1, but never the batch."""
    axes = _axes(scope, node)

    def layout(before: Layout) -> Layout | None:
        rank = 1 + len(before.dims)
        shape = (1, *before.shape)
        gone = (
            [i for i in range(1, rank) if shape[i] == 1]
            if axes is None
            else [a % rank for a in axes]
        )
        if 0 in gone or any(shape[i] != 1 for i in gone):
            return None
        return replace(before, dims=tuple(d for i, d in enumerate(before.dims, 1) if i not in gone))

    place = None if axes is None else tuple(axes)
    return _moved(scope, node, lambda values: np.squeeze(values, place), layout)


def unsqueeze(scope: Scope, node: NodeProto) -> Value:
    """Unsqueeze: insert dimensions of size 1 after the batch."""
    axes = _axes(scope, node) or []
    if len(axes) > MOST_DIMENSIONS:
        raise refuse(node, f"adds {len(axes):,} dimensions; use at most {MOST_DIMENSIONS}")

    def layout(before: Layout) -> Layout | None:
        rank = 1 + len(before.dims) + len(axes)
        new = sorted(a % rank for a in axes)
        if 0 in new:
            return None
        dims = list(before.dims)
        for axis in new:
            dims.insert(axis - 1, "")
        return replace(before, dims=tuple(dims))

    return _moved(scope, node, lambda values: np.expand_dims(values, tuple(axes)), layout)


def pad(scope: Scope, node: NodeProto) -> Value:
    """Pad with zeros around an image, for the convolution that follows."""
    said = attributes(node)
    stream = scope.stream(node)
    flipped, _ = image_only(node, stream)
    if said.get("mode", "constant") != "constant":
        raise refuse(node, f"mode {said['mode']!r} is not supported; pad with zeros")
    value = scope.numbers(node, 2)
    if float(said.get("value", 0.0) if value is None or not value.size else value.reshape(-1)[0]):
        raise refuse(node, "pads with a number other than zero")
    given = scope.numbers(node, 1)
    pads = said.get("pads") if given is None else [int(n) for n in given.ravel()]
    axes = scope.numbers(node, 3)
    rank = 1 + len(stream.layout.dims)
    if axes is not None and pads is not None:
        sides = [0] * (2 * rank)
        for i, axis in enumerate(int(a) % rank for a in axes):
            sides[axis], sides[rank + axis] = pads[i], pads[len(axes) + i]
        pads = sides
    if pads is None or len(pads) != 2 * rank or min(pads) < 0:
        raise refuse(node, f"paddings {pads} do not fit; want zero or more on each side")
    if pads[0] or pads[rank]:
        raise refuse(node, "pads the batch; pad channels, rows and columns only")
    if pads[1] or pads[rank + 1]:
        stream = _more_channels(scope, node, (pads[1], pads[rank + 1]), flipped)
    more = _turned(_sides([*pads[2:rank], *pads[rank + 2 :]]), flipped)
    layout = stream.layout
    grown = layout.with_image(
        layout.height + more[0] + more[2],
        layout.width + more[1] + more[3],
        layout.channels,
        flipped=flipped,
    )
    # Padding adds zeros to values, so operations and means before it have to be done first.
    if stream.average is not None or stream.ops or not isinstance(stream.base, Codes):
        codes = scope.codes(stream, node)
        stream = Stream(layout=layout, base=codes, names=stream.names)
    return replace(stream, layout=grown, pad=added(stream.pad, more))


def _more_channels(scope: Scope, node: NodeProto, count: tuple[int, int], flipped: bool) -> Stream:
    """An image with channels of zeros before and after its own."""
    stream = scope.bare(node)
    layout = stream.layout
    before, after = ([None] * n for n in count)
    made = picked(scope, node, stream, [*before, *range(layout.channels), *after])
    channels = layout.channels + sum(count)
    return replace(
        made, layout=layout.with_image(layout.height, layout.width, channels, flipped=flipped)
    )


def _sides(values: Sequence[int]) -> Sides:
    """Padding of ONNX (all beginnings, then all ends) as top, left, bottom, right."""
    half = len(values) // 2
    heads, tails = list(values[:half]), list(values[half:])
    if half == 1:
        heads, tails = [0, *heads], [0, *tails]
    return (heads[0], heads[1], tails[0], tails[1])


def _turned(sides: Sides, flipped: bool) -> Sides:
    top, left, bottom, right = sides
    return (left, top, right, bottom) if flipped else sides


def _padding(
    node: NodeProto,
    said: dict[str, Any],
    sides: Sequence[int],
    windows: Sequence[tuple[int, int, int]],
) -> list[int]:
    """Padding of a node in ONNX's order, all beginnings, then all ends.

    sides: of the image; windows: kernel, stride and dilation along each side.
    """
    dims, shape = len(sides), [kernel for kernel, _, _ in windows]
    pads = list(said.get("pads") or [0] * (2 * dims))
    if len(pads) != 2 * dims or min(pads) < 0 or min(shape) < 1:
        raise refuse(node, f"kernel {shape}, pads {pads}: want {2 * dims} paddings of 0 and more")
    auto = said.get("auto_pad", "NOTSET")
    if auto not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise refuse(node, f"auto_pad {auto!r} is not known")
    if not auto.startswith("SAME"):
        return pads
    if any(dilation > 1 for _, _, dilation in windows):
        raise refuse(node, f"auto_pad {auto} with dilations; write its paddings as pads")
    totals = [
        max(0, (ceil(side / stride) - 1) * stride + (kernel - 1) * dilation + 1 - side)
        for side, (kernel, stride, dilation) in zip(sides, windows, strict=True)
    ]
    less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return [*less, *more] if auto == "SAME_UPPER" else [*more, *less]


def window(
    node: NodeProto,
    said: dict[str, Any],
    size: tuple[int, int],
    flipped: bool,
    dims: int,
    kernel: Sequence[int] | None = None,
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], Sides]:
    """Kernel, stride, dilation and padding of a node, over rows and columns of the stream.

    size: rows and columns of the image; dims: whether the tensor has 1 or 2 of them, `flipped` if
    columns come first; kernel: that of the weights, in the tensor's order. Raises ModelError for
    attributes that do not make a window.
    """
    shape = said.get("kernel_shape") or kernel
    if shape is None or len(shape) != dims or (kernel is not None and list(kernel) != list(shape)):
        raise refuse(
            node,
            f"kernel_shape {shape} does not fit"
            + (f" weights of {list(kernel)}" if kernel is not None else f" {dims} dimensions"),
        )

    def both(name: str) -> list[int]:
        values = list(said.get(name) or [1] * dims)
        if len(values) != dims or min(values) < 1:
            raise refuse(node, f"{name} {values}: want {dims} numbers of 1 and more")
        return values

    strides, dilations = both("strides"), both("dilations")
    sides = list(size[::-1] if flipped else size)[-dims:]
    pads = _padding(node, said, sides, list(zip(shape, strides, dilations, strict=True)))

    def pair(values: Sequence[int], one: int) -> tuple[int, int]:
        first, second = values if dims == 2 else (one, values[0])
        return (second, first) if flipped else (first, second)

    return (
        pair(list(shape), 1),
        pair(strides, 1),
        pair(dilations, 1),
        _turned(_sides(pads), flipped),
    )
