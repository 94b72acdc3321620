"""Layers out of streams: a stream that a layer reads becomes codes of a thresholded one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from finn_build.errors import ModelError
from finn_build.frontend import hardware
from finn_build.frontend.elementwise import (
    Affine,
    Elementwise,
    Quantiser,
    apply_all,
    joined,
    level32,
)
from finn_build.frontend.layout import Layout
from finn_build.frontend.stream import Codes, Pairs, Pool, Stream, Sums, wide
from finn_build.frontend.thresholds import Levels, doubtful, levels
from finn_build.network.layers import Ints, Layer, Lookup, MaxPool, Mvtu, Residual

MOST_BITS = 8  # of activations between layers
WIDEST = 16  # bits of a quantiser, before what follows makes some of its levels equal
MOST_PIXEL_BITS = 12
_PIXELS = 8  # bits of a pixel, and of the largest table

Refuse = Callable[[str], ModelError]


@dataclass(frozen=True, kw_only=True)
class Tap:
    """Where the graph's tensor can be compared with the stream after a layer.

    A code c of a channel stands for the value scales[channel] * c + shifts[channel] of the tensor;
    single numbers serve all channels.
    """

    layer: str
    tensor: str
    layout: Layout
    scales: tuple[Fraction, ...]
    shifts: tuple[Fraction, ...]


@dataclass(kw_only=True)
class Builder:
    """The layers so far, none before what it reads, and the tensors to compare them with.

    reads: what each layer reads, by its name; made: of streams that are codes already, by their
    identity; untapped: layers whose codes are not those of a quantiser of the file.
    """

    layers: list[Layer] = field(default_factory=list)
    reads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    taps: list[Tap] = field(default_factory=list)
    layouts: dict[str, Layout] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    made: dict[int, tuple[Stream, Codes]] = field(default_factory=dict)
    untapped: set[str] = field(default_factory=set)

    def name(self, prefix: str) -> str:
        """Next name with a prefix: conv0, conv1, ..."""
        index = self.counts.get(prefix, 0)
        self.counts[prefix] = index + 1
        return f"{prefix}{index}"

    def codes(self, stream: Stream, refuse: Refuse) -> Codes:
        """Make layers of all that is to be done to a stream, so that a product can read it.

        Raises ModelError by `refuse` where the stream is not quantised.
        """
        if id(stream) in self.made:
            return self.made[id(stream)][1]
        base = stream.base
        if isinstance(base, Sums):
            codes = self._thresholded(base, stream, refuse)
        elif isinstance(base, Codes) and all(isinstance(op, Affine) for op in stream.ops):
            return scaled(base, stream.ops)
        else:
            codes = self._table(base, stream, refuse)
        self.made[id(stream)] = stream, codes
        return codes

    def add(self, layer: Layer, *sources: str) -> str:
        """Append a layer that reads some others, or IMAGE. Returns its name."""
        self.layers.append(layer)
        self.reads[layer.name] = sources
        return layer.name

    def _thresholded(self, base: Sums, stream: Stream, refuse: Refuse) -> Codes:
        """A product with thresholds, and the pools after it."""
        before, quantiser, after, pools = split(stream, refuse)
        channels = base.channels
        _check_rising(stream.ops, channels, refuse)
        values, kept = values_of(quantiser, after, channels, refuse)
        bits = max(1, len(kept).bit_length())
        found = levels(base, before, quantiser, kept, base.product.codes.bits)
        if base.skip is None:
            name = self.add_product(
                base,
                found.weights,
                thresholds=found.thresholds[:, 0],
                float_thresholds=found.bounds[:, 0],
                slack=found.slack,
            ).name
        else:
            name = self._residual(base.skip, self.add_product(base, found.weights), found)
        height, width = base.positions
        codes = Codes(
            height=height,
            width=width,
            channels=channels,
            bits=bits,
            scales=values[0],
            shifts=values[1],
            source=name,
        )
        return self._pools(
            codes, pools, name, quantiser, whole=len(kept) == quantiser.levels, refuse=refuse
        )

    def _residual(self, skip: Codes, unit: Mvtu, found: Levels) -> str:
        """Append the layer that adds a skip's codes to the sums of a unit."""
        layer = Residual(
            name=self.name("residual"),
            skip_bits=skip.bits,
            sum_bits=unit.out_bits,
            thresholds=found.thresholds,
            float_thresholds=found.bounds,
            slack=found.slack,
        )
        return self.add(layer, unit.name, skip.source)

    def add_product(self, base: Sums, weights: Ints, **more: object) -> Mvtu:
        """Append a window, if one is needed, and the unit."""
        product = base.product
        codes, (_, kh, kw, _) = product.codes, product.integers.shape
        name, source = self.name("dense" if base.unrolled else "conv"), codes.source
        bare = (kh, kw) == product.stride == (1, 1) and not any(product.pad)
        groups, weights = (1, weights) if base.unrolled else hardware.by_groups(weights)
        if not base.unrolled and not bare:
            window = hardware.window(
                codes, (kh, kw), product.stride, product.pad, name=f"{name}_window", fill=base.fill
            )
            assert window is not None, "product.sums looks first"
            grouped = replace(window, groups=groups, filters=len(weights) // groups)
            source = self.add(grouped, source)
        flat: Ints = np.ascontiguousarray(weights.reshape(len(weights), -1))
        unit = Mvtu(
            name=name,
            positions=1 if base.unrolled else product.out[0] * product.out[1],
            windowed=not base.unrolled,
            groups=groups,
            in_bits=codes.bits,
            weight_bits=weight_bits(flat),
            weights=flat,
            **more,  # type: ignore[arg-type]
        )
        self.add(unit, source)
        return unit

    def _pools(
        self,
        codes: Codes,
        pools: Sequence[tuple[Pool, bool]],
        name: str,
        quantiser: Quantiser,
        *,
        whole: bool,
        refuse: Refuse,
    ) -> Codes:
        """Append pools; those that the file has after the quantiser come after its tap."""
        tapped = False
        for pool, before in pools:
            if not before and not tapped:
                tapped = self._tap(name, quantiser, whole=whole)
            name = self.name("pool")
            layer = hardware.pool(codes, pool, name=name)
            if layer is None:
                raise refuse(
                    f"a maximum over {pool.kernel[0]} x {pool.kernel[1]} pixels, stride "
                    f"{list(pool.stride)}, padding {list(pool.pad)}, is none that the hardware "
                    "has; use windows within the image, and padding smaller than they are"
                )
            height, width = hardware.pooled(codes.height, codes.width, pool)
            made = self.add(layer, codes.source)
            codes = replace(codes, height=height, width=width, source=made)
        if not tapped:
            self._tap(name, quantiser, whole=whole)
        if not whole:
            self.untapped.add(codes.source)
        return codes

    def _tap(self, name: str, quantiser: Quantiser, *, whole: bool) -> bool:
        layout = self.layouts[quantiser.tensor]
        if whole:  # all levels of the quantiser are told apart by the codes
            ends = [
                [quantiser.value(level, channel) for level in (0, 1)]
                for channel in range(len(quantiser.scales))
            ]
            scales, shifts = [high - low for low, high in ends], [low for low, _ in ends]
            tap = Tap(
                layer=name,
                tensor=quantiser.tensor,
                layout=layout,
                scales=tuple(scales),
                shifts=tuple(shifts),
            )
            self.taps.append(tap)
        return True

    def tap_codes(self, tensor: str, layout: Layout, codes: Codes) -> None:
        """Compare a layer's codes with what a product reads, where nothing else is."""
        if codes.source in self.untapped and all(codes.scales):
            self.taps.append(
                Tap(
                    layer=codes.source,
                    tensor=tensor,
                    layout=layout,
                    scales=codes.scales,
                    shifts=codes.shifts,
                )
            )
        self.untapped.discard(codes.source)

    def _table(self, base: Codes | Pairs, stream: Stream, refuse: Refuse) -> Codes:
        """Operations on codes as a table for each channel, as for quantised pixels.

        The table has what float32 gives, which is the same for every program, as nothing is summed.
        """
        if isinstance(base, Codes) and all(isinstance(op, Pool) for op in stream.ops):
            return self._plain_pools(base, stream, refuse)
        before, quantiser, after, pools = split(stream, refuse)
        _check_rising(stream.ops, base.channels, refuse)
        if base.bits > _PIXELS:
            raise refuse(f"quantises again what has more than {_PIXELS} bits")
        # Of a wide quantiser's levels, codes of few bits reach few.
        values, kept = values_of(quantiser, after, base.channels, refuse, most=WIDEST)
        same = base.even and uniform((*before, quantiser))
        rows, doubts = [], []
        for channel in range(1 if same else base.channels):
            inputs = [base.value32(code, channel) for code in range(1 << base.bits)]
            reached = [level32(before, quantiser, x, channel) for x in inputs]
            rows.append(np.searchsorted(np.array(kept), reached, side="right"))
            way = joined(before, channel)
            ends = [apply_all(way, x, channel) for x in inputs]
            doubts.append([doubtful(quantiser, x, channel) for x in ends])
        shape = (base.channels, 1 << base.bits)
        tables: Ints = np.ascontiguousarray(np.broadcast_to(np.array(rows, np.int64), shape))
        unsure = np.ascontiguousarray(np.broadcast_to(np.array(doubts, bool), shape))
        if not self.layers:
            self._check_range(tables, base.bits, len(kept), refuse)
        name = self.name("pixels" if not self.layers else "table")
        layer = Lookup(
            name=name,
            height=base.height,
            width=base.width,
            in_bits=base.bits,
            parts=2 if isinstance(base, Pairs) else 1,
            tables=tables,
            unsure=unsure,
        )
        self.add(layer, base.source)
        if layer.in_bits != _PIXELS and layer.out_bits > MOST_BITS:
            raise refuse(f"reads activations of {layer.out_bits} bits; at most {MOST_BITS} can be")
        codes = Codes(
            height=base.height,
            width=base.width,
            channels=base.channels,
            bits=layer.out_bits,
            scales=values[0],
            shifts=values[1],
            source=name,
        )
        whole = len(kept) == quantiser.levels
        return self._pools(codes, pools, name, quantiser, whole=whole, refuse=refuse)

    def _check_range(self, tables: Ints, bits: int, steps: int, refuse: Refuse) -> None:
        top = (1 << bits) - 1
        taken = len(np.unique(tables))
        if taken < min(4, steps + 1):
            raise refuse(
                f"pixels of 0 to {top} take {taken} of {steps + 1} values; if the model wants them "
                "up to another number, say it: --pixel-max 1 for 0 to 1"
            )
        if int(tables.max()).bit_length() > MOST_PIXEL_BITS:
            raise refuse(f"quantises pixels to more than {MOST_PIXEL_BITS} bits")

    def _plain_pools(self, codes: Codes, stream: Stream, refuse: Refuse) -> Codes:
        """Pools of codes as they are."""
        if any(scale < 0 for scale in codes.scales):
            raise refuse("takes the largest of values with a negative scale; scale after the pool")
        for pool in stream.ops:
            assert isinstance(pool, Pool)
            name = self.name("pool")
            layer: MaxPool | None = hardware.pool(codes, pool, name=name)
            if layer is None:
                raise refuse(
                    "its pooling windows are none that the hardware has; use padding smaller than "
                    "they are"
                )
            height, width = hardware.pooled(codes.height, codes.width, pool)
            made = self.add(layer, codes.source)
            codes = replace(codes, height=height, width=width, source=made)
        return codes


def weight_bits(weights: Ints) -> int:
    """Bits of two's complement that hold all weights; 1 for -1 and 1 alone."""
    if set(np.unique(weights)) <= {-1, 1}:
        return 1
    low, high = int(weights.min()), int(weights.max())
    return max(2, max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1)


def scaled(codes: Codes, ops: Sequence[Elementwise | Pool]) -> Codes:
    """Codes that stand for what scales and biases make of their values."""
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


def split(
    stream: Stream, refuse: Refuse
) -> tuple[list[Elementwise], Quantiser, list[Elementwise], list[tuple[Pool, bool]]]:
    """Operations before the last quantiser, it, those after it, and the pools.

    Each pool goes with whether it comes before that quantiser.
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
    before = [op for op in stream.ops[:last] if not isinstance(op, Pool)]
    after = [op for op in stream.ops[last + 1 :] if not isinstance(op, Pool)]
    pools = [(op, i < last) for i, op in enumerate(stream.ops) if isinstance(op, Pool)]
    return before, quantiser, after, pools


def _check_rising(ops: Sequence[Elementwise | Pool], channels: int, refuse: Refuse) -> None:
    """A largest value has the largest code only if nothing between them turns the order round."""
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
    """Scales and shifts of codes, and the quantiser's levels that the codes of `most` bits tell.

    What follows a quantiser, as a ReLU after a signed one, may make levels equal.
    """
    if (bits := quantiser.levels.bit_length()) > WIDEST:
        raise refuse(f"reads what is quantised to {bits} bits; at most {MOST_BITS} can be")
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
        if not distances:  # a channel that is constant
            steps, distances = list(range(1, quantiser.levels + 1)), {Fraction(0)}
        if (bits := len(steps).bit_length()) > most:
            raise refuse(f"reads activations of {bits} bits; at most {most} can be")
        if kept is not None and steps != kept:
            raise refuse("reads channels of different numbers of levels")
        kept = steps
        scales.append(distances.pop())
        shifts.append(told[0])
    assert kept is not None
    if len(set(scales)) == 1 and len(set(shifts)) == 1:
        scales, shifts = scales[:1], shifts[:1]
    return (tuple(scales), tuple(shifts)), kept
