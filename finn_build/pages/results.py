"""The tables of results in README and docs, written from reports of the code that is committed."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from finn_build.errors import ConfigError
from finn_build.flow import provenance
from finn_build.pages import committed, marks
from finn_build.pages.report import read

PAGES = (Path("README.md"), Path("docs/bitstreams.md"), Path("docs/results.md"))
BEGIN, END = "<!-- results -->", "<!-- /results -->"
_HEAD = (
    "| model, board | clock, MHz | accuracy, images | frames/s, simulated | one image, simulated "
    "| LUT | FF | BRAM36 | DSP |\n|---|---|---|---|---|---|---|---|---|\n"
)
_STAMP = "Written by `./build.sh results`, of the code of commit {}."
_STAMPED = re.compile(re.escape(_STAMP).replace(r"\{\}", "([0-9a-f]+)"))

Report = dict[str, Any]


def table(reports: Sequence[Report]) -> str:
    """Markdown table with one row per report, and a line that says what the figures are."""
    notes = (
        "Frames/s: cycles of the simulated RTL at that clock. Accuracy: the golden integer "
        "model's, which the RTL equals on every simulated image. Resources by Yosys, or Vivado "
        "where it routed; of the whole chip where it was routed, else summed over top's modules "
        "(LUTs include LUTRAM)."
    )
    return _HEAD + "\n".join(_row(r) for r in reports) + f"\n\n{notes}"


def routed(reports: Sequence[Report]) -> str:
    """A table for each chip that was placed and routed. Raises ConfigError where none was."""
    chips = [r for r in reports if r["clock"]["achieved_mhz"] and r["fps"]["simulated"]]
    if not chips:
        raise ConfigError("no report is of a chip that was placed and routed; give one as well")
    return "\n\n".join(_chip(r) for r in chips)


def times(reports: Sequence[Report]) -> str:
    """How long the builds took, and on what."""
    steps = ("accuracy", "simulate", "synthesise", "route", "bitstream")
    rows = [
        f"| model, clock | all steps | {' | '.join(steps)} | on |\n{'|---' * (len(steps) + 3)}|\n"
    ]
    for r in reports:
        spent, host = r["seconds"], r["machine"]
        cells = [
            f"{r['model']['name']}, {r['clock']['fclk_mhz']:.4g} MHz",
            *(_time(s) for s in (sum(spent.values()), *(spent.get(step, 0) for step in steps))),
            f"{host['threads']} threads, {host['cpu']}",
        ]
        rows.append(f"| {' | '.join(cells)} |\n")
    return "".join(rows).rstrip()


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _seeds(clock: dict[str, Any]) -> str:
    """The routed clock: of one seed, or the median of several with the slowest and the fastest."""
    made = list(clock.get("seeds", {}).values()) or [clock["achieved_mhz"]]
    if len(made) == 1:
        return f"{made[0]:.1f} MHz, one seed"
    return f"{median(made):.1f} MHz, {min(made):.1f} to {max(made):.1f} with {len(made)} seeds"


def _accuracy(report: Report) -> str:
    measured = report["accuracy"]["hardware"]
    value, images = measured["value"], measured["images"]
    return "not known" if value is None else f"{100 * value:.2f} %, {images:,}"


def _row(report: Report) -> str:
    used, chip, clock = report["resources"], report["board"]["chip"], report["clock"]
    rate = report["fps"]["simulated"]
    latency = report["rtl_sim"]["latency_cycles"] / clock["fclk_mhz"]
    said = f"{clock['source']}: {_seeds(clock)}" if clock["achieved_mhz"] else "not routed"
    counts = [f"{used[k]:,g} of {chip[k]:,g}" for k in ("lut", "ff", "bram36", "dsp")]
    cells = [
        f"{report['model']['name']}, {report['board']['title']}",
        f"{clock['fclk_mhz']:.4g}, {said}",
        _accuracy(report),
        f"{rate:,.0f}" if rate else f"{report['fps']['predicted']:,.0f}, estimated",
        f"{latency:,.1f} µs" if rate else "",
        *counts,
    ]
    return f"| {' | '.join(cells)} |"


def _chip(report: Report) -> str:
    clock, used, sim = report["clock"], report["resources"], report["rtl_sim"]
    by_seed = [f"{mhz:.1f} MHz (seed {seed})" for seed, mhz in sorted(clock["seeds"].items())]
    spent = {name: _time(report["seconds"][name]) for name in ("synthesise", "route", "bitstream")}
    # Without the names of its nets.
    path = ": ".join(str(clock["critical_path"]).split(": ")[:2])
    rows = {
        "frames/s, simulated cycles at the board's clock": f"{report['fps']['simulated']:,.0f} "
        f"({sim['cycles_per_frame']:,.0f} cycles per frame at {clock['fclk_mhz']:.2f} MHz)",
        clock["source"]: f"{_seeds(clock)}: {', '.join(by_seed)}",
        "accuracy of the golden model, which the RTL equals": f"{_accuracy(report)} images",
        "whole chip": f"{used['lut']:,g} LUTs, {used['ff']:,g} flip-flops, "
        f"{used['bram36']:g} BRAM36, {used['dsp'] or 'no'} DSP",
        "critical path of the fastest": path,
        "time": f"synthesis {spent['synthesise']}, place and route {spent['route']}, bitstream "
        f"{spent['bitstream']} ({report['machine']['threads']} threads)",
        "tools": f"{report['tools']['synthesis']}, {report['tools']['route']}",
    }
    head = f"| {report['model']['name']}, {report['board']['part']} | |\n|---|---|\n"
    return head + "\n".join(f"| {name} | {value} |" for name, value in rows.items())


_TABLES: dict[str, Callable[[Sequence[Report]], str]] = {
    "results": table,
    "routed": routed,
    "times": times,
}


def check(pages: Sequence[Path]) -> None:
    """Raise ConfigError for a page that is not there."""
    for page in pages:
        marks.read(page)


def write(pages: Sequence[Path], reports: Sequence[Path]) -> str:
    """Write the tables of the reports and say so. Raises ConfigError as `insert` does."""
    commit = insert(pages, reports)
    return f"{', '.join(map(str, pages))}: of the code of commit {commit}"


def current(pages: Sequence[Path]) -> None:
    """Raise ConfigError where tables are of older code."""
    if old := outlived(pages):
        raise ConfigError("\n".join([*old, "build again, and give all of the reports"]))


def insert(pages: Sequence[Path], reports: Sequence[Path], *, root: Path = provenance.ROOT) -> str:
    """Put the tables of the reports between their marks in Markdown files; returns the commit.

    Nothing is written unless all reports were made by the code in `root` and that is committed.
    Raises ConfigError otherwise, and for a page without marks.
    """
    made = [read(report) for report in reports]
    for report, path in zip(made, reports, strict=True):
        committed.require(report.get("code"), path, root=root)
    commit = committed.commit(sorted({name for r in made for name in r["code"]}), root=root)
    texts = {page: _filled(page, made, commit) for page in pages}
    for page, text in texts.items():
        page.write_text(text)
    return commit


def _filled(page: Path, reports: Sequence[Report], commit: str) -> str:
    text = page.read_text()
    found = [name for name in _TABLES if f"<!-- {name} -->" in text]
    if not found:
        raise ConfigError(f"{page}: the marks {BEGIN} and {END}, or another table's, are missing")
    for name in found:
        text = marks.fill(text, name, f"{_TABLES[name](reports)}\n\n{_STAMP.format(commit)}", page)
    return text


def outlived(pages: Sequence[Path], *, root: Path = provenance.ROOT) -> list[str]:
    """Each page whose tables are of older code than the newest commit's, and what changed since."""
    from finn_build.backends import registry
    from finn_build.flow.steps.plan import STEPS

    ways = registry.modules()
    files = [name for step in STEPS[:-1] for name, _ in provenance.fingerprint(step.module, *ways)]
    said = []
    for page in pages:
        stamps = sorted(set(_STAMPED.findall(page.read_text())))
        said += [] if stamps else [f"{page}: the tables name no commit"]
        for stamp in stamps:
            if changed := committed.since(stamp, files, root=root):
                said.append(f"{page}: the tables are of commit {stamp}, before {changed}")
    return said
