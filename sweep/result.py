"""What a sweep found, for people and programs: front.html, front.json, and a table to print."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from rich.table import Table as Shown
from rich.text import Text

from finn_build.pages import page
from finn_build.pages.compare.command import figures
from finn_build.pages.compare.points import Point, front, published, strongest
from headrace.names import printable
from quant.files import whole_file
from sweep.table import Row, Table

TEMPLATE = Path(__file__).with_name("page.html.j2")
FORMAT, VERSION = "headrace-sweep", 1
_TRAINED = ("built", "front", "beaten")


def groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of designs that were trained to the end, design by design, the most accurate first."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.state in _TRAINED:
            found.setdefault(row.values["design"], []).append(row)
    return sorted(found.values(), key=lambda g: -mean(row.values["validation"] for row in g))


def _best(group: Sequence[Row]) -> Row:
    """The trial that represents a design: the one that was built, or the most accurate."""
    return max(group, key=lambda row: (row.state == "built", row.values["validation"]))


def points(rows: Sequence[Row]) -> list[Point]:
    """What was trained to the end as points: simulated where it was built, else predicted."""
    points: list[Point] = []
    for number, group in enumerate(groups(rows), 1):
        row = _best(group)
        values, settings = row.values, json.loads(row.values["settings"])
        shares = [trial.values["accuracy"] for trial in group]
        spread = f", {min(shares):.2%} to {max(shares):.2%}" if len(shares) > 1 else ""
        common: dict[str, Any] = {
            "number": number,
            "design": row.label,
            "detail": f"filters {values['filters']}, {settings['board']}",
            "accuracy": mean(shares),
            "images": values["test_images"],
            "bram36": values["bram36"],
            "dsp": values["dsp"],
            "lut": values["lut"],
            "clock_mhz": settings["clock_mhz"],
        }
        trained = (
            f"{len(group)} seed{'s' if len(group) > 1 else ''}{spread}, {values['epochs']} epochs "
            f"quantised, {mean(trial.values['validation'] for trial in group):.2%} held out"
        )
        if values["simulated_fps"]:
            common |= {"kind": "simulated", "fps": values["simulated_fps"]}
            common["latency_us"] = values["latency_us"]
            source = "cycles counted in Verilator, resources after synthesis"
        else:
            common |= {"kind": "predicted", "fps": values["fps"]}
            source = "cycle model"
        points.append(Point(**common, source="; ".join(filter(None, (source, trained, row.why)))))
    return points


def write(out: Path, table: Table) -> None:
    """Leave front.html and front.json in `out`, each whole or not at all."""
    rows = table.rows()
    ours = points(rows)
    others = published(1 + max((p.number for p in ours), default=0))
    fronts = {"ours": front(strongest(ours)), "published": front(others)}
    seconds = table.seconds()
    html = page.render(
        TEMPLATE,
        **figures([*ours, *others], fronts),
        remarks=_remarks(rows),
        states=states(rows),
        rows=[row for row in rows if row.state not in _TRAINED],
        seconds=[(kind, count, total / count) for kind, (count, total) in sorted(seconds.items())],
    )
    _whole(out / "front.html", html)
    data = _data(rows, seconds, table.identity)
    _whole(out / "front.json", json.dumps(data, indent=2) + "\n")


def _whole(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _remarks(rows: Sequence[Row]) -> list[str]:
    said = [
        "Accuracy of ours: mean of the seeds on the test images, which decided nothing; the "
        "sweep chose by held-out training images. LUT, BRAM36 and DSP of what was not built are "
        "estimates."
    ]
    if not any(row.state in _TRAINED for row in rows):
        said.append("Nothing was trained to the end.")
    return said


def _data(
    rows: Sequence[Row], seconds: dict[str, tuple[int, float]], identity: dict[str, Any]
) -> dict[str, Any]:
    data: dict[str, list[Any]] = {"front": [], "beaten": []}
    for group in groups(rows):
        place = "beaten" if _best(group).state == "beaten" else "front"
        trials = [{**row.values, "settings": json.loads(row.values["settings"])} for row in group]
        data[place].append(trials)
    return {
        "format": FORMAT,
        "version": VERSION,
        "sweep": identity,
        **data,
        "states": dict(sorted(Counter(row.state for row in rows).items())),
        "seconds": {kind: total for kind, (_, total) in sorted(seconds.items())},
    }


def states(rows: Sequence[Row]) -> str:
    """How many trials are in which state, in words."""
    counted = sorted(Counter(row.state for row in rows).items())
    return ", ".join(f"{count:,} {state}" for state, count in counted)


def front_table(rows: Sequence[Row]) -> Shown:
    """The front for a terminal, the most accurate first."""
    table = Shown(box=None, pad_edge=False)
    for name in ("trial", "design"):
        table.add_column(name)
    for name in ("held out", "test", "frames/s", "", "LUT", "BRAM36", "DSP"):
        table.add_column(name, justify="right", no_wrap=True)
    for group in groups(rows):
        row = _best(group)
        if row.state == "beaten":
            continue
        values = row.values
        table.add_row(
            row.id,
            Text(printable(row.label)),
            f"{mean(trial.values['validation'] for trial in group):.2%}",
            f"{mean(trial.values['accuracy'] for trial in group):.2%}",
            f"{values['simulated_fps'] or values['fps']:,.0f}",
            "simulated" if values["simulated_fps"] else "predicted",
            f"{values['lut']:,}",
            f"{values['bram36']:g}",
            f"{values['dsp']:,}",
        )
    return table


def costed_table(rows: Sequence[Row], most: int = 20) -> Shown:
    """Candidates that would be trained, the fastest first, for a terminal."""
    table = Shown(box=None, pad_edge=False)
    table.add_column("design")
    table.add_column("filters")
    for name in ("frames/s", "one image, µs", "LUT", "BRAM36", "DSP"):
        table.add_column(name, justify="right", no_wrap=True)
    costed = {row.values["design"]: row.values for row in rows if row.state == "costed"}
    for values in sorted(costed.values(), key=lambda v: -v["fps"])[:most]:
        table.add_row(
            Text(printable(values["label"])),
            values["filters"],
            f"{values['fps']:,.0f}",
            f"{values['latency_us']:,.1f}",
            f"{values['lut']:,}",
            f"{values['bram36']:g}",
            f"{values['dsp']:,}",
        )
    return table
