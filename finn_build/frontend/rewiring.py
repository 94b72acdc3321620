"""Picks of codes: channels, rows and columns that stay, and channels of zeros beside them.

They are a product with weights of 0 and 1, whose sums are the codes that were picked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from onnx import NodeProto

from finn_build.frontend.check import attributes, refuse, shown
from finn_build.frontend.elementwise import Quantiser
from finn_build.frontend.product import sums
from finn_build.frontend.scope import Scope, Value
from finn_build.frontend.stream import Codes, Product, Stream, wide


def cut(scope: Scope, node: NodeProto) -> Value:
    """Slice of channels, rows or columns of an image."""
    stream = scope.bare(node)
    layout = stream.layout
    kept = {axis: range(size) for axis, size in layout.sizes.items()}
    for place, part in _parts(scope, node, (1, *layout.shape)).items():
        size, axis = (1, *layout.shape)[place], layout.dims[place - 1] if place else ""
        chosen = range(size)[part]
        if chosen == range(size):
            continue
        if len(axis) != 1 or not chosen or chosen.step < 0:
            raise refuse(node, f"takes {chosen} of dimension {place}; use some of one whole axis")
        kept[axis] = chosen
    if all(kept[axis] == range(size) for axis, size in layout.sizes.items()):
        return stream
    made = picked(scope, node, stream, list(kept["c"]), (kept["h"], kept["w"]))
    sizes = {axis: len(some) for axis, some in kept.items()}
    dims = tuple("".join(a for a in axis if sizes[a] > 1) for axis in layout.dims)
    height, width, channels = sizes["h"], sizes["w"], sizes["c"]
    grown = replace(layout, height=height, width=width, channels=channels, dims=dims)
    return replace(made, layout=grown)


def _parts(scope: Scope, node: NodeProto, shape: tuple[int, ...]) -> dict[int, slice]:
    """What Slice takes of each dimension that it names; an old form has it in attributes."""
    said = attributes(node)
    names = ("starts", "ends", "axes", "steps")
    given: dict[str, list[int]] = {}
    for index, name in enumerate(names, 1):
        values = scope.numbers(node, index)
        found = said.get(name) if values is None else values.ravel().tolist()
        if found is not None:
            given[name] = [int(n) for n in found]
    starts, ends = given.get("starts", []), given.get("ends", [])
    axes = given.get("axes", list(range(len(starts))))
    steps = given.get("steps", [1] * len(starts))
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise refuse(node, f"starts {starts[:4]}, ends {ends[:4]}, steps {steps[:4]} do not fit")
    if any(not -len(shape) <= axis < len(shape) for axis in axes):
        raise refuse(node, f"has no dimensions {axes[:4]}; there are {len(shape)}")
    every = zip(axes, starts, ends, steps, strict=True)
    return {axis % len(shape): slice(start, end, step) for axis, start, end, step in every}


def picked(
    scope: Scope,
    node: NodeProto,
    stream: Stream,
    channels: Sequence[int | None],
    image: tuple[range, range] | None = None,
) -> Stream:
    """Some channels of a stream, and None for those of zeros, of some rows and columns.

    The layout is still the stream's.
    """
    codes = scope.codes(stream, node)
    image = image or (range(codes.height), range(codes.width))
    sizes = (codes.height, codes.width)
    # The windows are as small as gives so many of them; all but one of their pixels are ignored.
    kernel = [
        max(some.start + 1, size - len(some) * some.step + 1)
        for some, size in zip(image, sizes, strict=True)
    ]
    integers = np.zeros((len(channels), *kernel, codes.channels), np.int64)
    for row, channel in enumerate(channels):
        if channel is not None:
            integers[row, image[0].start, image[1].start, channel] = 1
    product = Product(
        codes=codes,
        integers=integers,
        scales=np.ones(integers.shape),
        bias=(Fraction(0),) * len(channels),
        stride=(image[0].step, image[1].step),
    )
    quantiser = _same(node, codes, channels)
    names = (*stream.names, shown(node.name or node.output[0]))
    made = sums(product, scope.refuse(node))
    return Stream(layout=stream.layout, base=made, ops=(quantiser,), names=names)


def _same(node: NodeProto, codes: Codes, channels: Sequence[int | None]) -> Quantiser:
    """The quantiser that gives the picked channels the codes that they had."""
    scales, shifts = wide(codes.scales, codes.channels), wide(codes.shifts, codes.channels)
    if any(scale <= 0 for scale in scales):
        raise refuse(node, "picks of values with a scale of zero or below; scale after it")
    zeros = {-shift / scale for shift, scale in zip(shifts, scales, strict=True)}
    zero = next(iter(zeros))
    top = (1 << codes.bits) - 1
    if len(zeros) > 1 or (None in channels and (zero.denominator != 1 or not 0 <= zero <= top)):
        raise refuse(node, "adds or picks channels whose codes have no common zero; use one scale")
    steps = [scales[0 if channel is None else channel] for channel in channels]
    return Quantiser(tensor="", low=0, high=top, zero=zero, scales=tuple(steps))
