"""Several sweeps beside each other, from their front.json: a table and a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from quant.markdown import table
from quant.plots import save
from sweep.errors import ConfigError
from sweep.result import FORMAT, VERSION


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A design that was trained to the end: one value for each seed.

    accuracy: shares of the test images; fps: frames/s, simulated where it was, else predicted;
    front: whether no other of its sweep beats it.
    """

    label: str
    filters: tuple[int, ...]
    fps: tuple[float, ...]
    accuracy: tuple[float, ...]
    lut: tuple[int, ...]
    simulated: bool
    front: bool


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one sweep found, the most accurate first.

    settings: of the space and the training, by key; seconds: of its jobs, by kind.
    """

    name: str
    settings: dict[str, Any]
    seconds: dict[str, float]
    designs: tuple[Trained, ...]

    @property
    def budget(self) -> str:
        """How its trials were trained, in words."""
        of = {key.removeprefix("training."): value for key, value in self.settings.items()}
        images = f"{of['images']:,}" if of["images"] else "all"
        words = [f"float {of['float_epochs']}"]
        if max(self.settings["space.pruning.iterations"]):
            words.append(f"pruned {of['tune_epochs']} an iteration and {of['pruned_epochs']}")
        words.append(f"quantised {' + '.join(map(str, of['rungs']))}")
        minutes = sum(self.seconds.values()) / 60
        return f"epochs: {', '.join(words)}, of {images} images; {minutes:,.0f} minutes in all"


def load(path: Path) -> Result:
    """Read a front.json; it is called as its file, or as its folder where that is front.json.

    Raises:
        ConfigError: if the file is something else, or no design in it was trained.
    """
    try:
        data = json.loads(path.read_text())
        found = (data["format"], data["version"])
        settings, seconds = data["sweep"], data["seconds"]
        designs = [_trained(group, key) for key in ("front", "beaten") for group in data[key]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: no result of a sweep ({type(error).__name__}: {error}); use the front.json "
            "that `./build.sh sweep` leaves, of this version"
        ) from error
    if found != (FORMAT, VERSION):
        raise ConfigError(f"{path}: {found[0]} {found[1]}, not {FORMAT} {VERSION}; sweep again")
    if not designs:
        raise ConfigError(f"{path}: nothing was trained to the end; use a sweep that went further")
    designs.sort(key=lambda design: -mean(design.accuracy))
    name = path.parent.name if path.name == "front.json" else path.stem
    return Result(name=name, settings=settings, seconds=seconds, designs=tuple(designs))


def _trained(group: list[dict[str, Any]], place: str) -> Trained:
    simulated = all(row["simulated_fps"] for row in group)
    return Trained(
        label=group[0]["label"],
        filters=tuple(sum(map(int, row["filters"].split())) for row in group),
        fps=tuple(row["simulated_fps"] if simulated else row["fps"] for row in group),
        accuracy=tuple(row["accuracy"] for row in group),
        lut=tuple(row["lut"] for row in group),
        simulated=simulated,
        front=place == "front",
    )


def markdown(results: Sequence[Result]) -> str:
    """A table of all designs for each sweep, with the spread of the seeds."""
    head = ("design", "filters", "frames/s", "", "test accuracy", "seeds", "LUT", "front")
    return "\n".join(
        f"**{result.name}**; {result.budget}\n\n{table(head, map(_cells, result.designs))}\n"
        for result in results
    )


def _cells(design: Trained) -> list[str]:
    return [
        design.label,
        _spread(design.filters, "{:,.0f}".format),
        _spread(design.fps, "{:,.0f}".format),
        "simulated" if design.simulated else "predicted",
        _spread([100 * share for share in design.accuracy], "{:.2f} %".format),
        str(len(design.accuracy)),
        _spread(design.lut, "{:,.0f}".format),
        "yes" if design.front else "",
    ]


def _spread(values: Sequence[float], shown: Callable[[float], str]) -> str:
    """The mean, and from where to where the values go if they differ."""
    low, high = shown(min(values)), shown(max(values))
    return low if low == high else f"{shown(mean(values))} ({low} to {high})"


def plot(results: Sequence[Result], picture: Path) -> None:
    """Accuracy against frames/s as PNG: every seed small, the means of a sweep joined."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for number, result in enumerate(results):
        _draw(axes, result, f"C{number}")
    axes.set_xlabel("frames/s")
    axes.set_ylabel("accuracy on the test images, %")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, picture)


def _draw(axes: Axes, result: Result, colour: str) -> None:
    designs = sorted(result.designs, key=lambda design: mean(design.fps))
    means = [(mean(design.fps), 100 * mean(design.accuracy)) for design in designs]
    axes.plot(*zip(*means, strict=True), "o-", color=colour, label=result.name)
    for design in designs:
        if len(design.fps) > 1:
            shares = [100 * share for share in design.accuracy]
            axes.plot(design.fps, shares, ".", color=colour, alpha=0.5)
