"""Windows and pools of the network, if the hardware has them."""

from math import gcd
from typing import Any

import numpy as np

from finn_build.errors import ModelError
from finn_build.folding.cost import divisors
from finn_build.frontend.stream import Codes, Moving, Pool, Repeat, Sides
from finn_build.network.layers import Ints, MaxPool, Upsample, Window


def window(
    codes: Codes,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: Sides,
    *,
    name: str = "window",
    fill: int = 0,
) -> Window | None:
    """The layer that makes windows of codes; None if the hardware has no such layer."""
    try:
        return Window(
            name=name,
            height=codes.height,
            width=codes.width,
            channels=codes.channels,
            bits=codes.bits,
            kernel=kernel,
            stride=stride,
            pad=pad,
            fill=fill,
        )
    except ModelError:
        return None


def moved(codes: Codes, op: Moving, *, name: str) -> MaxPool | Upsample | None:
    """The layer that pools or upsamples codes; None if the hardware has no such layer."""
    image: dict[str, Any] = {
        "name": name,
        "height": codes.height,
        "width": codes.width,
        "channels": codes.channels,
        "bits": codes.bits,
    }
    try:
        if isinstance(op, Repeat):
            return Upsample(**image, factors=op.factors)
        return MaxPool(**image, kernel=op.kernel, stride=op.stride, pad=op.pad)
    except ModelError:
        return None


def by_groups(weights: Ints) -> tuple[int, Ints]:
    """Split weights (ROWS, KH, KW, CHANNELS) into as many groups of channels as possible.

    Each group has equally many rows, in the order of the groups, and a row has zeros for the
    channels of all other groups. Returns the number of groups, and weights without these zeros:
    (ROWS, KH, KW, CHANNELS/groups).
    """
    rows, kh, kw, channels = weights.shape
    used = (weights != 0).any(axis=(1, 2))
    for groups in reversed(divisors(gcd(rows, channels))):
        own = np.arange(groups)
        blocks = used.reshape(groups, rows // groups, groups, channels // groups)
        if blocks.any(axis=(1, 3))[own[:, None] != own].any():
            continue
        parts = weights.reshape(groups, rows // groups, kh, kw, groups, channels // groups)
        return groups, parts[own, :, :, :, own].reshape(rows, kh, kw, -1)
    raise AssertionError("all rows and channels are one group")


def pooled(height: int, width: int, pool: Pool) -> tuple[int, int]:
    """Rows and columns after a pool."""
    top, left, bottom, right = pool.pad
    return (
        (height + top + bottom - pool.kernel[0]) // pool.stride[0] + 1,
        (width + left + right - pool.kernel[1]) // pool.stride[1] + 1,
    )
