"""The end of a network that gives a label: logits as integers, and the values they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from finn_build.frontend.check import refuse
from finn_build.frontend.elementwise import Affine, Clip, Elementwise
from finn_build.frontend.layout import Layout
from finn_build.frontend.outputs import MOST_CLASSES
from finn_build.frontend.product import sums, unrolled, whole
from finn_build.frontend.rational import as_float, unit
from finn_build.frontend.scope import Scope
from finn_build.frontend.stream import NO_SIDES, Codes, Moving, Product, Stream, Sums
from finn_build.network.layers import Argmax, Ints, Mvtu

PADDED = "ends the network with a padded image; only a convolution can follow"
# How far an exporter's float32 product of two scales may be off: relative, and in units of a scale.
_ROUNDED, _NEAR = Fraction(1, 1 << 22), Fraction(1, 1 << 10)
_GAIN_BITS = 31  # of scores' gains without a common unit; their error is far below float32's


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The value of a logit is scale * logit + offset, but at least `floor`.

    scale, offset: one number for all classes, or one for each.
    """

    scale: float | NDArray[np.float64]
    offset: float | NDArray[np.float64]
    floor: float | None


def finish(scope: Scope, stream: Stream, node: NodeProto) -> Ended:
    """Append the last product and the argmax. Raises ModelError for ends that have no logits."""
    if stream.pad != NO_SIDES:
        raise refuse(node, PADDED)
    stream = scope.settled(stream, node)
    ops, floor = _ending(stream.ops)
    if ops is None or not isinstance(stream.base, Sums) or stream.base.skip is not None:
        base = identity(scope.codes(stream, node), scope, node)
        ops, floor = [], False
    else:
        base = stream.base
    base = _flat(scope, base, stream.layout, node)
    classes = len(base.weights)
    if classes > MOST_CLASSES:
        raise refuse(node, _too_many(classes))
    order = _order(stream.layout)
    gains, offsets = [], []
    for row in range(classes):
        channel = order[row] % stream.layout.channels
        gain, offset = base.scaled(row, ops, channel)
        gains.append(gain)
        offsets.append(offset)
    return _scored(scope, base, gains, offsets, floor=floor)


def _too_many(classes: int) -> str:
    return f"gives {classes:,} classes; use at most {MOST_CLASSES:,}, or --output values"


def _ending(ops: Sequence[Elementwise | Moving]) -> tuple[list[Elementwise] | None, bool]:
    """Scales and biases after the last product, and whether a ReLU follows; None for other ends."""
    rest = list(ops)
    floor = bool(rest) and rest[-1] == Clip(low=Fraction(0))
    if floor:
        rest.pop()
    if all(isinstance(op, Affine) for op in rest):
        return [op for op in rest if isinstance(op, Affine)], floor
    return None, False


def identity(codes: Codes, scope: Scope, node: NodeProto) -> Sums:
    """A product with the identity, for a network that ends in a quantiser or a pool."""
    count = codes.height * codes.width * codes.channels
    if count > MOST_CLASSES:
        raise refuse(node, _too_many(count))
    diagonal: Ints = np.eye(count, dtype=np.int64)
    shape = (count, codes.height, codes.width, codes.channels)
    product = Product(
        codes=codes,
        integers=diagonal.reshape(shape),
        scales=np.ones(shape),
        bias=(Fraction(0),) * count,
    )
    return whole(product, (codes.height, codes.width), scope.refuse(node))


def _flat(scope: Scope, base: Sums, layout: Layout, node: NodeProto) -> Sums:
    """All sums of an image as rows of one product, in the order of the file's output."""
    if not base.unrolled:
        base = whole(unrolled(base.product, scope.refuse(node)), base.positions, scope.refuse(node))
    order = _order(layout)
    product = base.product
    picked = Product(
        codes=product.codes,
        integers=product.integers[order],
        scales=product.scales[order],
        bias=tuple(product.bias[i] for i in order),
    )
    return sums(picked, scope.refuse(node))


