"""The end of a network that gives values: its codes or its sums, and what they stand for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from finn_build.frontend.check import refuse
from finn_build.frontend.elementwise import Clip
from finn_build.frontend.ends import PADDED, Ended, identity
from finn_build.frontend.layout import Layout
from finn_build.frontend.pooling import summed
from finn_build.frontend.rational import as_float
from finn_build.frontend.scope import Scope
from finn_build.frontend.stream import Stream, Sums
from finn_build.network.layers import Mvtu, Values

MOST_VALUES = 1 << 16
_SUM_BITS = 24  # of a mean's sum; float32, which other programs compute in, has no more


def finish(scope: Scope, stream: Stream, node: NodeProto) -> Ended:
    """Append the last product, where there is one left, and the end that gives its values.

    Sums leave as they are: scales, biases and a last ReLU are of the numbers that they stand for.
    Raises ModelError for what is neither sums nor codes, and for too many values.
    """
    if any(stream.pad):
        raise refuse(node, PADDED)
    layout = stream.layout
    count = layout.height * layout.width * layout.channels
    if count > MOST_VALUES:
        raise refuse(node, f"gives {count:,} values; use at most {MOST_VALUES:,}")
    stream = _without_means(scope, stream, node)
    floor = bool(stream.ops) and stream.ops[-1] == Clip(low=Fraction(0))
    plain = replace(stream, ops=stream.ops[:-1]) if floor else stream
    if plain.scaled_sums is not None:
        return _of_sums(scope, plain.scaled_sums, plain, floor=0.0 if floor else None)
    codes = scope.codes(stream, node)
    if not any(isinstance(layer, Mvtu) for layer in scope.builder.layers):
        # The hardware's parallelism is that of its units: there is always one.
        bare = Stream(layout=layout, base=identity(codes, scope, node))
        assert isinstance(bare.base, Sums)
        return _of_sums(scope, bare.base, bare, floor=None)
    scope.builder.add(_end(layout, codes.bits, signed=False), codes.source)
    return Ended(scale=_numbers(codes.scales), offset=_numbers(codes.shifts), floor=None)


def _without_means(scope: Scope, stream: Stream, node: NodeProto) -> Stream:
    """The stream with pending means as the sums of windows, which may be wide."""
    codes = summed(scope.builder, stream, most=_SUM_BITS) if stream.average else None
    if codes is not None:
        return Stream(layout=stream.layout, base=codes, names=stream.names)
    return scope.settled(stream, node)


def _of_sums(scope: Scope, base: Sums, stream: Stream, *, floor: float | None) -> Ended:
    """Append the product and its values, whose scale and offset are those of each row."""
    layer = scope.builder.add_product(base, base.weights)
    rows = [base.scaled(row, stream.ops, row % base.channels) for row in range(layer.rows)]
    scope.builder.add(_end(stream.layout, layer.acc_bits, signed=True), layer.name)
    scales, offsets = zip(*rows, strict=True)
    return Ended(
        scale=_numbers(scales, base.channels), offset=_numbers(offsets, base.channels), floor=floor
    )


def _end(layout: Layout, bits: int, *, signed: bool) -> Values:
    return Values(
        name="values",
        height=layout.height,
        width=layout.width,
        channels=layout.channels,
        bits=bits,
        signed=signed,
        axes=tuple("hwc".index(axis) for axis in layout.order_of_all),
        sizes=layout.shape,
    )


def _numbers(values: tuple[Fraction, ...], channels: int = 1) -> float | NDArray[np.float64]:
    """The values as float64: one where they are alike, or one a channel where these repeat."""
    numbers = np.array([as_float(value) for value in values])
    if (numbers == numbers[0]).all():
        return float(numbers[0])
    repeats = (numbers.reshape(-1, channels) == numbers[:channels]).all()
    return numbers[:channels] if repeats else numbers
