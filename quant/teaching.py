"""Training a teacher, and reading one: any float model can be the teacher of another."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from quant import distributed
from quant.config import Training
from quant.errors import CheckpointError, ConfigError
from quant.files import read_json, read_tensors, write_json, write_tensors
from quant.float_model import load_float
from quant.images import accuracy
from quant.loop import Phase
from quant.models import load_state
from quant.setting import Setting
from quant.tasks import of_record, to_record
from quant.teacher import Teacher, TeacherNetwork, teacher_costs
from quant.topologies import TEACHER
from quant.views import LoadedTeacher

# Training images that the first layer is fitted to.
_WHITEN_IMAGES = 5000


def train_teacher(
    setting: Setting, network: TeacherNetwork, training: Training, out: Path
) -> dict[str, Any]:
    """Train a teacher; writes `out`/teacher.safetensors and teacher.json, and resumes.

    Returns:
        The record.

    Raises:
        CheckpointError: if `out` holds a corrupt checkpoint or another training's.
        ConfigError: if batch and number of images do not go together.
    """
    torch.manual_seed(training.seed)
    model = Teacher(network).to(setting.device)
    model.whiten(setting.train.pixels[:_WHITEN_IMAGES])
    status = Phase(
        TEACHER,
        model,
        training,
        out / f"{TEACHER}-state.safetensors",
        {**setting.identity, TEACHER: network.to_json()},
        compiled=setting.compiled,
        console=setting.console,
        listener=setting.listener,
    ).run(setting.train, setting.held_out)

    def write() -> dict[str, Any]:
        weights = out / f"{TEACHER}.safetensors"
        state = model.state_dict()
        kept = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
        write_tensors(weights, kept, {"network": TEACHER})
        parameters, macs = teacher_costs(network)
        record = {
            "network": TEACHER,
            **to_record(setting.task),
            "parameters": parameters,
            "macs": macs,
            "accuracy": {"float": accuracy(model, setting.test), "quantised": None},
            "epochs": {"float": status.epoch, "quantised": 0},
            "seconds": {"float": status.seconds, "quantised": 0.0},
            "seed": training.seed,
            "training": {"float": asdict(training)},
            "test_images": len(setting.test.labels),
            "device": distributed.device_name(torch.device(setting.device)),
            "command": setting.command,
            "commit": setting.commit,
            "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            TEACHER: network.to_json(),
        }
        write_json(weights.with_suffix(".json"), record)
        return record

    return distributed.once(write)


def load_teacher(weights: Path, device: str) -> LoadedTeacher:
    """A teacher from the file that `train_teacher` wrote, or any float model's.

    Raises:
        CheckpointError: if weights or record are missing, corrupt, or of a quantised network.
    """
    record = read_json(weights.with_suffix(".json"))
    if record.get("network") != TEACHER:
        start = load_float(weights, device)
        classes = start.network.classes
        return LoadedTeacher(
            path=weights,
            model=start.model.eval(),
            classes=classes,
            record=start.record,
            task=start.task,
        )
    tensors, _ = read_tensors(weights)
    if record.get("sha256") != hashlib.sha256(weights.read_bytes()).hexdigest():
        raise CheckpointError(f"{weights}: its sha256 is not its record's; train it again")
    try:
        shape = dict(record[TEACHER])
        shape["widths"] = tuple(shape["widths"])
        shape["input_shape"] = tuple(shape.get("input_shape", TeacherNetwork.input_shape))
        network = TeacherNetwork(**shape)
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise CheckpointError(
            f"{weights.with_suffix('.json')}: {error!r} is wrong or missing; train it again"
        ) from error
    model = Teacher(network)
    load_state(model, tensors)
    model.to(device).eval()
    task = of_record(record, network.input_shape, network.classes)
    return LoadedTeacher(
        path=weights, model=model, classes=network.classes, record=record, task=task
    )
