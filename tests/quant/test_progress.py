from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from quant import loop
from quant.checkpoint import Checkpoint
from quant.config import Training
from quant.data import Labelled
from quant.images import Images
from quant.loop import Phase
from quant.models import build_float
from quant.progress import Meter
from quant.step import Trainer, learning_rate
from quant.topologies import get_network

# 64 images to train on: 16 steps, looked at after 10 and 16.
CONFIG = Training(epochs=3, batch=4)
STEPS = [9, 15, 25, 31, 41, 47]


def run(out: Path, images: Labelled, console: Console | None = None) -> None:
    device = torch.device("cpu")
    train, held_out = Images.of(images.part(slice(16, None)), device), images.part(slice(16))
    torch.manual_seed(1)
    model = build_float(get_network("tiny"))
    console = console or Console(file=io.StringIO())
    phase = Phase("float", model, CONFIG, out / "float-state.safetensors", {}, console=console)
    phase.run(train, Images.of(held_out, device))


def scalars(out: Path) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of every tag, as TensorBoard shows them."""
    events = EventAccumulator(str(out / "tensorboard" / "float"))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_tensorboard_has_steps_and_epochs(images: Labelled, tmp_path: Path) -> None:
    run(tmp_path, images)
    found = scalars(tmp_path)
    names = {"loss", "accuracy", "images_per_second", "learning_rate"}
    assert set(found) == {
        *(f"step/{name}" for name in names),
        *(f"epoch/{name}" for name in {*names, "held_out_accuracy"}),
    }
    for tag, values in found.items():
        assert [step for step, _ in values] == (STEPS if tag.startswith("step") else STEPS[1::2])
    for step, rate in found["step/learning_rate"]:
        assert rate == pytest.approx(learning_rate(CONFIG, step, 16), abs=1e-9)
    loss = [value for _, value in found["step/loss"]]
    for epoch, (_, mean) in enumerate(found["epoch/loss"]):
        parts = loss[2 * epoch : 2 * epoch + 2]
        assert mean == pytest.approx((10 * parts[0] + 6 * parts[1]) / 16, rel=1e-5)
    assert all(0 <= value <= 1 for _, value in found["epoch/held_out_accuracy"])


@pytest.mark.parametrize("cut", ["in the second epoch", "before the second save"])
def test_tensorboard_of_a_resumed_training_has_no_duplicates(
    cut: str, images: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "whole", images)
    calls: Counter[str] = Counter()
    step, save = Trainer.step, Checkpoint.save

    def stopping_step(self: Trainer, *arguments: object, **named: object) -> object:
        calls["step"] += 1
        if cut == "in the second epoch" and calls["step"] == 16 + 12:
            raise KeyboardInterrupt
        return step(self, *arguments, **named)

    def stopping_save(self: Checkpoint, *arguments: object) -> None:
        calls["save"] += 1
        if cut == "before the second save" and calls["save"] == 2:
            raise KeyboardInterrupt
        save(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", stopping_step)
        patch.setattr(Checkpoint, "save", stopping_save)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut", images)
    assert len(scalars(tmp_path / "cut")["step/loss"]) >= 3
    run(tmp_path / "cut", images)
    whole, resumed = scalars(tmp_path / "whole"), scalars(tmp_path / "cut")
    for name in ("step/loss", "epoch/loss", "epoch/accuracy", "epoch/held_out_accuracy"):
        assert resumed[name] == whole[name]
    # A training that starts again replaces what there was.
    (tmp_path / "cut" / "float-state.safetensors").unlink()
    run(tmp_path / "cut", images)
    assert scalars(tmp_path / "cut")["step/loss"] == whole["step/loss"]


def test_one_plain_line_for_each_epoch(images: Labelled, tmp_path: Path) -> None:
    text = io.StringIO()
    run(tmp_path, images, Console(file=text, width=40))
    lines = text.getvalue().splitlines()
    assert len(lines) == CONFIG.epochs
    for number, line in enumerate(lines, 1):
        assert line.startswith(f"float  epoch {number}/3  ")
        for part in ("images/s", "loss", " %  held out", "left"):
            assert part in line


def test_a_terminal_gets_a_live_line(images: Labelled, tmp_path: Path) -> None:
    text = io.StringIO()
    run(tmp_path, images, Console(file=text, force_terminal=True, width=150))
    live = [line for line in text.getvalue().splitlines() if "48/48" in line]
    assert live
    assert "epoch 3/3" in live[-1]
    assert "images/s" in live[-1]


def test_meter_means_over_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    meter = Meter(batch=8)
    for losses in ([1.0, 3.0], [5.0]):
        for loss in losses:
            meter.add(torch.tensor(loss), torch.tensor(loss / 10))
        now += 2.0
        reading = meter.read()
    assert (reading.loss, reading.speed) == (5.0, 4.0)
    epoch = meter.epoch()
    assert (epoch.loss, epoch.accuracy, epoch.speed) == pytest.approx((3.0, 0.3, 6.0))
    assert meter.seconds == 4.0


def test_validation_is_left_out_without_held_out_images(
    images: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "accuracy", lambda *_: pytest.fail("validated"))
    data = Images.of(images, torch.device("cpu"))
    none = Images.of(images.part(slice(0)), torch.device("cpu"))
    model, text = build_float(get_network("tiny")), io.StringIO()
    path = tmp_path / "s.safetensors"
    console = Console(file=text)
    Phase("float", model, replace(CONFIG, epochs=1), path, {}, console=console).run(data, none)
    assert "held out" not in text.getvalue()
    assert "epoch/held_out_accuracy" not in scalars(tmp_path)
