from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from quant import loop
from quant.config import Quantisation, Training
from quant.data import Labelled
from quant.errors import CheckpointError, ConfigError
from quant.files import read_tensors, write_tensors
from quant.loop import Images, Phase, Status, learning_rate
from quant.models import build_float
from quant.networks import NETWORKS
from quant.train import Plan, train
from quant.zoo import load_trained

PLAN = Plan(
    network=NETWORKS["tiny"],
    quantisation=Quantisation(),
    float_training=Training(epochs=2, batch=16, validation=16, cutout_px=4),
    quant_training=Training(epochs=3, batch=16, validation=16, distill=0.5),
    compiled=False,
)


def quiet() -> Console:
    return Console(file=io.StringIO())


def run(out: Path, images: Labelled, plan: Plan = PLAN) -> dict[str, object]:
    return train(plan, images, images, out, quiet())


class StopError(Exception):
    """Stands for an interruption."""


@pytest.mark.parametrize("saves", [1, 2, 4])
def test_resumed_training_equals_uninterrupted(
    saves: int, images: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "whole" / "m", images)
    left = saves
    save = Phase.save

    def save_and_stop(self: Phase, status: Status) -> None:
        nonlocal left
        save(self, status)
        left -= 1
        if left == 0:
            raise StopError

    with monkeypatch.context() as patch:
        patch.setattr(Phase, "save", save_and_stop)
        with pytest.raises(StopError):
            run(tmp_path / "cut" / "m", images)
    assert not (tmp_path / "cut" / "m" / "m.safetensors").exists()
    run(tmp_path / "cut" / "m", images)
    whole, cut = (tmp_path / x / "m" / "m.safetensors" for x in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()


def test_record_and_checkpoint_rebuild_the_model(images: Labelled, tmp_path: Path) -> None:
    record = run(tmp_path / "m", images)
    assert record == json.loads((tmp_path / "m" / "m.json").read_text())
    contract = "network weight_bits act_bits filters parameters macs accuracy test_images epochs "
    contract += "device seed command commit"
    assert set(contract.split()) <= set(record)
    assert record["filters"] == [4, 6]
    assert record["epochs"] == {"float": 2, "quantised": 3}
    trained = load_trained(str(tmp_path / "m" / "m.safetensors"))
    assert trained.network == PLAN.network
    assert trained.quantisation == PLAN.quantisation
    data = Images.of(images, torch.device("cpu"))
    assert loop.accuracy(trained.model, data) == record["accuracy"]["quantised"]


def test_seed_decides(images: Labelled, tmp_path: Path) -> None:
    other = replace(PLAN, quant_training=replace(PLAN.quant_training, seed=2))
    for name, plan in (("a", PLAN), ("b", PLAN), ("c", other)):
        run(tmp_path / name / "m", images, plan)
    a, b, c = ((tmp_path / x / "m" / "m.safetensors").read_bytes() for x in "abc")
    assert a == b
    assert a != c


def test_other_settings_do_not_resume(images: Labelled, tmp_path: Path) -> None:
    run(tmp_path / "m", images)
    other = replace(PLAN, quant_training=replace(PLAN.quant_training, lr=0.5))
    with pytest.raises(CheckpointError) as caught:
        run(tmp_path / "m", images, other)
    assert "quantised-state.safetensors: from a training with other settings" in str(caught.value)
    assert "--fresh" in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "empty", "rubbish", "metadata", "tensors"])
