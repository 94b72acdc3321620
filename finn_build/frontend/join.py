"""Where branches meet: Concat of codes, Add of codes, and Add of codes to a product's sums."""

from __future__ import annotations

from dataclasses import replace

from onnx import NodeProto

from finn_build.frontend.check import attributes, refuse, shown
from finn_build.frontend.quantised import MOST_BITS
from finn_build.frontend.scope import Scope
from finn_build.frontend.stream import NO_SIDES, Codes, Pairs, Stream, Sums, wide
from finn_build.network.layers import Concat

MOST_SKIP_BITS = 5  # of a skip's codes: each code has a set of thresholds of its own


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


def add(scope: Scope, node: NodeProto) -> Stream:
    """Add of two branches of one shape, before a quantiser.

    Codes are added to a product's sums by thresholds that depend on the code. Codes are added to
    codes by a table.
    """
    streams = [scope.stream(node, index) for index in (0, 1)]
    if streams[0].layout != streams[1].layout:
        raise refuse(
            node,
            "adds activations of different shapes, or with their elements in another order; only "
            "equal ones can be added",
        )
    sums = [stream for stream in streams if _bare(stream)]
    if len(sums) == 2:
        raise refuse(
            node,
            "adds the results of two products: put a quantiser (Quant) on one of them, of at most "
            f"{MOST_SKIP_BITS} bits",
        )
    names = _names(streams[0], node)
    if sums:
        (stream,) = sums
        (other,) = (each for each in streams if each is not stream)
        skip = _quantised(scope, node, other)
        if skip.bits > MOST_SKIP_BITS:
            raise refuse(
                node,
                f"adds codes of {skip.bits} bits to a product; use at most {MOST_SKIP_BITS}",
            )
        return Stream(layout=stream.layout, base=_skipped(stream, skip), names=names)
    first, second = (_quantised(scope, node, stream) for stream in streams)
    bits = max(first.bits, second.bits)
    if 2 * bits > MOST_BITS:
        raise refuse(node, f"adds activations of {bits} bits; use at most {MOST_BITS // 2}")
    joined = _beside(scope, first, second, by_turns=True)
    base = Pairs(
        first=replace(first, bits=bits), second=replace(second, bits=bits), source=joined.source
    )
    return Stream(layout=streams[0].layout, base=base, names=names)


def _names(stream: Stream, node: NodeProto) -> tuple[str, ...]:
    return (*stream.names, shown(node.name or node.output[0]))


def _bare(stream: Stream) -> bool:
    """Whether a stream is a product's sums with nothing but scales and biases after them."""
    return stream.pad == NO_SIDES and stream.scaled_sums is not None


def _quantised(scope: Scope, node: NodeProto, stream: Stream) -> Codes:
    """The codes of a branch."""
    if stream.pad != NO_SIDES:
        raise refuse(node, "joins padded images; pad within the convolution")
    return scope.codes(stream, node)


def _skipped(stream: Stream, skip: Codes) -> Sums:
    """A product's sums with the scales and biases that follow them, and the skip's codes."""
    base = stream.base
    assert isinstance(base, Sums)
    rows = [base.scaled(row, stream.ops, row % base.channels) for row in range(len(base.units))]
    return replace(
        base,
        units=tuple(unit for unit, _ in rows),
        offsets=tuple(offset for _, offset in rows),
        skip=skip,
    )


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
