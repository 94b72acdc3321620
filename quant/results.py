"""The README's tables of networks and models, and docs/paper.md, written from records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from quant import paper_page
from quant.markdown import insert, percent, share, table
from quant.paper import TABLE_5, TOPOLOGIES
from quant.paper_page import MISSING
from quant.places import PAPER_PAGE, README, RECORDS, ZOO
from quant.record import Entry, Records, keep

# The README's mark.
MODELS = "models"
# The paper's best iteration of pruning.
_BEST = 6


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Where records are kept, and the pages with the tables that are written from them."""

    records: Path = RECORDS
    readme: Path = README
    paper: Path = PAPER_PAGE

    def keep(self, name: str, record: Path) -> None:
        """Keep the record of a training, and the rows of a pruning that lie beside it."""
        keep(self.records, name, record)

    def write(self, more: Sequence[Path] = ()) -> str:
        """Write the tables from the zoo's records, those that are kept, and `more` models'.

        Returns:
            What was written.

        Raises:
            ConfigError, CheckpointError: if a page has no marks, or a record is none.
        """
        zoo, kept = Records.load(ZOO), Records.load(self.records)
        entries = [*zoo.entries.values(), *map(Entry.load, more)]
        insert(self.readme, {MODELS: markdown(entries, kept)})
        paper_page.write(self.paper, kept, zoo)
        return f"{self.readme}, {self.paper}: {len(entries)} models, {len(kept.entries)} records"


def markdown(entries: Sequence[Entry], kept: Records) -> str:
    """The README's tables, each under a line that says what it is."""
    images = ", ".join(f"{n:,}" for n in sorted({entry.test_images for entry in entries}))
    parts = [
        "The paper's float networks, trained as it says, 34 epochs on pixels / 255 without batch "
        "norm; accuracy on 10,000 test images. [paper.md](docs/paper.md) has all of it.",
        paper(kept),
        f"The models. Accuracy on {images or 'no'} test images, one training each; the record "
        "beside each model holds its command, commit and settings. Bits: W of the first, hidden "
        "and last weights, A of the activations.",
        models(entries),
        "Written by `./build.sh results`.",
    ]
    return "\n\n".join(parts) + "\n"


def paper(kept: Records) -> str:
    """The paper's networks in short, with the best of its pruned ones."""
    rows = []
    for topology in TOPOLOGIES:
        plain, dropped = (kept.accuracy(f"{topology.network}_{k}") for k in ("plain", "dropout"))
        rows.append(
            [
                topology.network,
                f"{topology.parameters:,}",
                f"{topology.mflops:.2f}",
                percent(topology.plain),
                share(plain, MISSING if topology.plain else ""),
                percent(topology.dropout),
                share(dropped, MISSING),
            ]
        )
    best = TABLE_5[_BEST]
    pruned = kept.tested("arch2_slim_pruned", _BEST)
    rows.append(
        [
            f"arch2_slim, pruned to {best.filters} filters",
            f"{best.parameters:,}",
            "",
            percent(best.accuracy),
            share(pruned, MISSING),
            "",
            share(kept.accuracy("arch2_slim_dropout_pruned")),
        ]
    )
    return table(
        [
            *["network", "parameters, paper", "MFLOPs"],
            *["no dropout, paper", "ours", "dropout, paper", "ours"],
        ],
        rows,
    )


def models(entries: Iterable[Entry]) -> str:
    """A row for each record."""
    return table(
        [
            *["model", "bits", "filters", "parameters", "MACs", "float", "quantised"],
            *["epochs, float + quantised", "trained on"],
        ],
        [
            [
                entry.name,
                entry.bits,
                ", ".join(map(str, entry.network.filters)),
                f"{entry.network.parameters:,}",
                f"{entry.network.macs:,}",
                share(entry.accuracy),
                share(entry.quantised),
                f"{entry.epochs[0]} + {entry.epochs[1]}",
                entry.device,
            ]
            for entry in entries
        ],
    )
