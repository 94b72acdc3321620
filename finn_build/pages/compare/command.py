"""Compare builds, boards, CPUs and what was published, in the terminal and as a page."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from finn_build.errors import ConfigError
from finn_build.pages import page
from finn_build.pages.compare import baselines, inputs
from finn_build.pages.compare.chart import SHAPES, chart
from finn_build.pages.compare.points import (
    KINDS,
    Point,
    front,
    of_report,
    of_results,
    other_data,
    published,
    strongest,
)
from finn_build.system.machine import threads as threads_here
from headrace.names import printable
from headrace.terminal import line

TEMPLATE = page.FOLDER / "compare.html.j2"
FORMAT, VERSION = "headrace-compare", 1
SIZES = {"wide": (960, 520), "narrow": (340, 420)}  # for screens, and for phones


def run(
    paths: Sequence[Path],
    *,
    out: Path,
    data: Path,
    cpu: bool,
    threads: int | None,
    seconds: float,
    console: Console,
) -> None:
    """Print the table and write the page `out` and its data beside it, as .json.

    data: a data set for the accuracy of the CPU's programs, if any; cpu: whether to time
    them; threads: theirs, all CPUs where None; seconds: for each, on one image and on batches.
    """
    _check(out, threads, seconds)
    found = inputs.read(paths)
    points = _ours(found)
    machine = None
    builds = _with_networks(found) if cpu else []
    if builds:
        threads = threads or threads_here()
        machine = baselines.machine(threads)
        with console.status("") as status:
            points += _on_the_cpu(
                builds,
                first=1 + max(p.number for p in points),
                data=data,
                log=out.with_suffix(".log"),
                threads=threads,
                seconds=seconds,
                tick=lambda said: status.update(Text(printable(said))),
            )
    points += published(1 + max(p.number for p in points))
    fronts = {
        "ours": front(strongest(points)),
        "published": front(p for p in points if p.kind == "published"),
    }
    comparison = {
        "format": FORMAT,
        "version": VERSION,
        "machine": machine,
        "points": [asdict(p) for p in points],
        "fronts": {name: [p.number for p in line] for name, line in fronts.items()},
        "skipped": [str(path) for path in found.skipped],
    }
    _show(points, comparison, console)
    _write(out, points, fronts, comparison)
    line(console, f"{out}: {len(points)} points")


def _check(out: Path, threads: int | None, seconds: float) -> None:
    if out.suffix != ".html":
        raise ConfigError(f"--out {out}: use a name that ends in .html")
    if threads is not None and threads < 1:
        raise ConfigError(f"--threads {threads}: use 1 or more")
    if seconds <= 0:
        raise ConfigError(f"--seconds {seconds:g}: use more than 0")


def _ours(found: inputs.Inputs) -> list[Point]:
    """Points of the builds and of the boards; a board's stand with the build that it runs."""
    points: list[Point] = []
    for number, source in enumerate(found.reports, 1):
        points += of_report(source.content, number)
    number = len(found.reports)
    for source in found.results:
        board_results = source.content
        name = (board_results["model"], board_results["board"])
        builds = [
            (i, s.content)
            for i, s in enumerate(found.reports, 1)
            if (s.content["model"]["name"], s.content["board"]["name"]) == name
        ]
        if len(builds) == 1:
            points.append(of_results(board_results, builds[0][0], builds[0][1]))
        else:
            number += 1
            points.append(of_results(board_results, number, None))
    return sorted(points, key=lambda p: p.number)


def _with_networks(found: inputs.Inputs) -> list[inputs.Source]:
    """One build of each model whose network lies beside its report."""
    builds: dict[str, inputs.Source] = {}
    for source in found.reports:
        if all((source.file.parent / name).is_file() for name in baselines.FILES):
            builds.setdefault(source.content["model"]["name"], source)
    return list(builds.values())


