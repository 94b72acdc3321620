"""Put the synthesised parts of a chip together into one flat netlist for place and route.

What yosys.synthesise counted is what is placed: only the chip around the accelerator's `top` is
synthesised here. Run as a module it is a Yosys process: python -m finn_build.backends.netlist JOB,
in the folder of the sources, JOB as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

from finn_build.backends import tools
from finn_build.backends.yosys import SLANG, SYNTHESIS, Counts, count
from finn_build.emitted import read_instances
from finn_build.files import load_json, relative

ACCELERATOR = "top"


def assemble(rtl: Path, parts: Path, out: Path, *, files: str, top: str, log: Path) -> Counts:
    """Write out/chip.json, Yosys' JSON netlist of the whole chip; returns its counts.

    rtl: what emit left; parts: netlists by instance (yosys.synthesise); files: list in `rtl` of the
    sources of `top`, the chip's top module, which has the accelerator as a module `top` in it.
    """
    job = {
        "parts": relative(parts, rtl),
        "out": relative(out, rtl),
        "files": files,
        "top": top,
        "instances": {f"{i.name}_i": [i.module, i.name] for i in read_instances(rtl)},
    }
    tools.run_module("finn_build.backends.netlist", json.dumps(job), cwd=rtl, log=log)
    netlist = load_json(out / "chip.json")["modules"]
    cells: dict[str, int] = {}
    for cell in netlist[top]["cells"].values():
        cells[cell["type"]] = cells.get(cell["type"], 0) + 1
    return count(cells)


def _main(job: dict[str, Any]) -> None:
    from pyosys import libyosys  # loads a large native library: only in the process of its own

    out, parts = Path(job["out"]), Path(job["parts"])
    design = libyosys.Design()
    modules = sorted({module for module, _ in job["instances"].values()})
    boxes = "".join(f" --blackboxed-module {module}" for module in modules)
    accelerator = out / f"{ACCELERATOR}.il"
    libyosys.run_pass(f"{SLANG} -f files.f --top {ACCELERATOR}{boxes}", design)
    libyosys.run_pass(f"write_json {out / 'top.json'}", design)
    cells = load_json(out / "top.json")["modules"][ACCELERATOR]["cells"]
    for name, (_, part) in job["instances"].items():
        for key in cells[name]["parameters"]:
            libyosys.run_pass(f"setparam -unset {key} {ACCELERATOR}/c:{name}", design)
        libyosys.run_pass(f"chtype -set {part} {ACCELERATOR}/c:{name}", design)
    libyosys.run_pass(f"select {ACCELERATOR}", design)
    libyosys.run_pass(f"write_rtlil -selected {accelerator}", design)

    design = libyosys.Design()
    steps = [
        # The chip's primitives, for slang.
        "read_verilog -lib +/xilinx/cells_sim.v",
        "read_verilog -lib +/xilinx/cells_xtra.v",
        f"{SLANG} -f {job['files']} --top {job['top']} --extern-modules "
        f"--blackboxed-module {ACCELERATOR}",
        "flatten",
        *(each.format(top=job["top"]) for each in SYNTHESIS),
        *(f"read_rtlil -overwrite {part}" for part in [accelerator, *sorted(parts.glob("*.il"))]),
        f"hierarchy -check -top {job['top']}",
        "flatten",
        "delete t:$scopeinfo",
        "opt_clean -purge",
        "clkbufmap -buf BUFG O:I",
        "check -assert",
        f"write_json {out / 'chip.json'}",
    ]
    for each in steps:
        libyosys.run_pass(each, design)
    for scratch in (accelerator, out / "top.json"):
        scratch.unlink()


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
