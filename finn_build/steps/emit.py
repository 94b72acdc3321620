"""Write the accelerator's SystemVerilog and memory images."""

from pathlib import Path

from finn_build import emit
from finn_build.folding import Folding
from finn_build.layers import Network
from finn_build.pipeline import Build

FILES = (*emit.templates(), emit.TOP)


def run(build: Build, out: Path) -> str:
    """Leave top.sv, its modules, the memory images and files.f in `out`."""
    network = Network.load(build.path("golden", "network.npz"))
    folding = Folding.load(build.path("fold", "folding.json"), network)
    made = emit.design(network, folding)
    files = emit.write(made, out)
    return f"{len(made.instances)} modules in top.sv, {len(files)} files"
