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
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, lcm, log2, prod

import numpy as np
from numpy.typing import NDArray

from finn_build.folding import cost
from finn_build.folding.dsp_packing import plan_of
from finn_build.folding.folding import CONSTANT, Fold, Folding, slides
from finn_build.network.layers import Ints, Layer, Lookup, MaxPool, Mvtu, Network, Window
from finn_build.network.scoring import scoring
from finn_build.network.unit import constants
from finn_build.rtl.rom import BANK

# The first frame finds everything empty; two more show what repeats.
FRAMES = 3
# Cycles of a pixel on its way through a width converter, and through it and a window.
_WIDTH, _WINDOW = 1, 3
# Cycles of a beat on its way through a FIFO.
_FIFO = 2
# Results that a unit keeps room for (nn_mvtu, nn_serial: axis_reserve).
RESULTS = 32

Times = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Pooled:
    """What a pool takes: when its beats are there, and the one that completes each beat it gives.

    spare: beats that can wait before it.
    """

    times: Times
    last: Ints
    spare: int


@dataclass(frozen=True, kw_only=True)
class _Flow:
    """When the beats of a stream are there, frame after frame, and the elements of each.

    spare: results that can wait in the unit that gives them; pooled: where a pool made the stream.
    """

    times: Times
    elems: int
    spare: int = 0
    pooled: _Pooled | None = None


