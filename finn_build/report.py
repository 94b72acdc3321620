"""Render report.json as one self-contained page."""

from pathlib import Path
from typing import Any

import jinja2

from finn_build.config import class_names

TEMPLATE = Path(__file__).with_name("report.html.j2")


def page(report: dict[str, Any]) -> str:
    """HTML of a report: dataflow, resources, accuracy, verification, time; no script, no links."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE.parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters["percent"] = lambda value, digits=1: f"{100 * value:.{digits}f} %"
    environment.filters["count"] = lambda value: f"{value:,.0f}"
    return environment.get_template(TEMPLATE.name).render(r=report, **_derived(report))


def _derived(report: dict[str, Any]) -> dict[str, Any]:
    """Shares and rates that the page shows and report.json leaves to be computed."""
    layers = report["folding"]
    slowest = round(1e6 * report["clock"]["fclk_mhz"] / report["fps"]["predicted"])
    largest = max(layer["lut"] for layer in layers)
    chip, used = report["board"]["chip"], report["resources"]
    gauges = [
        {"name": title, "used": used[key], "of": chip[key], "share": used[key] / chip[key]}
        for key, title in (("lut", "LUT"), ("ff", "FF"), ("bram36", "BRAM36"), ("dsp", "DSP48"))
    ]
    confusion = report["accuracy"]["hardware"].get("confusion")
    names = class_names(len(confusion or []))
    by_class = []
    for i, row in enumerate(confusion or []):
        total = sum(row)
        by_class.append(
            {
                "name": names[i],
                "total": total,
                "share": row[i] / total if total else 0.0,
                "row": [value / total if total else 0.0 for value in row],
                "counts": row,
            }
        )
    return {
        "slowest": slowest,
        "largest": largest,
        "gauges": gauges,
        "by_class": by_class,
        "seconds": sum(report["seconds"].values()),
    }