def _order(layout: Layout) -> list[int]:
    """For each value of the file's output, in order, the row of the stream that gives it."""
    count = prod((layout.height, layout.width, layout.channels))
    rows = np.arange(count).reshape(1, layout.height, layout.width, layout.channels)
    return [int(i) for i in np.asarray(layout.from_stream(rows)).ravel()]


def _scored(
    scope: Scope, base: Sums, gains: list[Fraction], offsets: list[Fraction], *, floor: bool
) -> Ended:
    """Append the layer and the argmax that fit the scales and biases of the classes."""
    weights, bias = base.weights.reshape(len(base.weights), -1), None
    same = _one_scale(gains, offsets)
    if same is not None and (not floor or same[2] == 0):
        scale, numbers, offset = same
        bias = np.array(numbers, np.int64) if any(numbers) else None
        layer = _last(scope, base, weights, bias)
        scope.builder.add(
            Argmax(
                name="argmax", classes=layer.rows, bits=layer.acc_bits, floor=0 if floor else None
            ),
            layer.name,
        )
        return Ended(scale=as_float(scale), offset=as_float(offset), floor=0.0 if floor else None)
    layer = _last(scope, base, weights, None)
    # A class whose value does not depend on the image has gain 0.
    scores, biases = _scores(gains, offsets, layer.reach)
    scope.builder.add(
        Argmax(
            name="argmax",
            classes=layer.rows,
            bits=layer.acc_bits,
            gains=scores,
            biases=biases,
            floor=0 if floor else None,
        ),
        layer.name,
    )
    return Ended(
        scale=np.array([as_float(g) for g in gains]),
        offset=np.array([as_float(o) for o in offsets]),
        floor=0.0 if floor else None,
    )


def _last(scope: Scope, base: Sums, weights: Ints, bias: Ints | None) -> Mvtu:
    return scope.builder.add_product(base, weights, bias=bias)


def _one_scale(
    gains: list[Fraction], offsets: list[Fraction]
) -> tuple[Fraction, list[int], Fraction] | None:
    """The scale of all logits, a whole bias for each, and a common offset; None if there is none.

    Exporters round the product of two scales to float32: a bias that near to a whole number is
    taken for it.
    """
    scale = gains[0]
    if scale <= 0 or any(gain != scale for gain in gains):
        return None
    if len(set(offsets)) == 1:
        return scale, [0] * len(offsets), offsets[0]
    for common in (Fraction(0), offsets[0]):
        exact = [(offset - common) / scale for offset in offsets]
        whole_numbers = [round(each) for each in exact]
        if (
            all(
                abs(e - w) <= min(abs(w) * _ROUNDED, _NEAR)
                for e, w in zip(exact, whole_numbers, strict=True)
            )
            and max(map(abs, whole_numbers)) < 1 << 24
        ):
            return scale, whole_numbers, common
    return None


def _scores(
    gains: list[Fraction], offsets: list[Fraction], reach: tuple[int, int]
) -> tuple[Ints, Ints]:
    """Whole gains and biases whose scores order the classes as their values do.

    They are exact if they have a common unit with which scores take at most 60 bits. Otherwise they
    are rounded so that the largest gain has 31 bits: the error is a hundredth of what float32
    rounds off in the same sum.
    """
    step = unit([*gains, *offsets])
    most = max(map(abs, reach)) * max(map(abs, gains)) + max(map(abs, offsets))
    if max(map(abs, gains)) / step >= 1 << _GAIN_BITS or most / step >= 1 << 60:
        largest = max(max(map(abs, gains)), max(map(abs, offsets)) / (1 << 24)) or Fraction(1)
        step = largest / (1 << _GAIN_BITS)
    return (
        np.array([round(g / step) for g in gains], np.int64),
        np.array([round(o / step) for o in offsets], np.int64),
    )
