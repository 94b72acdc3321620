"""Means of codes: sums of windows side by side, with the division in the codes' scale."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from finn_build.frontend.build import Builder
from finn_build.frontend.layout import Layout
from finn_build.frontend.product import MOST_PRODUCT_BITS
from finn_build.frontend.quantised import MOST_BITS
from finn_build.frontend.stream import NO_SIDES, Codes, Pool, Product, Stream, Sums
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


def mean_first(builder: Builder, base: Sums, layout: Layout, pool: Pool) -> Product | None:
    """The product of means, which is the mean of products where each is of one pixel.

    So the product has one position for each window, not one for each pixel. Appends the sums of
    the windows. None for products of several pixels, and where the sums have too many bits.
    """
    product = base.product
    if base.unrolled or (*product.integers.shape[1:3], *product.stride) != (1, 1, 1, 1):
        return None
    bits = int(np.abs(base.weights).max(initial=0)).bit_length() + 1
    most = min(MOST_SUM_BITS, MOST_PRODUCT_BITS - bits)
    if any(product.pad) or sum_bits(product.codes.bits, pool.kernel) > most:
        return None
    codes = summed(builder, Stream(layout=layout, base=product.codes, average=pool))
    return None if codes is None else replace(product, codes=codes)


def _side_by_side(codes: Codes, kernel: tuple[int, int], stride: tuple[int, int]) -> bool:
    """Whether each window begins where the one before it ends, or there is only one."""
    sizes = zip((codes.height, codes.width), kernel, stride, strict=True)
    return all(
        (size - k) // s + 1 == size // k and (s == k or size // k == 1) for size, k, s in sizes
    )
