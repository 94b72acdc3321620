"""Write the accelerator's SystemVerilog and memory images, and the chip around it."""

from pathlib import Path

from finn_build import chain, chip, emit
from finn_build.folding import Folding
from finn_build.layers import Network
from finn_build.pipeline import Build


def run(build: Build, out: Path) -> str:
    """Leave top.sv and chip.sv, their modules and lists, and the memory images in `out`."""
    source = build.path("golden", "network.npz")
    network = Network.load(source)
    folding = Folding.load(build.path("fold", "folding.json"), network)
    made = chain.design(network, folding)
    files = emit.write(made, out)
    chip.write(made, network, chip.model_hash(source), out)
    return f"{len(made.instances)} modules in top.sv, {len(files)} files"
