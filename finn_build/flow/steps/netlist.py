"""Simulate what synthesis made of the accelerator; every label and logit must be the golden one's.

Yosys turns the RTL into the netlist that is placed. Here that netlist of look-up tables, registers
and memories runs with Yosys' own models of them.
"""

from pathlib import Path

import numpy as np

from finn_build.backends import cells, verilator
from finn_build.flow.pipeline import Build
from finn_build.flow.steps.simulate import STALL, check
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.system.files import load_json, save_json


def run(build: Build, out: Path) -> str:
    """Leave result.json in `out`: how many images ran, and mismatches."""
    asked = build.options.netlist_images
    if not asked:
        save_json(out / "result.json", {"images": 0, "mismatches": 0})
        return "not simulated; --netlist-images 2 runs two images through it, which takes minutes"
    network = Network.load(build.path("golden", "network.npz"))
    with np.load(build.path("export", "vectors.npz"), allow_pickle=False) as stored:
        images = stored["images"][:asked]
    cycles = load_json(build.path("fold", "costs.json"))["cycles"]
    scratch = build.folder / "netlist-simulation"
    program = cells.build(
        build.path("emit"),
        build.path("synthesise"),
        scratch,
        input_bytes=network.input_bytes,
        log=build.log("netlist"),
    )
    simulated = verilator.run(
        program,
        scratch,
        images,
        end=network.end,
        limit=verilator.patience(cycles, network),
        scratch=scratch,
        log=build.log("netlist-simulation"),
        stall=STALL,
    )
    check(simulated, golden.run(network, images), "with stalls", what="netlist")
    save_json(out / "result.json", {"images": len(images), "mismatches": 0})
    return f"{len(images)} images with stalls on both sides, 0 mismatches"
