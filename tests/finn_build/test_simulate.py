"""What the step that simulates makes of the simulation's numbers."""

from dataclasses import replace

import models
import numpy as np
import pytest

from finn_build.backends import verilator
from finn_build.backends.verilator import Simulated
from finn_build.errors import MismatchError
from finn_build.flow.steps import simulate
from finn_build.network import golden


def ran(distance: int, frames: int = 9, *, most: int = 1) -> Simulated:
    network = models.hand_made()
    images = np.random.default_rng(1).integers(0, 256, (2, 4, 4, 2)).astype(np.uint8)
    outputs = golden.run(network, images[np.arange(frames) % 2])
    times = 1000 + distance * np.arange(frames)
    fifos = {"conv0_window_fifo": (4, 2), "dense0_fifo": (7, most)}
    return Simulated(
        labels=outputs.labels,
        logits=outputs.logits,
        first_in=times - 1000,
        last_out=times,
        fifos=fifos,
        seconds=1.0,
    )


def test_a_wrong_rate_names_the_layer_that_stalls():
    network = models.hand_made()
    simulate.check_rate(ran(100), network, 100)
    simulate.check_rate(ran(101), network, 100)
    with pytest.raises(MismatchError, match=r"102.0 cycles .* 100; dense0 stalls: its FIFO of 7"):
        simulate.check_rate(ran(102, most=7), network, 100)
    with pytest.raises(MismatchError, match="no FIFO is full"):
        simulate.check_rate(ran(90), network, 100)


@pytest.mark.parametrize("filling", [0.5, 1.0, 2.1, 7.3])
def test_the_filling_of_the_pipeline_is_no_rate(filling):
    """Results come in another rhythm until the first frame has left the accelerator."""
    frames = verilator.settling(filling)
    made = ran(100, frames)
    early = np.where(np.arange(frames) <= filling, 13 * np.arange(frames)[::-1], 0)
    assert replace(made, last_out=made.last_out - early).cycles_per_frame == 100


def test_every_frame_is_held_to_its_image():
    network = models.hand_made()
    images = np.random.default_rng(1).integers(0, 256, (2, 4, 4, 2)).astype(np.uint8)
    expected = golden.run(network, images)
    made = ran(100)
    simulate.check(made, expected, "at full rate")
    made.logits[7, 0] += 1
    with pytest.raises(MismatchError, match="1 of 9 frames at full rate; image 1"):
        simulate.check(made, expected, "at full rate")
