"""Augmentation of whole batches as tensor operations."""

from __future__ import annotations

import torch
from torch import Tensor


def translate_and_flip(
    images: Tensor, reach_px: int, generator: torch.Generator, *, flip: bool = True
) -> Tensor:
    """Shift each image by up to `reach_px` in both directions and, if asked, flip half of them.

    Args:
        images: (N, C, H, W), any dtype and device; what is shifted in is zero.
        reach_px: largest shift.
        generator: on the CPU, so that a seed gives the same batch on every device.
        flip: mirror each image left to right with probability one half.

    Returns:
        A new tensor of the same shape and dtype.
    """
    count, _, height, width = images.shape
    device = images.device
    shifts = torch.randint(0, 2 * reach_px + 1, (2, count, 1), generator=generator).to(device)
    flips = torch.randint(0, 2, (count, 1), generator=generator).to(device).bool()
    rows = torch.arange(height, device=device) + shifts[0]
    columns = torch.arange(width, device=device)
    columns = torch.where(flips & flip, columns.flip(0), columns) + shifts[1]
    padded = torch.nn.functional.pad(images, (reach_px,) * 4)
    index = torch.arange(count, device=device)[:, None, None]
    # Indices around the slice put the channels last; back to (N, C, H, W).
    picked = padded.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2)


def cutout(images: Tensor, size_px: int, generator: torch.Generator) -> Tensor:
    """Set a square of `size_px` around a random pixel of each image to zero.

    Args:
        images: (N, C, H, W); not changed.
        size_px: side of the square, cut at the edges; 0 for none.
        generator: on the CPU.
    """
    if size_px == 0:
        return images
    count, _, height, width = images.shape
    top = torch.randint(0, height, (count, 1), generator=generator) - size_px // 2
    left = torch.randint(0, width, (count, 1), generator=generator) - size_px // 2
    rows, columns = torch.arange(height), torch.arange(width)
    in_rows = (rows >= top) & (rows < top + size_px)
    in_columns = (columns >= left) & (columns < left + size_px)
    hole = in_rows[:, None, :, None] & in_columns[:, None, None, :]
    return images.masked_fill(hole.to(images.device), 0)
