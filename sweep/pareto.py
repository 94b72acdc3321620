"""Choose the designs that no other one beats, and the best share of a round.

Rounds with growing training are successive halving (Jamieson and Talwalkar, 2016), with the sorting
by fronts and crowding of NSGA-II (Deb et al., 2002) in place of a single figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

# The more the better, in every figure.
Figures = tuple[float, ...]


def dominates(one: Figures, other: Figures) -> bool:
    """Whether `one` is nowhere worse than `other`, and better somewhere."""
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))


def fronts(points: Sequence[Figures]) -> Iterator[list[int]]:
    """Indices of the points front by front: no point that is left dominates one of the front."""
    left = list(range(len(points)))
    while left:
        front = [n for n in left if not any(dominates(points[other], points[n]) for other in left)]
        yield front
        left = sorted(set(left) - set(front))


def best(points: Sequence[Figures], count: int) -> list[int]:
    """Indices of the `count` best points, ascending: whole fronts, then the loneliest."""
    chosen: list[int] = []
    for front in fronts(points):
        if len(chosen) >= count:
            break
        chosen += _loneliest(points, front, count - len(chosen))
    return sorted(chosen)


def _loneliest(points: Sequence[Figures], front: list[int], count: int) -> list[int]:
    """Of a front those with the most room around them; the ends of every figure come first."""
    if len(front) <= count:
        return front
    room = dict.fromkeys(front, 0.0)
    for figure in range(len(points[front[0]])):
        order = sorted(front, key=lambda n: (points[n][figure], n))
        span = points[order[-1]][figure] - points[order[0]][figure] or 1.0
        room[order[0]] = room[order[-1]] = inf
        for before, n, after in zip(order, order[1:], order[2:], strict=False):
            room[n] += (points[after][figure] - points[before][figure]) / span
    return sorted(front, key=lambda n: (-room[n], n))[:count]