def depths(network: Network, folding: Folding) -> dict[str, int]:
    """Beats that wait before each window and each layer that multiplies, by its name.

    A window's beat is a pixel, or several; before the first window nothing has to wait: what is
    there to feed it is not part of the accelerator.
    """
    pixels = np.arange(FRAMES * network.height * network.width, dtype=np.float64)
    pace = folding.cycles / (network.height * network.width)
    source = _Flow(times=pixels * pace, elems=network.channels)
    found: dict[str, int] = {}
    _follow(network.layers, folding, FRAMES, source, found)
    first = network.mvtus[0]
    window = network.windows.get(first.name)
    found.pop(first.name if window is None else window.name)
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
    first = next(layer for layer in layers if isinstance(layer, Mvtu))
    for layer in layers:
        pixels = folding.pixels(layer)
        if isinstance(layer, Window):
            window = layer
        elif isinstance(layer, Lookup):
            flow = _whole(flow, pixels * layer.channels * layer.parts)
            flow = replace(flow, times=flow.times + 1, elems=flow.elems // layer.parts)
        elif isinstance(layer, MaxPool) and layer.window is not None:
            flow, found[layer.name] = _maxima(layer, layer.window, pixels, frames, flow)
        elif isinstance(layer, MaxPool):
            flow = _pool(layer, pixels, frames, _whole(flow, pixels * layer.channels))
        elif isinstance(layer, Mvtu):
            fold = folding.folds[layer.name]
            spent = folding.costs[layer.name].cycles * pixels / layer.positions
            if not layer.windowed:
                flow, found[layer.name] = _multiply(layer, fold, spent, frames, flow)
                continue
            waits = layer.name if window is None else window.name
            if window is None:
                pieces = _whole(flow, pixels * layer.cols)
                started, left, taken = _each(spent, pieces)
            elif slides(window, fold):
                pieces = _whole(flow, fold.simd)
                started, taken = _slide(window, spent, frames, pieces)
                left = taken
            else:
                pieces = _whole(flow, pixels * window.channels)
                beats = window.height * window.width // pixels
                every = folding.input_cycles / beats if layer is first else 0
                gathered = _gathered(window, layer, folding, every)
                if gathered:
                    found[layer.name] = gathered
                started, taken = _convolve(window, pixels, spent, frames, pieces, gathered)
                left = taken
            found[waits] = _before(flow, pieces, left, taken)
            flow = _trickle(started + _pipeline(layer, fold), spent, layer, fold)
            window = None
        else:
            later = scoring(layer).latency(dsp=folding.followed[layer.name].dsp)
            words = layer.classes + 1
            flow = _Flow(times=flow.times[-1:] + later + words, elems=words)
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
    deep = fold.memory == "logic" and layer.rows // fold.pe * spacing > BANK
    memory = deep - (fold.memory == "block" and dot > 2)
    return dot + passes + 8 + memory


def _each(spent: float, flow: _Flow) -> tuple[Times, Times, Times]:
    """When the work on each pixel begins, when it is the next one, and when it is taken."""
    started = _in_turn(flow.times, spent)
    return started, np.maximum(flow.times, started - 1), started + spent - 1


def _gathered(window: Window, layer: Mvtu, folding: Folding, every: float) -> int:
    """Windows that must wait for the pixels that complete none, as between unpadded frames.

    The fewest with which the layer keeps up if there is always a pixel for it, or one `every` so
    many cycles.
    """
    pixels = folding.pixels(layer)
    spent = folding.costs[layer.name].cycles * pixels / layer.positions
    return _fewest(window, pixels, spent, folding.cycles, every)


@lru_cache(maxsize=1024)
def _fewest(window: Window, pixels: int, spent: float, cycles: int, every: float) -> int:
    beats, windows = window.height * window.width // pixels, len(_needed(window, pixels))
    source = _Flow(times=np.zeros(FRAMES * beats), elems=pixels * window.channels)

    def rate(gathered: int) -> float:
        started, _ = _convolve(window, pixels, spent, FRAMES, source, gathered, every)
        return float(started[-1] - started[-1 - windows])

    # More than the windows of a frame never wait.
    best = max(cycles, rate(windows))
    return bisect_left(range(windows), True, key=lambda gathered: rate(gathered) <= best)


def _convolve(
    window: Window,
    pixels: int,
    spent: float,
    frames: int,
    flow: _Flow,
    gathered: int,
    every: float = 0,
) -> tuple[Times, Times]:
    """When the work on each beat of windows begins, and when each beat of pixels is taken.

    gathered: windows that the FIFO between them holds, 0: there is none; every: cycles from one
    beat to the next, which stand still while one waits.
    """
    grid, needed = window.grid(pixels), _needed(window, pixels)
    due = (np.arange(frames)[:, None] * prod(grid) + needed).ravel()
    # Beats beyond the image have no pixel to wait for.
    image = np.zeros((frames, *grid), bool)
    image[:, : window.height, : window.width // pixels] = True
    come = flow.times[np.cumsum(image) - 1]
    # After the last frame the unit drains by itself.
    drained = np.full(max(0, int(due[-1]) + 1 - len(come)), come[-1])
    times = np.append(come, drained)
    steps = np.append(np.where(image.ravel(), every, 0), np.full(len(drained), every))
    pushed, started = np.empty(len(times)), np.empty(len(due))
    depth, prompt = max(2, gathered), bool(gathered) or spent == 1
    # left: when a window leaves the window unit; out: when it goes to the FIFO's output.
    left, out = np.empty(len(due)), np.empty(len(due))
    now, free, busy, made, ready = -np.inf, -np.inf, -np.inf, 0, -np.inf
    for n, (arrival, step) in enumerate(zip(times, steps, strict=True)):
        ready = max(arrival, ready + step, now)
        now = max(ready, now + 1, free)
        pushed[n] = now
        if made == len(due) or n != due[made]:
            continue
        # It waits in a register while the one before it is at the output (nn_window).
        before = left[made - 1] if made else -np.inf
        at_output = max(now + 1, before)
        free = at_output + (before >= now + 1 and not prompt)
        there = at_output + 1
        if gathered:
            left[made] = max(there, out[made - depth] + 1 if made >= depth else -np.inf)
            out[made] = max(left[made] + 1, busy - 1)
            there = out[made] + 1
        started[made] = max(there, busy)
        busy = started[made] + spent
        if not gathered:
            left[made] = busy - 1
        made += 1
    return started + _WIDTH, pushed[: image.size][image.ravel()]


def _slide(window: Window, spent: float, frames: int, flow: _Flow) -> tuple[Times, Times]:
    """When the work on each window begins, and when each piece of a pixel is taken (nn_swu)."""
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
    return started, pushed.ravel()


def _needed(window: Window, pixels: int) -> Ints:
    """The beat that completes each beat of windows, counted in the window's grid.

    After the frame's own come the next one's.
    """
    rows = np.arange(window.out_height) * window.stride[0]
    cols = np.arange(window.out_width // pixels) * window.stride[1]
    return (rows[:, None] * window.grid(pixels)[1] + cols + window.lag(pixels)).ravel()


def _pool(layer: MaxPool, pixels: int, frames: int, flow: _Flow) -> _Flow:
    """Pixels to the largest of each square, there soon after the square's last pixel."""
    down, wide = layer.kernel
    squares = max(1, pixels // wide)
    across = wide * squares // pixels
    image = flow.times.reshape(frames, layer.height, layer.width // pixels)
    last = image[:, down - 1 :: down, across - 1 :: across]
    latency = 2 if pixels == squares else 3
    beats = np.arange(len(flow.times)).reshape(image.shape)
    completes = beats[:, down - 1 :: down, across - 1 :: across].ravel()
    return _Flow(
        times=last.ravel() + latency,
        elems=squares * layer.channels,
        pooled=_Pooled(times=flow.times, last=completes, spare=flow.spare),
    )


def _maxima(
    layer: MaxPool, window: Window, pixels: int, frames: int, flow: _Flow
) -> tuple[_Flow, int]:
    """Pixels to the largest of each of their windows, some cycles after the window is there."""
    pieces = _whole(flow, pixels * layer.channels)
    started, taken = _convolve(window, pixels, 1, frames, pieces, 0)
    beats = np.searchsorted(taken, started, side="right") - 1
    # Of each of the two maxima; of pixels of a window beside each other, a register more.
    latency = sum(2 + (across > 1) for across in layer.kernel)
    pooled = _Pooled(times=pieces.times, last=beats, spare=pieces.spare)
    made = _Flow(times=started + latency, elems=pieces.elems, pooled=pooled)
    return made, _before(flow, pieces, taken, taken)


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
    left, taken = np.maximum(flow.times, left), started + step - 1
    if ahead:
        taken = _split(flow, fold.simd, taken)
    waiting = _depth(flow, left, taken)
    return _burst(started[pieces - 1 :: pieces] + _pipeline(layer, fold), layer, fold), waiting


def _trickle(started: Times, spent: float, layer: Mvtu, fold: Fold) -> _Flow:
    """The results of a windowed layer's vectors, group by group while each is worked on."""
    groups = layer.rows // fold.pe
    done = started[:, None] + np.arange(1, groups + 1) * (spent / groups)
    flying = ceil((_pipeline(layer, fold) + 1) * groups / spent)
    spare = max(0, RESULTS - flying)
    return _Flow(times=done.ravel(), elems=fold.pixels * fold.pe, spare=spare)


def narrows(before: int, after: int) -> bool:
    """Whether beats come in pieces, which wait as whole beats: a piece takes a cycle of its own."""
    return after < before


def _whole(flow: _Flow, elems: int) -> _Flow:
    """Beats of so many elements, each there with its last one (axis_width)."""
    wide = lcm(flow.elems, elems)
    beats = np.arange(1, len(flow.times) * flow.elems // elems + 1)
    last = -(-beats * elems // wide) * (wide // flow.elems) - 1
    pooled = flow.pooled and replace(flow.pooled, last=flow.pooled.last[last])
    spare = flow.spare * flow.elems // elems
    return _Flow(times=flow.times[last], elems=elems, spare=spare, pooled=pooled)


def _split(flow: _Flow, elems: int, taken: Times) -> Times:
    """When each beat is taken by what gives it on in pieces of `elems`, each `taken` then."""
    wide = lcm(flow.elems, elems)
    up, down = wide // flow.elems, wide // elems
    # What gathers beats holds a group of them, and so does what splits groups.
    ahead = (up > 1) + (down > 1)
    left, done = flow.times.copy(), taken[down - 1 :: down] + 1
    completes = left[up - 1 :: up]
    np.maximum(completes[ahead:], done[:-ahead], out=completes[ahead:])
    return left


def _before(flow: _Flow, pieces: _Flow, left: Times, taken: Times) -> int:
    """Beats that wait before what takes a stream in pieces: whole ones if the pieces are less."""
    if not narrows(flow.elems, pieces.elems):
        return _depth(pieces, left, taken)
    taken = _split(flow, pieces.elems, taken)
    return _depth(flow, taken, taken)


def _depth(flow: _Flow, left: Times, taken: Times) -> int:
    """Beats that a FIFO has to hold: those that wait, or all if a pool must never stand still.

    left: when each beat is the next one; taken: when it is gone.
    """
    waiting = _waiting(flow.times, left)
    if flow.pooled is None or _keeps_up(flow, flow.pooled, left, taken, waiting):
        return waiting
    return _most(flow.times, taken)


def _most(times: Times, taken: Times) -> int:
    """Words of a FIFO that takes every beat at once, and one for what is rounded (axis_fifo)."""
    out = np.maximum(times + 1, np.append(-np.inf, taken[:-1] + _FIFO))
    beats = np.arange(len(times))
    gone = np.minimum(np.searchsorted(out, times, side="left"), beats)
    return int((beats - gone).max()) + 2


def _keeps_up(flow: _Flow, pool: _Pooled, left: Times, taken: Times, depth: int) -> bool:
    """Whether a pool that stands still while its result waits makes up for it in the same frame."""
    accepted, out = np.empty_like(pool.times), np.empty_like(taken)
    latency = flow.times - pool.times[pool.last]
    depth = max(2, depth) if depth else 0
    now, made, stands = -np.inf, 0, [(-np.inf, -np.inf)] * 4
    for n, arrival in enumerate(pool.times):
        now = max(arrival, now + 1)
        for begin, end in stands[-4:]:
            if begin <= now < end:
                now = end
        accepted[n] = now
        while made < len(taken) and pool.last[made] == n:
            begin, end = stands[-1]
            there = now + latency[made] + (end - begin if now < begin else 0)
            if depth:
                gone = max(there, out[made - depth] + 1 if made >= depth else -np.inf)
                before = taken[made - 1] + _FIFO if made else -np.inf
                out[made] = max(gone + 1, before)
            else:
                gone = max(there, taken[made])
            stands.append((there, gone))
            if (gone if depth else there) > max(flow.times[made], left[made]):
                return False
            made += 1
    return _waiting(pool.times, accepted) <= pool.spare


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
