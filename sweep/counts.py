"""Filters of each convolution after pruning, from the network's shapes alone."""

from __future__ import annotations

from quant.config import Network
from sweep.config import Pruning


def even(network: Network, pruning: Pruning, iterations: int) -> list[int]:
    """Filters left when every layer gives up the same share in each iteration.

    Whole blocks of `pruning.block` filters, to the nearest and one at least; a layer that has less
    than a block to give up keeps what it has.
    """
    if not iterations:
        return network.filters
    share, block = (1.0 - pruning.share) ** iterations, pruning.block
    return [min(n, max(1, round(n * share / block)) * block) for n in network.filters]


def between(start: list[int], end: list[int], steps: int) -> list[list[int]]:
    """Filters after each of `steps` iterations from `start` to `end`, the same share in each."""
    return [
        [round(a * (b / a) ** (step / steps)) for a, b in zip(start, end, strict=True)]
        for step in range(1, steps + 1)
    ]


def probed(filters: int, block: int) -> int:
    """Filters that a layer is left with to see what they are worth: about three quarters.

    Whole blocks, one of them at least; all of the layer's if it has but one.
    """
    if filters <= block:
        return filters
    return max(1, min(round(0.75 * filters / block), (filters - 1) // block)) * block
