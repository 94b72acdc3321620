from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from trainings import dataset

from quant import cli, plan
from quant.config import LayerBits
from quant.data import Labelled
from quant.files import read_json, read_npz, write_json
from quant.float_model import load_float
from quant.zoo import load_trained, zoo_images


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["quant", *arguments])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["export", "--model", "vgg", "--out", "o"],
            "model 'vgg' is not in the zoo; use arch1_w2a2",
        ),
        (["export", "--model", "no.safetensors", "--out", "o"], "no.safetensors: not found"),
        (["data", "--out", "t.npz", "--data", "none"], "none: no such folder, so no images"),
        (["data", "--out", "t.txt"], "--out t.txt: use a name that ends in .npz"),
        (["train", "--network", "vgg"], "network 'vgg' is not known; use arch1"),
        (["train", "--bits", "int8"], "quantisation 'int8' is not known; use w1a1"),
        (["train", "--bits", "w9a2"], "weight_bits = 9"),
        (["train", "--layer", "conv1:w4"], "layer bits 'conv1:w4': not understood; use for"),
        (["train", "--recipe", "theirs"], "'--recipe': 'theirs' is not one of 'paper', 'ours'"),
        (
            ["train", "--batch-norm", "some"],
            "'some' is not one of 'all', 'dense', 'none'",
        ),
        (
            ["train", "--weight-scale", "fixed"],
            "is not one of 'statistics', 'learned'",
        ),
        (["train", "--tune", "arch1_w2a2"], "--tune: needs --from with its float model, or"),
        (["train", "--views", "4"], "--views 4: needs a teacher; add --teacher FILE"),
        (["train", "--network", "teacher", "--tune", "m"], "network teacher: takes no tune; it"),
        (["series", "none.toml"], "none.toml: not found; name a .toml file with [[training]]"),
        (["train", "--out", "."], "--out .: has no name for the model"),
        (["prune", "--from", "x.safetensors", "--share", "2"], "share=2.0; use more than 0.0"),
        (["prune", "--from", "x.safetensors", "--hardware", "c.json"], "c.json: no such file"),
        (["prune", "--from", "x.safetensors", "--data", "none"], "none: no such folder"),
        (["grow", "--steps", "0"], "most_steps=0; use 1 or more"),
        (["train", "--device", "tpu"], "'tpu' is not one of 'auto', 'cpu', 'cuda'"),
        (["train", "--data", "none"], "none: no such folder"),
    ],
)
def test_errors_are_one_message_and_leave_nothing(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_usage_errors_exit_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, "export", "--wrong") == 2


