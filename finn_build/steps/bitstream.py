"""Write the bitstream of the routed chip."""

import hashlib
from pathlib import Path

from finn_build.backends import fasm, openxc7
from finn_build.backends.bitstream import open_tools
from finn_build.errors import ToolError
from finn_build.files import load_json, save_json
from finn_build.pipeline import Build
from finn_build.steps.route import TOP


def run(build: Build, out: Path) -> str:
    """Leave MODEL.bit and result.json, report.json's `bitstream`, in `out`.

    Raises ToolError if the routed chip is slower than its clock, or is not what was synthesised.
    """
    options = build.options
    made = load_json(build.path("route", "result.json"))
    if made["tool"] is None:
        save_json(out / "result.json", {"path": None, "reason": made["reason"]})
        return f"none: {made['reason']}"
    mhz = made["best"]["mhz"]
    if mhz < options.fclk_mhz:
        raise ToolError(
            f"the chip is too slow for {options.fclk_mhz:g} MHz: {mhz:.1f} MHz by nextpnr's model; "
            f"use --clock-mhz {options.target.fclk_mhz(mhz):.4g}, or more --seeds than "
            f"{len(made['seeds'])}. The critical path is {made['path']}"
        )
    source = build.path("route", "chip.fasm")
    netlist = load_json(build.path("route", "chip.json"))["modules"][TOP]
    fasm.check(netlist["cells"], source)
    path = out / f"{options.name}.bit"
    openxc7.bitstream(
        open_tools(options),
        source,
        path,
        design=options.name,
        size=options.target.bitstream_bytes,
        log=build.log("frames"),
    )
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    result = {"path": f"bitstream/{path.name}", "sha256": sha256}
    result |= {"tool": made["tool"], "tool_version": made["tool_version"]}
    save_json(out / "result.json", result)
    return f"{path.name}, {path.stat().st_size:,} bytes, SHA-256 {sha256[:8]}"
