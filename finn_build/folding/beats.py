"""When the beats of a stream come, and how many wait for the layer that takes them.

Times are in cycles, frame after frame, in float64. Such streams are monotone (Lee and
Messerschmitt, "Synchronous Data Flow", 1987): hardware that starts everything as early as possible
is never slower than a schedule made of these times.
"""

from dataclasses import dataclass, field, replace
from math import lcm

import numpy as np
from numpy.typing import NDArray

# The first frame finds everything empty; the next two show what repeats.
FRAMES = 3
# Cycles of a pixel through a width converter, and through a width converter and a window unit.
WIDTH, WINDOW = 1, 3
# Cycles of a beat through a FIFO, through a fork, and through a join.
FIFO = 2
FORK, JOIN = 1, 1
# Results for which a unit has room (nn_mvtu, nn_constant: axis_reserve).
RESULTS = 32

Times = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """The beats that a pool takes.

    times: when they come; last: for each beat that the pool gives, the beat that completes it;
    spare: beats that can wait before the pool.
    """

    times: Times
    last: NDArray[np.int64]
    spare: int


@dataclass(frozen=True, kw_only=True)
class Beats:
    """When the beats of a stream come, frame after frame, and the elements of each.

    spare: results that can wait in the unit that gives them; pooled: what the pool that gives the
    stream takes, or None.
    """

    times: Times
    elems: int
    spare: int = 0
    pooled: Pooled | None = None

    def in_pieces(self, elems: int) -> "Beats":
        """Beats of `elems` elements, each of which comes with its last element (axis_width)."""
        wide = lcm(self.elems, elems)
        beats = np.arange(1, len(self.times) * self.elems // elems + 1)
        last = -(-beats * elems // wide) * (wide // self.elems) - 1
        pooled = self.pooled and replace(self.pooled, last=self.pooled.last[last])
        spare = self.spare * self.elems // elems
        return Beats(times=self.times[last], elems=elems, spare=spare, pooled=pooled)

    def split(self, elems: int, taken: Times) -> Times:
        """When a width converter takes each beat, if its pieces of `elems` are taken at `taken`."""
        wide = lcm(self.elems, elems)
        up, down = wide // self.elems, wide // elems
        # The part that gathers beats holds a group of them, and so does the part that splits it.
        ahead = (up > 1) + (down > 1)
        left, done = self.times.copy(), taken[down - 1 :: down] + 1
        completes = left[up - 1 :: up]
        np.maximum(completes[ahead:], done[:-ahead], out=completes[ahead:])
        return left

    def before(self, pieces: "Beats", left: Times, taken: Times) -> int:
        """Beats that wait before a layer that takes the stream in pieces.

        Whole beats wait if pieces are narrower. left: when each piece becomes the next one to go;
        taken: when it is gone.
        """
        if not narrows(self.elems, pieces.elems):
            return pieces.depth(left, taken)
        taken = self.split(pieces.elems, taken)
        return self.depth(taken, taken)

    def depth(self, left: Times, taken: Times) -> int:
        """Beats that a FIFO has to hold: those that wait, or all if the pool must never stall.

        left: when each beat becomes the next one to go; taken: when it is gone.
        """
        waiting = _waiting(self.times, left)
        if self.pooled is None or _keeps_up(self, self.pooled, left, taken, waiting):
            return waiting
        return _most(self.times, taken)


@dataclass(kw_only=True)
class Timing:
    """What a schedule's frames have in common, and the beats that wait before each layer.

    frames: frames that the schedule works through; cycles: from one frame to the next; waits: beats
    that wait, by the layer's name.
    """

    frames: int
    cycles: int
    waits: dict[str, int] = field(default_factory=dict)


def narrows(before: int, after: int) -> bool:
    """Whether beats are split: whole beats wait then, since each piece takes a cycle of its own."""
    return after < before


def in_turn(ready: Times, step: float) -> Times:
    """Starts of works of `step` cycles each: each as soon as it is ready and the last one done."""
    turn = np.arange(len(ready)) * step
    begun: Times = np.maximum.accumulate(ready - turn) + turn
    return begun


def _most(times: Times, taken: Times) -> int:
    """Words of a FIFO that takes every beat at once, plus one for rounded times (axis_fifo)."""
    out = np.maximum(times + 1, np.append(-np.inf, taken[:-1] + FIFO))
    beats = np.arange(len(times))
    gone = np.minimum(np.searchsorted(out, times, side="left"), beats)
    return int((beats - gone).max()) + 2


def _keeps_up(beats: Beats, pool: Pooled, left: Times, taken: Times, depth: int) -> bool:
    """Whether a pool that stalls while its result waits makes up for it in the same frame."""
    accepted, out = np.empty_like(pool.times), np.empty_like(taken)
    latency = beats.times - pool.times[pool.last]
    depth = max(2, depth) if depth else 0
    now, result, stands = -np.inf, 0, [(-np.inf, -np.inf)] * 4
    for n, arrival in enumerate(pool.times):
        now = max(arrival, now + 1)
        for begin, end in stands[-4:]:
            if begin <= now < end:
                now = end
        accepted[n] = now
        while result < len(taken) and pool.last[result] == n:
            begin, end = stands[-1]
            there = now + latency[result] + (end - begin if now < begin else 0)
            if depth:
                gone = max(there, out[result - depth] + 1 if result >= depth else -np.inf)
                before = taken[result - 1] + FIFO if result else -np.inf
                out[result] = max(gone + 1, before)
            else:
                gone = max(there, taken[result])
            stands.append((there, gone))
            if (gone if depth else there) > max(beats.times[result], left[result]):
                return False
            result += 1
    return _waiting(pool.times, accepted) <= pool.spare


def _waiting(times: Times, pushed: Times) -> int:
    """The most beats that have come and not gone at any time."""
    come = np.arange(1, len(times) + 1)
    gone = np.searchsorted(pushed, times, side="right")
    return max(0, int((come - gone).max()))