def test_corrupt_checkpoint_is_named(damage: str, images: Labelled, tmp_path: Path) -> None:
    run(tmp_path / "m", images)
    path = tmp_path / "m" / "float-state.safetensors"
    raw = path.read_bytes()
    tensors, metadata = read_tensors(path)
    if damage == "metadata":
        write_tensors(path, tensors, {})
    elif damage == "tensors":
        write_tensors(path, dict(list(tensors.items())[:-3]), metadata)
    else:
        path.write_bytes({"cut": raw[: len(raw) // 2], "empty": b"", "rubbish": b"x" * 99}[damage])
    with pytest.raises(CheckpointError, match="float-state") as caught:
        run(tmp_path / "m", images)
    assert "again" in str(caught.value)


def test_training_learns_what_can_be_learned(images: Labelled, tmp_path: Path) -> None:
    """Images whose brightness tells the class: both networks get most of them."""
    dark = images.images // 10 + (images.labels * 23).astype("uint8")[:, None, None, None]
    data = Labelled(images=dark, labels=images.labels)
    settings = Training(epochs=25, batch=16, validation=0, translate_px=0, lr=1e-2)
    plan = replace(PLAN, float_training=settings, quant_training=settings)
    record = run(tmp_path / "m", data, plan)
    assert record["accuracy"]["float"] > 0.6
    assert record["accuracy"]["quantised"] > 0.4


def test_learning_rate_rises_then_falls_to_zero() -> None:
    config = Training(epochs=4, lr=1.0, warmup_epochs=1.0)
    rates = [learning_rate(config, step, 10) for step in range(41)]
    assert rates[0] < rates[5] < rates[10] == 1.0
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert rates[40] == pytest.approx(0.0)


def test_impossible_sizes(images: Labelled, tmp_path: Path) -> None:
    big = replace(PLAN, float_training=replace(PLAN.float_training, batch=65))
    with pytest.raises(ConfigError, match="batch=65 is more than the 64 images"):
        run(tmp_path / "m", images, big)
    greedy = replace(PLAN, quant_training=replace(PLAN.quant_training, validation=80))
    with pytest.raises(ConfigError, match="validation=80 leaves none of 80 images"):
        run(tmp_path / "m", images, greedy)


def test_falls_back_where_compiling_fails(
    images: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> object:
        def fail(_: object) -> object:
            raise RuntimeError("no compiler")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    text = io.StringIO()
    data = Images.of(images, torch.device("cpu"))
    phase = Phase(
        "float",
        build_float(NETWORKS["tiny"]),
        Training(epochs=1, batch=16),
        tmp_path / "s.safetensors",
        {},
        compiled=True,
        console=Console(file=text, width=200),
    )
    assert phase.run(data, data).epoch == 1
    assert "torch.compile failed, training goes on without it: no compiler" in text.getvalue()


@pytest.mark.slow
def test_compiled_training_follows_the_eager_one(images: Labelled, tmp_path: Path) -> None:
    run(tmp_path / "eager" / "m", images)
    np.savez(tmp_path / "images.npz", images=images.images, labels=images.labels)
    # In a process of its own, as on the command line: compiled code aborts next to the many
    # native libraries that other tests have loaded.
    script = (
        "import importlib.util, sys; from dataclasses import replace; from pathlib import Path\n"
        "import numpy as np, torch; from quant.data import Labelled\n"
        "torch.set_num_threads(1)\n"
        "spec = importlib.util.spec_from_file_location('tests', sys.argv[1])\n"
        "tests = importlib.util.module_from_spec(spec); spec.loader.exec_module(tests)\n"
        "folder = Path(sys.argv[2]); images = Labelled(**np.load(folder / 'images.npz'))\n"
        "tests.run(folder / 'compiled' / 'm', images, replace(tests.PLAN, compiled=True))\n"
    )
    subprocess.run([sys.executable, "-c", script, __file__, str(tmp_path)], check=True)
    eager, _ = read_tensors(tmp_path / "eager" / "m" / "float-state.safetensors")
    compiled, _ = read_tensors(tmp_path / "compiled" / "m" / "float-state.safetensors")
    for name, value in eager.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-2, atol=1e-3)


def test_every_epoch_draws_anew(
    images: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[torch.Tensor] = []

    def keep(pixels: torch.Tensor, *_: object) -> torch.Tensor:
        batches.append(pixels)
        return pixels

    monkeypatch.setattr(loop, "translate_and_flip", keep)
    data = Images.of(images, torch.device("cpu"))
    config = Training(epochs=2, batch=80)
    state = tmp_path / "s.safetensors"
    phase = Phase("float", build_float(NETWORKS["tiny"]), config, state, {}, console=quiet())
    phase.run(data, data)
    first, second = batches
    assert not torch.equal(first, second)
    assert torch.equal(first.sum(0), second.sum(0))  # every image once in each epoch
