"""The records of trainings, prunings and searches that tables are written from."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.config import Network, Quantisation
from quant.config_json import network_from_json, quantisation_from_json
from quant.errors import CheckpointError, ConfigError
from quant.files import read_json, whole_file
from quant.topologies import TEACHER

# In a folder of records, beside those of trainings: the rows of each pruning after the name of its
# training, and a search by growing.
PRUNINGS, GROWING = ".pruning.json", "growing.json"
# In a training's folder: the rows of its iterations.
ROWS = "pruning.json"

Rows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a record says; accuracies are shares of the test images.

    curve: for each of the last float epochs the share of right answers on the training images and
    on those held out; not all of them, or none, where the training was not watched from its start.
    """

    name: str
    network: Network
    quantisation: Quantisation | None
    accuracy: float
    quantised: float | None
    epochs: tuple[int, int]
    seconds: float
    device: str
    seed: int
    command: str
    commit: str
    test_images: int
    curve: tuple[tuple[float, float | None], ...]

    @classmethod
    def load(cls, path: Path) -> Entry:
        """Read NAME.json; the float.json of a training takes the name of its folder.

        Raises:
            CheckpointError: if it is not a record of a training.
        """
        record = read_json(path)
        try:
            quantisation = record["quantisation"]
            curve = record.get("curve", {}).get("float", ())
            return cls(
                name=path.parent.name if path.stem == "float" else path.stem,
                network=network_from_json(record["layers"], f"{path}: layers"),
                quantisation=quantisation
                and quantisation_from_json(quantisation, f"{path}: quantisation"),
                accuracy=record["accuracy"]["float"],
                quantised=record["accuracy"]["quantised"],
                epochs=(record["epochs"]["float"], record["epochs"]["quantised"]),
                seconds=sum(record["seconds"].values()),
                device=record["device"],
                seed=record["seed"],
                command=record["command"],
                commit=record["commit"],
                test_images=record["test_images"],
                curve=tuple((trained, held_out) for trained, held_out in curve),
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

    @property
    def watched(self) -> bool:
        """Whether the curve is of all float epochs."""
        return 0 < len(self.curve) == self.epochs[0]


def _run(bits: tuple[int, ...]) -> str:
    return str(bits[0]) if len(set(bits)) == 1 else "-".join(map(str, bits))


@dataclass(frozen=True, kw_only=True)
class Records:
    """What a folder of records holds, by name."""

    entries: dict[str, Entry]
    prunings: dict[str, Rows]
    growing: dict[str, Any] | None

    def accuracy(self, name: str) -> float | None:
        """Share of the test images that a float network has right; None if it has no record."""
        return self.entries[name].accuracy if name in self.entries else None

    def tested(self, pruning: str, iteration: int) -> float | None:
        """The same of an iteration of a pruning; None if it was not made, or not scored."""
        rows = self.prunings.get(pruning, [])
        return rows[iteration].get("test") if iteration < len(rows) else None

    @classmethod
    def load(cls, folder: Path) -> Records:
        """Read all of a folder.

        Raises:
            CheckpointError: if a file is another one than its place says.
        """
        # A teacher is no model of the tables.
        other = (GROWING, f"{TEACHER}.json")
        rows = sorted(folder.glob(f"*{PRUNINGS}"))
        paths = [p for p in sorted(folder.glob("*.json")) if p.name not in other and p not in rows]
        return cls(
            entries={path.stem: Entry.load(path) for path in paths},
            prunings={p.name.removesuffix(PRUNINGS): read_pruning(p) for p in rows},
            growing=read_growing(folder / GROWING),
        )


def keep(folder: Path, name: str, record: Path) -> None:
    """Copy the record of a training into a folder, with the rows of a pruning beside it.

    Raises:
        CheckpointError: if it is no such record.
    """
    Entry.load(record)
    copies = {folder / f"{name}.json": record}
    if (rows := record.parent / ROWS).exists():
        read_pruning(rows)
        copies[folder / f"{name}{PRUNINGS}"] = rows
    for path, source in copies.items():
        with whole_file(path) as temporary:
            shutil.copyfile(source, temporary)


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


def read_pruning(path: Path) -> Rows:
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


def _rows(found: dict[str, Any], keys: set[str]) -> Rows | None:
    """The rows, if all of them have these keys."""
    rows = found.get("rows")
    if isinstance(rows, list) and all(isinstance(row, dict) and keys <= set(row) for row in rows):
        return rows
    return None


def summary(folder: Path, record: dict[str, Any]) -> str:
    """What a training brought, in one line for people."""
    scores = ", ".join(
        f"{name} {100 * value:.2f} %" for name, value in record["accuracy"].items() if value
    )
    return f"{folder}: {scores} of {record['test_images']:,} test images"
