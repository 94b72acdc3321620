"""Simulate the whole accelerator on real images; every label and logit must be the golden one's."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finn_build import golden
from finn_build.backends import verilator
from finn_build.backends.verilator import Simulated
from finn_build.errors import MismatchError
from finn_build.files import load_json, save_json
from finn_build.golden import Outputs
from finn_build.layers import Network
from finn_build.pipeline import Build

STALL = 96  # of 256, in the run with stalls on both sides
STALLED_IMAGES = 4


def run(build: Build, out: Path) -> str:
    """Leave result.json in `out`: mismatches, cycles per frame, latency, speed of simulation."""
    network = Network.load(build.path("golden", "network.npz"))
    rtl = build.path("emit")
    with np.load(build.path("export", "vectors.npz"), allow_pickle=False) as stored:
        images = stored["images"][: build.options.images]
    cycles = load_json(build.path("fold", "costs.json"))["cycles"]
    scratch = build.folder / "simulation"
    program = verilator.build(
        rtl,
        scratch,
        input_bytes=network.input_bytes,
        log=build.log("verilator"),
        fast=True,
    )
    expected = golden.run(network, images)

    def once(count: int, stall: int) -> Simulated:
        made = verilator.run(
            program,
            rtl,
            images[:count],
            classes=network.mvtus[-1].rows,
            limit=20 * cycles * len(network.layers),
            scratch=scratch,
            log=build.log("simulation"),
            stall=stall,
        )
        check(made, expected, "with stalls" if stall else "at full rate")
        return made

    full = once(len(images), 0)
    stalled = once(min(STALLED_IMAGES, len(images)), STALL)
    result = {
        "images": len(images),
        "images_with_stalls": len(stalled.labels),
        "mismatches": 0,
        "cycles_per_frame": full.cycles_per_frame,
        "latency_cycles": full.latency_cycles,
        "fifos": [{"name": n, "depth": d, "most": m} for n, (d, m) in full.fifos.items()],
        "frames_per_second_of_simulation": round(len(images) / full.seconds, 2),
        "labels": full.labels.tolist(),
    }
    save_json(out / "result.json", result)
    return (
        f"{len(images)} images, 0 mismatches, {full.cycles_per_frame:,.0f} cycles per frame "
        f"(model: {cycles:,}), latency {full.latency_cycles:,}"
    )


def check(made: Simulated, expected: Outputs, how: str) -> None:
    """Raise MismatchError for the first image whose label or logits are not the golden model's."""
    count = len(made.labels)
    wrong = (made.logits != expected.logits[:count]).any(axis=1)
    wrong |= made.labels != expected.labels[:count]
    bad: NDArray[np.intp] = np.flatnonzero(wrong)
    if len(bad):
        i = int(bad[0])
        raise MismatchError(
            f"RTL and golden model differ on {len(bad)} of {count} images {how}; image {i}: RTL "
            f"label {made.labels[i]}, logits {made.logits[i].tolist()}; golden label "
            f"{expected.labels[i]}, logits {expected.logits[i].tolist()}"
        )
