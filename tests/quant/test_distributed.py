from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from quant import distributed
from quant.errors import ConfigError
from quant.files import read_tensors
from quant.zoo import load_trained

SCRIPT = Path(__file__).with_name("ranks.py")


@pytest.fixture(scope="module")
def ranks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ranks", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two processes."""
    folder = tmp_path_factory.mktemp("ranks")
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (70, 32, 32, 3), np.uint8)
    np.savez(folder / "images.npz", images=pixels, labels=draw.integers(0, 10, 70, np.int64))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, SCRIPT, folder], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return folder


@pytest.fixture(scope="module")
def two(folder: Path) -> list[dict[str, Any]]:
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1)]


def assert_same_weights(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert left["weights"] == right["weights"]


def test_two_processes_give_the_loss_of_one(
    ranks: ModuleType, folder: Path, two: list[dict[str, Any]], tmp_path: Path
) -> None:
    one = ranks.train(tmp_path, ranks.data(folder), ranks.PLAIN)
    for found in two:
        assert [len(losses) for losses in found["plain"]["losses"]] == [4, 4, 4, 4]
        np.testing.assert_allclose(found["plain"]["losses"], one["losses"], rtol=0, atol=1e-5)
    assert_same_weights(two[0]["plain"], two[1]["plain"])
    for name, value in one["weights"].items():
        np.testing.assert_allclose(two[0]["plain"]["weights"][name], value, atol=1e-4)


def test_all_processes_end_with_the_same_weights_and_resume_exactly(
    folder: Path, two: list[dict[str, Any]]
) -> None:
    for found in two:
        assert found["resumed"]["weights"] == two[0]["whole"]["weights"]
        assert found["whole"]["weights"] == two[0]["whole"]["weights"]
    for name in ("float", "quantised"):
        whole, _ = read_tensors(folder / "whole" / f"{name}.safetensors")
        resumed, _ = read_tensors(folder / "resumed" / f"{name}.safetensors")
        assert all(torch.equal(value, resumed[key]) for key, value in whole.items())


def test_the_first_process_alone_prints_and_records(
    folder: Path, two: list[dict[str, Any]]
) -> None:
    assert len(two[0]["plain"]["text"].splitlines()) == 4
    assert two[1]["plain"]["text"] == ""
    for phase in ("float", "quantised"):
        assert len(list((folder / "plain" / "tensorboard" / phase).iterdir())) == 1
    record = json.loads((folder / "m" / "m.json").read_text())
    assert two[0]["record"] == two[1]["record"] == record
    load_trained(str(folder / "m" / "m.safetensors"))
    assert two[0]["once"] == two[1]["once"] == [0, "made"]
    assert two[0]["device"] == "cpu, 1 thread, 2 processes"


def test_a_nan_in_one_process_stops_all(folder: Path, two: list[dict[str, Any]]) -> None:
    path = folder / "nan" / "float.safetensors"
    for found in two:
        assert found["nan"].startswith("TrainingError: float: the loss became nan in epoch 2, ")
        assert f"step 4; {path} keeps epoch 1; use" in found["nan"]


def test_the_processes_divide_the_batch(folder: Path, two: list[dict[str, Any]]) -> None:
    for found in two:
        assert found["batch"] == (
            "ConfigError: training: batch=15 does not divide among 2 processes; use 16"
        )
    assert not (folder / "batch").exists()


def test_without_torchrun_nothing_is_joined() -> None:
    assert distributed.join("cpu") == "cpu"
    assert (distributed.rank(), distributed.count()) == (0, 1)
    batch = torch.arange(6)
    assert torch.equal(distributed.part(batch), batch)
    assert distributed.mean(batch) is batch
    assert distributed.once(lambda: 3) == 3
    model = torch.nn.Linear(1, 1)
    assert distributed.wrap(model) is model


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="--device tpu: not known; use auto, cpu or cuda"):
        distributed.join("tpu")
    for there, chosen in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert distributed.join("auto") == chosen
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="--device cuda: PyTorch sees no GPU here; use cpu"):
        distributed.join("cuda")


def test_more_processes_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="process 3 of this machine has no GPU of its own; use"):
        distributed.join("cuda")
