"""Put the synthesised parts of an accelerator together: for simulation, and with its chip to place.

What yosys.synthesise counted is what is simulated and placed: only the chip around the
accelerator's `top` is synthesised here. Run as a module it is a Yosys process:
python -m finn_build.backends.netlist JOB, in the folder of the sources, JOB as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

from finn_build.backends import tools, xilinx
from finn_build.backends.yosys import SLANG, Counts, count
from finn_build.rtl.emitted import read_instances
from finn_build.system.files import load_json, relative

ACCELERATOR = "top"
NETLIST = "netlist.v"
# The chip's own cells, as black boxes.
_PRIMITIVES = tuple(f"read_verilog -lib +/xilinx/{name}.v" for name in ("cells_sim", "cells_xtra"))


def assemble(rtl: Path, parts: Path, out: Path, *, files: str, top: str, log: Path) -> Counts:
    """Write out/chip.json, Yosys' JSON netlist of the whole chip; returns its counts.

    rtl: what emit left; parts: netlists by instance (yosys.synthesise); files: list in `rtl` of the
    sources of `top`, the chip's top module, which has the accelerator as a module `top` in it.
    """
    _run(rtl, parts, out, log=log, files=files, top=top)
    netlist = load_json(out / "chip.json")["modules"]
    cells: dict[str, int] = {}
    for cell in netlist[top]["cells"].values():
        cells[cell["type"]] = cells.get(cell["type"], 0) + 1
    return count(cells)


def write(rtl: Path, parts: Path, out: Path, *, log: Path) -> None:
    """Write out/netlist.v, the netlist of the accelerator alone; rtl, parts: as in `assemble`."""
    _run(rtl, parts, out, log=log)


def _run(rtl: Path, parts: Path, out: Path, *, log: Path, **more: str) -> None:
    job = {
        "parts": relative(parts, rtl),
        "out": relative(out, rtl),
        "instances": {f"{i.name}_i": [i.module, i.name] for i in read_instances(rtl)},
        **more,
    }
    tools.run_module("finn_build.backends.netlist", json.dumps(job), cwd=rtl, log=log)


def _main(job: dict[str, Any]) -> None:
    from pyosys import libyosys  # loads a large native library: only in the process of its own

    out = Path(job["out"])
    accelerator = out / f"{ACCELERATOR}.il"
    _accelerator(job, out, accelerator)
    parts = [accelerator, *sorted(Path(job["parts"]).glob("*.il"))]
    design = libyosys.Design()
    if "top" in job:
        _chip(design, job, out, parts)
    else:
        _alone(design, out, parts)
    for scratch in (accelerator, out / "top.json"):
        scratch.unlink()


def _passes(design: Any, *steps: str) -> None:
    from pyosys import libyosys

    for step in steps:
        libyosys.run_pass(step, design)


def _accelerator(job: dict[str, Any], out: Path, accelerator: Path) -> None:
    """Write `top` alone, its instances named after their netlists."""
    from pyosys import libyosys

    design = libyosys.Design()
    modules = sorted({module for module, _ in job["instances"].values()})
    boxes = "".join(f" --blackboxed-module {module}" for module in modules)
    libyosys.run_pass(f"{SLANG} -f files.f --top {ACCELERATOR}{boxes}", design)
    libyosys.run_pass(f"write_json {out / 'top.json'}", design)
    cells = load_json(out / "top.json")["modules"][ACCELERATOR]["cells"]
    for name, (_, part) in job["instances"].items():
        for key in cells[name]["parameters"]:
            libyosys.run_pass(f"setparam -unset {key} {ACCELERATOR}/c:{name}", design)
        libyosys.run_pass(f"chtype -set {part} {ACCELERATOR}/c:{name}", design)
    libyosys.run_pass(f"select {ACCELERATOR}", design)
    libyosys.run_pass(f"write_rtlil -selected {accelerator}", design)


def _alone(design: Any, out: Path, parts: list[Path]) -> None:
    """Write the accelerator's netlist as Verilog."""
    _passes(
        design,
        *_PRIMITIVES,
        *_read(parts),
        f"hierarchy -check -top {ACCELERATOR}",
        "delete t:$scopeinfo",
        f"write_verilog -noattr {out / NETLIST}",
    )


def _chip(design: Any, job: dict[str, Any], out: Path, parts: list[Path]) -> None:
    """Write the flat netlist of the whole chip."""
    _passes(
        design,
        *_PRIMITIVES,
        f"{SLANG} -f {job['files']} --top {job['top']} --extern-modules "
        f"--blackboxed-module {ACCELERATOR}",
        "flatten",
    )
    xilinx.synthesise(design, job["top"], out / "chip.partial")
    _passes(
        design,
        *_read(parts),
        f"hierarchy -check -top {job['top']}",
        "flatten",
        "delete t:$scopeinfo",
        "opt_clean -purge",
        "clkbufmap -buf BUFG O:I",
        "check -assert",
        f"write_json {out / 'chip.json'}",
    )


def _read(parts: list[Path]) -> list[str]:
    return [f"read_rtlil -overwrite {part}" for part in parts]


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
