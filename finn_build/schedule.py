"""When the layers work within a frame, and what has to wait between them.

A layer that is as fast as the slowest one stands still whenever its input comes in bursts (a pooled
row) or gives nothing for a while (the first rows of a frame make no windows), unless enough waits
before it. The frames are worked through on paper, the first layer evenly and every other one as
soon as it can; what waits at most is what a FIFO has to hold. Streams of this kind are monotone
(Lee and Messerschmitt, "Synchronous Data Flow", 1987): with such FIFOs, hardware that starts
everything as early as possible is never slower than this schedule.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log2, prod

import numpy as np
from numpy.typing import NDArray

from finn_build import cost
from finn_build.folding import CONSTANT, Fold, Folding, slides
from finn_build.layers import Ints, Layer, Lookup, MaxPool, Mvtu, Network, Window
from finn_build.scoring import scoring
from finn_build.slices import plan_of
from finn_build.unit import constants

# The first frame finds everything empty; two more show what repeats.
FRAMES = 3
# Cycles of a pixel on its way through width converter and window.
_WINDOW = 3

Times = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Flow:
    """When the beats of a stream are there, frame after frame, and the elements of each."""

    times: Times
    elems: int


def depths(network: Network, folding: Folding) -> dict[str, int]:
    """Beats that wait before each window and each layer that multiplies, by its name.

    A window's beat is a pixel, or several; before the first window nothing has to wait: what is
    there to feed it is not part of the accelerator.
    """
    first = network.mvtus[0]
    fold = folding.folds[first.name]
    beats = first.positions // fold.pixels
    pace = folding.cycles / beats
    vectors = np.arange(FRAMES * beats, dtype=np.float64) * pace
    flow = _trickle(vectors, pace, first, fold) if first.windowed else _burst(vectors, first, fold)
    found: dict[str, int] = {}
    start = network.layers.index(first)
    window = network.windows.get(first.name)
    if window is not None and not slides(window, fold):
        gathered = _gathered(window, first, folding)
        found |= {first.name: gathered} if gathered else {}
    _follow(network.layers[start + 1 :], folding, FRAMES, flow, found)
    return found


def latency(network: Network, folding: Folding) -> int:
    """Cycles of one image in an idle accelerator: from its first pixel to its last logit."""
    pixels = np.arange(network.height * network.width, dtype=np.float64)
    beats = np.floor(pixels * network.channels / network.input_bytes)
    source = _Flow(times=beats, elems=network.channels)
    return round(float(_follow(network.layers, folding, 1, source, {}).times[-1]))


def _follow(
    layers: Sequence[Layer], folding: Folding, frames: int, flow: _Flow, found: dict[str, int]
) -> _Flow:
    """A stream through some layers; what waits before them goes into `found`."""
    window: Window | None = None
    for layer in layers:
        pixels = folding.pixels(layer)
        if isinstance(layer, Lookup):
            flow = _whole(flow, pixels * layer.channels * layer.parts)
        elif isinstance(layer, MaxPool):
            flow = _whole(flow, pixels * layer.channels)
        if isinstance(layer, Window):
            window = layer
        elif isinstance(layer, Lookup):
            flow = _Flow(times=flow.times + 1, elems=flow.elems // layer.parts)
        elif isinstance(layer, MaxPool):
            flow = _pool(layer, pixels, frames, flow)
        elif isinstance(layer, Mvtu):
            fold = folding.folds[layer.name]
            spent = folding.costs[layer.name].cycles * pixels / layer.positions
            if layer.windowed:
                if window is not None and slides(window, fold):
                    flow = _whole(flow, fold.simd)
                    started, found[window.name] = _slide(window, spent, frames, flow)
                elif window is not None:
                    flow = _whole(flow, pixels * window.channels)
                    gathered = _gathered(window, layer, folding)
                    if gathered:
                        found[layer.name] = gathered
                    started, found[window.name] = _convolve(
                        window, pixels, spent, frames, flow, gathered
                    )
                else:
                    started, found[layer.name] = _each(spent, _whole(flow, pixels * layer.cols))
                flow = _trickle(started + _pipeline(layer, fold), spent, layer, fold)
                window = None
            else:
                flow, found[layer.name] = _multiply(layer, fold, spent, frames, flow)
        else:
            waits = scoring(layer).latency(dsp=folding.followed[layer.name].dsp)
            flow = _Flow(times=flow.times[-1:] + waits + layer.classes + 1, elems=layer.classes + 1)
    return flow


def _pipeline(layer: Mvtu, fold: Fold) -> int:
    """Cycles from the last piece of a vector to its result (nn_mvtu, nn_serial)."""
    if fold.memory == CONSTANT:
        numbers = constants(layer, fold.slice_bits)
        passes = ceil(layer.steps / ceil(layer.steps / numbers.steps))
        return numbers.latency + passes + 6
    if fold.dsp:
        dot = plan_of(layer, fold.pe).latency(fold.simd)
    else:
        narrow, wide = sorted((layer.weight_bits, layer.in_bits))
        dot = ceil(log2(fold.simd)) + ceil(log2(narrow)) + (3 if wide > 2 else 2)
    spacing = layer.cols // fold.simd
    passes = ceil(layer.steps / ceil(layer.steps / spacing)) if layer.steps else -3
    # Registers of the weights' memory (nn_mvtu).
    deep = fold.memory == "logic" and layer.rows // fold.pe * spacing > 256
    memory = deep - (fold.memory == "block" and dot > 2)
    return dot + passes + 8 + memory


def _each(spent: float, flow: _Flow) -> tuple[Times, int]:
    """When the work on each pixel begins, and the pixels that wait."""
    started = _in_turn(flow.times, spent)
    return started, _waiting(flow.times, np.maximum(flow.times, started - 1))


def _gathered(window: Window, layer: Mvtu, folding: Folding) -> int:
    """Windows that must wait for the pixels that complete none, as between unpadded frames.

    The fewest with which the layer keeps up if there is always a pixel for it.
    """
    pixels = folding.pixels(layer)
    spent = folding.costs[layer.name].cycles * pixels / layer.positions
    return _fewest(window, pixels, spent, folding.cycles)


@lru_cache(maxsize=1024)
def _fewest(window: Window, pixels: int, spent: float, cycles: int) -> int:
    pace, beats = cycles * pixels / window.positions, window.height * window.width // pixels
    needed, grid = _needed(window, pixels), prod(window.grid(pixels))
    behind = np.concatenate([needed, needed + grid]) / pace - np.arange(2 * len(needed))
    # So many that there is one whenever the layer's turn comes in an even stream.
    most = ceil(float((behind - np.minimum.accumulate(behind)).max()) + _WINDOW / pace) - 1
    source = _Flow(times=np.zeros(FRAMES * beats), elems=pixels * window.channels)

    def keeps_up(gathered: int) -> bool:
        started, _ = _convolve(window, pixels, spent, FRAMES, source, gathered)
        return bool(started[-1] - started[-1 - len(needed)] <= cycles)

    return bisect_left(range(most), True, key=keeps_up)


def _convolve(
    window: Window, pixels: int, spent: float, frames: int, flow: _Flow, gathered: int
) -> tuple[Times, int]:
    """When the work on each beat of windows begins, and the beats of pixels that wait."""
    grid, needed = window.grid(pixels), _needed(window, pixels)
    due = (np.arange(frames)[:, None] * prod(grid) + needed).ravel()
    # Beats beyond the image have no pixel to wait for.
    image = np.zeros((frames, *grid), bool)
    image[:, : window.height, : window.width // pixels] = True
    come = flow.times[np.cumsum(image) - 1]
    # After the last frame the unit drains by itself.
    drained = np.full(max(0, int(due[-1]) + 1 - len(come)), come[-1])
    times = np.append(come, drained)
    pushed, started = np.empty(len(times)), np.empty(len(due))
    now, busy, made = -np.inf, -np.inf, 0
    # A window waits in registers while the one before it is being worked on; the next one comes
    # when that is taken, or a cycle later (nn_window: PROMPT).
    ahead, after = 2 + gathered, spent - (2 if spent == 1 or gathered else 1)
    for n, arrival in enumerate(times):
        free = started[made - ahead] + after if made >= ahead else -np.inf
        now = max(arrival, now + 1, free)
        pushed[n] = now
        if made < len(due) and n == due[made]:
            started[made] = busy = max(now + _WINDOW, busy)
            busy += spent
            made += 1
    return started, _waiting(flow.times, pushed[: image.size][image.ravel()])


def _slide(window: Window, spent: float, frames: int, flow: _Flow) -> tuple[Times, int]:
    """When the work on each window begins, and the pieces of pixels that wait (nn_swu)."""
    # Square, and every pixel the middle of one.
    pieces, pad = window.channels // flow.elems, window.pad[0]
    held = cost.sliding_words(window, simd=flow.elems)
    # The window that has to end before a pixel has room, and the last pixel of each window.
    lead = pad * (window.width + 1)
    rows = np.minimum(np.arange(window.height) + pad, window.height - 1)
    cols = np.minimum(np.arange(window.width) + pad, window.width - 1)
    newest = (rows[:, None] * window.width + cols).ravel()
    # What of a window is done when its last piece is taken for the first time.
    below = rows + pad - np.arange(window.height)
    right = cols + pad - np.arange(window.width)
    done = ((below[:, None] * (2 * pad + 1) + right + 1) * pieces - 1).ravel()
    pixels = len(newest)
    arrivals = flow.times.reshape(frames * pixels, pieces)
    pushed, started = np.empty_like(arrivals), np.empty(frames * pixels)
    now, busy, made = -np.inf, -np.inf, 0
    for n, arrived in enumerate(arrivals):
        ended = ((n + 1) * pieces - 1 - held) // pieces + lead
        free = started[ended] + spent + 1 if 0 <= ended < made else -np.inf
        pushed[n] = _in_turn(np.maximum(arrived, max(now + 1, free)), 1)
        now = pushed[n, -1]
        while made < n + 1 and made // pixels * pixels + newest[made % pixels] <= n:
            started[made] = max(now + _WINDOW - done[made % pixels], busy)
            busy = started[made] + spent
            made += 1
    return started, _waiting(flow.times, pushed.ravel())


def _needed(window: Window, pixels: int) -> Ints:
    """The beat that completes each beat of windows, counted in the window's grid.

    After the frame's own come the next one's.
    """
    rows = np.arange(window.out_height) * window.stride[0]
    cols = np.arange(window.out_width // pixels) * window.stride[1]
    return (rows[:, None] * window.grid(pixels)[1] + cols + window.lag(pixels)).ravel()


def _pool(layer: MaxPool, pixels: int, frames: int, flow: _Flow) -> _Flow:
    """Pixels to the largest of each square, there soon after the square's last pixel."""
    k, squares = layer.kernel, max(1, pixels // layer.kernel)
    across = k * squares // pixels
    image = flow.times.reshape(frames, layer.height, layer.width // pixels)
    last = image[:, k - 1 :: k, across - 1 :: across]
    latency = 2 if pixels == squares else 3
    return _Flow(times=last.ravel() + latency, elems=squares * layer.channels)


def _multiply(layer: Mvtu, fold: Fold, spent: float, frames: int, flow: _Flow) -> tuple[_Flow, int]:
    """Beats to vectors to the groups of their results."""
    pieces = layer.cols // fold.simd
    step = spent / pieces
    # The beat that brings a piece's last element, and the piece that has a beat's first.
    brings = (np.arange(1, frames * pieces + 1) * fold.simd - 1) // flow.elems
    takes = np.arange(len(flow.times)) * flow.elems // fold.simd
    started = _in_turn(flow.times[brings], step)
    # A width converter holds a beat while the piece before its own is being worked on.
    ahead = int(fold.simd != flow.elems)
    left = np.where(takes >= ahead, started[takes - ahead] - 1, -np.inf)
    waiting = _waiting(flow.times, np.maximum(flow.times, left))
    return _burst(started[pieces - 1 :: pieces] + _pipeline(layer, fold), layer, fold), waiting


def _trickle(started: Times, spent: float, layer: Mvtu, fold: Fold) -> _Flow:
    """The results of a windowed layer's vectors, group by group while each is worked on."""
    groups = layer.rows // fold.pe
    done = started[:, None] + np.arange(1, groups + 1) * (spent / groups)
    return _Flow(times=done.ravel(), elems=fold.pixels * fold.pe)


def _whole(flow: _Flow, elems: int) -> _Flow:
    """Beats of so many elements, each there with its last one."""
    beats = np.arange(1, len(flow.times) * flow.elems // elems + 1)
    return _Flow(times=flow.times[-(-beats * elems // flow.elems) - 1], elems=elems)


def _burst(times: Times, layer: Mvtu, fold: Fold) -> _Flow:
    """The results of a dense layer's vectors, one group in every cycle from these times on."""
    groups = np.arange(1, layer.rows // fold.pe + 1)
    return _Flow(times=(times[:, None] + groups).ravel(), elems=fold.pe)


def _in_turn(ready: Times, step: float) -> Times:
    """Starts of works of `step` cycles each, every one as soon as it is ready and its turn."""
    turn = np.arange(len(ready)) * step
    begun: Times = np.maximum.accumulate(ready - turn) + turn
    return begun


def _waiting(times: Times, pushed: Times) -> int:
    """Most beats that have come and not gone."""
    come = np.arange(1, len(times) + 1)
    gone = np.searchsorted(pushed, times, side="right")
    return max(0, int((come - gone).max()))
