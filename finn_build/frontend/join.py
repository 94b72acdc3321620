"""Branches that meet: products with the same input side by side, joined by Concat or Add.

All branches become rows of one layer, which the hardware works on as one: their windows are laid
over each other, and a branch that does nothing is rows that give their input. Two quantised
branches that are added need no adder: their codes, side by side, are the address of a table that
holds what the next quantiser makes of the sum, exact for scales of any kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from finn_build.frontend.build import MOST_BITS, Builder, Refuse, split, values_of
from finn_build.frontend.check import attributes, refuse, shown
from finn_build.frontend.product import MOST_UNROLLED, sums
from finn_build.frontend.scope import Scope
from finn_build.frontend.stream import NO_SIDES, Codes, Pairs, Product, Stream, Sums, wide
from finn_build.frontend.thresholds import Levels, levels, reach_of
from finn_build.network.layers import Ints

_BRANCH = (
    "joins branches that do not begin at the same layer's output, or hold more than one layer "
    "each; only quantised products with the same input can be joined"
)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One branch: its product, and whether the sums of this are codes without a quantiser."""

    product: Product
    stream: Stream
    plain: bool


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """The rows of one branch, and what their codes stand for."""

    base: Sums
    found: Levels
    scales: list[Fraction]
    shifts: list[Fraction]


def concat(scope: Scope, node: NodeProto) -> Stream:
    """Concat of branches over their channels."""
    streams = [scope.stream(node, index) for index in range(len(node.input))]
    layout = streams[0].layout
    rank = 1 + len(layout.dims)
    axis = int(attributes(node).get("axis", 1)) % rank
    places = {
        stream.layout.dims[axis - 1] or ("c" if stream.layout.channels == 1 else "one")
        for stream in streams
        if axis
    }
    others = {tuple(d for i, d in enumerate(s.layout.dims, 1) if i != axis) for s in streams}
    if places != {"c"} or len(others) > 1:
        raise refuse(node, "joins something else than the channels of images of one size")
    rows = _joined(scope, node, streams)
    codes = _stacked(scope, node, rows, by_turns=False)
    dims = tuple("c" if i == axis else d for i, d in enumerate(layout.dims, 1))
    made = replace(layout, channels=codes.channels, dims=dims)
    names = (*streams[0].names, shown(node.name or node.output[0]))
    return Stream(layout=made, base=codes, names=names)


def add(scope: Scope, node: NodeProto) -> Stream:
    """Add of two branches of one shape, before a quantiser."""
    streams = [scope.stream(node, index) for index in (0, 1)]
    first, second = (stream.layout for stream in streams)
    if first != second:
        raise refuse(node, "adds activations of different shapes; only equal ones can be added")
    rows = _joined(scope, node, streams)
    bits = max(r.found.thresholds.shape[1] for r in rows).bit_length()
    if 2 * bits > MOST_BITS:
        raise refuse(node, f"adds activations of {bits} bits; at most {MOST_BITS // 2} can be")
    codes = _stacked(scope, node, rows, by_turns=True)
    half = first.channels
    each = [
        replace(codes, channels=half, scales=tuple(r.scales), shifts=tuple(r.shifts)) for r in rows
    ]
    names = (*streams[0].names, shown(node.name or node.output[0]))
    return Stream(layout=first, base=Pairs(first=each[0], second=each[1]), names=names)


def _joined(scope: Scope, node: NodeProto, streams: Sequence[Stream]) -> list[_Rows]:
    """The rows of each branch, over windows that are the same for all."""
    parts = [_part(scope.builder, stream, scope.refuse(node)) for stream in streams]
    source = parts[0].product.codes
    if any(part.product.codes != source for part in parts):
        raise refuse(node, _BRANCH)
    scope.builder.check_end(source, lambda why: refuse(node, _BRANCH))
    products = _overlaid([part.product for part in parts], scope.refuse(node))
    return [
        _rows(part, product, scope.refuse(node))
        for part, product in zip(parts, products, strict=True)
    ]


def _part(builder: Builder, stream: Stream, why: Refuse) -> _Part:
    if stream.average is not None or stream.pad != NO_SIDES:
        raise why("joins means or padded images; quantise the means, pad within the convolution")
    made = builder.made.get(id(stream))
    codes = made[1] if made is not None else stream.base
    if isinstance(codes, Codes) and (made is not None or not stream.ops):
        count = codes.channels
        if count**2 > MOST_UNROLLED:
            raise why(f"joins {count:,} channels with others; that is too many")
        integers: Ints = np.eye(count, dtype=np.int64).reshape(count, 1, 1, count)
        product = Product(
            codes=codes,
            integers=integers,
            scales=np.ones(integers.shape),
            bias=(Fraction(0),) * count,
        )
        return _Part(product=product, stream=stream, plain=True)
    if not isinstance(stream.base, Sums):
        raise why(_BRANCH)
    if stream.base.unrolled and stream.base.positions != (1, 1):
        raise why("joins windows that the hardware has not")
    return _Part(product=stream.base.product, stream=stream, plain=False)


