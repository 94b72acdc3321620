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
    made = load_json(build.path("route", "result.json"))
    if made["tool"] is None:
        save_json(out / "result.json", {"path": None, "reason": made["reason"]})
        return f"none: {made['reason']}"
    chosen, mhz = backend(made["tool"]), made["best"]["mhz"]
    if mhz < options.fclk_mhz:
        seeds = f", or more --seeds than {len(made['seeds'])}" if chosen.seeded else ""
        raise ToolError(
            f"the chip is too slow for {options.fclk_mhz:g} MHz: {mhz:.1f} MHz by "
            f"{made['timing']}; use --clock-mhz {options.target.fclk_mhz(mhz):.4g}{seeds}. The "
            f"critical path is {made['path']}"
        )
    path = out / f"{options.name}.bit"
    chosen.bitstream(build, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    result = {"path": f"bitstream/{path.name}", "sha256": sha256}
    result |= {"tool": made["tool"], "tool_version": made["tool_version"]}
    save_json(out / "result.json", result)
    return f"{path.name}, {path.stat().st_size:,} bytes, SHA-256 {sha256[:8]}"
