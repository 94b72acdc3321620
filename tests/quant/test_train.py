from __future__ import annotations

import errno
import io
import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from quant import loop, step
from quant.average import Average, recompute_statistics
from quant.checkpoint import Checkpoint, Status
from quant.config import Dropout, Network, Precision, Quantisation, Training
from quant.data import Labelled
from quant.errors import CheckpointError, ConfigError, TrainingError, WriteError
from quant.files import read_tensors, write_tensors
from quant.float_model import FloatModel
from quant.images import Images, accuracy
from quant.loop import Phase, augmented, batches
from quant.models import build_float
from quant.networks import get_network
from quant.step import Trainer, learning_rate
from quant.train import Setting, train_float, train_quantised
from quant.zoo import load_trained, pack_trained

NETWORK = replace(get_network("tiny"), batch_norm="all", dropout=Dropout(stage=0.1, dense=0.2))
FLOAT = Training(epochs=2, batch=16, cutout_px=4)
QUANTISED = Training(epochs=3, batch=16, distill=0.5)
QUANTISATION = Quantisation(dropout=Dropout(dense=0.2))
# 64 images to train on.
STEPS = 4


def settings(images: Labelled, *, compiled: bool = False, text: io.StringIO | None = None):
    console = Console(file=text or io.StringIO(), width=500)
    return Setting.of(images, images, validation=16, compiled=compiled, console=console)


def run_float(
    out: Path, images: Labelled, training: Training = FLOAT, network: Network = NETWORK
) -> FloatModel:
    return train_float(settings(images), network, training, out)


def run(
    out: Path, images: Labelled, training: Training = QUANTISED, *, compiled: bool = False
) -> dict[str, Any]:
    setting = settings(images, compiled=compiled)
    start = train_float(setting, NETWORK, FLOAT, out)
    return train_quantised(setting, start, QUANTISATION, training, out)


class StopError(Exception):
    """Stands for an interruption."""


