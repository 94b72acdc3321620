"""Place and route the chip, and say how fast it is."""

import tempfile
from dataclasses import asdict
from pathlib import Path

from finn_build.backends import netlist, openxc7
from finn_build.backends.bitstream import UNBUILT, choose, open_tools
from finn_build.boards import Resources
from finn_build.errors import ToolError
from finn_build.files import load_json, save_json
from finn_build.folding import shortfall
from finn_build.pipeline import Build

SOURCES, TOP = "chip.f", "chip"
_TOO_MUCH = (
    "\nThe chip takes {} that these tools are known to place; --target-fps asks for a smaller one"
)


def run(build: Build, out: Path) -> str:
    """Leave chip.json (netlist), chip.fasm of the fastest seed and result.json in `out`.

    Raises ToolError where the tool or a database is missing or does not work, before the long part.
    """
    options = build.options
    choice = choose(options)
    if choice.tool is None:
        save_json(out / "result.json", {"tool": None, "reason": choice.reason})
        return f"none: {choice.reason}"
    if choice.tool != "openxc7":
        raise ToolError(f"--tool {choice.tool}: {UNBUILT}; use --tool auto, openxc7 or none")
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
            mhz=openxc7.asked_mhz(options.fclk_mhz),
            seeds=options.seeds,
            log=build.log("nextpnr"),
            tick=build.tick,
        )
    except ToolError as error:
        used = Resources(lut=counts.lut, ff=counts.ff, bram36=counts.bram36, dsp=counts.dsp)
        over = shortfall(used, options.target.budget[choice.share])
        raise ToolError(f"{error}{over and _TOO_MUCH.format(over)}") from error
    best = made[0]
    (out / f"seed{best.seed}.fasm").rename(out / "chip.fasm")
    for other in out.glob("seed*.fasm"):
        other.unlink()
    result = {
        "tool": choice.tool,
        "tool_version": openxc7.version(setup),
        "resources": asdict(counts),
        "best": asdict(best),
        "path": best.path,
        "seeds": {each.seed: each.mhz for each in made},
    }
    save_json(out / "result.json", result)
    others = f" (seed {best.seed} of {options.seeds})" if options.seeds > 1 else ""
    return (
        f"{best.mhz:.1f} MHz by nextpnr's model{others}, {counts.lut:,} LUTs, {counts.ff:,} FFs, "
        f"{counts.bram36:g} BRAM36; {best.path}"
    )
