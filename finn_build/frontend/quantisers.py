"""Quant and BipolarQuant: what a file's quantisers do to weights and to activations."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from onnx import NodeProto

from finn_build.frontend.check import attributes, refuse, shown
from finn_build.frontend.constant import quantised
from finn_build.frontend.elementwise import ROUNDINGS, Quantiser
from finn_build.frontend.operations import per_channel, then
from finn_build.frontend.scope import Scope, Value
from finn_build.frontend.stream import Constant, Stream


def quant(scope: Scope, node: NodeProto) -> Value:
    """Quant and BipolarQuant, of activations or weights."""
    value = scope.values[node.input[0]]
    if isinstance(value, Constant):
        inputs = [scope.numbers(node, i) for i in range(len(node.input))]
        assert all(each is not None for each in inputs)
        _parameters(scope, node)
        integers, scales = quantised(node, [np.asarray(each) for each in inputs])
        return Constant(
            values=(integers * scales).astype(np.float32), integers=integers, scales=scales
        )
    low, high, zero, bipolar = _parameters(scope, node)
    made = then(
        scope,
        value,
        node,
        Quantiser(
            tensor=node.output[0],
            low=low,
            high=high,
            zero=Fraction(zero),
            scales=tuple(steps_of(scope, node, value)),
            rounding="HALF_EVEN" if bipolar else rounding_of(node),
            bipolar=bipolar,
        ),
    )
    scope.builder.layouts[node.output[0]] = made.layout
    return made


def steps_of(scope: Scope, node: NodeProto, stream: Stream, index: int = 1) -> list[Fraction]:
    """A quantiser's scales: one number, or one for each channel. Raises ModelError for zero."""
    scale = scope.numbers(node, index)
    assert scale is not None
    steps = per_channel(node, stream, scale)
    if any(each <= 0 for each in steps):
        raise refuse(node, f"a scale of {float(min(steps)):g} is not above zero")
    return steps


def rounding_of(node: NodeProto, default: str = "ROUND") -> str:
    """How a quantiser rounds. Raises ModelError for modes that QONNX does not have."""
    rounding = str(attributes(node).get("rounding_mode", default))
    if rounding.upper() not in ROUNDINGS:
        raise refuse(node, f"rounding mode {shown(rounding)} is not known: {', '.join(ROUNDINGS)}")
    return ROUNDINGS[rounding.upper()]


def whole_number(scope: Scope, node: NodeProto, index: int, what: str) -> int:
    """An input that is one whole number."""
    values = scope.numbers(node, index)
    assert values is not None
    found = np.unique(values)
    if len(found) != 1 or found[0] != np.rint(found[0]):
        few = ", ".join(f"{each:g}" for each in found[:3]) + (", ..." if len(found) > 3 else "")
        raise refuse(node, f"its {what} [{few}] is not one whole number")
    return int(found[0])


def bit_width(scope: Scope, node: NodeProto, index: int, what: str = "bit width") -> int:
    """An input that is a number of bits."""
    bits = whole_number(scope, node, index, what)
    if not 1 <= bits <= 32:
        raise refuse(node, f"a {what} of {bits}; use 1 to 32")
    return bits


def _parameters(scope: Scope, node: NodeProto) -> tuple[int, int, int, bool]:
    """A quantiser's lowest and highest integer, its zero point, and whether it gives a sign."""
    if node.op_type == "BipolarQuant":
        return -1, 1, 0, True
    said = attributes(node)
    rounding_of(node)
    zero = whole_number(scope, node, 2, "zero point")
    bits = bit_width(scope, node, 3)
    signed, narrow = bool(said.get("signed", 1)), bool(said.get("narrow", 0))
    if bits == 1 and signed:
        return -1, 1, zero, True
    if bits == 1 and narrow:
        raise refuse(node, "one bit in a narrow range leaves nothing but zero")
    return *limits(bits, signed=signed, narrow=narrow), zero, False


def limits(bits: int, *, signed: bool, narrow: bool) -> tuple[int, int]:
    """The lowest and the highest integer of some bits."""
    if signed:
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow
