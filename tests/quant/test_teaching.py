from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from quant.checkpoint import Checkpoint
from quant.config import Training
from quant.data import Labelled
from quant.errors import CheckpointError, ConfigError
from quant.files import read_tensors, write_json
from quant.images import Images, accuracy
from quant.recipes import TEACHER_TRAINING
from quant.setting import Setting
from quant.step import Trainer
from quant.teacher import Teacher, TeacherNetwork, teacher_costs
from quant.teaching import load_teacher, train_teacher
from quant.topologies import get_network
from quant.training import train_float

SMALL = TeacherNetwork(widths=(4, 6, 8))
TRAINING = replace(TEACHER_TRAINING, epochs=3, batch=16, lr=0.02)


def settings(images: Labelled) -> Setting:
    console = Console(file=io.StringIO())
    return Setting.of(images, images, validation=16, compiled=False, console=console)


def test_the_first_layer_whitens(images: Labelled) -> None:
    data = Images.of(images, torch.device("cpu"))
    # Neighbours alike, as in pictures.
    pixels = torch.nn.functional.avg_pool2d(data.pixels.float(), 5, 1, 2).round().byte()
    model = Teacher(SMALL)
    model.whiten(pixels)
    x = torch.nn.functional.conv2d(pixels / 255 - model.mean, model.filters)[:, :12]
    found = x.transpose(0, 1).flatten(1)
    covariance = found @ found.T / found.shape[1]
    variances = covariance.diag()
    assert torch.allclose(covariance, variances.diag(), atol=1e-3)
    # The weakest are lifted less, the strongest to one.
    assert 0.1 < float(variances.min()) < 0.5
    assert 0.95 < float(variances.max()) <= 1.0
    assert torch.equal(model.filters[12:], -model.filters[:12])


def test_costs_are_counted() -> None:
    model = Teacher(TeacherNetwork())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert teacher_costs(TeacherNetwork()) == (trained, 118_147_360)


def test_a_teacher_resumes_exactly_and_is_loaded(
    images: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = train_teacher(settings(images), SMALL, TRAINING, tmp_path / "whole")
    save = Checkpoint.save

    def stopping(checkpoint: Checkpoint, status: object) -> None:
        save(checkpoint, status)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", stopping)
        with pytest.raises(KeyboardInterrupt):
            train_teacher(settings(images), SMALL, TRAINING, tmp_path / "cut")
    again = train_teacher(settings(images), SMALL, TRAINING, tmp_path / "cut")
    assert again["sha256"] == record["sha256"]
    states = [
        read_tensors(tmp_path / name / "teacher-state.safetensors")[0] for name in ("whole", "cut")
    ]
    assert states[0].keys() == states[1].keys()
    assert any(name.endswith("momentum_buffer") for name in states[0])
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    loaded = load_teacher(tmp_path / "cut" / "teacher.safetensors", "cpu")
    data = Images.of(images, torch.device("cpu"))
    assert loaded.sha256 == record["sha256"]
    assert accuracy(loaded.model, data) == record["accuracy"]["float"]


def test_only_what_is_learned_changes(images: Labelled) -> None:
    torch.manual_seed(1)
    model = Teacher(SMALL)
    data = Images.of(images, torch.device("cpu"))
    model.whiten(data.pixels)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trainer = Trainer(model, replace(TRAINING, precision="float32"))
    trainer.train_mode()
    trainer.step(model, data.pixels.float(), data.labels, 100, 1000)
    changed = {n for n, v in model.state_dict().items() if not torch.equal(v, before[n])}
    kept = set(before) - changed
    assert kept == {"filters", "mean", *(n for n in before if "norm" in n and "weight" in n)}


def test_biases_have_a_rate_of_their_own() -> None:
    trainer = Trainer(Teacher(SMALL), TRAINING)
    many, single = trainer.optimiser.param_groups
    assert all(p.ndim > 1 for p in many["params"])
    assert single["scale"] == 64.0
    assert many["weight_decay"] == pytest.approx(64 * single["weight_decay"])


def test_any_float_model_teaches_and_a_wrong_file_does_not(
    images: Labelled, tmp_path: Path
) -> None:
    start = train_float(
        settings(images), get_network("tiny"), Training(epochs=0, batch=16), tmp_path
    )
    path = tmp_path / "float.safetensors"
    pixels = torch.from_numpy(images.images).permute(0, 3, 1, 2).float()
    assert torch.equal(load_teacher(path, "cpu").model(pixels), start.model.eval()(pixels))
    with pytest.raises(CheckpointError, match="none.json: not found"):
        load_teacher(tmp_path / "none.safetensors", "cpu")
    train_teacher(settings(images), SMALL, replace(TRAINING, epochs=0), tmp_path)
    path = tmp_path / "teacher.safetensors"
    record = json.loads(path.with_suffix(".json").read_text())
    write_json(path.with_suffix(".json"), {**record, "teacher": {"width": 3}})
    with pytest.raises(CheckpointError, match=r"teacher\.json: KeyError\('widths'\) is wrong"):
        load_teacher(path, "cpu")
    write_json(path.with_suffix(".json"), {**record, "sha256": ""})
    with pytest.raises(CheckpointError, match="sha256 is not its record's; train it again"):
        load_teacher(path, "cpu")
    for widths in ((1, 2), (0, 1, 2)):
        with pytest.raises(ConfigError, match="use three, each 1 or more"):
            TeacherNetwork(widths=widths)
