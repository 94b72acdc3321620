"""Max-pooling of windows beside each other, which compiles to vector code on a CPU."""

from __future__ import annotations

from typing import cast

import torch
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
