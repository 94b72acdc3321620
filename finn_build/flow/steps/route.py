"""Place and route the chip, and say how fast it is."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from finn_build.backends import finn, netlist, openxc7, vivado
from finn_build.backends.bitstream import choose, open_tools, vendor_tool
from finn_build.boards import Resources
from finn_build.errors import ToolError
from finn_build.flow.pipeline import Build
from finn_build.folding.folding import shortfall
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.rtl.emitted import read_instances
from finn_build.system.files import load_json, save_json

SOURCES, TOP = "chip.f", "chip"
_TOO_MUCH = (
    "\nThe chip takes {} that these tools are known to place; --target-fps asks for a smaller one"
)


def run(build: Build, out: Path) -> str:
    """Leave what the tool's bitstream is made from, and result.json, in `out`.

    Raises ToolError where the tool or a database is missing or does not work, before the long part.
    """
    choice = choose(build.options)
    if choice.tool is None:
        save_json(out / "result.json", {"tool": None, "reason": choice.reason})
        return f"none: {choice.reason}"
    result = {"tool": choice.tool, **_ROUTE[choice.tool](build, out)}
    save_json(out / "result.json", result)
    best, counts = result["best"], result["resources"]
    others = f" (seed {best['seed']} of {len(result['seeds'])})" if len(result["seeds"]) > 1 else ""
    return (
        f"{best['mhz']:.1f} MHz by {result['timing']}{others}, {counts['lut']:,g} LUTs, "
        f"{counts['ff']:,g} FFs, {counts['bram36']:g} BRAM36; {result['path']}"
    )


def _openxc7(build: Build, out: Path) -> dict[str, Any]:
    """Leave chip.json (netlist) and chip.fasm of the fastest seed."""
    options = build.options
    setup = open_tools(options)
    with tempfile.TemporaryDirectory() as scratch:
        openxc7.self_check(setup, Path(scratch), size=options.target.bitstream_bytes)
    rtl, parts = build.path("emit"), build.path("synthesise")
    counts = netlist.assemble(rtl, parts, out, files=SOURCES, top=TOP, log=build.log("yosys-chip"))
    try:
        made = openxc7.place_and_route(
            setup,
            out,
            load_json(out / "chip.json")["modules"][TOP],
            layers=[instance.name for instance in read_instances(rtl)],
            mhz=openxc7.asked_mhz(options.fclk_mhz),
            seeds=options.seeds,
            log=build.log("nextpnr"),
            tick=build.tick,
        )
    except ToolError as error:
        used = Resources(lut=counts.lut, ff=counts.ff, bram36=counts.bram36, dsp=counts.dsp)
        over = shortfall(used, options.target.budget["openxc7"])
        raise ToolError(f"{error}{over and _TOO_MUCH.format(over)}") from error
    best = made[0]
    (out / f"seed{best.seed}.fasm").rename(out / "chip.fasm")
    for other in out.glob("seed*.fasm"):
        other.unlink()
    return {
        "tool_version": openxc7.version(setup),
        "timing": "nextpnr's model",
        "resources": asdict(counts),
        "best": asdict(best),
        "path": best.path,
        "seeds": {each.seed: each.mhz for each in made},
    }


def _vivado(build: Build, out: Path) -> dict[str, Any]:
    """Leave a folder in which Vivado made chip.dcp, the routed checkpoint."""
    setup = vendor_tool(build.options)
    best, resources = vivado.place_and_route(
        setup,
        build.path("emit"),
        out,
        mhz=build.options.fclk_mhz,
        files=SOURCES,
        top=TOP,
        log=build.log("vivado"),
    )
    return {
        "tool_version": vivado.version(setup),
        "timing": "Vivado's timing analysis",
        "resources": resources,
        "best": asdict(best),
        "path": best.path,
        "seeds": {best.seed: best.mhz},
    }


def _finn(build: Build, out: Path) -> dict[str, Any]:
    """Leave a folder with all of FINN's build; what needs no Vivado also where there is none."""
    options, log = build.options, build.log("finn")
    network = build.path("golden", "network.npz")
    with np.load(build.path("export", "vectors.npz"), allow_pickle=False) as stored:
        images = stored["images"]
    finn.prepare(
        build.path("export", "model.onnx"),
        network,
        build.path("fold", "folding.json"),
        out,
        settings=finn.config(options.board, options.fclk_mhz),
        images=images,
        labels=golden.run(Network.load(network), images).labels,
        log=build.log("finn-estimate"),
    )
    try:
        setup = vendor_tool(options)
        finn.build(setup, out, log=log)
    except ToolError as error:
        raise ToolError(
            f"{error}\nFINN's estimates, {finn.cycles(out):,} cycles per frame, are in "
            f"{out / finn.OUTPUT / 'report'}"
        ) from error
    best, resources, cycles = finn.read(out)
    return {
        "tool_version": finn.version(setup),
        "timing": "Vivado's timing analysis",
        "resources": resources,
        "best": asdict(best),
        "path": best.path,
        "seeds": {best.seed: best.mhz},
        "cycles": cycles,
    }


_ROUTE = {"openxc7": _openxc7, "vivado": _vivado, "finn": _finn}
