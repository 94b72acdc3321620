from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from quant.data import Labelled
from quant.errors import CheckpointError, ConfigError
from quant.images import Images, accuracy
from quant.training import describe
from quant.zoo import ZOO, Trained, load_trained, zoo_images, zoo_names

CPU = torch.device("cpu")


def test_unknown_model_lists_the_zoo() -> None:
    with pytest.raises(ConfigError, match=r"model 'vgg' is not in the zoo; use arch1_w2a2"):
        load_trained("vgg")


@pytest.mark.parametrize("name", zoo_names())
def test_record_describes_the_checkpoint(name: str) -> None:
    trained = load_trained(name)
    expected = describe(trained.network, trained.quantisation)
    assert {key: trained.record[key] for key in expected} == expected
    assert 0.75 <= trained.record["accuracy"]["quantised"] <= 1.0
    assert trained.record["test_images"] == 10_000
    assert re.match(r"python -m (quant (train|series)|sweep docs/)", trained.record["command"])
    assert not re.search(r"[ \"]/", json.dumps(trained.record)), "a path of the machine"


@pytest.mark.parametrize("name", zoo_names())
def test_accuracy_on_the_zoo_images_is_near_the_record(name: str) -> None:
    """A hundred images: within three standard deviations of the recorded share."""
    trained = load_trained(name)
    share = trained.record["accuracy"]["quantised"]
    spread = (share * (1 - share) / 100) ** 0.5
    found = accuracy(trained.model, Images.of(zoo_images(), CPU))
    assert abs(found - share) < 3 * spread


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo_names())
def test_accuracy_on_the_test_set_is_the_record(name: str, test_set: Labelled) -> None:
    trained = load_trained(name)
    found = accuracy(trained.model, Images.of(test_set, CPU))
    # An image or two may fall the other way where sums are rounded in another order.
    assert found == pytest.approx(trained.record["accuracy"]["quantised"], abs=2e-4)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for suffix in (".safetensors", ".json"):
        shutil.copy(ZOO / f"arch1_w2a2{suffix}", tmp_path / f"mine{suffix}")
    return tmp_path / "mine.safetensors"


def test_a_path_loads_like_a_name(copy: Path, arch1: Trained) -> None:
    mine = load_trained(str(copy))
    assert mine.name == "mine"
    assert mine.record == arch1.record


def test_corrupt_or_foreign_files_are_named(copy: Path) -> None:
    record = copy.with_suffix(".json")
    text = record.read_text()
    record.write_text(json.dumps({**json.loads(text), "sha256": "0"}))
    with pytest.raises(CheckpointError, match=r"mine.json: its sha256 is not that of .*mine.safe"):
        load_trained(str(copy))
    record.write_text("{")
    with pytest.raises(CheckpointError, match=r"mine.json: not readable as JSON"):
        load_trained(str(copy))
    record.write_text(json.dumps({**json.loads(text), "layers": {}}))
    with pytest.raises(CheckpointError, match=r"mine.json: layers: name is missing"):
        load_trained(str(copy))
    record.unlink()
    with pytest.raises(CheckpointError, match=r"mine.json: not found"):
        load_trained(str(copy))
    record.write_text(text)
    copy.write_bytes(copy.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"mine.safetensors: not a readable safetensors"):
        load_trained(str(copy))
    copy.unlink()
    with pytest.raises(CheckpointError, match=r"mine.safetensors: not found"):
        load_trained(str(copy))