def _on_the_cpu(
    builds: Sequence[inputs.Source],
    *,
    first: int,
    data: Path,
    log: Path,
    threads: int,
    seconds: float,
    tick: Callable[[str], None],
) -> list[Point]:
    """Time the networks of builds with every program."""
    tick("test images")
    test = baselines.whole_test_set(data, log) if data.exists() else None
    points: list[Point] = []
    for build in builds:
        report, exact = build.content, build.content["accuracy"]["hardware"]
        timed = baselines.measure(
            build.file.parent,
            test=test,
            exact=(exact["value"], exact["images"]),
            classes=report["model"].get("classes"),
            threads=threads,
            seconds=seconds,
            tick=tick,
        )
        for program in timed:
            points.append(
                Point(
                    number=first + len(points),
                    design=report["model"]["name"],
                    kind="cpu",
                    detail=f"{program.name}, {_threads(threads)}",
                    source=f"medians of {program.calls[0]:,} single images and "
                    f"{program.calls[1]:,} batches of {baselines.BATCH}; accuracy "
                    + ("not known" if program.accuracy is None else f"on {program.source}"),
                    accuracy=program.accuracy,
                    images=program.images,
                    fps=program.fps,
                    latency_us=program.latency_us,
                    data=other_data(report),
                )
            )
    return points


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _cells(point: Point) -> dict[str, str]:
    """A row's figures as text, empty where unknown; the same in the terminal and on the page."""
    share = "" if point.accuracy is None else f"{100 * point.accuracy:.2f} %"
    if point.accuracy is None and point.kind in ("predicted", "simulated", "cpu"):
        share = "not known"  # a build always tries to measure it, so the lack is worth a word
    few = "" if point.comparable or point.accuracy is None else f" of {point.images:,}"
    few += f" of {printable(point.data, most=40)}" if point.data and few else ""
    numbers = {
        "frames/s": (point.fps, "{:,.0f}"),
        "one image": (point.latency_us, "{:,.0f} µs"),
        "LUT": (point.lut, "{:,}"),
        "BRAM36": (point.bram36, "{:,g}"),
        "DSP": (point.dsp, "{:,}"),
        "MHz": (point.clock_mhz, "{:.4g}"),
    }
    return {
        "accuracy": share + few,
        **{k: "" if v is None else text.format(v) for k, (v, text) in numbers.items()},
    }


def _remarks(comparison: dict[str, Any]) -> list[str]:
    """What a reader must know about the figures."""
    said = []
    machine = comparison["machine"]
    if machine is not None:
        versions = ", ".join(f"{k} {v}" for k, v in machine["versions"].items())
        said.append(
            f"CPU: {machine['cpu']}, {_threads(machine['threads'])}, "
            f"batches of {machine['batch']}; bytes in, labels out; {versions}. "
            "Float and int8: the quantised weights, activations clipped but not rounded."
        )
        if machine["load"] > machine["threads"]:
            said.append(
                f"The CPU was busy with other things (load {machine['load']:g}): its figures are "
                "too low."
            )
    else:
        said.append("CPU: not timed.")
    said += [f"Skipped: {path} holds no report and no results." for path in comparison["skipped"]]
    return said


def _show(points: Sequence[Point], comparison: dict[str, Any], console: Console) -> None:
    names = list(_cells(points[0]))
    table = Table(box=None, pad_edge=False)
    table.add_column("", justify="right")
    table.add_column("design")
    table.add_column("figures")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    best = {number for row in comparison["fronts"].values() for number in row}
    for p in points:
        star = "*" if p.number in best else ""
        design = Text(f"{printable(p.design)}\n  {printable(p.detail)}")
        table.add_row(f"{p.number}{star}", design, p.kind, *_cells(p).values())
    wide = console if console.is_terminal else Console(file=console.file, width=160)
    wide.print(table)
    wide.print("* on the Pareto front of ours, or of what was published", highlight=False)
    for remark in _remarks(comparison):
        line(wide, remark)


def figures(points: Sequence[Point], fronts: dict[str, list[Point]]) -> dict[str, Any]:
    """What the page shows of points and their fronts: the pictures and the rows."""
    return {
        "points": [(p, _cells(p)) for p in points],
        "charts": {
            name: chart(points, fronts, width=width, height=height)
            for name, (width, height) in SIZES.items()
        },
        "kinds": [k for k in KINDS if any(p.kind == k for p in points)],
        "shapes": SHAPES,
        "best": {p.number for line in fronts.values() for p in line},
    }


def _write(
    out: Path, points: Sequence[Point], fronts: dict[str, list[Point]], comparison: dict[str, Any]
) -> None:
    """Leave the page and its data, both or neither half-written."""
    html = page.render(TEMPLATE, **figures(points, fronts), remarks=_remarks(comparison))
    out.parent.mkdir(parents=True, exist_ok=True)
    partials = []
    for path, text in (
        (out, html),
        (out.with_suffix(".json"), json.dumps(comparison, indent=2) + "\n"),
    ):
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text(text)
        partials.append((partial, path))
    for partial, path in partials:
        partial.replace(path)
