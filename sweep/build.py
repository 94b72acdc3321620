"""The job that builds a trained and folded design: simulated, synthesised."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from finn_build.config import Options
from finn_build.flow import pipeline
from finn_build.pages import report
from sweep.job import Place, Request


def run(request: Request, place: Place) -> dict[str, Any]:
    """Build the model of the first parent for its board, with the folding of the second.

    Returns:
        Plain values: fps (simulated), cycles, latency_us, lut, ff, bram36, dsp (counted, of
        `source`), images and mismatches of the simulation, hardware (accuracy of the golden
        integers), report (path below the sweep's folder), bitstream (likewise, or None).

    Raises:
        HeadraceError: as a build does.
    """
    from finn_build.flow.steps.plan import STEPS

    settings, folder = request.settings, place.folder(request.id)
    folder.mkdir(parents=True, exist_ok=True)
    trained, folded = request.parents
    out = folder / "build"
    options = Options(
        board=settings["board"],
        model=str(place.root / trained["weights"]),
        data=place.data,
        out=out,
        tool=settings["tool"],
        clock_mhz=settings["clock_mhz"],
        images=settings["images"],
        folding=place.root / folded["folding"],
    )
    with (folder / "build.log").open("a") as log:
        console = Console(file=log, width=160, highlight=False)
        pipeline.run(STEPS, options, console=console)
    return _result(report.read(out), place, request.id)


def _result(report: dict[str, Any], place: Place, job: str) -> dict[str, Any]:
    simulated, clock = report["rtl_sim"], report["clock"]["fclk_mhz"]
    folder = place.folder(job).relative_to(place.root)
    bitstream = report["bitstream"]["path"]
    return {
        "fps": report["fps"]["simulated"],
        "cycles": simulated["cycles_per_frame"],
        "latency_us": round(simulated["latency_cycles"] / clock, 2),
        **{key: report["resources"][key] for key in ("lut", "ff", "bram36", "dsp", "source")},
        "images": simulated["images"],
        "mismatches": simulated["mismatches"],
        "hardware": report["accuracy"]["hardware"]["value"],
        "clock": report["clock"]["source"],
        "report": str(folder / "build" / "report.json"),
        "bitstream": bitstream and str(bitstream),
    }
