"""Place and route the chip, and say how fast it is."""

from dataclasses import asdict
from pathlib import Path

from finn_build.backends.registry import backend, choose
from finn_build.flow.pipeline import Build
from finn_build.system.files import save_json


def run(build: Build, out: Path) -> str:
    """Leave what the tool's bitstream is made from, and result.json, in `out`.

    Raises ToolError where the tool or a database is missing or does not work, before the long part.
    """
    choice = choose(build.options)
    if choice.tool is None:
        save_json(out / "result.json", {"tool": None, "reason": choice.reason})
        return f"none: {choice.reason}"
    chosen = backend(choice.tool)
    routed = chosen.place_and_route(build, out)
    result = {"tool": chosen.name, "accelerator": chosen.accelerator, **asdict(routed)}
    save_json(out / "result.json", result | {"path": routed.best.path})
    best, counts = routed.best, routed.resources
    others = f" (seed {best.seed} of {len(routed.seeds)})" if len(routed.seeds) > 1 else ""
    return (
        f"{best.mhz:.1f} MHz by {routed.timing}{others}, {counts['lut']:,g} LUTs, "
        f"{counts['ff']:,g} FFs, {counts['bram36']:g} BRAM36; {best.path}"
    )
