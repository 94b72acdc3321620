"""nn_argmax, and nn_score in it, against NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tiers import every

from finn_build.network.layers import Argmax
from finn_build.rtl import rom

if TYPE_CHECKING:
    from conftest import Simulate

PLAIN = {
    "smallest": {"CLASSES": 2, "IN_ELEMS": 1, "LOGIT_W": 1},
    "typical": {"CLASSES": 10, "IN_ELEMS": 2, "LOGIT_W": 16},
    "whole": {"CLASSES": 9, "IN_ELEMS": 9, "LOGIT_W": 32},
    "one class": {"CLASSES": 1, "IN_ELEMS": 1, "LOGIT_W": 7},
}


def ends(classes: int, bits: int, **others: Any) -> Argmax:
    return Argmax(name="argmax", classes=classes, bits=bits, **others)


def drawn(classes: int, most: int, seed: int) -> np.ndarray:
    """A number for each class: half of them small and so often alike, the ends among the others."""
    draw = np.random.default_rng(seed)
    made = draw.integers(-most, most + 1, classes)
    made[::2] = draw.integers(-2, 3, len(made[::2]))
    made[-2:] = -most, most
    return made


# The layer, logits in a beat, and whether DSP slices multiply.
SCORED = {
    "smallest": (ends(2, 1, gains=np.array([-1, 1]), biases=np.array([-1, 0])), 1, False),
    "typical": (ends(10, 16, gains=drawn(10, 900, 1), biases=drawn(10, 9000, 2)), 2, False),
    "in DSPs": (ends(10, 16, gains=drawn(10, 900, 1), biases=drawn(10, 9000, 2)), 2, True),
    "widest": (ends(7, 32, gains=drawn(7, 2**30, 3), biases=drawn(7, 2**40, 4)), 7, False),
    "widest in DSPs": (
        ends(7, 30, gains=drawn(7, 2**32, 3), biases=drawn(7, 2**40, 4), floor=-(2**50)),
        1,
        True,
    ),
    "ragged": (ends(7, 9, gains=drawn(7, 60, 5), biases=drawn(7, 70, 6), floor=-100), 1, False),
    "no bias": (ends(5, 8, gains=drawn(5, 60, 7)), 5, False),
    "no gain": (ends(5, 8, biases=drawn(5, 200, 8), floor=1), 1, False),
    "all alike": (ends(4, 8, gains=np.ones(4, np.int64), floor=0), 2, False),
    "all nothing": (ends(4, 8, gains=np.zeros(4, np.int64)), 1, False),
    "floor of the logits": (ends(10, 12, floor=0), 2, False),
    "floor above all": (ends(10, 12, floor=2**31 - 1), 1, False),
    "floor below all": (ends(3, 4, floor=-9), 1, False),
    "one class": (ends(1, 12, gains=np.array([-3]), biases=np.array([5]), floor=2), 1, False),
    "floor of one class": (ends(1, 12, floor=2), 1, False),
    "1000 classes": (
        ends(1000, 12, gains=drawn(1000, 500, 9), biases=drawn(1000, 9000, 10), floor=-50),
        8,
        True,
    ),
}


@pytest.mark.parametrize("name", PLAIN)
def test_argmax(simulate: Simulate, name: str) -> None:
    simulate("nn_argmax", PLAIN[name], "bench_nn_argmax", seed=len(name))


def run(simulate: Simulate, name: str, *, netlist: bool = False) -> None:
    layer, elems, dsp = SCORED[name]
    made = layer.scoring
    shape = {"CLASSES": layer.classes, "IN_ELEMS": elems, "LOGIT_W": layer.bits}
    numbers = {"gains": layer.gains, "biases": layer.biases}
    simulate(
        "nn_argmax",
        {**shape, **made.parameters("gains", dsp=dsp)},
        "bench_nn_argmax",
        files=rom.images("gains", [made.words]) if made.words else {},
        seed=len(name),
        netlist=netlist,
        latency=made.latency(dsp=dsp),
        floor=layer.floor,
        **{what: None if each is None else each.tolist() for what, each in numbers.items()},
    )


@pytest.mark.parametrize("name", every(2, SCORED))
def test_scores(simulate: Simulate, name: str) -> None:
    run(simulate, name)


def test_argmax_netlist(simulate: Simulate) -> None:
    simulate("nn_argmax", PLAIN["typical"], "bench_nn_argmax", netlist=True)


@pytest.mark.parametrize("name", ["ragged", "in DSPs"])
def test_scores_netlist(simulate: Simulate, name: str) -> None:
    run(simulate, name, netlist=True)
