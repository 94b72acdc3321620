"""Means of codes: sums of windows side by side, with the division in the codes' scale."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from finn_build.frontend.build import Builder
from finn_build.frontend.layout import Layout
from finn_build.frontend.product import MOST_PRODUCT_BITS
from finn_build.frontend.quantised import MOST_BITS
from finn_build.frontend.stream import Codes, Product, Stream, Sums
from finn_build.network.layers import SumPool
from finn_build.network.layers.sum_pool import sum_bits

MOST_SUM_BITS = 16  # of a sum that a product reads


def summed(builder: Builder, stream: Stream, *, most: int = MOST_SUM_BITS) -> Codes | None:
    """Append the layer that sums the windows of a stream's means. Returns the sums' codes.

    None where windows overlap or leave gaps, and where a sum has more than `most` bits.
    """
    codes, average = stream.base, stream.average
    assert isinstance(codes, Codes) and average is not None
    kernel, stride = average[:2], average[2:]
    if not _side_by_side(codes, kernel, stride) or sum_bits(codes.bits, kernel) > most:
        return None
    if kernel == (1, 1):
        return codes
    if id(stream) in builder.made:
        return builder.made[id(stream)][1]
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
    builder.made[id(stream)] = stream, made
    return made


def mean_first(
    builder: Builder, base: Sums, layout: Layout, window: tuple[int, int, int, int]
) -> Product | None:
    """The product of means, which is the mean of products where each is of one pixel.

    So the product has one position for each window, not one for each pixel. Appends the sums of
    the windows; window: their kernel and stride. None for products of several pixels, and where the
    sums have too many bits.
    """
    product, (kh, kw) = base.product, window[:2]
    if base.unrolled or (*product.integers.shape[1:3], *product.stride) != (1, 1, 1, 1):
        return None
    bits = int(np.abs(base.weights).max(initial=0)).bit_length() + 1
    most = min(MOST_SUM_BITS, MOST_PRODUCT_BITS - bits)
    if any(product.pad) or sum_bits(product.codes.bits, (kh, kw)) > most:
        return None
    codes = summed(builder, Stream(layout=layout, base=product.codes, average=window))
    return None if codes is None else replace(product, codes=codes)


def _side_by_side(codes: Codes, kernel: tuple[int, int], stride: tuple[int, int]) -> bool:
    """Whether each window begins where the one before it ends, or there is only one."""
    sizes = zip((codes.height, codes.width), kernel, stride, strict=True)
    return all(
        (size - k) // s + 1 == size // k and (s == k or size // k == 1) for size, k, s in sizes
    )
