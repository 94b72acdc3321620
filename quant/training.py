"""Training from start to record: a float network, and a quantised one that starts from it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from quant import distributed
from quant.checkpoint import Status
from quant.config import Network, Quantisation, Training
from quant.config_json import network_to_json
from quant.errors import ConfigError
from quant.files import write_json, write_tensors
from quant.float_model import FloatModel
from quant.images import accuracy
from quant.loop import Phase
from quant.margins import keep_off_integers
from quant.models import Model, build_float, build_quantised, start_from_float
from quant.packing import start_from_quantised
from quant.setting import Setting
from quant.surrogate import Surrogate
from quant.tasks import need_same, to_record
from quant.views import LoadedTeacher, Views, predict
from quant.zoo import Trained, write_images


def tune_float(
    setting: Setting,
    model: Model,
    network: Network,
    training: Training,
    path: Path,
    *,
    teacher: LoadedTeacher | None = None,
) -> Status:
    """Train a float model in place; its checkpoint is `path`, named for the phase."""
    _need_fit(setting, network)
    lesson = _lesson(setting, network, training, teacher)
    return Phase(
        path.stem,
        model,
        training,
        path,
        {**setting.identity, "network": network_to_json(network), **lesson.identity},
        teacher=lesson.model,
        views=lesson.views,
        compiled=setting.compiled,
        console=setting.console,
        listener=setting.listener,
    ).run(setting.train, setting.held_out)


@dataclass(frozen=True, kw_only=True)
class _Lesson:
    """What a phase imitates: a network that it asks, or predictions that are kept."""

    model: nn.Module | None = None
    views: Views | None = None
    identity: dict[str, Any] = field(default_factory=dict)


def _lesson(
    setting: Setting, network: Network, training: Training, teacher: LoadedTeacher | None
) -> _Lesson:
    """What to imitate of a teacher; nothing if there is none."""
    if teacher is None:
        if training.views:
            raise ConfigError(f"training: views={training.views} without a teacher; use views=0")
        return _Lesson()
    need_same(setting.task, teacher.task, teacher.path)
    views = None
    if training.views:
        views = predict(teacher, training, setting.train, setting.console)
    return _Lesson(model=teacher.model, views=views, identity={"teacher": teacher.sha256})


def _taught(teacher: LoadedTeacher | None, key: str) -> dict[str, Any]:
    """What a record says of the teacher, under `key`."""
    if teacher is None:
        return {}
    score = teacher.record["accuracy"]["float"]
    return {key: {**origin(teacher.record), "accuracy": score}}


def train_float(
    setting: Setting,
    network: Network,
    training: Training,
    out: Path,
    *,
    teacher: LoadedTeacher | None = None,
) -> FloatModel:
    """Train a float network; writes `out`/float.safetensors and float.json.

    The same arguments resume an interrupted training after its last whole epoch.

    Args:
        setting: images and device.
        network: to train.
        training: how; `distill` is the share of the loss that imitates `teacher`.
        out: where checkpoints and results go.
        teacher: float model to imitate.

    Raises:
        CheckpointError: if `out` holds a corrupt checkpoint or another training's.
        ConfigError: if batch and number of images do not go together.
    """
    torch.manual_seed(training.seed)
    model = build_float(network).to(setting.device)
    path = out / "float-state.safetensors"
    status = tune_float(setting, model, network, training, path, teacher=teacher)
    settings = {"float": asdict(training), **_taught(teacher, "teacher")}
    return write_float(setting, model, network, out, status, settings, training.seed)


def tune_longer(
    setting: Setting,
    start: FloatModel,
    training: Training,
    out: Path,
    *,
    teacher: LoadedTeacher | None = None,
) -> FloatModel:
    """Train a float network further; writes `out`/float.safetensors and float.json.

    Resumes and raises as `train_float` does; epochs and seconds add up.
    """
    path = out / "float-state.safetensors"
    status = tune_float(setting, start.model, start.network, training, path, teacher=teacher)
    before = start.record
    total = Status.of(before, "float") + status
    settings = {**before["training"], "longer": asdict(training), "from": origin(before)}
    settings |= _taught(teacher, "longer teacher")
    return write_float(setting, start.model, start.network, out, total, settings, training.seed)


def origin(record: dict[str, Any]) -> dict[str, Any]:
    """What a record says about where the weights come from that another training starts with."""
    return {key: record[key] for key in ("command", "commit", "device", "sha256")}


def write_float(
    setting: Setting,
    model: Model,
    network: Network,
    out: Path,
    status: Status,
    training: dict[str, Any],
    seed: int,
) -> FloatModel:
    """Score a float model on the test images and write it with its record to `out`."""
    results = {
        "accuracy": {"float": accuracy(model, setting.test), "quantised": None},
        **_spent(status, Status()),
        "seed": seed,
        "training": training,
    }
    record = _write(setting, model, network, None, results, out / "float.safetensors")
    return FloatModel(network=network, model=model, record=record)


def _spent(first: Status, second: Status) -> dict[str, Any]:
    """What a record says of its float phase and its quantised one, each value under its name."""
    phases = {"float": first, "quantised": second}
    return {
        "epochs": {name: status.epoch for name, status in phases.items()},
        "seconds": {name: status.seconds for name, status in phases.items()},
        "curve": {name: [list(point) for point in s.curve] for name, s in phases.items()},
    }


def train_quantised(
    setting: Setting,
    start: FloatModel,
    quantisation: Quantisation,
    training: Training,
    out: Path,
    *,
    earlier: Trained | None = None,
    teacher: LoadedTeacher | None = None,
) -> dict[str, Any]:
    """Train a quantised network from a float one; writes `out`/NAME.safetensors and NAME.json.

    NAME is the name of the folder `out`. The test images are used once, at the end.

    Args:
        setting: images and device.
        start: float network, whose weights are quantised, and which is imitated if there is no
            `teacher`.
        quantisation: bits of every layer.
        training: how to train.
        out: where checkpoints and results go.
        earlier: quantised network to go on from instead, also one of other bits, whose step from
            float was smaller; epochs and seconds add up.
        teacher: float model to imitate instead of `start`.

    Returns:
        The record.

    Raises:
        CheckpointError: if `out` holds a corrupt checkpoint or another training's.
        ConfigError: if batch and number of images do not go together, `earlier` is of another
            network, or the training is not in float32, which levels of quantisers need.
    """
    _need_float32(training)
    _need_fit(setting, start.network)
    lesson = _lesson(setting, start.network, training, teacher)
    torch.manual_seed(training.seed)
    model = build_quantised(start.network, quantisation).to(setting.device)
    identity = {
        **setting.identity,
        "network": network_to_json(start.network),
        "quantisation": asdict(quantisation),
        "float": start.record["sha256"],
        **lesson.identity,
        **({"earlier": earlier.record["sha256"]} if earlier else {}),
    }
    before = start.record
    done, settings = _first_weights(setting, model, start, earlier, training)
    status = Phase(
        "quantised",
        model,
        training,
        out / "quantised-state.safetensors",
        identity,
        teacher=lesson.model or start.model,
        views=lesson.views,
        twin=Surrogate(model),
        compiled=setting.compiled,
        console=setting.console,
        listener=setting.listener,
    ).run(setting.train, setting.held_out)
    keep_off_integers(model)
    results = {
        "accuracy": {**before["accuracy"], "quantised": accuracy(model, setting.test)},
        **_spent(Status.of(before, "float"), done + status),
        "seed": training.seed,
        "training": {**before["training"], **settings, **_taught(teacher, "quantised teacher")},
        "float": origin(before),
    }
    weights = out / f"{out.name}.safetensors"
    return _write(setting, model, start.network, quantisation, results, weights)


def _need_fit(setting: Setting, network: Network) -> None:
    """Raise ConfigError for a network of other images or classes than there are."""
    if (network.input_shape, network.classes) != (setting.task.shape, len(setting.task.classes)):
        raise ConfigError(
            f"network {network.name}: takes {'x'.join(map(str, network.input_shape))} images and "
            f"has {network.classes} classes, but the data are {setting.task}; use "
            "`quant.tasks.suited`"
        )


def _need_float32(training: Training) -> None:
    if training.precision != "float32":
        raise ConfigError(
            f"training: precision={training.precision!r} blurs the levels of a quantised network; "
            "use 'float32'"
        )


def _first_weights(
    setting: Setting,
    model: Model,
    start: FloatModel,
    earlier: Trained | None,
    training: Training,
) -> tuple[Status, dict[str, Any]]:
    """Give a quantised model the weights of a float model, or of an earlier quantised one.

    Returns:
        The epochs and seconds of that earlier one, and the trainings as the record names them.
    """
    if earlier is None:
        start_from_float(model, start.model.state_dict(), setting.train.pixels[:512].float())
        return Status(), {"quantised": asdict(training)}
    if earlier.network != start.network:
        raise ConfigError(
            f"{earlier.name}: not the float model's network; use the float model that it came from"
        )
    start_from_quantised(model, earlier.model)
    was = earlier.record
    done = Status.of(was, "quantised")
    settings = {
        "quantised": was["training"]["quantised"],
        "longer quantised": asdict(training),
        "quantised from": {**origin(was), "quantisation": was["quantisation"]},
    }
    return done, settings


def _write(
    setting: Setting,
    model: Model,
    network: Network,
    quantisation: Quantisation | None,
    results: dict[str, Any],
    weights: Path,
) -> dict[str, Any]:
    """Write weights and record; returns the record."""

    def write() -> dict[str, Any]:
        state = model.state_dict()
        kept = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
        write_tensors(weights, kept, {"network": network.name})
        record = {
            **describe(network, quantisation),
            **to_record(setting.task),
            **results,
            "test_images": len(setting.test.labels),
            "device": distributed.device_name(torch.device(setting.device)),
            "command": setting.command,
            "commit": setting.commit,
            "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            "layers": network_to_json(network),
            "quantisation": asdict(quantisation) if quantisation else None,
        }
        if quantisation is not None:
            write_images(weights, setting.travelling)
        write_json(weights.with_suffix(".json"), record)
        return record

    return distributed.once(write)


def describe(network: Network, quantisation: Quantisation | None) -> dict[str, Any]:
    """The part of a record that follows from the configuration alone."""
    return {
        "network": network.name,
        "weight_bits": quantisation.weight_bits if quantisation else None,
        "act_bits": quantisation.act_bits if quantisation else None,
        "filters": network.filters,
        "parameters": network.parameters,
        "macs": network.macs,
    }
