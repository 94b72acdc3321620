"""Read Vivado's report_timing_summary and report_utilization (formats of 2018 to 2025)."""

import re
from dataclasses import replace
from pathlib import Path

from finn_build.backends.base import Hop, Routed
from finn_build.errors import ToolError

# A line for each root clock where there are any, else one that says 0.
_NO_CLOCK = re.compile(r"There (?:are|is) (\d+) register/latch pins? with no clock")
_SUMMARY = re.compile(r"^\s*WNS\(ns\)[^\n]*WHS\(ns\)[^\n]*WPWS\(ns\)[^\n]*\n[-\s]+\n([^\n]+)", re.M)
# Setup paths, one for each pair of clocks; the report has hold and unconstrained paths, too.
_PATH = re.compile(
    r"^Slack \([A-Z]+\) :\s+(-?[\d.]+)ns\s+\(required time - arrival time\).*?(?=^Slack|\Z)",
    re.M | re.S,
)
_FIELD = r"^\s+{}:\s+(\S+)"
_DELAY = re.compile(r"Data Path Delay:\s+[\d.]+ns\s+\(logic ([\d.]+)ns")
_REQUIREMENT = re.compile(r"Requirement:\s+([\d.]+)ns")
_NET = re.compile(r"net \(fo=(\d+), [a-z]+\)\s+([\d.]+)\s+[\d.]+\s+(\S+)")
_RULE = re.compile(r"^\s+-{10,}\s+-{5,}\s*$", re.M)
# Rows of the utilisation report that are report.json's resources.
_RESOURCES = {
    "lut": "Slice LUTs",
    "ff": "Slice Registers",
    "bram36": "Block RAM Tile",
    "dsp": "DSPs",
    "lutram": "LUT as Distributed RAM",
}


def read(report: Path, utilisation: Path) -> tuple[Routed, dict[str, float]]:
    """The critical path with what is used, and report.json's resources.

    Raises ToolError where a report is not whole, registers have no clock, or a hold time or pulse
    width is missed, which a slower clock would not change.
    """
    rows = table(utilisation.read_text())
    lacking = [row for row in _RESOURCES.values() if row not in rows]
    if lacking:
        raise ToolError(f"{utilisation} has no {', '.join(lacking)}")
    resources = {key: rows[row][0] for key, row in _RESOURCES.items()}
    resources["carry4"] = rows.get("CARRY4", (0, None))[0]
    used = {name: (round(n), of) for name, (n, of) in rows.items() if n and of is not None}
    return replace(timing(report), used=used), resources


def timing(report: Path) -> Routed:
    """The critical path of a timing summary. Raises ToolError where a clock does not hold it."""
    text = report.read_text()
    bare = [int(count) for count in _NO_CLOCK.findall(text)]
    if not bare or any(bare):
        raise ToolError(f"{report}: {sum(bare) or 'some'} registers have no clock")
    worst = _SUMMARY.search(text)
    slacks = worst[1].split() if worst else []
    asked = [slacks[place] for place in (0, 4, 8) if place < len(slacks)]
    if "NA" in asked:
        raise ToolError(f"{report}: nothing is constrained: a slack is NA")
    path = min(_PATH.finditer(text), key=lambda found: float(found[1]), default=None)
    if len(asked) < 3 or path is None:
        raise ToolError(f"{report} has no timing summary with a path")
    wns, whs, wpws = map(float, asked)
    if whs < 0 or wpws < 0:
        what, missed = ("hold time", whs) if whs < 0 else ("pulse width", wpws)
        raise ToolError(f"{report}: a {what} is missed by {-missed:g} ns; no slower clock mends it")
    return _routed(path[0], wns)


def _routed(path: str, wns: float) -> Routed:
    fields = {key: re.search(_FIELD.format(key), path, re.M) for key in ("Source", "Destination")}
    delay, period = _DELAY.search(path), _REQUIREMENT.search(path)
    source, end = fields["Source"], fields["Destination"]
    # The tables of a path: launching clock, data, capturing clock, with rules between them.
    data = _RULE.split(path)[2:3]
    if source is None or end is None or delay is None or period is None or not data:
        raise ToolError(f"Vivado's critical path cannot be read:\n{path[:400]}")
    return Routed(
        seed=1,
        mhz=round(1000 / (float(period[1]) - wns), 3),
        start=_cell(source[1]),
        end=_cell(end[1]),
        logic_ns=float(delay[1]),
        hops=[
            Hop(net=_tidy(net), loads=int(loads), ns=float(ns))
            for loads, ns, net in _NET.findall(data[0])
        ],
        used={},
    )


def table(text: str) -> dict[str, tuple[float, int | None]]:
    """What is used, and how much there is where that is known, by the first column's names.

    A name that comes again, as that of a primitive, keeps its first row.
    """
    rows: dict[str, tuple[float, int | None]] = {}
    head: list[str] = []
    for line in text.splitlines():
        if not line.startswith(("|", "+")):
            head = []  # between two tables
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if not head or "Used" in cells:
            head = cells
            continue
        values = dict(zip(head, cells, strict=False))
        used, of = values.get("Used", ""), values.get("Available", "")
        if re.fullmatch(r"[\d.]+", used):
            name = cells[0].rstrip("*")
            count = int(used) if used.isdigit() else float(used)
            rows.setdefault(name, (count, int(of) if of.isdigit() else None))
    return rows


def _cell(pin: str) -> str:
    """The register of a pin, in our terms."""
    return _tidy(re.sub(r"_reg(?=[\[/]|$)", "", pin.rpartition("/")[0]))


def _tidy(name: str) -> str:
    return name.removeprefix("top_i/").replace("/", ".")
