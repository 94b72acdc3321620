"""Simulate the whole accelerator on real images; every label and logit must be the golden one's."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finn_build.backends import verilator
from finn_build.backends.verilator import Simulated
from finn_build.errors import MismatchError
from finn_build.flow.pipeline import Build
from finn_build.folding.folding import Folding
from finn_build.folding.schedule import latency
from finn_build.network import golden
from finn_build.network.differences import few
from finn_build.network.golden import Outputs
from finn_build.network.graph import Network
from finn_build.system.files import save_json

STALL = 96  # chances in 256 of a pause, in the run with stalls on both sides
STALLED_IMAGES = 4
# Largest share by which the cycles per frame may differ from the model's.
TOLERANCE = 0.01


def run(build: Build, out: Path) -> str:
    """Leave result.json in `out`: mismatches, cycles per frame, latency, speed of simulation."""
    network = Network.load(build.path("golden", "network.npz"))
    rtl = build.path("emit")
    with np.load(build.path("export", "vectors.npz"), allow_pickle=False) as stored:
        images = stored["images"][: build.options.images]
    folding = Folding.load(build.path("fold", "folding.json"), network)
    cycles = folding.cycles
    scratch = build.folder / "simulation"
    program = verilator.build(
        rtl,
        scratch,
        input_bytes=network.input_bytes,
        log=build.log("verilator"),
        fast=True,
    )
    expected = golden.run(network, images)

    def once(frames: int, stall: int) -> Simulated:
        simulated = verilator.run(
            program,
            rtl,
            images[np.arange(frames) % len(images)],
            end=network.end,
            limit=verilator.patience(cycles, network),
            scratch=scratch,
            log=build.log("simulation"),
            stall=stall,
        )
        check(simulated, expected, "with stalls" if stall else "at full rate")
        return simulated

    full = once(max(len(images), verilator.settling(latency(network, folding) / cycles)), 0)
    check_rate(full, network, cycles)
    stalled = once(min(STALLED_IMAGES, len(images)), STALL)
    result = {
        "images": len(images),
        "images_with_stalls": len(stalled.words),
        "mismatches": 0,
        "cycles_per_frame": full.cycles_per_frame,
        "latency_cycles": full.latency_cycles,
        "fifos": [{"name": n, "depth": d, "most": m} for n, (d, m) in full.fifos.items()],
        "frames_per_second_of_simulation": round(len(full.words) / full.seconds, 2),
        "labels": full.labels[: len(images)].ravel().tolist(),
    }
    save_json(out / "result.json", result)
    return (
        f"{len(images)} images, 0 mismatches, {full.cycles_per_frame:,.0f} cycles per frame "
        f"(model: {cycles:,}), latency {full.latency_cycles:,}"
    )


def check(simulated: Simulated, expected: Outputs, how: str, *, what: str = "RTL") -> None:
    """Raise MismatchError for the first frame whose words are not the golden model's.

    The frames are the images of `expected`, over and over; what: the thing that ran, for messages.
    """
    count = len(simulated.words)
    image = np.arange(count) % len(expected.words)
    bad: NDArray[np.intp] = np.flatnonzero((simulated.words != expected.words[image]).any(axis=1))
    if len(bad):
        i = int(bad[0])
        raise MismatchError(
            f"{what} and golden model differ on {len(bad)} of {count} frames {how}; image "
            f"{image[i]}: {what} {_said(simulated, i)}; golden {_said(expected, int(image[i]))}"
        )


def _said(outputs: Simulated | Outputs, image: int) -> str:
    """What came out for an image."""
    if not outputs.labels.size:
        return f"values {few(outputs.logits[image])}"
    return f"label {outputs.labels[image]}, logits {few(outputs.logits[image])}"


def check_rate(simulated: Simulated, network: Network, cycles: int) -> None:
    """Raise MismatchError if the frames do not come at the model's rate.

    The layer that stalls is the first one whose FIFO is full: what is before it has to wait.
    """
    if abs(simulated.cycles_per_frame - cycles) <= TOLERANCE * cycles:
        return
    full = [
        f"{layer.name} stalls: its FIFO of {depth} beats is full"
        for layer in network.layers
        for fifo, (depth, most) in simulated.fifos.items()
        if re.fullmatch(rf"{re.escape(layer.name)}(_skip|_a|_b)?_fifo", fifo) and depth == most
    ]
    where = full[0] if full else "no FIFO is full, so that a layer without one stalls"
    raise MismatchError(
        f"the RTL takes {simulated.cycles_per_frame:,.1f} cycles per frame, the model says "
        f"{cycles:,}; {where}; another folding of this layer and those around it may be even "
        "(docs/folding.md)"
    )
