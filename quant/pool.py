"""Max-pooling that compiles to vector code on a CPU, and means that keep a quantised scale."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from brevitas.quant_tensor import IntQuantTensor
from torch import Tensor, nn


def first_maximum(x: Tensor, size: int) -> Tensor:
    """Largest of each window of `size` x `size` pixels of x (N, C, H, W), by comparisons alone.

    Windows that do not fit are left out, and the first of equal pixels gets the gradient, both as
    PyTorch's max_pool2d does it.
    """
    height, width = (side // size * size for side in x.shape[2:])
    pixels = [
        x[:, :, row:height:size, column:width:size] for row in range(size) for column in range(size)
    ]
    best = pixels[0]
    for pixel in pixels[1:]:
        best = torch.where(best >= pixel, best, pixel)
    return best


class MaxPool(nn.MaxPool2d):
    """PyTorch's layer, but for compiled training: its gradient compiles to scalar code there."""

    def __init__(self, size: int) -> None:
        """Windows of `size` x `size` pixels."""
        super().__init__(size)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """The largest of each window: (N, C, H, W) to (N, C, H // size, W // size)."""
        if self.training and torch.compiler.is_compiling():
            return first_maximum(x, self.size)
        return cast(Tensor, super().forward(x))


class AveragePool(nn.Module):
    """The mean of each channel over all pixels; of quantised ones their sum with a finer scale."""

    def __init__(self, pixels: int) -> None:
        """`pixels` of an image."""
        super().__init__()
        self.pixels = pixels

    def forward(self, x: Any) -> Any:
        """Means (N, C) of x (N, C, H, W)."""
        if not isinstance(x, IntQuantTensor):
            return _mean(x)
        return x.set(
            value=_mean(x.value),
            scale=x.scale / self.pixels,
            bit_width=x.bit_width + math.ceil(math.log2(self.pixels)),
        )


def _mean(x: Tensor) -> Tensor:
    # Exported as the one operator that says what it is.
    return nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)
