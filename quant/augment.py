"""Augmentation of whole batches as tensor operations."""

from __future__ import annotations

import torch
from torch import Tensor


def translate(
    images: Tensor, reach_px: int, generator: torch.Generator, mirrored: Tensor
) -> Tensor:
    """Shift each image by up to `reach_px` in both directions, drawn at random.

    Args:
        images: (N, C, H, W), any dtype and device; what is shifted in is zero.
        reach_px: largest shift.
        generator: on the CPU, so that a seed gives the same batch on every device.
        mirrored: which images to mirror left to right first, bool (N,).

    Returns:
        A new tensor of the same shape and dtype.
    """
    shifts = torch.randint(0, 2 * reach_px + 1, (2, len(images)), generator=generator)
    return shifted(images, shifts, mirrored, reach_px)


def shifted(images: Tensor, shifts: Tensor, mirrored: Tensor, reach_px: int) -> Tensor:
    """Images at given shifts.

    Args:
        images: (N, C, H, W), any dtype and device; what is shifted in is zero.
        shifts: int64 (2, N), the row and column of the zero-padded image to begin at, each from 0
            to 2 x `reach_px`.
        mirrored: which images to mirror left to right first, bool (N,).
        reach_px: zeros on each side.

    Returns:
        A new tensor of the same shape and dtype.
    """
    count, _, height, width = images.shape
    device = images.device
    begin, flips = shifts.to(device)[:, :, None], mirrored.to(device)[:, None]
    rows = torch.arange(height, device=device) + begin[0]
    columns = torch.arange(width, device=device)
    # The mirror image of the zero-padded image, from the same column on.
    columns = columns + begin[1]
    columns = torch.where(flips, width - 1 + 2 * reach_px - columns, columns)
    padded = torch.nn.functional.pad(images, (reach_px,) * 4)
    index = torch.arange(count, device=device)[:, None, None]
    # Indices around the slice put the channels last; back to (N, C, H, W).
    picked = padded.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2)


def sides(count: int, seed: int, epoch: int) -> Tensor:
    """Which images an epoch shows mirrored: half of them at first, then each time the others.

    So that two epochs in a row show both sides of every image (Jordan, arXiv 2404.00498).

    Returns:
        bool (count,), on the CPU.
    """
    first = torch.randint(0, 2, (count,), generator=torch.Generator().manual_seed(seed)).bool()
    return first ^ bool(epoch % 2)


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
