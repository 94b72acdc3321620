"""The commands as functions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from trainings import dataset

import quant
from quant import calls, cli
from quant.data import Labelled
from quant.errors import ConfigError, HeadraceError
from quant.files import read_json

SHORT = {"float_epochs": 1, "epochs": 1, "batch": 64, "compiled": False, "device": "cpu"}


@pytest.fixture(autouse=True)
def small(images: Labelled, monkeypatch: pytest.MonkeyPatch) -> None:
    many = Labelled(images=np.tile(images.images, (14, 1, 1, 1)), labels=np.tile(images.labels, 14))
    monkeypatch.setattr("quant.starting.open_data", lambda *_, **__: dataset(many))


def test_the_package_is_light_and_has_the_functions() -> None:
    code = "import sys, quant; print('torch' in sys.modules, quant.train.__name__)"
    code += "; from quant import prune; import quant.training; print(prune, quant.train)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False train\n<function prune at")
    assert "<function train at" in done.stdout and done.stderr == ""
    assert all(getattr(quant, name).__doc__ for name in quant.__all__)


def test_a_model_from_training_to_qonnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[tuple[str, int, int]] = []
    made = quant.train("tiny", out="any/where", progress=lambda *one: told.append(one), **SHORT)
    steps = (1120 - 112) // 64
    assert told == [
        (phase, step + 1, steps) for phase in ("float", "quantised") for step in range(steps)
    ]
    assert made.weights == Path("any/where/where.safetensors")
    assert json.loads(json.dumps(made.record)) == read_json(made.weights.with_suffix(".json"))
    assert made.accuracy == made.record["accuracy"]["quantised"]
    assert [len(made.curve[phase]) for phase in ("float", "quantised")] == [1, 1]
    assert made.record["command"].startswith("quant.train(network='tiny', float_epochs=1")
    assert made.record["command"].endswith("out='any/where')")
    assert str(made).startswith("any/where: float ")

    less = quant.prune(
        Path("any/where/float.safetensors"),
        iterations=1,
        share=0.2,
        **{name: value for name, value in SHORT.items() if name != "float_epochs"},
    )
    assert less.weights == Path("runs/where_pruned/float.safetensors")
    assert sum(less.record["filters"]) < sum(made.record["filters"])

    packed = quant.pack(made.weights, "small", tmp_path / "packed")
    done = quant.export(packed, tmp_path / "qonnx")
    assert done.images == 100 and (done.folder / "model.onnx").is_file()
    score = quant.score(packed, "anything")
    assert score.images == 1120 and score.accuracy == score.recorded == made.accuracy


def test_the_command_line_calls_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its options arrive as the function's, and its words in the record."""
    monkeypatch.chdir(tmp_path)
    for words in (
        ["train", "--network", "tiny", "--layer", "last=w8", "--float-epochs", "1"],
        ["prune", "--from", "runs/tiny/float.safetensors", "--iterations", "1"],
    ):
        words += ["--epochs", "1", "--batch", "64", "--no-compile", "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["quant", *words])
        cli.main()
    record = read_json(tmp_path / "runs/tiny/tiny.json")
    assert record["command"].endswith(
        "quant train --network tiny --layer last=w8 --float-epochs 1 --epochs 1 --batch 64 "
        "--no-compile --device cpu"
    )
    by_hand = quant.train("tiny", out="hand", layer=["last=w8"], **SHORT)
    assert json.loads(json.dumps(by_hand.record["quantisation"])) == record["quantisation"]
    assert by_hand.record["accuracy"] == record["accuracy"]
    assert (tmp_path / "runs/tiny_pruned/float.json").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epoch": 3}, "train: unknown options epoch; known: network, bits"),
        ({"epochs": -1}, "epochs=-1"),
        ({"epochs": "3"}, "train: epochs = '3'; use a whole number"),
        ({"device": "tpu"}, "train: device = 'tpu'; use auto, cpu or cuda"),
        ({"network": "vgg"}, "network 'vgg' is not known"),
        ({"out": "."}, "has no name for the model"),
    ],
)
def test_errors_are_of_the_one_tree(options: dict[str, object], message: str) -> None:
    with pytest.raises(HeadraceError) as raised:
        quant.train(**{"network": "tiny", **options})
    assert isinstance(raised.value, ConfigError)
    assert message in str(raised.value).replace("epochs = -1", "epochs=-1")


def test_networks_by_name_and_by_file(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('name = "own"\n[[layers]]\nkind = "conv"\nfilters = 4\n')
    found = calls.networks(file)
    assert found["own"].filters == [4] and found["arch1"].parameters == 582_026
    assert "own" not in calls.networks()


def test_a_notebook_has_a_bar_and_no_lines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, images: Labelled
) -> None:
    shown: list[str] = []

    class Bar:
        def __init__(self, label: str) -> None:
            shown.append(label)

        def show(self, done: int, total: int, note: str = "") -> None:
            shown.append(f"{done}/{total} {note[:9]}")

        def close(self) -> None:
            shown.append("closed")

    lines: list[str] = []
    monkeypatch.setattr("quant.progress.NotebookBar", Bar)
    monkeypatch.setattr(Console, "print", lambda _, text, **__: lines.append(text))
    monkeypatch.setattr("quant.distributed.console", lambda _: Console(force_jupyter=True))
    quant.train("tiny", out=tmp_path / "m", bits="float", **SHORT)
    assert [shown[0], shown[1], shown[-2][:6], shown[-1]] == ["float", "1/15 ", "15/15 ", "closed"]
    assert lines == []
