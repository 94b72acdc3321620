"""Write the accelerator's SystemVerilog and memory images, and the chip around it."""

from pathlib import Path

from finn_build.flow.pipeline import Build
from finn_build.folding.folding import Folding
from finn_build.network.graph import Network
from finn_build.rtl import accelerator, chip, emit


def run(build: Build, out: Path) -> str:
    """Leave top.sv and chip.sv, their modules and lists, and the memory images in `out`."""
    source = build.path("golden", "network.npz")
    network = Network.load(source)
    folding = Folding.load(build.path("fold", "folding.json"), network)
    design = accelerator.design(network, folding)
    files = emit.write(design, out)
    chip.write(design, network, chip.model_hash(source), out)
    return f"{len(design.instances)} modules in top.sv, {len(files)} files"
