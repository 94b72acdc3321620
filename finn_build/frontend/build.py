"""Make layers of streams: what a layer reads must be the codes of a layer before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from finn_build.frontend import hardware
from finn_build.frontend.elementwise import (
    Affine,
    Quantiser,
)
from finn_build.frontend.layout import Layout
from finn_build.frontend.quantised import (
    MOST_BITS,
    WIDEST,
    Refuse,
    check_rising,
    requantised,
    scaled,
    split,
    uniform,
    values_of,
)
from finn_build.frontend.stream import Codes, Moving, Pairs, Pool, Skip, Stream, Sums, wide
from finn_build.frontend.tables import entries
from finn_build.frontend.thresholds import Levels, falls, levels
from finn_build.network.layers import Add, Ints, Layer, Lookup, Mvtu, Residual

MOST_PIXEL_BITS = 12
MOST_PAIR_BITS = 6  # of two codes that a table adds, although they could be added
_PIXELS = 8  # bits of a pixel
_ENTRIES = 12  # bits of the largest table's address


@dataclass(frozen=True, kw_only=True)
class Tap:
    """A tensor of the graph that holds the same values as the stream after a layer.

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
    """The layers so far, each after the layers that it reads, and the tensors to compare with them.

    reads: what each layer reads, by its name; made: the codes of streams whose layers exist
    already, by the streams' identity; sums: those of pairs that a layer adds, by the pairs' source;
    means: sums of windows, by what is summed; untapped: layers whose codes no tap compares, because
    no quantiser of the file gives them.
    """

    layers: list[Layer] = field(default_factory=list)
    reads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    taps: list[Tap] = field(default_factory=list)
    layouts: dict[str, Layout] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    made: dict[int, tuple[Stream, Codes]] = field(default_factory=dict)
    sums: dict[str, Codes] = field(default_factory=dict)
    means: dict[tuple[Codes, Pool], Codes] = field(default_factory=dict)
    untapped: set[str] = field(default_factory=set)

    def name(self, prefix: str) -> str:
        """Next name with a prefix: conv0, conv1, ..."""
        index = self.counts.get(prefix, 0)
        self.counts[prefix] = index + 1
        return f"{prefix}{index}"

    def codes(self, stream: Stream, refuse: Refuse) -> Codes:
        """Make layers of all operations on a stream, so that a product can read its codes.

        Raises ModelError by `refuse` where the stream is not quantised.
        """
        if id(stream) in self.made:
            return self.made[id(stream)][1]
        base = stream.base
        if isinstance(base, Sums):
            codes = self._thresholded(base, stream, refuse)
        elif isinstance(base, Pairs) and _added(base, stream):
            codes = self.codes(replace(stream, base=self._sum(base)), refuse)
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
        """Append a product with thresholds, and the pools after it."""
        before, quantiser, after, pools = split(stream, refuse)
        channels = base.channels
        check_rising(stream.ops, channels, refuse)
        values, kept = values_of(quantiser, after, channels, refuse)
        bits = max(1, len(kept).bit_length())
        found = levels(base, before, quantiser, kept, base.product.codes.bits)
        skip = base.skip
        if skip is not None and skip.gains is not None:
            rows = range(len(base.units))
            if any(falls(base, before, row) for row in rows):
                raise refuse("scales a sum of two branches by less than zero; scale before the Add")
        if skip is None:
            name = self.add_product(
                base,
                found.weights,
                thresholds=found.thresholds[:, 0],
                float_thresholds=found.bounds[:, 0],
                slack=found.slack,
            ).name
        else:
            name = self._residual(skip, self.add_product(base, found.weights), found)
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
        return self._pools(codes, pools, quantiser, len(kept), refuse)

    def _residual(self, skip: Skip, unit: Mvtu, found: Levels) -> str:
        """Append the layer that adds a skip to the sums of a unit."""
        base = skip.base
        if isinstance(base, Sums):
            other = self.add_product(base, base.weights)
            bits, source = other.out_bits, other.name
        else:
            bits, source = base.bits, base.source
        layer = Residual(
            name=self.name("residual"),
            skip_bits=bits,
            sum_bits=unit.out_bits,
            thresholds=found.thresholds,
            float_thresholds=found.bounds,
            slack=found.slack,
            gains=skip.gains,
            skip_signed=isinstance(base, Sums),
        )
        return self.add(layer, unit.name, source)

    def _sum(self, pairs: Pairs) -> Codes:
        """The sums of codes of one scale, by a layer that adds them."""
        if pairs.source in self.sums:
            return self.sums[pairs.source]
        first, second, gains = pairs.first, pairs.second, pairs.gains
        assert gains is not None
        layer = Add(
            name=self.name("add"),
            positions=first.height * first.width,
            channels=first.channels,
            gains=gains,
            widths=(first.bits, second.bits),
        )
        if layer.out_bits <= MOST_BITS:
            # Wider sums are not compared: float32 is off by more there than comparisons allow.
            self.untapped.add(layer.name)
        # The lowest sum is code 0.
        scales = tuple(scale / gains[0] for scale in first.scales)
        shifts = [
            a + b - layer.start * scale
            for a, b, scale in zip(
                *(wide(values, first.channels) for values in (first.shifts, second.shifts, scales)),
                strict=True,
            )
        ]
        made = replace(
            first,
            bits=layer.out_bits,
            scales=scales,
            shifts=tuple(shifts[:1] if len(set(shifts)) == len(scales) == 1 else shifts),
            source=self.add(layer, pairs.source),
            summed=True,
        )
        self.sums[pairs.source] = made
        return made

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
            if groups > 1:
                window = replace(window, groups=groups, filters=len(weights) // groups)
            source = self.add(window, source)
        flat: Ints = np.ascontiguousarray(weights.reshape(len(weights), -1))
        unit = Mvtu(
            name=name,
            positions=1 if base.unrolled else product.out[0] * product.out[1],
            windowed=not base.unrolled,
            groups=groups,
            in_bits=codes.bits,
            weight_bits=weight_bits(flat),
            weights=flat,
            image=base.positions if base.unrolled else (1, 1),
            **more,  # type: ignore[arg-type]
        )
        self.add(unit, source)
        return unit

    def _pools(
        self,
        codes: Codes,
        pools: Sequence[tuple[Moving, bool]],
        quantiser: Quantiser,
        kept: int,
        refuse: Refuse,
    ) -> Codes:
        """Append pools. The quantiser is tapped before the pools that follow it in the file.

        kept: how many levels of the quantiser the codes tell apart.
        """
        name, whole, tapped = codes.source, kept == quantiser.levels, False
        for pool, before in pools:
            if not before and not tapped:
                tapped = self._tap(name, quantiser, whole=whole)
            codes = self._moved(codes, pool, refuse)
            name = codes.source
        if not tapped:
            self._tap(name, quantiser, whole=whole)
        if not whole or not quantiser.tensor:
            self.untapped.add(codes.source)
        return codes

    def _moved(self, codes: Codes, op: Moving, refuse: Refuse) -> Codes:
        """Append a pool or an upsampling."""
        name = self.name("pool" if isinstance(op, Pool) else "upsample")
        layer = hardware.moved(codes, op, name=name)
        if layer is None:
            assert isinstance(op, Pool)
            raise refuse(
                f"the hardware has no maximum over {op.kernel[0]} x {op.kernel[1]} pixels with "
                f"stride {list(op.stride)} and padding {list(op.pad)}; use windows within the "
                "image, and padding smaller than the window"
            )
        source = self.add(layer, codes.source)
        return replace(codes, height=layer.out_height, width=layer.out_width, source=source)

    def _tap(self, name: str, quantiser: Quantiser, *, whole: bool) -> bool:
        if whole and quantiser.tensor:  # each level of the quantiser has a code of its own
            ends = [
                [quantiser.value(level, channel) for level in (0, 1)]
                for channel in range(len(quantiser.scales))
            ]
            scales, shifts = [high - low for low, high in ends], [low for low, _ in ends]
            tap = Tap(
                layer=name,
                tensor=quantiser.tensor,
                layout=self.layouts[quantiser.tensor],
                scales=tuple(scales),
                shifts=tuple(shifts),
            )
            self.taps.append(tap)
        return True

    def tap_codes(self, tensor: str, layout: Layout, codes: Codes) -> None:
        """Compare a layer's codes with the tensor that a product reads, if no tap does so yet."""
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
        """Append a table for each channel that does the operations on codes, as for pixels.

        The table holds what float32 gives: where nothing is summed, every program gives the same.
        For sums it holds the exact levels.
        """
        if isinstance(base, Codes) and all(isinstance(op, Moving) for op in stream.ops):
            return self._plain_pools(base, stream, refuse)
        stream = requantised(base, stream)
        before, quantiser, after, pools = split(stream, refuse)
        check_rising(stream.ops, base.channels, refuse)
        if base.bits > _ENTRIES:
            raise refuse(f"quantises codes of {base.bits} bits again; use at most {_ENTRIES}")
        # The quantiser may be wide: codes of few bits reach few of its levels.
        values, kept = values_of(quantiser, after, base.channels, refuse, most=WIDEST)
        same = base.even and uniform((*before, quantiser))
        rows, doubts = [], []
        for channel in range(1 if same else base.channels):
            reached, unsure_codes = entries(base, before, quantiser, channel)
            rows.append(np.searchsorted(np.array(kept), reached, side="right"))
            doubts.append(unsure_codes)
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
            raise refuse(f"reads activations of {layer.out_bits} bits; use at most {MOST_BITS}")
        codes = Codes(
            height=base.height,
            width=base.width,
            channels=base.channels,
            bits=layer.out_bits,
            scales=values[0],
            shifts=values[1],
            source=name,
        )
        return self._pools(codes, pools, quantiser, len(kept), refuse)

    def _check_range(self, tables: Ints, bits: int, steps: int, refuse: Refuse) -> None:
        top = (1 << bits) - 1
        taken = len(np.unique(tables))
        if taken < min(4, steps + 1):
            raise refuse(
                f"pixels of 0 to {top} take {taken} of {steps + 1} values; if the model expects "
                "another range, give its upper end: --pixel-max 1 for 0 to 1"
            )
        if int(tables.max()).bit_length() > MOST_PIXEL_BITS:
            raise refuse(f"quantises pixels to more than {MOST_PIXEL_BITS} bits")

    def _plain_pools(self, codes: Codes, stream: Stream, refuse: Refuse) -> Codes:
        """Append pools of codes on which nothing else is done."""
        pools = any(isinstance(op, Pool) for op in stream.ops)
        if pools and any(scale < 0 for scale in codes.scales):
            raise refuse("takes the largest of values with a negative scale; scale after the pool")
        for op in stream.ops:
            assert isinstance(op, Moving)
            codes = self._moved(codes, op, refuse)
        return codes


def _added(pairs: Pairs, stream: Stream) -> bool:
    """Whether a layer adds the pairs; a small table is cheaper where a quantiser follows."""
    if pairs.gains is None:
        return False
    quantised = any(isinstance(op, Quantiser) for op in stream.ops)
    return not quantised or pairs.bits > MOST_PAIR_BITS


def weight_bits(weights: Ints) -> int:
    """Bits of two's complement that hold all weights; 1 if all are -1 or 1."""
    if set(np.unique(weights)) <= {-1, 1}:
        return 1
    low, high = int(weights.min()), int(weights.max())
    return max(2, max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1)
