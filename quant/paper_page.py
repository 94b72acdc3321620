"""docs/paper.md: the paper's tables and figures beside ours, written from records between marks.

What has no record is said to be missing; the training that makes it fills it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from quant.config import Network
from quant.markdown import insert, percent, share, table
from quant.paper import TABLE_5, TOPOLOGIES, Topology
from quant.record import Entry, Records, Rows
from quant.topologies import NETWORKS

MISSING, UNSCORED = "not trained yet", "not scored"

# The trainings of docs/trainings/paper.toml and what each is for, and older ones that are shown.
STEPS = {
    "arch1_plain": "arch1 without dropout",
    "arch2_plain": "arch2 without dropout",
    "arch2_slim_plain": "the network of Table 5, without dropout",
    "arch2_slim_pruned": "Table 5: ten iterations, without dropout",
    "arch1_dropout": "arch1 with dropout",
    "arch2_dropout": "arch2 with dropout",
    "arch3_dropout": "arch3 with dropout",
    "arch1_ours": "arch1 by our recipe",
    "arch2_ours": "arch2 by our recipe",
    "arch3_ours": "arch3 by our recipe",
}
OLDER = {
    "arch2_slim_dropout": "the network of Table 5, with dropout",
    "arch2_slim_dropout_pruned": "six iterations with dropout, then 16 epochs more",
}
# Those whose curves the paper's figures show.
CURVES = ("arch1_plain", "arch1_dropout", "arch2_plain", "arch2_dropout", "arch3_dropout")


def write(page: Path, kept: Records, zoo: Records) -> None:
    """Fill the page between its marks; the curves are a picture of the page's name beside it.

    Args:
        page: Markdown with the marks.
        kept: records of the paper's trainings.
        zoo: of the zoo, for prunings of our own way.

    Raises:
        ConfigError: if the page or a mark is missing.
    """
    watched = [kept.entries[name] for name in CURVES if name in kept.entries]
    watched = [entry for entry in watched if entry.watched]
    picture = page.with_suffix(".png")
    texts = {
        "layers": "\n\n".join(f"**{t.network}**\n\n{layers(t)}" for t in TOPOLOGIES),
        "built": built(),
        "accuracy": accuracies(kept, zoo),
        "curves": curves(watched, picture.name),
        "pruning": pruning(kept.prunings.get("arch2_slim_pruned", []), whole=True),
        "pruning-dropout": pruning(kept.prunings.get("arch2_slim_dropout_pruned", [])),
        "pruning-blocks": pruning(zoo.prunings.get("arch2_slim", [])),
        "growing": growing(kept.growing),
        "trainings": trainings(kept),
    }
    insert(page, {f"paper-{name}": f"{text}\n" for name, text in texts.items()})
    if watched:
        # Matplotlib takes a second that nothing else here needs.
        from quant.plots import plot_curves

        plot_curves({STEPS[entry.name]: entry.curve for entry in watched}, picture)


def layers(paper: Topology) -> str:
    """The layers with weights of one network, and all of it in the last row."""
    network = NETWORKS[paper.network]
    rows = [
        [
            product.name,
            " x ".join(map(str, product.outputs)),
            f"{theirs:,}",
            f"{product.parameters:,}",
            "",
            f"{2 * product.macs + product.outputs[-1]:,}",
        ]
        for product, theirs in zip(network.products(), paper.layers, strict=True)
    ]
    rows.append(
        [
            *["all", "", f"{paper.parameters:,}", f"{network.parameters:,}"],
            *[f"{round(1e6 * paper.mflops):,}", f"{network.flops:,}"],
        ]
    )
    return table(
        ["layer", "output", "parameters, paper", "ours", "FLOPs, paper", "ours"],
        rows,
    )


def built() -> str:
    """Parameters as the paper counts them, and those of the network that is built."""
    shown = [NETWORKS["arch2_slim"]]
    shown += [replace(NETWORKS[t.network], batch_norm="all") for t in TOPOLOGIES]
    return table(
        ["network", "batch norm", "parameters, counted", "built"],
        [[n.name, n.batch_norm, f"{n.parameters:,}", f"{built_parameters(n):,}"] for n in shown],
    )


def built_parameters(network: Network) -> int:
    """Parameters of the network as it is built: a layer with batch norm has no bias."""
    normed = (product.outputs[-1] for product in network.products() if product.norm)
    return network.parameters - sum(normed)


def accuracies(kept: Records, zoo: Records) -> str:
    """Table 4: size, operations and accuracy of each network."""
    rows = []
    for paper in TOPOLOGIES:
        network = NETWORKS[paper.network]
        plain, dropped = (kept.accuracy(f"{paper.network}_{k}") for k in ("plain", "dropout"))
        rows.append(
            [
                paper.network,
                *[f"{paper.parameters:,}", f"{network.parameters:,}"],
                *[f"{paper.mflops:.6f}", f"{network.flops / 1e6:.6f}"],
                *[percent(paper.plain, "none given"), share(plain, MISSING if paper.plain else "")],
                *[percent(paper.dropout), share(dropped, MISSING)],
                _ours(network, kept, zoo),
            ]
        )
    return table(
        [
            *["network", "parameters, paper", "ours", "MFLOPs, paper", "ours"],
            *["no dropout, paper", "ours", "dropout, paper", "ours", "our recipe"],
        ],
        rows,
    )


def _ours(network: Network, kept: Records, zoo: Records) -> str:
    """Accuracy by our recipe; until it is trained, what the zoo has of the network in its place."""
    if (found := kept.accuracy(f"{network.name}_ours")) is not None:
        return share(found)
    nearest = {
        f"{share(e.accuracy)} with {sum(e.network.filters)} of {sum(network.filters)} filters, "
        f"{e.epochs[0]} epochs"
        for e in zoo.entries.values()
        if e.network.name == network.name
    }
    return "; ".join([MISSING, *sorted(nearest)])


def curves(watched: Iterable[Entry], picture: str) -> str:
    """What the curves end with, and where they are best; and the picture."""
    found = {entry.name: entry for entry in watched}
    rows = []
    for name in CURVES:
        entry = found.get(name)
        points = [(t, h) for t, h in entry.curve if h is not None] if entry else []
        if not points:
            rows.append([STEPS[name], *["not recorded yet"] * 5])
            continue
        trained, held_out = points[-1]
        best = max(range(len(points)), key=lambda epoch: points[epoch][1])
        rows.append(
            [
                STEPS[name],
                share(trained),
                share(held_out),
                f"{100 * (trained - held_out):.1f}",
                f"{share(points[best][1])}, epoch {best + 1}",
                f"{100 * (points[best][1] - held_out):.1f}",
            ]
        )
    head = ["network", "training, last epoch", "held out", "points apart"]
    made = table([*head, "best held out", "points lost since"], rows)
    if not found:
        return made
    return f"{made}\n\n![Accuracy on training and held-out images by epoch]({picture})"


def pruning(ours: Rows, *, whole: bool = False) -> str:
    """Table 5 beside the rows of a pruning; whole: also those iterations that ours has not yet."""
    rows = []
    for index, (paper, row) in enumerate(zip_longest(TABLE_5, ours)):
        if row is None and not whole:
            break
        mine = [MISSING] * 5
        if row is not None:
            mine = [
                f"{row['total']:,} ({', '.join(map(str, row['filters']))})",
                f"{row['parameters']:,}",
                f"{row['macs']:,}",
                share(row["validation"]),
                share(row.get("test"), UNSCORED),
            ]
        filters, parameters, macs, held_out, test = mine
        rows.append(
            [
                str(index),
                *[f"{paper.filters:,}" if paper else "", filters],
                *[f"{paper.parameters:,}" if paper else "", parameters, macs],
                *[percent(paper.accuracy if paper else None), test, held_out],
            ]
        )
    return table(
        [
            *["iteration", "filters, paper", "ours", "parameters, paper", "ours", "MACs, ours"],
            *["accuracy, paper", "ours", "ours, held out"],
        ],
        rows,
    )


def growing(found: dict[str, Any] | None) -> str:
    """The steps of a growing.json that were taken, under a line that says what it is."""
    if not found:
        return MISSING
    rows = [row for row in found["rows"] if row["taken"]]
    made = table(
        ["step", "added", "filters, P for a pool, and neurons", "parameters", "MFLOPs", "held out"],
        [
            [
                str(row["step"]),
                row["change"],
                row["topology"].replace("|", "\\|"),
                f"{row['parameters']:,}",
                f"{row['flops'] / 1e6:.3f}",
                share(row["validation"]),
            ]
            for row in rows
        ],
    )
    count, epochs = len(found["rows"]), found["plan"]["training"]["epochs"]
    return (
        f"{count} networks, {epochs} epochs each; accuracy on training images held out.\n\n{made}"
    )


def trainings(kept: Records) -> str:
    """Where each figure comes from."""
    rows = []
    for name, what in {**STEPS, **OLDER}.items():
        entry = kept.entries.get(name)
        if entry is None:
            rows.append([name, what, MISSING, *[""] * 5, f"`./build.sh paper {name}`"])
            continue
        rows.append(
            [
                *[name, what, share(entry.accuracy), f"{entry.test_images:,}"],
                *[str(entry.epochs[0]), entry.device, f"{entry.seconds / 60:.0f}"],
                *[str(entry.seed), f"`{entry.command}`, at {entry.commit[:7]}"],
            ]
        )
    return table(
        [
            *["training", "what", "accuracy", "test images", "epochs", "device", "minutes"],
            *["seed", "command"],
        ],
        rows,
    )
