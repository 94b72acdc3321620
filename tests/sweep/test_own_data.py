"""A search on somebody's own pictures: networks of their shape and classes, models that say so."""

from __future__ import annotations

import numpy as np
import own_data
import pytest

from quant.data import CIFAR10, task_of
from quant.zoo import load_trained, model_images
from sweep import cli
from sweep.commands import identity
from sweep.config import load
from sweep.table import Table, stored

FEWER = (
    ("seeds = [1, 2]", "seeds = [1]"),
    ("weights = [1, 2]", "weights = [2]"),
    ("iterations = [0, 2]", "iterations = [0]"),
    ("rungs = [1, 1]", "rungs = [1]"),
    ("images = 60\ntest_images = 20\nheld_out = 20", "held_out = 6"),
    ("batch = 20", "batch = 10"),
)


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run `sweep`; gives exit code, stdout and stderr."""

    def run_(*words):
        monkeypatch.setattr("sys.argv", ["sweep", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run_


def test_pictures_are_searched_on(write, run, tmp_path):
    data = own_data.shapes(tmp_path / "shapes", {"train": 12, "test": 3})
    file, out = write(*FEWER), tmp_path / "out"
    common = [file, "--out", out, "--workers", 1, "--cache", tmp_path / "cache", "--data"]
    code, text, err = run(*common, data)
    assert code == 0, err
    assert "trials: 1 front" in text
    assert stored(out, "data")["task"]["classes"] == [*own_data.SHAPES]
    (trial,) = {line.split()[0] for line in text.splitlines() if "tiny, W" in line} or {""}
    assert run("export", file, trial, "mine", "--out", out, "--into", tmp_path / "zoo")[0] == 0
    path = str(tmp_path / "zoo" / "mine.safetensors")
    made = load_trained(path)
    assert (made.network.input_shape, made.network.classes) == ((48, 64, 1), 3)
    assert made.record["training"]["quantised"]["flip"] is False
    assert np.bincount(model_images(path, made.task).labels).tolist() == [3, 3, 3]
    # Other pictures are another search.
    next((data / "train").rglob("*.png")).unlink()
    code, _, err = run(*common, data)
    assert code == 2
    assert "of another sweep: its data is" in err


def test_a_search_on_cifar10_in_another_shape_is_known_again(write, run, tmp_path):
    file, out = write(*FEWER), tmp_path / "out"
    small = task_of("cifar10", (16, 16, 1), CIFAR10.classes)
    Table(out, identity(load(file), small)).close()
    code, _, err = run("export", file, "1", "mine", "--out", out, "--into", tmp_path / "zoo")
    assert code == 2 and "1: no trial of " in err
