"""Trunc: drops low bits of integers, as after the sums of an average pool.

QONNX's first version has five inputs and keeps the scale; the second has six, and says the scale of
what is left. Either is two quantisers in a row: one that finds the integers, whatever float32 made
of them, and one whose scale is a power of two larger.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import log2

from onnx import NodeProto

from finn_build.frontend.check import attributes, refuse
from finn_build.frontend.elementwise import Affine, Quantiser
from finn_build.frontend.extremes import extremes
from finn_build.frontend.operations import then
from finn_build.frontend.quantisers import (
    bit_width,
    limits,
    rounding_of,
    steps_of,
    whole_number,
)
from finn_build.frontend.scope import Scope, Value
from finn_build.frontend.stream import Constant, Stream, wide

_ALL = 1 << 40  # no integer that is truncated is larger
_MOST_DROPPED = 24  # bits


def trunc(scope: Scope, node: NodeProto) -> Value:
    """Trunc of activations, in either of QONNX's versions."""
    value = scope.values[node.input[0]]
    if isinstance(value, Constant):
        raise refuse(node, "truncates constants; use Quant")
    stream = scope.settled(value, node)
    first = len(node.input) == 5
    steps = steps_of(scope, node, stream)
    zero = Fraction(whole_number(scope, node, 2, "zero point"))
    given = bit_width(scope, node, 3, "input bit width")
    bits = bit_width(scope, node, 4 if first else 5, "output bit width")
    ends = steps if first else steps_of(scope, node, stream, 4)
    dropped = {given - bits} if first else _dropped(steps, ends)
    if len(dropped) != 1 or abs(min(dropped)) > _MOST_DROPPED:
        raise refuse(
            node,
            f"drops {sorted(dropped)[:4]} bits; use one number of at most {_MOST_DROPPED} for all "
            "channels",
        )
    ratio = Fraction(2) ** dropped.pop()  # below 1 where the output has more bits than are used
    whole = Quantiser(tensor="", low=-_ALL, high=_ALL, zero=zero, scales=tuple(steps))
    coarse = Quantiser(
        tensor=node.output[0],
        low=-_ALL,
        high=_ALL,
        zero=zero / ratio,
        scales=tuple(step * ratio for step in steps),
        rounding=rounding_of(node, "FLOOR"),
    )
    said = attributes(node)
    if first:  # it limits nothing: it has the integers that its input reaches
        low, high = _reached(stream, (whole, coarse))
    else:
        signed, narrow = bool(said.get("signed", 1)), bool(said.get("narrow", 0))
        low, high = limits(bits, signed=signed, narrow=narrow)
    coarse = replace(coarse, low=low, high=high)
    scope.builder.layouts[node.output[0]] = stream.layout
    # The first version keeps scale and zero point, though it drops bits.
    back = Affine(
        gains=tuple(e / c for e, c in _both(ends, list(coarse.scales))),
        offsets=tuple((zero / ratio - (zero if first else zero / ratio)) * end for end in ends),
    )
    if set(back.gains) == {Fraction(1)} and not any(back.offsets):
        return then(scope, then(scope, stream, node, whole), node, coarse)
    coarse = replace(coarse, tensor="")
    return then(scope, then(scope, then(scope, stream, node, whole), node, coarse), node, back)


def _both(first: list[Fraction], second: list[Fraction]) -> list[tuple[Fraction, Fraction]]:
    """Pairs of the numbers of each channel; single numbers serve all."""
    count = max(len(first), len(second))
    return list(zip(wide(tuple(first), count), wide(tuple(second), count), strict=True))


def _dropped(steps: list[Fraction], ends: list[Fraction]) -> set[int]:
    """Bits between an input and an output scale, of each channel."""
    return {round(log2(end / step)) for step, end in _both(steps, ends)}


def _reached(stream: Stream, quantisers: tuple[Quantiser, Quantiser]) -> tuple[int, int]:
    """The lowest and the highest integer that a stream may have behind two quantisers."""
    last = quantisers[1]
    found = []
    for channel in range(stream.layout.channels):
        for x in extremes(stream, channel):
            found.append(last.level(quantisers[0].apply(x, channel), channel) + last.low)
    return min(found), max(found)
