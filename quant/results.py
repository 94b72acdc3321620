"""The README's tables of networks and models beside the paper's, written from records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from quant.config import Network, Quantisation
from quant.config_json import network_from_json, quantisation_from_json
from quant.errors import CheckpointError, ConfigError
from quant.files import read_json, whole_file
from quant.networks import NETWORKS, TEACHER
from quant.paper import TABLE_5, TOPOLOGIES, Topology
from quant.places import ZOO

BEGIN, END = "<!-- models -->", "<!-- /models -->"
# Of trainings whose weights are not kept.
RECORDS = Path(__file__).with_name("records")
# Beside the records of trainings: the rows of a pruning, and a search by growing.
PRUNING, GROWING = "pruning.json", "growing.json"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a record says; accuracies are shares of the test images."""

    name: str
    network: Network
    quantisation: Quantisation | None
    accuracy: float
    quantised: float | None
    epochs: tuple[int, int]
    device: str
    test_images: int

    @classmethod
    def load(cls, path: Path) -> Entry:
        """Read NAME.json; the float.json of a training takes the name of its folder.

        Raises:
            CheckpointError: if it is not a record of a training.
        """
        record = read_json(path)
        try:
            quantisation = record["quantisation"]
            return cls(
                name=path.parent.name if path.stem == "float" else path.stem,
                network=network_from_json(record["layers"], f"{path}: layers"),
                quantisation=quantisation
                and quantisation_from_json(quantisation, f"{path}: quantisation"),
                accuracy=record["accuracy"]["float"],
                quantised=record["accuracy"]["quantised"],
                epochs=(record["epochs"]["float"], record["epochs"]["quantised"]),
                device=record["device"],
                test_images=record["test_images"],
            )
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path}: {error} is wrong or missing; use a record that `train` wrote"
            ) from error
        except ConfigError as error:
            raise CheckpointError(str(error)) from error

    @property
    def bits(self) -> str:
        """Bits of weights and activations, one after the other where the layers differ.

        Weights are shortened to first-hidden-last where the hidden layers agree.
        """
        if self.quantisation is None:
            return "float"
        bits = self.quantisation.bits(self.network.weighted)
        weights, acts = zip(*bits.values(), strict=True)
        hidden = weights[1:-1]
        short = (weights[0], hidden[0], weights[-1]) if len(set(hidden)) == 1 else weights
        return f"W{_run(short)} A{_run(acts[:-1])}"


def markdown(
    entries: Sequence[Entry],
    prunings: Iterable[Sequence[dict[str, Any]]] = (),
    growing: dict[str, Any] | None = None,
) -> str:
    """All tables, each under a line that says what it is.

    Args:
        entries: of the records, in the order in which they shall appear.
        prunings: rows of each pruning.json; no table for one without rows.
        growing: what a growing.json holds, if there is one.
    """
    images = ", ".join(f"{n:,}" for n in sorted({entry.test_images for entry in entries}))
    parts = [
        "The paper's networks, trained float. The paper's parameters are those without batch norm; "
        "MFLOPs count two for a multiply-accumulate and one for a filter or neuron.",
        topologies(entries),
        f"The models. Accuracy on {images or 'no'} test images, one training each; the record "
        "beside each model holds its command, commit and settings. Bits: W of the first, hidden "
        "and last weights, A of the activations.",
        models(entries),
    ]
    for rows in filter(None, prunings):
        blocks = rows[0].get("cost") is not None
        parts += [
            "Filter pruning; the paper's accuracy is on the test images, ours after fine-tuning "
            "on training images held out. Ours removes "
            + ("blocks of filters that save the most logic." if blocks else "as many as theirs."),
            iterations(rows),
        ]
    if growing:
        epochs = growing["plan"]["training"]["epochs"]
        parts += [
            f"Growing from one convolution: the steps that were worth their operations, of "
            f"{len(growing['rows'])} networks trained for {epochs} epochs each. Accuracy is on "
            "training images held out.",
            growth(growing["rows"]),
        ]
    return "\n\n".join([*parts, "Written by `./build.sh results`."]) + "\n"


def topologies(entries: Iterable[Entry]) -> str:
    """The paper's networks, a row for each float network trained, with what it was quantised to."""
    rows = []
    for paper in TOPOLOGIES:
        layers = NETWORKS[paper.network].layers
        groups: dict[tuple[Network, float], list[Entry]] = {}
        for entry in entries:
            if entry.network.layers == layers:
                groups.setdefault((entry.network, entry.accuracy), []).append(entry)
        for (network, accuracy), same in groups.items():
            rows.append(_topology(paper, network, accuracy, same))
        if not groups:
            rows.append(_topology(paper, None, None, []))
    return table(
        [
            *["network", "batch norm", "parameters, paper", "ours", "MFLOPs, paper", "ours"],
            *["no dropout, paper", "ours", "dropout, paper", "ours", "quantised, ours"],
        ],
        rows,
    )


