"""Plots of what a search or a pruning found.

Figures of their own, not pyplot's, whose way to show pictures is that of the caller's notebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from quant.files import read_json, whole_file


def plot_pruning(table: Path, picture: Path) -> None:
    """Accuracy and size of each iteration in a pruning.json, as PNG.

    Raises:
        CheckpointError: if `table` is not readable.
    """
    rows = read_json(table)["rows"]
    filters = [row["total"] for row in rows]
    figure = Figure(figsize=(7, 6), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    tuned = [100 * row["validation"] for row in rows]
    above.plot(filters, tuned, "o-", label="fine-tuned")
    above.plot(filters[1:], [100 * row["pruned"] for row in rows[1:]], "v:", label="just pruned")
    above.set_ylabel("held-out accuracy, %")
    above.legend()
    for key, label in (("parameters", "parameters"), ("macs", "MACs"), ("cost", "logic")):
        if rows[0][key]:
            share = [100 * row[key] / rows[0][key] for row in rows]
            below.plot(filters, share, "o-", label=label)
    below.set_ylabel("left, %")
    below.set_xlabel("filters")
    below.invert_xaxis()
    below.legend()
    for axes in (above, below):
        axes.grid(alpha=0.3)
    save(figure, picture)


def plot_growing(table: Path, picture: Path) -> None:
    """Accuracy against operations of every candidate in a growing.json, the way taken as a line.

    Raises:
        CheckpointError: if `table` is not readable.
    """
    rows = read_json(table)["rows"]
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for change in sorted({row["change"] for row in rows}):
        some = [row for row in rows if row["change"] == change]
        axes.plot(_mflops(some), _percent(some), "o", label=change)
    taken = [row for row in rows if row["taken"]]
    axes.plot(_mflops(taken), _percent(taken), "-", color="black", zorder=0, label="taken")
    for row in taken:
        axes.annotate(
            row["topology"],
            (row["flops"] / 1e6, 100 * row["validation"]),
            xytext=(-6, 4),
            textcoords="offset points",
            horizontalalignment="right",
            fontsize=7,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("MFLOPs per image")
    axes.set_ylabel("held-out accuracy, %")
    axes.margins(x=0.1)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    save(figure, picture)


def plot_curves(curves: Mapping[str, Sequence[tuple[float, float | None]]], picture: Path) -> None:
    """Accuracy on training and held-out images by epoch, as PNG.

    Args:
        curves: of each training by its title, a pair of shares for each epoch.
        picture: file to write.
    """
    across = 2
    down = -(-len(curves) // across)
    figure = Figure(figsize=(9, 3 * down), layout="constrained")
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    for axes in grid.flat[len(curves) :]:
        axes.set_visible(False)
    for axes, (title, points) in zip(grid.flat, curves.items(), strict=False):
        epochs = range(1, len(points) + 1)
        axes.plot(epochs, [100 * trained for trained, _ in points], label="training")
        held_out = [(n, 100 * h) for n, (_, h) in zip(epochs, points, strict=True) if h is not None]
        axes.plot(*zip(*held_out, strict=True), label="held out")
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
    for axes in grid[:, 0]:
        axes.set_ylabel("accuracy, %")
    grid[0, 0].legend(loc="lower right")
    save(figure, picture)


def _mflops(rows: list[dict[str, Any]]) -> list[float]:
    return [row["flops"] / 1e6 for row in rows]


def _percent(rows: list[dict[str, Any]]) -> list[float]:
    return [100 * row["validation"] for row in rows]


def save(figure: Figure, picture: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with whole_file(picture) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
