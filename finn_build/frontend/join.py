"""Where branches meet: Concat of codes, and Add of codes and of products' sums."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from onnx import NodeProto

from finn_build.frontend.check import attributes, refuse, shown
from finn_build.frontend.quantised import MOST_BITS
from finn_build.frontend.scope import Scope
from finn_build.frontend.stream import NO_SIDES, Codes, Pairs, Skip, Stream, Sums, wide
from finn_build.frontend.thresholds import span
from finn_build.network.layers import Concat
from finn_build.network.layers.add import Weighted

MOST_SKIP_BITS = 5  # of a skip's codes: each code has a set of thresholds of its own
MOST_SUM_BITS = 24  # of codes that are added to codes
MOST_GAIN = 1 << 12  # of codes or sums that are added as multiples of one scale


def concat(scope: Scope, node: NodeProto) -> Stream:
    """Concat of quantised branches over their channels."""
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
    sizes = {(stream.layout.height, stream.layout.width) for stream in streams}
    if places != {"c"} or len(others) > 1 or len(sizes) > 1:
        raise refuse(node, "joins something other than the channels of images of one size")
    made = _quantised(scope, node, streams[0])
    for stream in streams[1:]:
        made = _beside(scope, made, _quantised(scope, node, stream), by_turns=False)
    dims = tuple("c" if i == axis else d for i, d in enumerate(layout.dims, 1))
    joined = replace(layout, channels=made.channels, dims=dims)
    return Stream(layout=joined, base=made, names=_names(streams[0], node))


def add(scope: Scope, node: NodeProto, first: Stream, second: Stream) -> Stream:
    """Add of two branches of one shape.

    To a product's sums codes are added by thresholds that depend on the code. Wider codes, other
    sums, and codes to codes are added as whole numbers, where both are multiples of one scale.
    Codes of few bits to others by a table, if a quantiser follows.
    """
    if first.layout != second.layout:
        raise refuse(
            node,
            "adds activations of different shapes, or with their elements in another order; only "
            "equal ones can be added",
        )
    names = _names(first, node)
    # What has rows for each position goes first, codes last.
    streams = sorted((first, second), key=_order)
    sums = [base for base in map(_bare, streams) if base is not None]
    if len(sums) == 2:
        made: Sums | Pairs = _both(node, *sums)
    elif sums:
        made = _skipped(node, sums[0], _quantised(scope, node, streams[1]))
    else:
        made = _pairs(scope, node, *(_quantised(scope, node, stream) for stream in streams))
    return Stream(layout=first.layout, base=made, names=names)


def _pairs(scope: Scope, node: NodeProto, first: Codes, second: Codes) -> Pairs:
    """Codes side by side, which a layer adds or a table reads."""
    scales = zip(*(wide(c.scales, c.channels) for c in (first, second)), strict=True)
    gains = multiples(scales)
    if gains is None and 2 * max(first.bits, second.bits) > MOST_BITS:
        raise refuse(
            node,
            f"adds activations of {first.bits} and {second.bits} bits whose scales are not whole "
            f"multiples of one number; use at most {MOST_BITS // 2} bits, or one scale for both",
        )
    if gains is not None:
        low, high = Weighted(gains=gains, ranges=(span(first), span(second))).reach
        if (bits := (high - low).bit_length()) > MOST_SUM_BITS:
            raise refuse(node, f"gives sums of {bits} bits; use at most {MOST_SUM_BITS}")
    joined = _beside(scope, first, second, by_turns=True)
    return Pairs(first=first, second=second, source=joined.source, gains=gains)


def _both(node: NodeProto, first: Sums, second: Sums) -> Sums:
    """Sums of two products, added as whole numbers."""
    count = len(second.units)
    others = [second.units[row % count] for row in range(len(first.units))]
    gains = multiples(zip(first.units, others, strict=True))
    if gains is None:
        raise refuse(
            node,
            "adds the results of two products whose scales are not whole multiples of one number: "
            f"put a quantiser (Quant) of at most {MOST_SKIP_BITS} bits on one of them",
        )
    offsets = [a + second.offsets[row % count] for row, a in enumerate(first.offsets)]
    return replace(
        first,
        units=tuple(unit / gains[0] for unit in first.units),
        offsets=tuple(offsets),
        skip=Skip(base=second, gains=gains),
    )


def _skipped(node: NodeProto, sums: Sums, skip: Codes) -> Sums:
    """A product's sums and the codes that are added to them."""
    if skip.bits <= MOST_SKIP_BITS:
        return replace(sums, skip=Skip(base=skip))
    rows = [row % sums.channels for row in range(len(sums.units))]
    scales, shifts = wide(skip.scales, skip.channels), wide(skip.shifts, skip.channels)
    gains = multiples((unit, scales[c]) for unit, c in zip(sums.units, rows, strict=True))
    if gains is None:
        raise refuse(
            node,
            f"adds codes of {skip.bits} bits to a product, and their scale and the product's are "
            f"not whole multiples of one number; use at most {MOST_SKIP_BITS} bits",
        )
    return replace(
        sums,
        units=tuple(unit / gains[0] for unit in sums.units),
        offsets=tuple(a + shifts[c] for a, c in zip(sums.offsets, rows, strict=True)),
        skip=Skip(base=skip, gains=gains),
    )