def stop_at(patch: pytest.MonkeyPatch, owner: type, name: str, call: int) -> None:
    """Let the method `name` raise StopError at its `call`-th call, its work done."""
    method = getattr(owner, name)
    left = call

    def stopping(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        result = method(*arguments, **named)
        if left == 0:
            raise StopError
        return result

    patch.setattr(owner, name, stopping)


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


def test_record_and_checkpoint_rebuild_the_model(images: Labelled, tmp_path: Path) -> None:
    record = run(tmp_path / "m", images)
    # Tuples become lists.
    written = json.loads((tmp_path / "m" / "m.json").read_text())
    assert written == json.loads(json.dumps(record))
    contract = "network weight_bits act_bits filters parameters macs accuracy test_images epochs "
    contract += "device command commit"
    assert set(contract.split()) <= set(record)
    assert record["training"]["quantised"]["seed"] == 1
    assert record["filters"] == [4, 6]
    assert record["epochs"] == {"float": 2, "quantised": 3}
    trained = load_trained(str(tmp_path / "m" / "m.safetensors"))
    assert trained.network == NETWORK
    assert trained.quantisation == QUANTISATION
    data = Images.of(images, torch.device("cpu"))
    assert accuracy(trained.model, data) == record["accuracy"]["quantised"]


def test_a_quantised_model_is_trained_further(images: Labelled, tmp_path: Path) -> None:
    first = run(tmp_path / "m", images)
    setting = settings(images)
    start = train_float(setting, NETWORK, FLOAT, tmp_path / "m")
    earlier = load_trained(str(tmp_path / "m" / "m.safetensors"))
    packed = pack_trained(str(tmp_path / "m" / "m.safetensors"), "packed", tmp_path)
    pixels = setting.test.pixels.float()
    # Nothing is learned in no epoch.
    none = replace(QUANTISED, epochs=0)
    out = tmp_path / "n"
    same = train_quantised(setting, start, QUANTISATION, none, out, earlier=earlier)
    assert same["accuracy"] == first["accuracy"]
    record = train_quantised(
        setting, start, QUANTISATION, replace(QUANTISED, epochs=2), tmp_path / "o", earlier=earlier
    )
    assert record["epochs"] == {"float": 2, "quantised": 5}
    assert record["training"]["quantised from"]["sha256"] == first["sha256"]
    assert record["sha256"] != first["sha256"]
    fewer = Quantisation(weight_bits=1)
    record = train_quantised(setting, start, fewer, none, tmp_path / "p", earlier=earlier)
    assert record["weight_bits"] == 1
    assert record["training"]["quantised from"]["quantisation"]["weight_bits"] == 2
    learned = replace(QUANTISATION, weight_scale="learned")
    for name, model in (("q", earlier), ("r", load_trained(str(packed)))):
        # A learned scale begins where the statistics or the packed model were.
        record = train_quantised(setting, start, learned, none, tmp_path / name, earlier=model)
        assert record["accuracy"] == first["accuracy"]
        weights = load_trained(str(tmp_path / name / f"{name}.safetensors")).model
        assert torch.allclose(weights(pixels), earlier.model(pixels), atol=1e-4)
    other = replace(start, network=replace(NETWORK, name="other"))
    with pytest.raises(ConfigError, match="m: not the float model's network; use the float model"):
        train_quantised(setting, other, QUANTISATION, QUANTISED, out, earlier=earlier)


def test_seed_decides(images: Labelled, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / name / "m", images, replace(QUANTISED, seed=seed))
    a, b, c = ((tmp_path / x / "m" / "m.safetensors").read_bytes() for x in "abc")
    assert a == b
    assert a != c


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


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_learns_what_can_be_learned(
    precision: Precision, images: Labelled, tmp_path: Path
) -> None:
    """Images whose brightness tells the class: a guess is right for a tenth of them."""
    dark = images.images // 10 + (images.labels * 23).astype("uint8")[:, None, None, None]
    data = Labelled(images=dark, labels=images.labels)
    training = Training(epochs=60, batch=16, translate_px=0, lr=5e-3, average=0.9)
    setting = replace(settings(data), held_out=Images.of(data.part(slice(0)), torch.device("cpu")))
    network = replace(NETWORK, dropout=Dropout())
    first = replace(training, precision=precision)
    start = train_float(setting, network, first, tmp_path / "m")
    record = train_quantised(setting, start, Quantisation(), training, tmp_path / "m")
    assert record["accuracy"]["float"] > 0.4
    assert record["accuracy"]["quantised"] > 0.4


def test_bfloat16_leaves_float32_weights(images: Labelled, tmp_path: Path) -> None:
    half = replace(FLOAT, precision="bfloat16")
    models = [run_float(tmp_path / each.precision, images, each) for each in (FLOAT, half)]
    weights = [model.model.state_dict()["body.conv0.weight"] for model in models]
    assert {weight.dtype for weight in weights} == {torch.float32}
    assert not torch.equal(*weights)
    torch.testing.assert_close(*weights, rtol=0.1, atol=0.1)


def test_bfloat16_is_for_float_networks(images: Labelled, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="blurs the levels of a quantised network"):
        run(tmp_path, images, replace(QUANTISED, precision="bfloat16"))


def test_learning_rate_rises_then_falls_to_zero() -> None:
    config = Training(epochs=4, lr=1.0, warmup_epochs=1.0)
    rates = [learning_rate(config, number, 10) for number in range(41)]
    assert rates[0] < rates[5] < rates[10] == 1.0
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert rates[40] == pytest.approx(0.0)
    assert learning_rate(replace(config, warmup_epochs=0.0), 0, 10) == 1.0


def test_impossible_sizes(images: Labelled, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="batch=65 is more than the 64 images"):
        run_float(tmp_path, images, replace(FLOAT, batch=65))
    with pytest.raises(ConfigError, match="validation=80 leaves none of 80"):
        Setting.of(images, images, validation=80)
    assert list(tmp_path.iterdir()) == []


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


def test_every_epoch_draws_anew(images: Labelled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "translate", lambda pixels, *_, **__: pixels)
    data = Images.of(images, torch.device("cpu"))
    config = Training(epochs=2, batch=40)
    epochs = [[b.pixels for b in batches("float", config, data, epoch)] for epoch in (0, 0, 1)]
    first, again, second = (torch.cat(epoch) for epoch in epochs)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.equal(first.sum(0), second.sum(0))  # every image once in each epoch


def test_no_epochs_give_the_model_as_it_was(images: Labelled, tmp_path: Path) -> None:
    data = Images.of(images, torch.device("cpu"))
    model = build_float(NETWORK)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    path = tmp_path / "s.safetensors"
    assert Phase("float", model, replace(FLOAT, epochs=0), path, {}).run(data, data) == Status()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert list(tmp_path.iterdir()) == []