def test_sample_and_whole_test_set(
    images: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(monkeypatch, "data", "--sample", "--out", str(tmp_path / "s.npz")) == 0
    np.testing.assert_array_equal(read_npz(tmp_path / "s.npz")["images"], zoo_images().images)
    monkeypatch.setattr("quant.starting.open_data", lambda *_, **__: dataset(images))
    assert call(monkeypatch, "data", "--out", str(tmp_path / "t.npz")) == 0
    np.testing.assert_array_equal(read_npz(tmp_path / "t.npz")["labels"], images.labels)


def test_train_then_export(
    images: Labelled,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    many = Labelled(images=np.tile(images.images, (14, 1, 1, 1)), labels=np.tile(images.labels, 14))
    monkeypatch.setattr("quant.starting.open_data", lambda *_, **__: dataset(many))
    out = tmp_path / "small"
    train = ["train", "--network", "tiny", "--float-epochs", "1", "--epochs", "1", "--batch", "64"]
    train += ["--no-compile", "--device", "cpu", "--out", str(out)]
    assert call(monkeypatch, *train) == 0
    assert "small: float" in capsys.readouterr().out
    assert call(monkeypatch, *train) == 0  # nothing left to do, the same result
    model = str(out / "small.safetensors")
    assert call(monkeypatch, "export", "--model", model, "--out", str(tmp_path / "e")) == 0
    assert "of 100 images" in capsys.readouterr().out
    assert (tmp_path / "e" / "model.onnx").exists()
    assert call(monkeypatch, *train, "--lr", "0.5") == 2
    assert call(monkeypatch, *train, "--lr", "0.5", "--fresh") == 0

    start = ["--from", str(out / "float.safetensors"), "--no-compile", "--device", "cpu"]
    again = ["train", *start, "--bits", "w1a2", "--layer", "dense0=w3a5", "--layer", "last=w8"]
    again += ["--epochs", "1", "--batch", "64"]
    assert call(monkeypatch, *again, "--out", str(tmp_path / "w1a2")) == 0
    record = read_json(tmp_path / "w1a2" / "w1a2.json")
    assert (record["network"], record["weight_bits"], record["act_bits"]) == ("tiny", 1, 2)
    assert record["epochs"] == {"float": 1, "quantised": 1}
    assert load_trained(str(tmp_path / "w1a2" / "w1a2.safetensors")).quantisation.layers == (
        LayerBits(name="dense0", weight_bits=3, act_bits=5),
        LayerBits(name="last", weight_bits=8),
    )
    longer = ["train", *start, "--bits", "float", "--float-epochs", "2", "--batch", "64"]
    assert call(monkeypatch, *longer, "--out", str(tmp_path / "longer")) == 0
    record = read_json(tmp_path / "longer" / "float.json")
    assert record["epochs"] == {"float": 3, "quantised": 0}
    assert record["layers"]["dropout"]["dense"] == 0.2
    assert record["training"]["from"]["sha256"] == read_json(out / "float.json")["sha256"]
    # A quantised model stands in for the float one that it came from.
    tune = ["train", "--tune", model, "--bits", "float", "--float-epochs", "0", "--batch", "64"]
    tune += ["--no-compile", "--device", "cpu"]
    assert call(monkeypatch, *tune, "--out", str(tmp_path / "back")) == 0
    back = load_float(tmp_path / "back" / "float.safetensors", "cpu")
    assert back.record["epochs"] == {"float": 2, "quantised": 0}
    assert back.record["training"]["from"]["sha256"] == read_json(out / "small.json")["sha256"]
    weights = load_trained(model).model.state_dict()
    assert all(torch.equal(v, weights[name]) for name, v in back.model.state_dict().items())
    costs = tmp_path / "costs.json"
    lut = {"w4a8": 49.0, "w2a2": 7.0, "w4a2": 13.0}
    write_json(costs, {"format": 1, "channels_multiple": 2, "lut_per_mac": lut})
    prune = ["prune", *start, "--hardware", str(costs), "--iterations", "1", "--epochs", "1"]
    prune += ["--batch", "64"]
    assert call(monkeypatch, *prune, "--out", str(tmp_path / "p")) == 0
    assert "iteration 1" in capsys.readouterr().err
    assert (tmp_path / "p" / "pruning.png").exists()
    quantise = ["train", "--from", str(tmp_path / "p" / "float.safetensors"), "--epochs", "0"]
    quantise += ["--batch", "64", "--no-compile", "--device", "cpu", "--out", str(tmp_path / "q")]
    assert call(monkeypatch, *quantise) == 0
    assert sum(read_json(tmp_path / "q" / "q.json")["filters"]) < 10
    assert call(monkeypatch, "train", "--from", str(out / "small.safetensors")) == 2
    assert "not a float model" in capsys.readouterr().err


def test_grow(
    images: Labelled,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    many = Labelled(images=np.tile(images.images, (3, 1, 1, 1)), labels=np.tile(images.labels, 3))
    monkeypatch.setattr("quant.starting.open_data", lambda *_, **__: dataset(many))
    grow = ["grow", "--filters", "2", "--epochs", "1", "--steps", "1", "--validation", "40"]
    grow += ["--no-compile", "--device", "cpu", "--out", str(tmp_path / "g")]
    assert call(monkeypatch, *grow) == 0
    assert "2, P" in capsys.readouterr().out
    assert (tmp_path / "g" / "growing.png").exists()
    assert call(monkeypatch, *grow, "--gain", "0.5") == 2
    assert "from a search with other settings" in capsys.readouterr().err
    assert call(monkeypatch, *grow, "--gain", "0.5", "--fresh") == 0


def test_interrupted_training_says_how_to_go_on(
    images: Labelled,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    many = Labelled(images=np.tile(images.images, (13, 1, 1, 1)), labels=np.tile(images.labels, 13))
    monkeypatch.setattr("quant.starting.open_data", lambda *_, **__: dataset(many))
    monkeypatch.setattr(plan, "train_float", interrupt)
    assert call(monkeypatch, "train", "--out", str(tmp_path / "m")) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_module_runs_and_lists() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quant", "list"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert "model    arch1_w2a2" in done.stdout
    assert "network  arch1        582,026 parameters, 8,488,192" in done.stdout
