"""A newcomer with the wheel and three folders of pictures: trained, built, in Verilator.

The tutorials run in the same environment (docs/test_tutorials.py), the last of them with the
accelerator in somebody's design, by FuseSoC.
"""

from __future__ import annotations

import json

import own_data
import pytest

NETWORK = """
name = "small"
layers = [
  { kind = "conv", filters = 8 },
  { kind = "pool" },
  { kind = "conv", filters = 8, stride = 2 },
]
"""
TRAIN = "train --network small.toml --data pictures --bits w2a2 --batch 16 --float-lr 0.01"
SHORT = "--float-epochs 8 --epochs 4 --no-compile --out runs/mine"
BUILD = "pynq-z2 --model runs/mine/mine.safetensors --images 4 --tool none --to simulate"


@pytest.mark.slow
def test_three_classes_of_pictures_become_an_accelerator(installed, tmp_path):
    own_data.shapes(tmp_path / "pictures", {"train": 40, "test": 8}, size=(40, 40), mode="RGB")
    (tmp_path / "small.toml").write_text(NETWORK)
    for words in (f"{TRAIN} {SHORT}", BUILD):
        done = installed.run("headrace", *words.split(), cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "0 mismatches" in done.stdout
    record = json.loads((tmp_path / "runs" / "mine" / "mine.json").read_text())
    assert record["classes"] == ["circle", "cross", "square"]
    assert record["accuracy"]["quantised"] > 0.5, "a third would be chance"
    assert not installed.read