def multiples(scales: Iterable[tuple[Fraction, Fraction]]) -> tuple[int, int] | None:
    """The whole numbers of which the scales of each pair are one multiple, which is above zero.

    None if the ratio is not the same for all pairs, or if its numbers are large. The multiple is
    below zero for pairs whose first scale has another sign than that of the first pair.
    """
    pairs = list(scales)
    ratios = {a / b if a and b else None for a, b in pairs}
    if len(ratios) > 1 or (ratio := ratios.pop()) is None:
        return None
    sign = 1 if pairs[0][0] * ratio > 0 else -1
    gains = sign * ratio.numerator, sign * ratio.denominator
    return gains if max(map(abs, gains)) <= MOST_GAIN else None


def _names(stream: Stream, node: NodeProto) -> tuple[str, ...]:
    return (*stream.names, shown(node.name or node.output[0]))


def _bare(stream: Stream) -> Sums | None:
    """A product's sums and the scales and biases after them; None if there is more to do."""
    base = stream.scaled_sums
    if base is None or stream.pad != NO_SIDES:
        return None
    rows = [base.scaled(row, stream.ops, row % base.channels) for row in range(len(base.units))]
    return replace(
        base, units=tuple(unit for unit, _ in rows), offsets=tuple(offset for _, offset in rows)
    )


def _order(stream: Stream) -> int:
    base = _bare(stream)
    return 2 if base is None else int(not base.unrolled)


def _quantised(scope: Scope, node: NodeProto, stream: Stream) -> Codes:
    """The codes of a branch."""
    if stream.pad != NO_SIDES:
        raise refuse(node, "joins padded images; pad within the convolution")
    return scope.codes(stream, node)


def _beside(scope: Scope, first: Codes, second: Codes, *, by_turns: bool) -> Codes:
    """The codes of two branches in one stream."""
    builder = scope.builder
    layer = Concat(
        name=builder.name("concat"),
        positions=first.height * first.width,
        channels=(first.channels, second.channels),
        widths=(first.bits, second.bits),
        by_turns=by_turns,
    )
    builder.untapped.add(builder.add(layer, first.source, second.source))
    scales = (*wide(first.scales, first.channels), *wide(second.scales, second.channels))
    shifts = (*wide(first.shifts, first.channels), *wide(second.shifts, second.channels))
    alike = len(set(scales)) == len(set(shifts)) == 1
    return Codes(
        height=first.height,
        width=first.width,
        channels=first.channels + second.channels,
        bits=layer.bits,
        scales=scales[:1] if alike else scales,
        shifts=shifts[:1] if alike else shifts,
        source=layer.name,
    )
