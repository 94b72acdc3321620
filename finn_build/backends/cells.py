"""Simulate an accelerator's netlist, with models of the cells that it is made of."""

import shutil
from importlib import util
from pathlib import Path

from finn_build.backends import netlist, verilator
from finn_build.errors import ToolError
from finn_build.system.templates import environment

TEMPLATE = Path(__file__).parent / "block_ram.sv.j2"
# Models of the cells: ours for block RAMs, which do nothing in Yosys', and Yosys' for the rest.
BLOCK_RAM, CELLS = "block_ram.sv", "cells_sim.v"


def build(rtl: Path, parts: Path, out: Path, *, input_bytes: int, log: Path) -> Path:
    """Compile the netlist of the accelerator for simulation; returns the program.

    rtl: what emit left; parts: netlists by instance (yosys.synthesise); log: of Yosys, Verilator's
    is beside it. Leaves the sources in `out`. Raises ToolError where a tool is missing or fails.
    """
    out.mkdir(parents=True, exist_ok=True)
    netlist.write(rtl, parts, out, log=log)
    pyosys = util.find_spec("pyosys")
    if pyosys is None or pyosys.origin is None:
        raise ToolError("pyosys is not installed; run: pip install pyosys")
    shutil.copyfile(Path(pyosys.origin).parent / "share" / "xilinx" / CELLS, out / CELLS)
    models = environment(TEMPLATE.parent).get_template(TEMPLATE.name).render()
    (out / BLOCK_RAM).write_text(models)
    files = (netlist.NETLIST, BLOCK_RAM, CELLS)
    (out / "files.f").write_text("".join(f"{name}\n" for name in files))
    return verilator.build(
        out,
        out / "sim",
        input_bytes=input_bytes,
        log=log.with_name(f"{log.stem}-verilator{log.suffix}"),
        cells=True,
    )
