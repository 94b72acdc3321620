"""Products with constant weights, in integers: units, offsets, and windows for the hardware."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np

from finn_build.errors import ModelError
from finn_build.frontend.hardware import window
from finn_build.frontend.rational import unit
from finn_build.frontend.stream import Codes, Pool, Product, Sums, wide
from finn_build.network.layers import Ints

MOST_WEIGHT_BITS = 16
# A weight's and a code's bits together: the adders of dot products have 32 bits (nn_compressor).
MOST_PRODUCT_BITS = 24
MOST_UNROLLED = 1 << 22  # weights of a layer that is written as one product with the whole image

Refuse = Callable[[str], ModelError]


def sums(product: Product, refuse: Refuse) -> Sums:
    """Accumulators of a product.

    Where the hardware cannot make the windows, as on images that are hardly larger than a window,
    the whole image is one vector. Raises ModelError by `refuse`.
    """
    rows = len(product.integers)
    if min(product.out) < 1:
        _, kh, kw, _ = product.integers.shape
        raise refuse(
            f"an image of {product.codes.height} x {product.codes.width} with padding "
            f"{list(product.pad)} has no room for a window of {kh} x {kw}"
        )
    if prod(product.out) == 1 or not _windows(product):
        return whole(unrolled(product, refuse), product.out, refuse)
    return _in_units(
        product,
        refuse,
        unrolled=False,
        channels=rows,
        positions=product.out,
        fill=_fill(product, refuse),
    )


def whole(product: Product, positions: tuple[int, int], refuse: Refuse) -> Sums:
    """Accumulators of a product with the whole image, rows in the order (row, column, output)."""
    channels = len(product.integers) // prod(positions)
    return _in_units(product, refuse, unrolled=True, channels=channels, positions=positions, fill=0)


def _windows(product: Product) -> bool:
    """Whether the hardware can make the windows, or needs none."""
    codes, (_, kh, kw, _) = product.codes, product.integers.shape
    if (kh, kw) == product.stride == (1, 1) and not any(product.pad):
        return True
    return window(codes, (kh, kw), product.stride, product.pad) is not None


def unrolled(product: Product, refuse: Refuse) -> Product:
    """The same as one product with the whole image, rows in the order (row, column, output)."""
    codes, (oh, ow) = product.codes, product.out
    rows, kh, kw, channels = product.integers.shape
    if oh * ow * rows * codes.height * codes.width * channels > MOST_UNROLLED:
        raise refuse(
            f"the hardware cannot make windows of {kh} x {kw} with stride {list(product.stride)} "
            f"and padding {list(product.pad)} on an image of {codes.height} x {codes.width}"
        )
    shape = (oh, ow, rows, codes.height, codes.width, channels)
    integers, scales = np.zeros(shape, np.int64), np.ones(shape)
    for y in range(oh):
        for x in range(ow):
            top = y * product.stride[0] - product.pad[0]
            left = x * product.stride[1] - product.pad[1]
            tall = _within(top, kh, codes.height)
            wide = _within(left, kw, codes.width)
            part = (
                slice(None),
                slice(tall.start - top, tall.stop - top),
                slice(wide.start - left, wide.stop - left),
            )
            integers[y, x, :, tall, wide] = product.integers[part]
            scales[y, x] = product.scales[:, :1, :1, :1]
            scales[y, x, :, tall, wide] = product.scales[part]
    flat = (oh * ow * rows, codes.height, codes.width, channels)
    return Product(
        codes=codes,
        integers=integers.reshape(flat),
        scales=scales.reshape(flat),
        bias=product.bias * (oh * ow),
    )


def _within(first: int, count: int, size: int) -> slice:
    """The part of a window that lies in the image; empty if the window is all padding."""
    start = min(max(first, 0), size)
    return slice(start, min(max(first + count, start), size))


def _fill(product: Product, refuse: Refuse) -> int:
    """The code that stands for zero: the padding holds it."""
    if not any(product.pad):
        return 0
    codes = product.codes
    # A channel that is always zero stays zero, whatever code the padding holds.
    zeros = {
        -shift / scale if scale else Fraction(-1)
        for scale, shift in zip(*_spread(codes), strict=True)
        if scale or shift
    } or {Fraction(0)}
    zero = zeros.pop()
    if zeros or zero.denominator != 1 or not 0 <= zero < 1 << codes.bits:
        low, high = (
            float(codes.scales[0] * c + codes.shifts[0]) for c in (0, (1 << codes.bits) - 1)
        )
        what = "BIPOLAR" if codes.bits == 1 and low == -high else f"{low:g} to {high:g} in steps"
        raise refuse(
            f"its padding is zero, which {what} activations cannot be; use no padding, or "
            "activations that can be zero"
        )
    return int(zero)


def _spread(codes: Codes) -> tuple[list[Fraction], list[Fraction]]:
    """Scale and shift of each channel."""
    return wide(codes.scales, codes.channels), wide(codes.shifts, codes.channels)


def _in_units(
    product: Product,
    refuse: Refuse,
    *,
    unrolled: bool,
    channels: int,
    positions: tuple[int, int],
    fill: int,
) -> Sums:
    """Integer weights with one unit for each row; the offsets include the shifts of the codes."""
    weights: Ints = product.integers.copy()
    spread = _spread(product.codes)
    even = all(len(set(values)) == 1 for values in spread)
    rows = [
        _row_in_units(product, row, weights[row], spread, refuse, even=even)
        for row in range(len(weights))
    ]
    bits = int(np.abs(weights).max(initial=0)).bit_length() + 1
    most = min(MOST_WEIGHT_BITS, MOST_PRODUCT_BITS - product.codes.bits)
    if bits > most:
        raise refuse(
            _no_unit(product)
            if bits > 24
            else f"weights of {bits} bits on activations of {product.codes.bits}; use at most "
            f"{most}"
        )
    return Sums(
        product=product,
        weights=weights,
        units=tuple(row_unit for row_unit, _ in rows),
        offsets=tuple(offset for _, offset in rows),
        unrolled=unrolled,
        channels=channels,
        positions=positions,
        fill=fill,
    )


def _row_in_units(
    product: Product,
    row: int,
    weights: Ints,
    spread: tuple[list[Fraction], list[Fraction]],
    refuse: Refuse,
    *,
    even: bool,
) -> tuple[Fraction, Fraction]:
    """The unit and the offset of a row, whose weights become multiples of the unit.

    even: whether all channels have the same scale and shift.
    """
    scales, shifts = spread
    row_scales = np.unique(product.scales[row][weights != 0])
    if not len(row_scales):
        return scales[0] or Fraction(1), product.bias[row]
    if even and len(row_scales) == 1:
        factor = Fraction(float(row_scales[0]))
        row_unit = factor * scales[0]
        offset = int(weights.sum()) * factor * shifts[0]
    else:
        factors, offset = _factors(product, row, scales, shifts)
        row_unit = unit(factors.values())
        for (scale, channel), factor in factors.items():
            times = factor / row_unit
            place = product.scales[row, :, :, channel] == scale
            if abs(times) >= 1 << MOST_WEIGHT_BITS:
                raise refuse(_no_unit(product))
            weights[:, :, channel][place] *= int(times)
    if not row_unit:
        weights[:] = 0
    return row_unit or Fraction(1), product.bias[row] + offset


def _factors(
    product: Product, row: int, scales: list[Fraction], shifts: list[Fraction]
) -> tuple[dict[tuple[float, int], Fraction], Fraction]:
    """The value of an integer weight times a code, by weight scale and channel; and the offset."""
    factors, offset = {}, Fraction(0)
    for channel in range(product.codes.channels):
        some = product.integers[row, :, :, channel]
        of = product.scales[row, :, :, channel]
        for scale in np.unique(of[some != 0]).tolist():
            factors[scale, channel] = Fraction(scale) * scales[channel]
            total = int(some[of == scale].sum())
            offset += total * Fraction(scale) * shifts[channel]
    return factors, offset


def _no_unit(product: Product) -> str:
    if len(set(product.codes.scales)) > 1:
        return (
            "the scales of its input differ from channel to channel and have no common unit of few "
            "bits; use one scale, or powers of two"
        )
    return (
        "its weights are not integers of at most 16 bits with one scale for each output: put a "
        "quantiser (Quant) on them"
    )


def averaged(
    made: Sums, kernel: tuple[int, int], stride: tuple[int, int], refuse: Refuse
) -> tuple[Product, tuple[int, int]]:
    """Means over windows of a product's results, as one product with the whole image.

    Returns the product, its rows in the order (row, column, output), and the rows and columns.
    """
    if made.unrolled:
        raise refuse("takes means of a product with the whole image; quantise the product before")
    (oh, ow), rows = made.product.out, len(made.product.integers)
    base = unrolled(made.product, refuse)
    size = kernel[0] * kernel[1]
    shape = (oh, ow, rows)
    height, width = (oh - kernel[0]) // stride[0] + 1, (ow - kernel[1]) // stride[1] + 1
    integers = base.integers.reshape(*shape, *base.integers.shape[1:])
    parts, bias = [], []
    for y in range(height):
        for x in range(width):
            tall = slice(y * stride[0], y * stride[0] + kernel[0])
            wide = slice(x * stride[1], x * stride[1] + kernel[1])
            parts.append(integers[tall, wide].sum(axis=(0, 1)))
            bias += list(made.product.bias)
    together = np.concatenate(parts)
    scales = np.broadcast_to(
        np.tile(made.product.scales[:, :1, :1, :1], (height * width, 1, 1, 1)), together.shape
    )
    if (made.product.scales != made.product.scales[:, :1, :1, :1]).any():
        raise refuse("means over products whose weights have several scales are not supported")
    codes = replace(
        made.product.codes,
        scales=tuple(s / size for s in made.product.codes.scales),
        shifts=tuple(s / size for s in made.product.codes.shifts),
    )
    return (
        Product(codes=codes, integers=together, scales=np.array(scales), bias=tuple(bias)),
        (height, width),
    )


def spread_channels(codes: Codes, pool: Pool, refuse: Refuse) -> Product:
    """Means over windows of codes, channel by channel, as a product.

    Raises ModelError by `refuse` for too many weights.
    """
    if codes.channels**2 * prod(pool.kernel) > MOST_UNROLLED:
        raise refuse(
            f"means of {codes.channels:,} channels over {list(pool.kernel)} pixels are too many"
        )
    integers = np.zeros((codes.channels, *pool.kernel, codes.channels), np.int64)
    for channel in range(codes.channels):
        integers[channel, :, :, channel] = 1
    size = prod(pool.kernel)
    divided = replace(
        codes,
        scales=tuple(s / size for s in codes.scales),
        shifts=tuple(s / size for s in codes.shifts),
    )
    return Product(
        codes=divided,
        integers=integers,
        scales=np.ones(integers.shape),
        bias=(Fraction(0),) * codes.channels,
        stride=pool.stride,
        pad=pool.pad,
    )
