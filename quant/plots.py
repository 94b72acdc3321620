"""Plots of what a search or a pruning found."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no display needed

from matplotlib import pyplot  # noqa: E402  the backend is chosen first

from quant.files import read_json, whole_file  # noqa: E402


def plot_pruning(table: Path, picture: Path) -> None:
    """Accuracy and size of each iteration in a pruning.json, as PNG.

    Raises:
        CheckpointError: if `table` is not readable.
    """
    rows = read_json(table)["rows"]
    filters = [row["total"] for row in rows]
    figure, (above, below) = pyplot.subplots(2, sharex=True, figsize=(7, 6), layout="constrained")
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
    with whole_file(picture) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Software": None})
    pyplot.close(figure)
