"""Quantised streams: their codes, the values of the codes, and levels that differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from finn_build.errors import ModelError
from finn_build.frontend.elementwise import Affine, Elementwise, Quantiser, apply_all, joined
from finn_build.frontend.stream import Codes, Moving, Pairs, Pool, Stream, wide

MOST_BITS = 8  # of activations between layers
WIDEST = 16  # bits of a quantiser, before later operations make some of its levels equal

Refuse = Callable[[str], ModelError]


def scaled(codes: Codes, ops: Sequence[Elementwise | Moving]) -> Codes:
    """The same codes, standing for their values after some scales and biases."""
    for op in ops:
        assert isinstance(op, Affine)
        parts = (codes.scales, codes.shifts, op.gains, op.offsets)
        count = max(map(len, parts))
        columns = zip(*(wide(part, count) for part in parts), strict=True)
        made = [(gain * scale, gain * shift + offset) for scale, shift, gain, offset in columns]
        codes = replace(codes, scales=tuple(m[0] for m in made), shifts=tuple(m[1] for m in made))
    return codes


def uniform(ops: Sequence[Elementwise]) -> bool:
    """Whether operations are the same for all channels."""
    numbers = ("gains", "offsets", "slopes", "scales")
    return all(len(getattr(op, name, (0,))) == 1 for op in ops for name in numbers)


def requantised(base: Codes | Pairs, stream: Stream) -> Stream:
    """A stream of codes without a quantiser, rewritten to begin with a quantiser of the codes.

    So operations on existing codes need no quantiser of their own in the file.
    """
    if isinstance(base, Pairs) or any(isinstance(op, Quantiser) for op in stream.ops):
        return stream
    if not base.even or base.scales[0] <= 0 or base.summed:
        return stream
    codes = Quantiser(
        tensor="",
        low=0,
        high=(1 << base.bits) - 1,
        zero=-base.shifts[0] / base.scales[0],
        scales=base.scales,
    )
    return replace(stream, ops=(codes, *stream.ops))


def split(
    stream: Stream, refuse: Refuse
) -> tuple[list[Elementwise], Quantiser, list[Elementwise], list[tuple[Moving, bool]]]:
    """Operations before the last quantiser, the quantiser, operations after it, and the pools.

    Each pool, or upsampling, comes with whether it is before that quantiser.
    """
    places = [i for i, op in enumerate(stream.ops) if isinstance(op, Quantiser)]
    if not places:
        done = ", ".join(stream.names[-3:]) or "the image"
        raise refuse(
            f"reads values that are not quantised (after {done}): put a quantiser (Quant) of at "
            f"most {MOST_BITS} bits before it"
        )
    last = places[-1]
    quantiser = stream.ops[last]
    assert isinstance(quantiser, Quantiser)
    before = [op for op in stream.ops[:last] if not isinstance(op, Moving)]
    after = [op for op in stream.ops[last + 1 :] if not isinstance(op, Moving)]
    pools = [(op, i < last) for i, op in enumerate(stream.ops) if isinstance(op, Moving)]
    return before, quantiser, after, pools


def check_rising(ops: Sequence[Elementwise | Moving], channels: int, refuse: Refuse) -> None:
    """Refuse negative scales between a pool and a quantiser: the largest code must stay largest."""
    places = [i for i, op in enumerate(ops) if isinstance(op, Pool)]
    last = max(i for i, op in enumerate(ops) if isinstance(op, Quantiser))
    for place in places:
        between = ops[place:last] if place < last else ops[last:place]
        for op in between:
            if isinstance(op, Affine) and any(op.gain(c) < 0 for c in range(channels)):
                raise refuse(
                    "a negative scale lies between a maximum and a quantiser; quantise before the "
                    "pool"
                )


def values_of(
    quantiser: Quantiser,
    after: Sequence[Elementwise],
    channels: int,
    refuse: Refuse,
    *,
    most: int = MOST_BITS,
) -> tuple[tuple[tuple[Fraction, ...], tuple[Fraction, ...]], list[int]]:
    """Scales and shifts of codes of at most `most` bits, and the levels at which a new code begins.

    Operations after a quantiser may make levels equal, as a ReLU does with negative ones; equal
    levels share a code.
    """
    if (bits := quantiser.levels.bit_length()) > WIDEST:
        raise refuse(f"reads values quantised to {bits} bits; use at most {MOST_BITS}")
    if not quantiser.levels:
        raise refuse("reads values that a quantiser gives a single level; leave out what follows")
    scales, shifts, kept = [], [], None
    same = uniform((*after, quantiser))
    for channel in range(1 if same else channels):
        way = joined(after, channel)
        values = [
            apply_all(way, quantiser.value(level, channel), channel)
            for level in range(quantiser.levels + 1)
        ]
        steps = [i + 1 for i, (a, b) in enumerate(pairwise(values)) if a != b]
        told = [values[0], *(values[i] for i in steps)]
        distances = {b - a for a, b in pairwise(told)}
        if len(distances) > 1:
            raise refuse("reads values that are not evenly spaced after their quantiser")
        if not distances:  # the channel is constant
            steps, distances = list(range(1, quantiser.levels + 1)), {Fraction(0)}
        if (bits := len(steps).bit_length()) > most:
            raise refuse(f"reads activations of {bits} bits; use at most {most}")
        if kept is not None and steps != kept:
            raise refuse("reads channels whose quantised levels differ")
        kept = steps
        scales.append(distances.pop())
        shifts.append(told[0])
    assert kept is not None
    if len(set(scales)) == 1 and len(set(shifts)) == 1:
        scales, shifts = scales[:1], shifts[:1]
    return (tuple(scales), tuple(shifts)), kept