def _overlaid(products: Sequence[Product], why: Refuse) -> list[Product]:
    """The same products with windows of one size and place, zeros where one has no weights."""
    if len({p.out for p in products}) > 1 or len({p.stride for p in products}) > 1:
        raise why("joins branches of different strides or sizes")
    top, left = (max(p.pad[axis] for p in products) for axis in (0, 1))
    reach = [max(p.integers.shape[1 + axis] - p.pad[axis] for p in products) for axis in (0, 1)]
    size, stride, out = (top + reach[0], left + reach[1]), products[0].stride, products[0].out
    codes = products[0].codes
    bottom, right = (
        max(0, (out[axis] - 1) * stride[axis] + size[axis] - whole - before)
        for axis, whole, before in ((0, codes.height, top), (1, codes.width, left))
    )
    made = []
    for product in products:
        rows, kh, kw, channels = product.integers.shape
        down, across = top - product.pad[0], left - product.pad[1]
        place = (slice(None), slice(down, down + kh), slice(across, across + kw))
        integers: Ints = np.zeros((rows, *size, channels), np.int64)
        scales: NDArray[np.float64] = np.ones(integers.shape) * product.scales[:, :1, :1, :1]
        integers[place], scales[place] = product.integers, product.scales
        pad = (top, left, bottom, right)
        made.append(replace(product, integers=integers, scales=scales, pad=pad))
    return made


def _rows(part: _Part, product: Product, why: Refuse) -> _Rows:
    base = sums(product, why)
    codes, count = product.codes, len(product.integers)
    if part.plain:
        steps = np.arange(1, 1 << codes.bits)
        thresholds: Ints = np.tile(steps, (count, 1))
        found = Levels(
            weights=base.product.integers,
            thresholds=thresholds,
            bounds=thresholds.astype(np.float64) - 0.5,
            slack=np.zeros(count),
        )
        return _Rows(
            base=base,
            found=found,
            scales=wide(codes.scales, count),
            shifts=wide(codes.shifts, count),
        )
    before, quantiser, after, pools = split(part.stream, why)
    if pools:
        raise why("joins pooled branches; pool what is joined")
    values, kept = values_of(quantiser, after, count, why)
    return _Rows(
        base=base,
        found=levels(base, before, quantiser, kept, codes.bits),
        scales=wide(values[0], count),
        shifts=wide(values[1], count),
    )


def _stacked(scope: Scope, node: NodeProto, rows: Sequence[_Rows], *, by_turns: bool) -> Codes:
    """Append all rows as one layer: branch after branch, or by turns. Returns its codes."""
    builder, base = scope.builder, rows[0].base
    count = sum(len(r.found.weights) for r in rows)
    order = np.arange(count)
    if by_turns:
        order = order.reshape(len(rows), -1).T.ravel()
    levels_most = max(r.found.thresholds.shape[1] for r in rows)
    weights: Ints = np.concatenate([r.found.weights for r in rows])[order]
    never = 1 + max(abs(end) for end in reach_of(weights, base.product.codes.bits))
    thresholds: Ints = np.full((count, levels_most), never, np.int64)
    bounds = np.full((count, levels_most), np.inf)
    at = 0
    for r in rows:
        place = (slice(at, at + len(r.found.weights)), slice(0, r.found.thresholds.shape[1]))
        thresholds[place], bounds[place] = r.found.thresholds, r.found.bounds
        at += len(r.found.weights)
    bits = levels_most.bit_length()
    if bits > MOST_BITS:
        raise refuse(node, f"joins activations of {bits} bits; at most {MOST_BITS} can be")
    builder.untapped = True
    builder.add_product(
        base,
        weights,
        thresholds=thresholds[order],
        float_thresholds=bounds[order],
        slack=np.concatenate([r.found.slack for r in rows])[order],
    )
    scales = [scale for r in rows for scale in r.scales]
    shifts = [shift for r in rows for shift in r.shifts]
    alike = len(set(scales)) == len(set(shifts)) == 1
    return Codes(
        height=base.positions[0],
        width=base.positions[1],
        channels=count,
        bits=bits,
        scales=tuple(scales[:1] if alike else scales),
        shifts=tuple(shifts[:1] if alike else shifts),
        after=len(builder.layers),
    )
