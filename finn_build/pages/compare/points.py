"""Points of the comparison: accuracy, rate and cost of a design, and where the figures are from."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finn_build.config import CIFAR10
from finn_build.errors import ConfigError
from finn_build.pages import page
from finn_build.pages.accuracy import leading

ANCHORS = Path(__file__).with_name("anchors.toml")
# What the figures of a point are, from the weakest evidence of a design to the strongest.
KINDS = ("predicted", "simulated", "measured", "cpu", "published")
FEW = 1000  # accuracy on fewer images is not compared


@dataclass(frozen=True, kw_only=True)
class Point:
    """One row of the comparison.

    design: a model on a board, or what was published; number: of the design, in the picture;
    kind: one of KINDS; detail: bits, board and tool; accuracy: share of `images`; fps: frames/s in
    batches; latency_us: one image by itself; None where it is unknown; data: the data set that the
    accuracy is on, None where nobody says another one than CIFAR-10, which all others are on.
    """

    number: int
    design: str
    kind: str
    detail: str
    source: str
    accuracy: float | None = None
    images: int | None = None
    fps: float | None = None
    latency_us: float | None = None
    lut: int | None = None
    bram36: float | None = None
    dsp: int | None = None
    clock_mhz: float | None = None
    data: str | None = None

    @property
    def comparable(self) -> bool:
        """Whether it can stand on a front: a rate, and an accuracy on enough images of the task."""
        known = self.fps is not None and self.accuracy is not None and self.data is None
        return known and (self.images or 0) >= FEW


def other_data(report: dict[str, Any] | None) -> str | None:
    """The data set that a build's model is of, where it is another one than CIFAR-10."""
    data = report["model"].get("data") if report else None
    return None if data in (None, CIFAR10) else str(data)


def bits(weights: Sequence[int], activations: Sequence[int]) -> str:
    """Bit widths from the first layer to the last, runs as one: "W4-2-4 A2"."""
    return f"W{page.runs(weights)} A{page.runs(activations)}"


def of_report(report: dict[str, Any], number: int) -> list[Point]:
    """What a build predicts, and what its simulation counted where it was simulated."""
    model, board, used = report["model"], report["board"], report["resources"]
    measured = report["accuracy"][leading(report["accuracy"])]
    clock = report["clock"]["fclk_mhz"]
    tool = report["bitstream"].get("tool") or used["source"]
    common: dict[str, Any] = {
        "number": number,
        "design": model["name"],
        "detail": f"{bits(model['weight_bits'], model['act_bits'])}, {board['name']}, {tool}",
        "accuracy": measured["value"],
        "images": measured["images"],
        "clock_mhz": clock,
        "data": other_data(report),
        **{key: used[key] for key in ("lut", "bram36", "dsp")},
    }
    how = report["clock"]["source"]
    model_of = "cycle model of the folding" if report["accelerator"] == "headrace" else "FINN"
    points = [
        Point(
            **common,
            kind="predicted",
            fps=report["fps"]["predicted"],
            source=f"{model_of}; clock: {how}",
        )
    ]
    if report["fps"]["simulated"] is not None:
        points.append(
            Point(
                **common,
                kind="simulated",
                fps=report["fps"]["simulated"],
                latency_us=report["rtl_sim"]["latency_cycles"] / clock,
                source=f"cycles counted in Verilator; clock: {how}; accuracy: {measured['source']}",
            )
        )
    return points


def of_results(results: dict[str, Any], number: int, build: dict[str, Any] | None) -> Point:
    """What a board did, or the simulated one; its resources from the build's report."""
    rates = results["throughput"] or []
    best = max(rates, key=lambda rate: float(rate["frames_per_second"]), default=None)
    accuracy, latency = results["accuracy"] or {}, results["latency"]
    used = build["resources"] if build else {}
    widths = f"{bits(build['model']['weight_bits'], build['model']['act_bits'])}, " if build else ""
    batch = f", batches of {best['batch']:,}" if best else ""
    return Point(
        number=number,
        design=results["model"],
        kind=results["where"],
        detail=f"{widths}{results['board']}, driver",
        source=f"{results['device']}, {results['date']}{batch}",
        accuracy=accuracy.get("value"),
        images=accuracy.get("images"),
        fps=best["frames_per_second"] if best else None,
        latency_us=latency["microseconds"]["p50"] if latency else None,
        clock_mhz=results["fclk_mhz"],
        data=other_data(build),
        **{key: used.get(key) for key in ("lut", "bram36", "dsp")},
    )


def published(first: int) -> list[Point]:
    """The reference points, numbered from `first` on. Raises ConfigError for a damaged file."""
    points = []
    for i, anchor in enumerate(tomllib.loads(ANCHORS.read_text())["design"]):
        try:
            name, chip = anchor.pop("name"), anchor.pop("chip")
            points.append(
                Point(number=first + i, design=name, detail=chip, kind="published", **anchor)
            )
        except (KeyError, TypeError) as error:
            raise ConfigError(f"{ANCHORS}, design {i + 1}: {error}; see Point's fields") from error
    return points


def front(points: Iterable[Point]) -> list[Point]:
    """Pareto front, fastest last: the points that no other one equals in both and beats in one."""
    best: list[Point] = []
    for point in sorted(
        (p for p in points if p.comparable), key=lambda p: (p.fps, p.accuracy), reverse=True
    ):
        if not best or (point.accuracy or 0) > (best[-1].accuracy or 0):
            best.append(point)
    return best[::-1]


def strongest(points: Iterable[Point]) -> list[Point]:
    """For each design of ours the comparable point with the best evidence."""
    best: dict[int, Point] = {}
    for point in points:
        if point.kind in KINDS[:3] and point.comparable:
            held = best.get(point.number)
            if held is None or KINDS.index(point.kind) > KINDS.index(held.kind):
                best[point.number] = point
    return list(best.values())
