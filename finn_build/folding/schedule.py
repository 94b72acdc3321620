"""When the layers work within a frame, and what has to wait between them.

A layer that is as fast as the slowest one stands still whenever its input comes in bursts (a pooled
row) or gives nothing for a while (the first rows of a frame make no windows), unless enough waits
before it. The frames are worked through on paper, the first layer evenly and every other one as
soon as it can; what waits at most is what a FIFO has to hold.
"""

import numpy as np

from finn_build.folding.beats import FRAMES, Beats, Timing
from finn_build.folding.folding import Folding
from finn_build.network.graph import IMAGE, Network


def depths(network: Network, folding: Folding) -> dict[str, int]:
    """Beats that wait before each window and each layer that multiplies, by its name.

    A window's beat is a pixel, or several; before the first window nothing has to wait: what is
    there to feed it is not part of the accelerator.
    """
    pixels = np.arange(FRAMES * network.height * network.width, dtype=np.float64)
    pace = folding.cycles / (network.height * network.width)
    source = Beats(times=pixels * pace, elems=network.channels)
    timing = Timing(frames=FRAMES, cycles=folding.cycles)
    _follow(network, folding, source, timing)
    first = network.mvtus[0].name
    window = network.windows.get(first)
    timing.waits.pop(first if window is None else window.name)
    return timing.waits


def latency(network: Network, folding: Folding) -> int:
    """Cycles of one image in an idle accelerator: from its first pixel to its last logit."""
    pixels = np.arange(network.height * network.width, dtype=np.float64)
    beats = np.floor(pixels * network.channels / network.input_bytes)
    source = Beats(times=beats, elems=network.channels)
    ended = _follow(network, folding, source, Timing(frames=1, cycles=folding.cycles))
    return round(float(ended.times[-1]))


def _follow(network: Network, folding: Folding, source: Beats, timing: Timing) -> Beats:
    """The beats that leave the last layer."""
    streams = {IMAGE: source}
    for layer, (before,) in network.walk():
        streams[layer.name] = layer.times(streams[before], folding.place(layer), timing)
    return streams[network.layers[-1].name]
