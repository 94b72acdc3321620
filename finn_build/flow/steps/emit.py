"""Write the accelerator's SystemVerilog and memory images, the chip around it, and the block."""

from pathlib import Path

from finn_build.flow.pipeline import Build
from finn_build.folding.folding import Folding
from finn_build.network.graph import Network
from finn_build.rtl import accelerator, chip, emit, ip


def run(build: Build, out: Path) -> str:
    """Leave top.sv and chip.sv, their modules and lists, and the memory images in `out`.

    out/ip has the accelerator alone, as a block for other designs.
    """
    source = build.path("golden", "network.npz")
    network = Network.load(source)
    folding = Folding.load(build.path("fold", "folding.json"), network)
    design = accelerator.design(network, folding)
    files = emit.write(design, out)
    chip.write(design, network, chip.model_hash(source), out)
    ip.write(design, out / "ip")
    return f"{len(design.instances)} modules in top.sv, {len(files)} files"
