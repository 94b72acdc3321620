"""Synthesise with Yosys for 7 series and count resources.

The instances of top are synthesised one by one, side by side on all cores, which is faster than the
flat whole and tells what each layer takes; top itself is nothing but wires. Run as a module it is
the synthesis process: python -m finn_build.backends.yosys MODULE PARAMETERS OUT.json, in the
folder of the sources, PARAMETERS as JSON.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finn_build.backends import tools
from finn_build.backends.levels import NONE, Levels, levels
from finn_build.emit import Instance
from finn_build.errors import ToolError
from finn_build.files import load_json, save_json

READ = "read_slang --max-generate-steps 100000000 --unroll-limit 1000000 -f modules.f --top {top}"
LANE = "nn_heap"
LANED = ("nn_mvtu",)
LANE_PARAMETERS = ("SIMD", "W_BITS", "A_BITS", "TERNARY", "SUM_W", "LATENCY")
_SYNTH = "synth_xilinx -family xc7 -nosrl -nodsp -noiopad -noclkbuf -flatten -top {top}"
# To the chip's cells.
SYNTHESIS = (
    f"{_SYNTH} -run :map_luts",
    # A LUT is a LUT: by itself Yosys takes three with five inputs for two with six.
    "setattr -mod -set abc9_lut 1 =LUT1 =LUT2 =LUT3 =LUT4 =LUT5 =LUT6",
    f"{_SYNTH} -run map_luts:",
)
PASSES = (*SYNTHESIS, "check -assert", "tee -q -o {out} stat -json -tech xilinx")

# Slice LUTs that one LUTRAM cell takes (7 Series CLB User Guide, UG474).
_LUTRAM = {
    "RAM16X1D": 2,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
    "RAM32M": 4,
    "RAM64M": 4,
}


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Cells of the synthesised design; lut counts LUT1-LUT6, SRLs and the LUTs of LUTRAM.

    lut_levels, carry_chains: the most on a path between registers within one module.
    """

    lut: int
    ff: int
    bram36: float
    dsp: int
    carry4: int
    lutram: int
    lut_levels: int
    carry_chains: int


def count(cells: dict[str, int], depth: Levels = NONE) -> Counts:
    """Sum up cell counts by type. Raises ToolError for cells that are not of the chip."""
    unknown = [
        name for name in cells if name.startswith(("$", "\\$")) and name not in ("$scopeinfo",)
    ]
    if unknown:
        raise ToolError(f"Yosys left cells unmapped: {', '.join(sorted(unknown))}")
    lutram = sum(n * cells.get(name, 0) for name, n in _LUTRAM.items())
    luts = sum(cells.get(f"LUT{i}", 0) for i in range(1, 7))
    srls = cells.get("SRL16E", 0) + cells.get("SRLC32E", 0)
    flops = sum(cells.get(name, 0) for name in ("FDRE", "FDSE", "FDCE", "FDPE"))
    return Counts(
        lut=luts + srls + lutram,
        ff=flops,
        bram36=cells.get("RAMB36E1", 0) + cells.get("RAMB18E1", 0) / 2,
        dsp=cells.get("DSP48E1", 0),
        carry4=cells.get("CARRY4", 0),
        lutram=lutram,
        lut_levels=depth.luts,
        carry_chains=depth.chains,
    )


def synthesise(
    rtl: Path,
    instances: Sequence[Instance],
    out: Path,
    *,
    log: Path,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Counts]:
    """Synthesise instances with the sources of rtl/modules.f; returns their counts by name.

    Leaves Yosys' statistics in out/NAME.json and its log beside `log`, one for each instance.
    """

    def one(instance: Instance) -> Counts:
        stat = (out / f"{instance.name}.json").resolve()
        tools.run_module(
            "finn_build.backends.yosys",
            instance.module,
            json.dumps(instance.parameters),
            str(stat),
            cwd=rtl,
            log=log.with_name(f"{log.stem}-{instance.name}{log.suffix}"),
        )
        made = load_json(stat)
        return count(made["num_cells_by_type"], Levels(**made["levels"]))

    largest_first = sorted(instances, key=_size, reverse=True)
    found = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = {pool.submit(one, instance): instance.name for instance in largest_first}
        try:
            for done in as_completed(waiting):
                found[waiting[done]] = done.result()
                tick(len(found), len(waiting))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return {instance.name: found[instance.name] for instance in instances}


def _size(instance: Instance) -> int:
    """A guess at how long synthesis takes."""
    p = {key: value for key, value in instance.parameters.items() if isinstance(value, int)}
    return p.get("PE", 1) * p.get("SIMD", 1) * p.get("W_BITS", 1) * p.get("A_BITS", 1)


def total(parts: Mapping[str, Counts]) -> Counts:
    """Sum of counts, and the largest of levels."""
    deepest = ("lut_levels", "carry_chains")
    rows = [asdict(part) for part in parts.values()]
    return Counts(**{n: (max if n in deepest else sum)(row[n] for row in rows) for n in rows[0]})


def _main(module: str, parameters: str, out: str) -> None:
    cells, depth = _cells(module, json.loads(parameters), Path(out))
    save_json(Path(out), {"num_cells_by_type": cells, "levels": asdict(depth)})


def _cells(
    module: str, parameters: Mapping[str, int | str], out: Path
) -> tuple[dict[str, int], Levels]:
    """Cells of a module by type, and its levels.

    Its lanes are synthesised once and counted as often as they are. A lane is a module that stands
    many times in one of LANED; Yosys' slang front end would make each of them a module of its own.
    """
    from pyosys import libyosys  # loads a large native library: only in the synthesis process

    settings = [f"-G {key}={_literal(value)}" for key, value in parameters.items()]
    if module in LANED:
        settings.append(f"--blackboxed-module {LANE}")
    design = libyosys.Design()
    libyosys.run_pass(" ".join([READ.format(top=module), *settings]), design)
    lanes, stored = _lanes(design, out) if module in LANED else ([], [])
    for key in stored:  # a black box must have none
        libyosys.run_pass(f"setparam -unset {key} t:{LANE}", design)
    for each in PASSES:
        libyosys.run_pass(each.format(top=module, out=out), design)
    total: dict[str, int] = load_json(out)["design"]["num_cells_by_type"]
    total = {name: n for name, n in total.items() if not name.lstrip("\\").startswith(LANE)}
    libyosys.run_pass(f"write_json {out}", design)
    modules = load_json(out)["modules"].values()
    depth = levels(next(each for each in modules if "top" in each["attributes"]))
    for lane in {json.dumps(each, sort_keys=True): each for each in lanes}.values():
        cells, inside = _cells(LANE, lane, out)
        depth = depth.worst(inside)
        for name, n in cells.items():
            total[name] = total.get(name, 0) + n * lanes.count(lane)
    return total, depth


def _lanes(design: Any, scratch: Path) -> tuple[list[dict[str, int | str]], list[str]]:
    """Parameters of every lane of a design that was just read, and all names stored with them."""
    from pyosys import libyosys

    libyosys.run_pass(f"write_json {scratch}", design)
    modules = load_json(scratch)["modules"].values()
    cells = [
        cell["parameters"]
        for each in modules
        for cell in each.get("cells", {}).values()
        if cell["type"].lstrip("\\").startswith(LANE)
    ]
    lanes: list[dict[str, int | str]] = [
        {key: int(cell[key], 2) for key in LANE_PARAMETERS} for cell in cells
    ]
    return lanes, sorted({key for cell in cells for key in cell})


def _literal(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


if __name__ == "__main__":
    _main(*sys.argv[1:])
