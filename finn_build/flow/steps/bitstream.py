"""Write the bitstream of the routed chip."""

import hashlib
from pathlib import Path

from finn_build.backends.registry import backend
from finn_build.errors import ToolError
from finn_build.flow.pipeline import Build
from finn_build.system.files import load_json, save_json


def run(build: Build, out: Path) -> str:
    """Leave MODEL.bit and result.json, report.json's `bitstream`, in `out`.

    Raises ToolError if the routed chip is slower than its clock, or is not what was synthesised.
    """
    options = build.options
    routed = load_json(build.path("route", "result.json"))
    if routed["tool"] is None:
        save_json(out / "result.json", {"path": None, "reason": routed["reason"]})
        return f"none: {routed['reason']}"
    chosen, mhz = backend(routed["tool"]), routed["best"]["mhz"]
    if mhz < options.fclk_mhz:
        seeds = f", or more --seeds than {len(routed['seeds'])}" if chosen.seeded else ""
        raise ToolError(
            f"the chip is too slow for {options.fclk_mhz:g} MHz: {mhz:.1f} MHz by "
            f"{routed['timing']}; use --clock-mhz {options.target.fclk_mhz(mhz):.4g}{seeds}. The "
            f"critical path is {routed['path']}"
        )
    path = out / f"{options.name}.bit"
    chosen.bitstream(build, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    result = {"path": f"bitstream/{path.name}", "sha256": sha256}
    result |= {"tool": routed["tool"], "tool_version": routed["tool_version"]}
    save_json(out / "result.json", result)
    return f"{path.name}, {path.stat().st_size:,} bytes, SHA-256 {sha256[:8]}"
