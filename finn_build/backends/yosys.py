"""Synthesise with Yosys for 7 series and count resources.

The instances of top are synthesised for themselves, side by side on all cores, which is faster than
the flat whole and tells what each layer takes; top itself is nothing but wires. Run as a module it
is a synthesis process: python -m finn_build.backends.yosys PARTS OUT, in the folder of the sources,
PARTS as JSON.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from finn_build.backends import tools, xilinx
from finn_build.backends.kept import Kept, keys
from finn_build.backends.levels import NONE, Levels, levels
from finn_build.errors import ToolError
from finn_build.rtl.design import Instance
from finn_build.system.files import load_json, relative, save_json

SLANG = "read_slang --max-generate-steps 100000000 --unroll-limit 1000000"
READ = f"{SLANG} -f modules.f --top {{top}}"
TOP = "parts"
# What the files and the module of an instance are called where it may be any of several.
ANY = "any"
# The files that the result of a synthesis process depends on.
_CODE = [Path(__file__).with_name(name) for name in ("yosys.py", "xilinx.py", "levels.py")]
LANE = "nn_compressor"
LANED = ("nn_mvtu",)
# Modules without multipliers are small: one process synthesises them all.
SMALL = (
    "axis_",
    "nn_add",
    "nn_argmax",
    "nn_join",
    "nn_lookup",
    "nn_maxpool",
    "nn_residual",
    "nn_sumpool",
    "nn_swu",
    "nn_upsample",
    "nn_values",
    "nn_window",
)
LANE_PARAMETERS = ("SIMD", "W_BITS", "A_BITS", "TERNARY", "SUM_W", "LATENCY")
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
    kept: Kept | None = None,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Counts]:
    """Synthesise instances with the sources of rtl/modules.f; returns their counts by name.

    Leaves each instance's statistics in out/NAME.json and its netlist in out/NAME.il, with those
    of its lanes beside it, and Yosys' logs beside `log`. Instances that must come out the same are
    synthesised once, and not at all where `kept` has what comes out; tick: told how many are done.
    """
    alike: dict[str, list[str]] = {}
    for name, key in keys(rtl, instances, _CODE).items():
        alike.setdefault(key, []).append(name)
    firsts = {names[0]: key for key, names in alike.items()}
    found: dict[str, Counts] = {}

    def finish(key: str, texts: Mapping[str, str]) -> None:
        for name in alike[key]:
            _unpack(out, name, texts)
            stored = load_json(out / f"{name}.json")
            found[name] = count(stored["num_cells_by_type"], Levels(**stored["levels"]))
        tick(len(found), len(instances))

    for key in alike:
        texts = kept.load(key) if kept else None
        if texts is not None:
            finish(key, texts)

    def one(job: Sequence[Instance]) -> list[str]:
        parts = [_Part(i.name, i.module, i.parameters) for i in job]
        name = job[0].name if len(job) == 1 else "small"
        tools.run_module(
            "finn_build.backends.yosys",
            json.dumps(parts),
            relative(out, rtl),
            cwd=rtl,
            log=log.with_name(f"{log.stem}-{name}{log.suffix}"),
        )
        return [i.name for i in job]

    missing = [i for i in instances if i.name in firsts and i.name not in found]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = [pool.submit(one, job) for job in _jobs(missing)]
        try:
            for done in as_completed(waiting):
                for name in done.result():
                    texts = _pack(out, name)
                    if kept:
                        kept.save(firsts[name], texts)
                    finish(firsts[name], texts)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return {instance.name: found[instance.name] for instance in instances}


def _pack(out: Path, name: str) -> dict[str, str]:
    """What a process left of an instance, by file; its own files and module are called ANY."""
    netlist = (out / f"{name}.il").read_text()
    lanes = {f"{lane}.il" for lane in re.findall(rf"^ *cell \\({LANE}\w+) ", netlist, re.M)}
    return {
        f"{ANY}.json": (out / f"{name}.json").read_text(),
        f"{ANY}.il": netlist.replace(_header(name), _header(ANY)),
        **{lane: (out / lane).read_text() for lane in sorted(lanes)},
    }


def _unpack(out: Path, name: str, texts: Mapping[str, str]) -> None:
    """Write what _pack took from one instance as the files of another."""
    for file, text in texts.items():
        own = file.startswith(f"{ANY}.")
        path = out / (file.replace(ANY, name, 1) if own else file)
        path.write_text(text.replace(_header(ANY), _header(name)) if own else text)


def _header(name: str) -> str:
    """The line of a netlist that names its module."""
    return f"\nmodule \\{name}\n"


def _jobs(instances: Sequence[Instance]) -> list[list[Instance]]:
    """Instances of one process each, the largest first, and the small ones together."""
    small = [i for i in instances if i.module.startswith(SMALL)]
    large = sorted((i for i in instances if i not in small), key=_size, reverse=True)
    return [[i] for i in large] + ([small] if small else [])


def _size(instance: Instance) -> int:
    """A guess at how long synthesis takes."""
    p = {key: value for key, value in instance.parameters.items() if isinstance(value, int)}
    return p.get("PE", 1) * p.get("SIMD", 1) * p.get("W_BITS", 1) * p.get("A_BITS", 1)


def total(parts: Mapping[str, Counts]) -> Counts:
    """Sum of counts, and the largest of levels."""
    deepest = ("lut_levels", "carry_chains")
    rows = [asdict(part) for part in parts.values()]
    return Counts(**{n: (max if n in deepest else sum)(row[n] for row in rows) for n in rows[0]})


class _Part(NamedTuple):
    """A module to synthesise, and what to call it."""

    name: str
    module: str
    parameters: Mapping[str, int | str]


def _main(parts: str, out: str) -> None:
    for name, (cells, depth) in _cells([_Part(*p) for p in json.loads(parts)], Path(out)).items():
        save_json(Path(out) / f"{name}.json", {"num_cells_by_type": cells, "levels": asdict(depth)})


def _cells(parts: Sequence[_Part], out: Path) -> dict[str, tuple[dict[str, int], Levels]]:
    """Cells of each part by type, and its levels.

    The parts stand in one top without wires, so that each pass of Yosys runs once for all of them.
    Lanes are synthesised once and counted as often as they are. A lane is a module that stands
    many times in one of LANED, always with the same parameters; Yosys' slang front end would make
    each of them a module of its own. The netlists of all parts and lanes are left in `out`.
    """
    from pyosys import libyosys  # loads a large native library: only in the synthesis process

    scratch = out / f"{parts[0].name}.{os.getpid()}.partial"
    design, lanes = libyosys.Design(), dict[str, list[_Part]]()
    for name, module, parameters in parts:
        settings = [f"-G {key}={_literal(value)}" for key, value in parameters.items()]
        if module in LANED:
            settings.append(f"--blackboxed-module {LANE}")
        libyosys.run_pass(" ".join([READ.format(top=module), *settings]), design)
        libyosys.run_pass(f"rename {module} {name}", design)
        lanes[name] = _lanes(design, name, scratch) if module in LANED else []
    cells = "".join(f"attribute \\keep 1\ncell \\{p.name} \\{p.name}_i\nend\n" for p in parts)
    scratch.write_text(f"module \\{TOP}\n{cells}end\n")
    libyosys.run_pass(f"read_rtlil {scratch}", design)
    xilinx.synthesise(design, TOP, scratch)
    libyosys.run_pass("check -assert", design)
    libyosys.run_pass(f"tee -q -o {scratch} stat -json -tech xilinx", design)
    counted = load_json(scratch)["modules"]
    libyosys.run_pass(f"write_json {scratch}", design)
    netlists = load_json(scratch)["modules"]
    scratch.unlink()
    unique = {lane.name: lane for found in lanes.values() for lane in found}
    inside = _cells(list(unique.values()), out) if unique else {}
    counts = {}
    for part in parts:
        for kind in {lane.name for lane in lanes[part.name]}:
            libyosys.run_pass(f"chtype -set {kind} {part.name}/t:{LANE}", design)
        libyosys.run_pass(f"select {part.name}", design)
        libyosys.run_pass(f"write_rtlil -selected {scratch}", design)
        libyosys.run_pass("select -clear", design)
        scratch.replace(out / f"{part.name}.il")
        total: dict[str, int] = counted[f"\\{part.name}"]["num_cells_by_type"]
        total = {name: n for name, n in total.items() if not name.lstrip("\\").startswith(LANE)}
        depth = levels(netlists[part.name])
        for lane in lanes[part.name]:
            for name, n in inside[lane.name][0].items():
                total[name] = total.get(name, 0) + n
            depth = depth.worst(inside[lane.name][1])
        counts[part.name] = total, depth
    return counts


def _lanes(design: Any, name: str, scratch: Path) -> list[_Part]:
    """The lanes of a module, which are black boxes without parameters from then on."""
    from pyosys import libyosys

    libyosys.run_pass(f"write_json {scratch}", design)
    cells = [
        cell["parameters"]
        for cell in load_json(scratch)["modules"][name]["cells"].values()
        if cell["type"].lstrip("\\").startswith(LANE)
    ]
    for key in {key for cell in cells for key in cell}:
        libyosys.run_pass(f"setparam -unset {key} t:{LANE}", design)
    found = []
    for cell in cells:
        values = {key: int(cell[key], 2) for key in LANE_PARAMETERS}
        found.append(_Part("_".join([LANE, *map(str, values.values())]), LANE, values))
    return found


def _literal(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


if __name__ == "__main__":
    _main(*sys.argv[1:])
