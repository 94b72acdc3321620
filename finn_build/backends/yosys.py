"""Synthesise with Yosys for 7 series and count resources.

Run as a module it is the synthesis process itself: python -m finn_build.backends.yosys OUT.json,
in the folder of the sources.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from finn_build.backends import tools
from finn_build.errors import ToolError

PASSES = (
    "read_slang --keep-hierarchy --max-generate-steps 100000000 --unroll-limit 1000000 "
    "-f files.f --top top",
    "synth_xilinx -family xc7 -nosrl -nodsp -noiopad -noclkbuf -top top",
    "check -assert",
)

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
    """Cells of the synthesised design; lut counts LUT1-LUT6, SRLs and the LUTs of LUTRAM."""

    lut: int
    ff: int
    bram36: float
    dsp: int
    carry4: int
    lutram: int


def count(cells: dict[str, int]) -> Counts:
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
    )


def synthesise(rtl: Path, out: Path, *, log: Path) -> tuple[Counts, dict[str, Counts]]:
    """Synthesise rtl/files.f; returns the whole design's counts and those of each instance of top.

    Leaves Yosys' statistics in out/stat.json.
    """
    stat = (out / "stat.json").resolve()
    tools.run_module("finn_build.backends.yosys", stat, cwd=rtl, log=log)
    return read(json.loads(stat.read_text()))


def read(stat: dict[str, object]) -> tuple[Counts, dict[str, Counts]]:
    """Counts of top and, by instance name, of its instances, from Yosys' hierarchical JSON."""
    modules = stat["modules"]
    assert isinstance(modules, dict)
    flat: dict[str, dict[str, int]] = {}

    def cells(name: str) -> dict[str, int]:
        if name not in flat:
            total: dict[str, int] = {}
            for kind, number in modules[name]["num_cells_by_type"].items():
                inner = cells(f"\\{kind}") if f"\\{kind}" in modules else None
                if inner is None and kind in modules:
                    inner = cells(kind)
                for key, n in (inner or {kind: 1}).items():
                    total[key] = total.get(key, 0) + n * number
            flat[name] = total
        return flat[name]

    whole = count(cells("\\top"))
    parts = {name: count(cells(name)) for name in modules if name != "\\top"}
    return whole, parts


def _main(stat: str) -> None:
    from pyosys import libyosys  # loads a large native library: only in the synthesis process

    design = libyosys.Design()
    for each in PASSES:
        libyosys.run_pass(each, design)
    libyosys.run_pass(f"tee -q -o {stat} stat -json -tech xilinx", design)


if __name__ == "__main__":
    _main(*sys.argv[1:])
