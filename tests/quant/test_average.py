"""The running average of the weights: its sum, its statistics, and that it is what is kept."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from trainings import FLOAT, NETWORK, settings

from quant import loop
from quant.average import Average, recompute_statistics
from quant.data import Labelled
from quant.files import read_tensors
from quant.images import Images, accuracy
from quant.loop import augmented
from quant.models import build_float
from quant.step import Trainer
from quant.training import train_float


def test_the_average_is_validated_and_kept(
    images: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[dict[str, torch.Tensor], float]] = []

    def watch(model: torch.nn.Module, data: Images) -> float:
        share = accuracy(model, data)
        seen.append(({k: v.clone() for k, v in model.state_dict().items()}, share))
        return share

    text = io.StringIO()
    monkeypatch.setattr(loop, "accuracy", watch)
    done = train_float(settings(images, text=text), NETWORK, FLOAT, tmp_path)
    state, _ = read_tensors(tmp_path / "float-state.safetensors")
    kept, _ = read_tensors(tmp_path / "float.safetensors")
    validated, share = seen[-1]
    assert len(seen) == FLOAT.epochs
    assert f"held out {100 * share:.2f} %" in text.getvalue().splitlines()[-1]
    for name, value in kept.items():
        assert torch.equal(value, state[f"average.{name}"])
        assert torch.equal(value, validated[name])
        assert torch.equal(value, done.model.state_dict()[name])
    assert any(not torch.equal(value, state[f"model.{name}"]) for name, value in kept.items())


@pytest.mark.parametrize("keep", [0.0, 0.5])
def test_average_is_the_sum_it_says(keep: float) -> None:
    model = torch.nn.BatchNorm1d(2)
    average = Average(model, keep)
    expected = model.weight.detach().clone()
    for number in range(30):
        torch.nn.init.normal_(model.weight)
        average.update(number)
        kept = min(keep, (1 + number) / (10 + number))
        expected = kept * expected + (1 - kept) * model.weight.detach()
    torch.testing.assert_close(average.tensors["weight"], expected)
    own = model.weight.detach().clone()
    with average.in_place():
        torch.testing.assert_close(model.weight.detach(), expected)
    assert torch.equal(model.weight.detach(), own)


def test_statistics_are_those_of_the_images() -> None:
    norm = torch.nn.BatchNorm2d(3)
    dropped = torch.nn.Dropout(0.5)
    pixels = torch.randint(0, 256, (8, 3, 4, 4), dtype=torch.uint8)
    for _ in range(3):
        norm(torch.randn(8, 3, 4, 4))
    recompute_statistics(torch.nn.Sequential(dropped, norm), pixels.split(4))
    halves = pixels.float().view(2, 4, 3, 16)
    torch.testing.assert_close(norm.running_mean, halves.mean((0, 1, 3)))
    spread = torch.stack([half.transpose(0, 1).flatten(1).var(1) for half in halves]).mean(0)
    torch.testing.assert_close(norm.running_var, spread)
    assert norm.momentum == 0.1
    assert not norm.training


def test_the_average_has_statistics_of_its_own() -> None:
    torch.manual_seed(1)
    trainer = Trainer(build_float(NETWORK), FLOAT)
    pixels = torch.randint(0, 256, (32, 3, 32, 32), dtype=torch.uint8)
    trainer.train_mode()
    for number in range(5):
        trainer.step(trainer.twin, pixels.float(), torch.arange(32) % 10, number, 5)
    own = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    before = {name: value.clone() for name, value in trainer.average.tensors.items()}
    trainer.settle([pixels])
    changed = {n for n, v in trainer.average.tensors.items() if not torch.equal(v, before[n])}
    assert changed == {name for name in before if "running" in name}
    plain = [name for name in own if "num_batches" not in name]
    assert all(torch.equal(trainer.model.state_dict()[name], own[name]) for name in plain)
    plain_average = Trainer(build_float(NETWORK), replace(FLOAT, average=0.0))
    kept = plain_average.average.tensors
    plain_average.settle([pixels])
    assert all(not v.any() for n, v in kept.items() if n.endswith("running_mean"))


def test_the_average_settles_on_images_as_they_are_trained_on(
    images: Labelled, tmp_path: Path
) -> None:
    """Not on the data set's own: the augmented ones have other borders."""
    setting = settings(images)
    training = replace(FLOAT, translate_px=8, cutout_px=16)
    found = train_float(setting, NETWORK, training, tmp_path / "m").model
    kept = {n: v.clone() for n, v in found.state_dict().items() if "running" in n}
    seen = [batch.pixels for batch in augmented("float-state", training, setting.train, 1)]
    recompute_statistics(found, seen)
    assert all(torch.equal(found.state_dict()[name], value) for name, value in kept.items())
    recompute_statistics(found, setting.train.pixels.split(16))
    assert any(not torch.allclose(found.state_dict()[n], v, rtol=1e-2) for n, v in kept.items())
