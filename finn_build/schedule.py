"""When the layers work within a frame, and what has to wait between them.

A layer that is as fast as the slowest one stands still whenever its input comes in bursts (a pooled
row) or gives nothing for a while (the first rows of a frame make no windows), unless enough waits
before it. The frames are worked through on paper, the first layer evenly and every other one as
soon as it can; what waits at most is what a FIFO has to hold. Streams of this kind are monotone
(Lee and Messerschmitt, "Synchronous Data Flow", 1987): with such FIFOs, hardware that starts
everything as early as possible is never slower than this schedule.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finn_build.folding import Folding
from finn_build.layers import Ints, MaxPool, Mvtu, Network, Window

# The first frame finds everything empty; two more show what repeats.
FRAMES = 3

Times = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Flow:
    """When the beats of a stream are there, frame after frame, and the elements of each."""

    times: Times
    elems: int


def depths(network: Network, folding: Folding) -> dict[str, int]:
    """Beats that wait before each window and each dense layer, by its name.

    A window's beat is a pixel. Before the first layer that multiplies nothing has to wait: what is
    there to feed it is not part of the accelerator.
    """
    found: dict[str, int] = {}
    flow: _Flow | None = None
    window: Window | None = None
    for layer in network.layers:
        if isinstance(layer, Window):
            window = layer
        elif isinstance(layer, MaxPool):
            assert flow is not None
            flow = _pool(layer, flow)
        elif isinstance(layer, Mvtu):
            fold = folding.folds[layer.name]
            spent = folding.costs[layer.name].cycles
            if flow is None:
                flow = _first(layer, spent, folding.cycles)
            elif window is not None:
                flow, found[window.name] = _convolve(window, layer, spent, flow)
            else:
                flow, found[layer.name] = _multiply(layer, fold.simd, spent, flow)
            if not layer.windowed:
                flow = _burst(flow, layer.rows // fold.pe, fold.pe)
            window = None
    return found


def _first(layer: Mvtu, spent: int, period: int) -> _Flow:
    """The results of the first layer, evenly spread."""
    vectors = np.arange(FRAMES * layer.positions, dtype=np.float64)
    return _Flow(times=(vectors * period + spent) / layer.positions, elems=layer.rows)


def _convolve(window: Window, layer: Mvtu, spent: int, flow: _Flow) -> tuple[_Flow, int]:
    """Pixels to windows to pixels."""
    pixels, step = window.height * window.width, spent / layer.positions
    needed = _needed(window)
    due = (np.arange(FRAMES)[:, None] * pixels + needed).ravel()
    # After the last frame the unit drains by itself.
    times = np.append(flow.times, np.full(int(due[-1]) + 1 - len(flow.times), flow.times[-1]))
    pushed, started = np.empty(len(times)), np.empty(len(due))
    now, busy, made = -np.inf, -np.inf, 0
    for n, arrival in enumerate(times):
        # Two windows wait in registers for the one that is being worked on.
        free = started[made - 2] if made >= 2 else -np.inf
        now = max(arrival, now + 1, free)
        pushed[n] = now
        if made < len(due) and n == due[made]:
            started[made] = busy = max(now, busy)
            busy += step
            made += 1
    return _Flow(times=started + step, elems=layer.rows), _waiting(flow.times, pushed)


def _needed(window: Window) -> Ints:
    """The pixel that completes each window; after the frame's own come those of the next."""
    lag = (window.kernel - 1 - window.pad) * (window.width + 1)
    rows = np.arange(window.out_height) * window.stride
    cols = np.arange(window.out_width) * window.stride
    return (rows[:, None] * window.width + cols + lag).ravel()


def _pool(layer: MaxPool, flow: _Flow) -> _Flow:
    """Pixels to the largest of each square, there with the square's last pixel."""
    k = layer.kernel
    image = flow.times.reshape(FRAMES, layer.height, layer.width)
    last = image[:, k - 1 :: k, k - 1 :: k][:, : layer.height // k, : layer.width // k]
    return _Flow(times=last.ravel() + 1, elems=layer.channels)


def _multiply(layer: Mvtu, simd: int, spent: int, flow: _Flow) -> tuple[_Flow, int]:
    """Beats to the last piece of every vector."""
    pieces = layer.cols // simd
    step = spent / pieces
    # The beat that brings a piece's last element, and the piece that has a beat's first.
    piece = np.arange(FRAMES * pieces)
    brings = ((piece + 1) * simd - 1) // flow.elems
    started = _in_turn(flow.times[brings], step)
    takes = np.arange(len(flow.times)) * flow.elems // simd
    # A beat leaves the FIFO as soon as the piece before its own is being worked on.
    left = np.where(takes > 0, started[takes - 1], -np.inf)
    pushed = np.maximum(flow.times, left)
    return _Flow(times=started[pieces - 1 :: pieces], elems=1), _waiting(flow.times, pushed)


def _in_turn(ready: Times, step: float) -> Times:
    """Starts of works of `step` cycles each, every one as soon as it is ready and its turn."""
    turn = np.arange(len(ready)) * step
    begun: Times = np.maximum.accumulate(ready - turn) + turn
    return begun


def _burst(flow: _Flow, groups: int, pe: int) -> _Flow:
    """The results of vectors whose last piece starts at these times, a group in every cycle."""
    return _Flow(times=(flow.times[:, None] + np.arange(1, groups + 1)).ravel(), elems=pe)


def _waiting(times: Times, pushed: Times) -> int:
    """Most beats that have come and not gone."""
    come = np.arange(1, len(times) + 1)
    gone = np.searchsorted(pushed, times, side="right")
    return max(0, int((come - gone).max()))