def _topology(
    paper: Topology, network: Network | None, accuracy: float | None, entries: list[Entry]
) -> list[str]:
    quantised = [f"{_share(e.quantised)} ({e.bits})" for e in entries if e.quantised is not None]
    dropped = network is not None and (network.dropout.stage or network.dropout.dense)
    return [
        paper.network,
        network.batch_norm if network else "",
        f"{paper.parameters:,}",
        f"{network.parameters:,}" if network else "",
        f"{paper.mflops:.6f}",
        f"{network.flops / 1e6:.6f}" if network else "",
        _percent(paper.plain),
        _share(None if dropped else accuracy),
        _percent(paper.dropout),
        _share(accuracy if dropped else None),
        ", ".join(quantised),
    ]


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
                _share(entry.accuracy),
                _share(entry.quantised),
                f"{entry.epochs[0]} + {entry.epochs[1]}",
                entry.device,
            ]
            for entry in entries
        ],
    )


def iterations(pruning: Sequence[dict[str, Any]]) -> str:
    """Table 5 of the paper beside the rows of a pruning.json."""
    rows = []
    for index, (paper, ours) in enumerate(zip_longest(TABLE_5, pruning)):
        rows.append(
            [
                str(index),
                f"{paper.filters:,}" if paper else "",
                f"{ours['total']:,} ({', '.join(map(str, ours['filters']))})" if ours else "",
                f"{paper.parameters:,}" if paper else "",
                f"{ours['parameters']:,}" if ours else "",
                f"{ours['macs']:,}" if ours else "",
                _percent(paper.accuracy if paper else None),
                _share(ours["validation"] if ours else None),
            ]
        )
    return table(
        [
            *["iteration", "filters, paper", "ours", "parameters, paper", "ours", "MACs, ours"],
            *["accuracy, paper", "ours, held out"],
        ],
        rows,
    )


def growth(rows: Iterable[dict[str, Any]]) -> str:
    """The steps of a growing.json that were taken."""
    return table(
        ["step", "added", "filters, P for a pool, and neurons", "parameters", "MFLOPs", "held out"],
        [
            [
                str(row["step"]),
                row["change"],
                row["topology"].replace("|", "\\|"),
                f"{row['parameters']:,}",
                f"{row['flops'] / 1e6:.3f}",
                _share(row["validation"]),
            ]
            for row in rows
            if row["taken"]
        ],
    )


def read_growing(path: Path) -> dict[str, Any] | None:
    """What a growing.json holds; None if there is no such file.

    Raises:
        CheckpointError: if it is another file.
    """
    if not path.exists():
        return None
    found = read_json(path)
    needed = {"step", "change", "topology", "parameters", "flops", "validation", "taken"}
    if "plan" not in found or _rows(found, needed) is None:
        raise CheckpointError(f"{path}: not a record of growing; use one that `grow` wrote")
    return found


def read_pruning(path: Path) -> list[dict[str, Any]]:
    """The rows of a pruning.json; none if there is no such file.

    Raises:
        CheckpointError: if it is another file.
    """
    if not path.exists():
        return []
    rows = _rows(read_json(path), {"total", "filters", "parameters", "macs", "validation"})
    if rows is None:
        raise CheckpointError(f"{path}: not a record of a pruning; use one that `prune` wrote")
    return rows


def _rows(found: dict[str, Any], keys: set[str]) -> list[dict[str, Any]] | None:
    """The rows, if all of them have these keys."""
    rows = found.get("rows")
    if isinstance(rows, list) and all(isinstance(row, dict) and keys <= set(row) for row in rows):
        return rows
    return None


def insert(path: Path, text: str) -> None:
    """Put `text` between the two marks of a Markdown file.

    Raises:
        ConfigError: if the file or a mark is missing.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; name a Markdown file with --into")
    old = path.read_text(encoding="utf-8")
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ConfigError(f"{path}: the marks {BEGIN} and {END} are missing; put them in")
    new = f"{before}{BEGIN}\n{text}{END}{after}"
    if new != old:
        with whole_file(path) as temporary:
            temporary.write_text(new, encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, without a line's end after it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _run(bits: Sequence[int]) -> str:
    return str(bits[0]) if len(set(bits)) == 1 else "-".join(map(str, bits))


def _share(value: float | None) -> str:
    return _percent(None if value is None else 100 * value)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} %"


def write(records: Sequence[Path] = (), into: Path = Path("README.md")) -> str:
    """Put the tables of the package's records, and of others, into a Markdown file.

    Returns:
        What was written.

    Raises:
        ConfigError, CheckpointError: if the file has no marks, or a record is none.
    """
    paths = [path for folder in (ZOO, RECORDS) for path in sorted(folder.glob("*.json"))]
    # A teacher is no model of the tables either.
    other = (PRUNING, GROWING, f"{TEACHER}.json")
    paths = [path for path in paths if path.name not in other]
    entries = [Entry.load(path) for path in (*paths, *records)]
    prunings = [read_pruning(folder / PRUNING) for folder in (RECORDS, ZOO)]
    insert(into, markdown(entries, prunings, read_growing(RECORDS / GROWING)))
    return f"{into}: {len(entries)} models"
