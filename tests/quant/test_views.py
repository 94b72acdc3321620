from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor

from quant import training as training_module
from quant.augment import shifted
from quant.checkpoint import Checkpoint
from quant.config import Quantisation, Training
from quant.data import CIFAR10, Labelled, Task
from quant.errors import CheckpointError, ConfigError
from quant.float_model import load_float
from quant.images import Images
from quant.loop import augmented, batches
from quant.recipes import taught
from quant.setting import Setting
from quant.teaching import load_teacher
from quant.topologies import get_network
from quant.training import train_float, train_quantised
from quant.views import LoadedTeacher, predict

NETWORK = replace(get_network("tiny"), batch_norm="all")
TRAINING = replace(taught(Training(epochs=5, batch=16), 4), translate_px=3)
QUIET = Console(file=io.StringIO())


class _Mean(torch.nn.Module):
    """Logits that tell which pixels were seen."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def forward(self, pixels: Tensor) -> Tensor:
        self.asked += len(pixels)
        half = pixels[:, :, :, :16].mean((1, 2, 3))
        return torch.stack([half, pixels.mean((1, 2, 3))], 1) / 64


def mean(folder: Path) -> LoadedTeacher:
    record = {"sha256": "1", "accuracy": {"float": 1.0}}
    return LoadedTeacher(
        path=folder / "mean.safetensors", model=_Mean(), classes=2, record=record, task=None
    )


@pytest.fixture
def data(images: Labelled) -> Images:
    return Images.of(images, torch.device("cpu"))


def settings(images: Labelled) -> Setting:
    return Setting.of(images, images, validation=16, compiled=False, console=QUIET)


@pytest.fixture
def teacher(images: Labelled, tmp_path: Path) -> LoadedTeacher:
    train_float(settings(images), NETWORK, Training(epochs=1, batch=16), tmp_path / "t")
    return load_teacher(tmp_path / "t" / "float.safetensors", "cpu")


def test_the_logits_are_those_of_the_pixels_that_are_seen(data: Images, tmp_path: Path) -> None:
    known = mean(tmp_path)
    views = predict(known, TRAINING, data, QUIET)
    for epoch in range(5):
        for pixels, labels, logits in augmented("float", TRAINING, data, epoch, views):
            assert logits is not None
            assert len(labels) == len(pixels) == 16
            assert torch.equal(logits, known.model(pixels.float()).half().float())
    # Every view of an image in turn, mirrored each other time, then again.
    some = torch.arange(80)
    shown = [views.seen(data, some, epoch)[0] for epoch in range(5)]
    assert torch.equal(shown[0], shown[4])
    assert not torch.equal(shown[0], shown[2])
    first = views.mirrored[views.first, some]
    second = views.mirrored[(views.first + 1) % 4, some]
    assert torch.equal(first, ~second)
    view = int(views.first[7])
    again = shifted(data.pixels[7:8], views.shifts[view][:, 7:8], first[7:8], 3)
    assert torch.equal(again[0], shown[0][7])
    assert int(views.shifts.min()) == 0
    assert int(views.shifts.max()) == 6


def test_predictions_are_kept_and_more_views_add_to_them(data: Images, tmp_path: Path) -> None:
    known = mean(tmp_path)
    model = known.model
    assert isinstance(model, _Mean)
    whole = predict(known, TRAINING, data, QUIET)
    assert model.asked == 4 * 80
    again = predict(known, TRAINING, data, QUIET)
    assert model.asked == 4 * 80
    assert torch.equal(again.logits, whole.logits)
    more = predict(known, replace(TRAINING, views=5), data, QUIET)
    assert model.asked == 5 * 80
    assert torch.equal(more.logits[:4], whole.logits)
    # A damaged file is predicted again.
    (folder,) = tmp_path.glob("mean-views-*")
    (folder / "view001.safetensors").write_bytes(b"wrong")
    assert torch.equal(predict(known, TRAINING, data, QUIET).logits, whole.logits)
    assert model.asked == 6 * 80
    # Other shifts, another teacher, other images: nothing is taken for theirs.
    other = replace(known, record={**known.record, "sha256": "2"})
    fewer = Images(pixels=data.pixels[:64], labels=data.labels[:64])
    for chosen, training, shown in (
        (known, replace(TRAINING, seed=2), data),
        (known, replace(TRAINING, translate_px=2), data),
        (known, replace(TRAINING, flip=False), data),
        (other, TRAINING, data),
        (known, TRAINING, fewer),
    ):
        before = model.asked
        predict(chosen, training, shown, QUIET)
        assert model.asked == before + 4 * len(shown.labels)
    assert len(list(tmp_path.glob("mean-views-*"))) == 6


def test_parts_of_a_batch_fit_together(
    data: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = mean(tmp_path)
    views = predict(known, TRAINING, data, QUIET)
    monkeypatch.setattr("quant.distributed.count", lambda: 2)
    monkeypatch.setattr("quant.distributed.rank", lambda: 1)
    for pixels, labels, logits in batches("float", TRAINING, data, 0, views):
        assert logits is not None
        assert len(labels) == len(pixels) == 8
        assert torch.equal(logits, known.model(pixels).half().float())


@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize("count", [0, 4])
def test_a_taught_training_resumes_exactly(
    count: int,
    quantised: bool,
    images: Labelled,
    teacher: LoadedTeacher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training = replace(TRAINING, views=count, epochs=3)

    def run(out: Path) -> dict[str, Any]:
        setting = settings(images)
        if not quantised:
            return train_float(setting, NETWORK, training, out, teacher=teacher).record
        start = load_float(teacher.path, "cpu")
        return train_quantised(setting, start, Quantisation(), training, out, teacher=teacher)

    whole = run(tmp_path / "whole")
    key = "quantised teacher" if quantised else "teacher"
    assert whole["training"][key]["sha256"] == teacher.sha256
    assert whole["training"][key]["accuracy"] == teacher.record["accuracy"]["float"]
    save = Checkpoint.save

    def stopping(checkpoint: Checkpoint, status: object) -> None:
        save(checkpoint, status)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", stopping)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut")
    assert run(tmp_path / "cut")["sha256"] == whole["sha256"]
    # Another teacher's training does not go on with this one.
    changed = replace(teacher, record={**teacher.record, "sha256": "other"})
    monkeypatch.setattr(training_module, "need_same", lambda *_: None)
    with pytest.raises(CheckpointError, match=r"teacher: [0-9a-f]{64} there, other here"):
        train = settings(images)
        if quantised:
            start = load_float(teacher.path, "cpu")
            train_quantised(
                train, start, Quantisation(), training, tmp_path / "cut", teacher=changed
            )
        else:
            train_float(train, NETWORK, training, tmp_path / "cut", teacher=changed)


def test_what_is_learned_is_the_teacher(images: Labelled, tmp_path: Path) -> None:
    """With labels that say nothing, only the teacher's logits can be learned."""
    draw = np.random.default_rng(1)
    bright = np.repeat(draw.integers(0, 2, 80, np.uint8), 32 * 32 * 3).reshape(80, 32, 32, 3)
    pictures = Labelled(images=bright * 200 + images.images // 8, labels=images.labels)

    class Bright(torch.nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            bright = pixels.mean((1, 2, 3)) > 60
            return torch.nn.functional.one_hot(bright.long(), 10).float() * 8

    record = {"sha256": "1", "accuracy": {"float": 1.0}}
    record = {**record, "command": "", "commit": "", "device": ""}
    path = tmp_path / "b.safetensors"
    teacher = LoadedTeacher(path=path, model=Bright(), classes=10, record=record, task=CIFAR10)
    training = replace(TRAINING, epochs=25, distill=1.0, average=0.5, lr=1e-2)
    found = train_float(settings(pictures), NETWORK, training, tmp_path / "m", teacher=teacher)
    data = Images.of(pictures, torch.device("cpu"))
    said = found.model.eval()(data.pixels.float()).argmax(1)
    assert float((said == Bright()(data.pixels.float()).argmax(1)).float().mean()) > 0.9


def test_a_wrong_teacher_is_refused_by_name(
    images: Labelled, teacher: LoadedTeacher, tmp_path: Path
) -> None:
    task = Task(name="mine", shape=(32, 32, 3), classes=("a", "b"))
    other = replace(teacher, task=task)
    with pytest.raises(ConfigError, match=r"2 classes \(mine\) .*, but the data are 10 classes"):
        train_float(settings(images), NETWORK, TRAINING, tmp_path / "m", teacher=other)
    with pytest.raises(ConfigError, match="network tiny: takes 32x32x3 images and has 12 classes"):
        train_float(settings(images), replace(NETWORK, classes=12), TRAINING, tmp_path / "m")
    with pytest.raises(ConfigError, match="views=4 without a teacher; use views=0"):
        train_float(settings(images), NETWORK, TRAINING, tmp_path / "m")
    with pytest.raises(ConfigError, match="views=4 with cutout_px=8; use cutout_px=0"):
        replace(TRAINING, cutout_px=8)
    assert not (tmp_path / "m").exists()
