"""Trainings that are interrupted, fail or are compiled: what is kept, and how they go on."""

from __future__ import annotations

import errno
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trainings import (
    FLOAT,
    NETWORK,
    QUANTISED,
    STEPS,
    StopError,
    run,
    run_float,
    settings,
    stop_at,
)

from quant import step
from quant.average import Average
from quant.checkpoint import Checkpoint
from quant.data import Labelled
from quant.errors import CheckpointError, TrainingError, WriteError
from quant.files import read_tensors, write_tensors
from quant.step import Trainer
from quant.training import train_float


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        *((Checkpoint, "save", saves) for saves in (1, 2, 4)),
        # In the first and second epoch of either phase, at the first and a later step.
        *((Trainer, "step", steps) for steps in (3, STEPS + 1, 2 * STEPS + 2, 3 * STEPS + 4)),
    ],
)
def test_resumed_training_equals_uninterrupted(
    owner: type,
    name: str,
    call: int,
    images: Labelled,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(tmp_path / "whole" / "m", images)
    with monkeypatch.context() as patch:
        stop_at(patch, owner, name, call)
        with pytest.raises(StopError):
            run(tmp_path / "cut" / "m", images)
    assert not (tmp_path / "cut" / "m" / "m.safetensors").exists()
    run(tmp_path / "cut" / "m", images)
    for file in ("m", "float"):
        whole, cut = (tmp_path / x / "m" / f"{file}.safetensors" for x in ("whole", "cut"))
        assert whole.read_bytes() == cut.read_bytes()
    for file in ("float-state", "quantised-state"):
        tensors = [
            read_tensors(tmp_path / x / "m" / f"{file}.safetensors")[0] for x in ("whole", "cut")
        ]
        assert tensors[0].keys() == tensors[1].keys()
        assert all(torch.equal(value, tensors[1][key]) for key, value in tensors[0].items())


def test_other_settings_do_not_resume(images: Labelled, tmp_path: Path) -> None:
    run(tmp_path / "m", images)
    with pytest.raises(CheckpointError) as caught:
        run(tmp_path / "m", images, replace(QUANTISED, lr=0.5))
    path = tmp_path / "m" / "quantised-state.safetensors"
    assert str(caught.value) == (
        f"{path}: from a training with other settings (training.lr: 0.003 there, 0.5 here); "
        "use the same settings, --fresh to start again, or another --out"
    )


def test_another_network_does_not_resume(images: Labelled, tmp_path: Path) -> None:
    run_float(tmp_path, images)
    first, *rest = NETWORK.layers
    wider = replace(NETWORK, layers=(replace(first, filters=5), *rest))
    with pytest.raises(CheckpointError) as caught:
        run_float(tmp_path, images, network=wider)
    assert "other settings (network.layers.0.filters: 4 there, 5 here); use" in str(caught.value)
    other = replace(NETWORK, name="other", layers=NETWORK.layers[:2])
    with pytest.raises(CheckpointError, match=r"network\.name: tiny there, other here") as caught:
        run_float(tmp_path, images, network=other)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("damage", ["cut", "empty", "rubbish", "metadata", "tensors", "shapes"])
def test_corrupt_checkpoint_is_named(damage: str, images: Labelled, tmp_path: Path) -> None:
    run_float(tmp_path, images)
    path = tmp_path / "float-state.safetensors"
    raw = path.read_bytes()
    tensors, metadata = read_tensors(path)
    if damage == "metadata":
        write_tensors(path, tensors, {})
    elif damage == "tensors":
        write_tensors(path, dict(list(tensors.items())[:-3]), metadata)
    elif damage == "shapes":
        tensors["model.body.conv0.weight"] = torch.zeros(1)
        write_tensors(path, tensors, metadata)
    else:
        path.write_bytes({"cut": raw[: len(raw) // 2], "empty": b"", "rubbish": b"x" * 99}[damage])
    with pytest.raises(CheckpointError, match="float-state") as caught:
        run_float(tmp_path, images)
    assert "again" in str(caught.value)


@pytest.mark.parametrize(("epoch", "bad"), [(1, 3), (2, 1), (2, 13), (2, 16)])
def test_loss_that_is_not_a_number_stops(
    epoch: int, bad: int, images: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = replace(FLOAT, batch=4)
    after = (epoch - 1) * 16 + bad
    calls = 0
    loss = step._loss

    def poisoned(*arguments: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return loss(*arguments) * (float("nan") if calls == after else 1.0)

    path = tmp_path / "float-state.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(step, "_loss", poisoned)
        with pytest.raises(TrainingError) as caught:
            run_float(tmp_path, images, training)
    kept = f"{path} keeps epoch 1; " if epoch == 2 else ""
    assert str(caught.value) == (
        f"float-state: the loss became nan in epoch {epoch}, step {bad}; {kept}"
        "use a learning rate below 0.003, with --fresh or another --out"
    )
    assert path.exists() == (epoch == 2)
    # The checkpoint is good: from it the training ends as if nothing had been.
    run_float(tmp_path, images, training)
    run_float(tmp_path / "whole", images, training)
    files = [folder / "float.safetensors" for folder in (tmp_path, tmp_path / "whole")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_weights_that_are_not_finite_are_not_saved(
    images: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Average.update

    def poisoned(self: Average, number: int) -> None:
        if number == 2 * STEPS - 1:
            self.model["body.last.bias"][0] = float("inf")
        update(self, number)

    monkeypatch.setattr(Average, "update", poisoned)
    with pytest.raises(TrainingError, match=r"weights are no longer finite in epoch 2, step 4"):
        run_float(tmp_path, images)
    tensors, metadata = read_tensors(tmp_path / "float-state.safetensors")
    assert json.loads(metadata["status"])["epoch"] == 1
    assert all(bool(value.isfinite().all()) for value in tensors.values())


@pytest.mark.parametrize("what", ["write_bytes", "replace", "tensorboard"])
def test_full_disk_is_one_error_and_the_checkpoint_stays(
    what: str, images: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_float(tmp_path / "whole", images)
    out = tmp_path / "m"
    with monkeypatch.context() as patch:
        stop_at(patch, Checkpoint, "save", 1)
        with pytest.raises(StopError):
            run_float(out, images)
    path = out / "float-state.safetensors"
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if what == "tensorboard":
            patch.setattr("quant.events.RecordWriter.write", full)
            path = out / "tensorboard" / "float-state"
        else:
            patch.setattr(Path, what, full)
        with pytest.raises(WriteError) as caught:
            run_float(out, images)
    assert str(caught.value) == (
        f"{path}: not written (No space left on device); make room or give access there, "
        "then use the same command again"
    )
    assert (out / "float-state.safetensors").read_bytes() == before
    assert sorted(p.name for p in out.iterdir()) == ["float-state.safetensors", "tensorboard"]
    run_float(out, images)
    files = [folder / "float.safetensors" for folder in (out, tmp_path / "whole")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_falls_back_where_compiling_fails(
    images: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object, **options: object) -> object:
        def fail(_: object) -> object:
            raise RuntimeError("no compiler")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    text = io.StringIO()
    train_float(settings(images, compiled=True, text=text), NETWORK, FLOAT, tmp_path / "fell")
    assert "torch.compile failed, training goes on without it: no compiler" in text.getvalue()
    run_float(tmp_path / "eager", images)
    files = [tmp_path / name / "float.safetensors" for name in ("fell", "eager")]
    assert files[0].read_bytes() == files[1].read_bytes()


def run_compiled(folder: Path) -> None:
    """What the next test does in a process of its own."""
    torch.set_num_threads(1)
    images = Labelled(**np.load(folder / "images.npz"))
    setting = settings(images, compiled=True)
    train_float(setting, NETWORK, FLOAT, folder / "compiled")
    run(folder / "whole" / "m", images, compiled=True)
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, Trainer, "step", 3 * STEPS + 2)
        with pytest.raises(StopError):
            run(folder / "cut" / "m", images, compiled=True)
    run(folder / "cut" / "m", images, compiled=True)


@pytest.mark.slow
def test_compiled_training_follows_the_eager_one_and_resumes(
    images: Labelled, tmp_path: Path
) -> None:
    run_float(tmp_path / "eager", images)
    np.savez(tmp_path / "images.npz", images=images.images, labels=images.labels)
    # In a process of its own, as on the command line: compiled code aborts next to the many
    # native libraries that other tests have loaded.
    script = (
        "import importlib.util, sys; from pathlib import Path\n"
        "sys.path.insert(0, str(Path(sys.argv[1]).parent))\n"
        "spec = importlib.util.spec_from_file_location('tests', sys.argv[1])\n"
        "tests = importlib.util.module_from_spec(spec); spec.loader.exec_module(tests)\n"
        "tests.run_compiled(Path(sys.argv[2]))\n"
    )
    subprocess.run([sys.executable, "-c", script, __file__, str(tmp_path)], check=True)
    eager, compiled = (
        read_tensors(tmp_path / name / "float-state.safetensors")[0]
        for name in ("eager", "compiled")
    )
    for name, value in eager.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-2, atol=1e-3)
    whole, cut = (tmp_path / name / "m" / "m.safetensors" for name in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()
