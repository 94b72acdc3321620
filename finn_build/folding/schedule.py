"""When the layers work within a frame, and how many beats wait between them.

A layer that is as fast as the slowest one falls behind whenever its input stops for a while, unless
enough beats wait before it. Input stops between bursts (pooled rows), and while nothing is complete
(the first rows of a frame make no windows). A few frames are worked through on paper: the first
layer works evenly, and every other one as soon as it can. A FIFO has to hold the most beats that
ever wait.
"""

from dataclasses import replace

import numpy as np

from finn_build.folding.beats import FORK, FRAMES, Beats, Times, Timing
from finn_build.folding.folding import Folding
from finn_build.network.graph import IMAGE, Network


def depths(network: Network, folding: Folding) -> dict[str, int]:
    """Beats that wait before each window and each layer that multiplies, by its name.

    A window's beat is a pixel, or several. Nothing has to wait before the first window: what feeds
    it is outside the accelerator.
    """
    pixels = np.arange(FRAMES * network.height * network.width, dtype=np.float64)
    pace = folding.cycles / (network.height * network.width)
    source = _source(network, pixels * pace)
    timing = Timing(frames=FRAMES, cycles=folding.cycles)
    _follow(network, folding, source, timing)
    first = network.mvtus[0].name
    window = network.windows.get(first)
    if _alone(network, first):
        timing.waits.pop(first if window is None else window.name)
    return timing.waits


def latency(network: Network, folding: Folding) -> int:
    """Cycles of one image in an idle accelerator: from its first pixel to its last logit."""
    pixels = np.arange(network.height * network.width, dtype=np.float64)
    beats = np.floor(pixels * network.channels / network.input_bytes)
    source = _source(network, beats)
    ended = _follow(network, folding, source, Timing(frames=1, cycles=folding.cycles))
    return round(float(ended.times[-1]))


def _source(network: Network, times: Times) -> Beats:
    """The image's pixels at these times, or input beats if these are narrower than pixels."""
    pixels = Beats(times=times, elems=network.channels)
    beat = network.input_bytes
    return pixels.in_pieces(beat) if beat < network.channels else pixels


def _alone(network: Network, name: str) -> bool:
    """Whether no stream forks on the way from the image to a layer."""
    while name != IMAGE:
        name = network.reads[name][0]
        if network.readers(name) > 1:
            return False
    return True


def _follow(network: Network, folding: Folding, source: Beats, timing: Timing) -> Beats:
    """The beats that leave the last layer."""
    streams = {IMAGE: source}
    for layer, sources in network.walk():
        read = [_forked(network, name, streams[name]) for name in sources]
        streams[layer.name] = layer.times(folding.place(layer), timing, *read)
    return streams[network.layers[-1].name]


def _forked(network: Network, name: str, beats: Beats) -> Beats:
    """A stream as one reader gets it; after a fork, no room in the unit before is its own."""
    if network.readers(name) == 1:
        return beats
    return replace(beats, times=beats.times + FORK, spare=0)
