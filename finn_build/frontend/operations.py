"""Append operations on every element to a stream, with numbers that are broadcast to channels."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from finn_build.frontend.check import refuse, shown
from finn_build.frontend.elementwise import Affine, Clip, Elementwise, Leaky
from finn_build.frontend.quantised import scaled
from finn_build.frontend.rational import fractions
from finn_build.frontend.scope import PADDED, Scope
from finn_build.frontend.shaping import shape_of
from finn_build.frontend.stream import NO_SIDES, Codes, Moving, Stream


def then(scope: Scope, stream: Stream, node: NodeProto, op: Elementwise | Moving) -> Stream:
    """A stream with one more operation."""
    names = (*stream.names, shown(node.name or node.output[0]))
    if stream.pad != NO_SIDES:
        if not isinstance(op, Affine | Clip | Leaky):
            raise refuse(node, PADDED)
        if any(op.apply(Fraction(0), channel) for channel in range(stream.layout.channels)):
            raise refuse(
                node, "changes the zeros that an image was padded with; do it before the padding"
            )
    bare = stream.average is not None and stream.average.pad == NO_SIDES
    if bare and isinstance(stream.base, Codes) and isinstance(op, Affine):
        # The mean of scaled codes is the scaled mean, unless zeros around the image count in it.
        return replace(stream, base=scaled(stream.base, (op,)), names=names)
    stream = scope.settled(stream, node)
    return replace(stream, ops=(*stream.ops, op), names=names)


def per_channel(node: NodeProto, stream: Stream, values: NDArray[np.generic]) -> list[Fraction]:
    """A constant of any shape that is broadcast to a stream: one number, or one a channel."""
    numbers = np.asarray(values, np.float64)
    places = stream.layout.channel_of(numbers)
    if places is None:
        raise refuse(
            node,
            f"a constant of shape {list(numbers.shape)} on activations of {shape_of(stream)} "
            "differs within a channel; use one number, or one for each channel",
        )
    flat = fractions(numbers)
    return [flat[i] for i in places]
