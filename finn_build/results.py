"""The README's table of results, written from reports."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finn_build.errors import ConfigError
from finn_build.report import read

BEGIN, END = "<!-- results -->", "<!-- /results -->"
_HEAD = (
    "| model, board | clock, MHz | accuracy, images | frames/s, simulated | one image, simulated "
    "| LUT | FF | BRAM36 | DSP |\n|---|---|---|---|---|---|---|---|---|\n"
)


def table(reports: Sequence[dict[str, Any]]) -> str:
    """Markdown table with one row per report, and a line that says what the figures are."""
    notes = (
        "Frames/s: cycles of the simulated RTL at that clock. Accuracy: the golden integer "
        "model's, which the RTL equals on every simulated image. Resources by Yosys, or Vivado "
        "where it routed; of the whole chip where it was routed, else summed over top's modules "
        "(LUTs include LUTRAM). Written by `./build.sh results`."
    )
    return _HEAD + "\n".join(_row(r) for r in reports) + f"\n\n{notes}\n"


def _row(report: dict[str, Any]) -> str:
    measured, used, chip, clock = (
        report["accuracy"]["hardware"],
        report["resources"],
        report["board"]["chip"],
        report["clock"],
    )
    value, images = measured["value"], measured["images"]
    accuracy = "not known" if value is None else f"{100 * value:.2f} %, {images:,}"
    rate = report["fps"]["simulated"]
    latency = report["rtl_sim"]["latency_cycles"] / clock["fclk_mhz"]
    routed = clock["source"] if clock["achieved_mhz"] else "not routed"
    counts = [f"{used[k]:,g} of {chip[k]:,g}" for k in ("lut", "ff", "bram36", "dsp")]
    cells = [
        f"{report['model']['name']}, {report['board']['title']}",
        f"{clock['fclk_mhz']:.4g}, {routed}",
        accuracy,
        f"{rate:,.0f}" if rate else f"{report['fps']['predicted']:,.0f}, estimated",
        f"{latency:,.1f} µs" if rate else "",
        *counts,
    ]
    return f"| {' | '.join(cells)} |"


def insert(path: Path, reports: Sequence[Path]) -> None:
    """Put the table of the reports between the two marks in a Markdown file."""
    text = path.read_text()
    if BEGIN not in text or END not in text:
        raise ConfigError(f"{path}: the marks {BEGIN} and {END} are missing")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    made = table([read(report) for report in reports])
    path.write_text(f"{before}{BEGIN}\n{made}{END}{after}")
