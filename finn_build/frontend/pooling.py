"""Means of codes: sums of windows side by side, with the division in the codes' scale."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from finn_build.frontend.build import Builder
from finn_build.frontend.quantised import MOST_BITS
from finn_build.frontend.stream import NO_SIDES, Codes, Stream
from finn_build.network.layers import SumPool
from finn_build.network.layers.sum_pool import sum_bits

MOST_SUM_BITS = 16  # of a sum that a product reads


def summed(builder: Builder, stream: Stream, *, most: int = MOST_SUM_BITS) -> Codes | None:
    """Append the layer that sums the windows of a stream's means. Returns the sums' codes.

    None where windows overlap, leave gaps or are padded, and where a sum has more than `most` bits.
    """
    codes, average = stream.base, stream.average
    assert isinstance(codes, Codes) and average is not None
    kernel, stride = average.kernel, average.stride
    beside = average.pad == NO_SIDES and _side_by_side(codes, kernel, stride)
    if not beside or sum_bits(codes.bits, kernel) > most:
        return None
    if kernel == (1, 1):
        return codes
    # Branches may read the same means in several forms, flattened by each of them for itself.
    if (codes, average) in builder.means:
        return builder.means[codes, average]
    layer = SumPool(
        name=builder.name("sum"),
        height=codes.height,
        width=codes.width,
        channels=codes.channels,
        bits=codes.bits,
        kernel=kernel,
    )
    if layer.out_bits <= MOST_BITS:
        # Wider sums are not compared: float32 is off by more there than comparisons allow.
        builder.untapped.add(layer.name)
    made = replace(
        codes,
        height=layer.out_height,
        width=layer.out_width,
        bits=layer.out_bits,
        scales=tuple(scale / prod(kernel) for scale in codes.scales),
        source=builder.add(layer, codes.source),
        summed=True,
    )
    builder.means[codes, average] = made
    return made


def _side_by_side(codes: Codes, kernel: tuple[int, int], stride: tuple[int, int]) -> bool:
    """Whether each window begins where the one before it ends, or there is only one."""
    sizes = zip((codes.height, codes.width), kernel, stride, strict=True)
    return all(
        (size - k) // s + 1 == size // k and (s == k or size // k == 1) for size, k, s in sizes
    )
