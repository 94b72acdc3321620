"""The commands as functions, for Python and for the command line, which prints what they return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import torch

from headrace import tables
from headrace.progress import Listener, nobody
from quant import exporting
from quant.config import Network
from quant.errors import ConfigError
from quant.exporting import Exported
from quant.images import Images, accuracy
from quant.options import Place
from quant.places import DEFAULT_CACHE, ZOO, result_folder
from quant.plan import Plan
from quant.prune_plan import PrunePlan
from quant.record import summary
from quant.starting import forget, judges, setting
from quant.topologies import NETWORKS, get_network
from quant.zoo import load_trained, model_images, pack_trained

_T = TypeVar("_T", Plan, PrunePlan)


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a training or a pruning left.

    weights: the file with the model, its record beside it, which `prune`, `export`, `pack` and
    `finn_build.build` take; record: how it came to be, and how good it is (docs/training.md).
    """

    weights: Path
    record: dict[str, Any]

    def __str__(self) -> str:
        """For people."""
        return summary(self.weights.parent, self.record)

    @property
    def accuracy(self) -> float:
        """Share of the test images that the model has right, 0 to 1."""
        scores: dict[str, float | None] = self.record["accuracy"]
        found = scores["quantised"]
        return float((scores["float"] if found is None else found) or 0)

    @property
    def curve(self) -> dict[str, list[tuple[float, float | None]]]:
        """Accuracy after each epoch, of "float" and of "quantised" training.

        Each a pair of shares, 0 to 1: of the training images as they were seen, and of those held
        out, None without any.
        """
        return {
            phase: [(float(seen), held) for seen, held in points]
            for phase, points in self.record["curve"].items()
        }


@dataclass(frozen=True, kw_only=True)
class Score:
    """How good a model is on test images.

    accuracy: share of them that it has right, 0 to 1; images: how many they are; recorded: the
    share in the model's record.
    """

    accuracy: float
    images: int
    recorded: float

    def __str__(self) -> str:
        """For people."""
        return (
            f"{100 * self.accuracy:.2f} % of {self.images:,} test images, "
            f"{100 * self.recorded:.2f} % in the record"
        )


def networks(*files: str | Path) -> dict[str, Network]:
    """The networks that can be trained, by name; files: TOML files of networks, to be among them.

    Raises ConfigError for a file that describes none.
    """
    own = [get_network(str(file)) for file in files]
    return {**NETWORKS, **{network.name: network for network in own}}


def train(
    network: str | Path = "arch2_slim",
    *,
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Listener = nobody,
    command: str | None = None,
    **options: Any,
) -> Made:
    """Train float, then quantised, as `headrace train` does; the same call resumes.

    network: one of `networks()`, "teacher", or a TOML file; out: the result's folder, whose name
    the model gets, runs/NETWORK if None; fresh: drop checkpoints in it, do not resume; progress:
    called with the phase, its steps done and all its steps, beside the bar on a terminal or in a
    notebook; command: what the record names as the way to do this again, this call if None;
    options: those of the command line with _ for -, `start` for --from (`quant.plan.Plan` and
    `quant.options.Place` have them all), epochs and steps as whole numbers, shares from 0 to 1.
    Raises HeadraceError's kinds (quant.errors): ConfigError for what makes no sense, DataError for
    images that are missing or corrupt, CheckpointError for a folder with another training,
    TrainingError for one that diverged, WriteError for a full disk.
    """
    options = {"network": str(network), **options}
    folder = result_folder(out, str(network))
    return _run("train", Plan, options, folder, fresh, progress, command)


def prune(
    start: str | Path,
    *,
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Listener = nobody,
    command: str | None = None,
    **options: Any,
) -> Made:
    """Remove filters of a float model step by step, as `headrace prune` does; resumes.

    start: its float.safetensors; out: the result's folder, runs/FOLDER_pruned if None; the rest as
    of `train`, options those of `quant.prune_plan.PrunePlan` and `quant.options.Place`. Raises as
    `train` does.
    """
    options = {"start": str(start), **options}
    folder = result_folder(out, f"{Path(start).parent.name}_pruned")
    return _run("prune", PrunePlan, options, folder, fresh, progress, command)


def export(model: str | Path, out: str | Path) -> Exported:
    """Write a model as QONNX with golden vectors, as `headrace export` does, and compare them.

    model: name in the zoo, or the file of a quantised model; out: folder for model.onnx,
    vectors.npz and model.json, which `quant.exporting` describes. Raises ConfigError for a model
    that is not there, CheckpointError for a corrupt one, ExportError if QONNX computes something
    else than the model.
    """
    trained = load_trained(str(model))
    return exporting.export(trained, model_images(str(model), trained.task), Path(out))


def score(model: str | Path, data: str | Path, *, cache: str | Path = DEFAULT_CACHE) -> Score:
    """How many of the test images a quantised model has right.

    model: as of `export`; data, cache: as of `train`. Raises ConfigError, CheckpointError, and
    DataError for images that are missing or corrupt.
    """
    trained = load_trained(str(model))
    found = judges(trained, Path(data), Path(cache))
    return Score(
        accuracy=accuracy(trained.model, Images.of(found, torch.device("cpu"))),
        images=len(found),
        recorded=trained.record["accuracy"]["quantised"],
    )


def pack(model: str | Path, name: str, out: str | Path = ZOO) -> Path:
    """Write a model with its weights packed as integers, as `headrace pack` does.

    model: as of `export`; name: letters, digits, - and _; out: folder for NAME.safetensors and
    NAME.json. Returns the path of the weights. Raises ConfigError and CheckpointError.
    """
    return pack_trained(str(model), name, Path(out))


def _run(
    verb: str,
    kind: type[_T],
    options: dict[str, Any],
    folder: Path,
    fresh: bool,
    progress: Listener,
    command: str | None,
) -> Made:
    plan, place = _given(verb, kind, options)
    asked = {**options, "out": str(folder)}
    said = ", ".join(f"{key}={_plain(value)!r}" for key, value in asked.items())
    ready = setting(place, command=command or f"quant.{verb}({said})", listener=progress)
    if fresh:
        forget(folder)
    record = plan.run(ready, folder)
    return Made(weights=plan.result(folder), record=record)


def _given(verb: str, kind: type[_T], options: dict[str, Any]) -> tuple[_T, Place]:
    """The options of a plan and those of a place, each checked; None stands for the default."""
    keys: dict[str, str] = {item.name: item.metadata.get("key", item.name) for item in fields(kind)}
    places: list[str] = [item.name for item in fields(Place)]
    if unknown := sorted(options.keys() - keys.keys() - set(places)):
        raise ConfigError(
            f"{verb}: unknown options {', '.join(unknown)}; known: {', '.join([*keys, *places])}"
        )
    given = {name: _plain(value) for name, value in options.items() if value is not None}
    plan = {keys[name]: value for name, value in given.items() if name in keys}
    place = {name: value for name, value in given.items() if name in places}
    return tables.build(kind, plan, verb), tables.build(Place, place, verb)


def _plain(value: object) -> object:
    """As a file of options has it."""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
