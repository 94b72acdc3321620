"""Windows and pools of the network, where the hardware has them."""

from finn_build.errors import ModelError
from finn_build.frontend.stream import Codes, Pool, Sides
from finn_build.network.layers import MaxPool, Window


def window(
    codes: Codes,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: Sides,
    *,
    name: str = "window",
    fill: int = 0,
) -> Window | None:
    """The layer that makes windows of codes; None where there is none such."""
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


def pool(codes: Codes, pool: Pool, *, name: str) -> MaxPool | None:
    """The layer that takes maxima of codes; None where there is none such."""
    try:
        return MaxPool(
            name=name,
            height=codes.height,
            width=codes.width,
            channels=codes.channels,
            bits=codes.bits,
            kernel=pool.kernel,
            stride=pool.stride,
            pad=pool.pad,
        )
    except ModelError:
        return None


def pooled(height: int, width: int, pool: Pool) -> tuple[int, int]:
    """Rows and columns after a pool."""
    top, left, bottom, right = pool.pad
    return (
        (height + top + bottom - pool.kernel[0]) // pool.stride[0] + 1,
        (width + left + right - pool.kernel[1]) // pool.stride[1] + 1,
    )
