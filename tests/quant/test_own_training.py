"""Trainings on data sets of one's own: what the networks become, and what records and files say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import own_data
import pytest
from trainings import settings

from quant import calls
from quant.commands import write_images
from quant.config import Training
from quant.data import CIFAR10, Labelled, Task, task_of
from quant.errors import CheckpointError, ConfigError, DataError
from quant.files import read_json, read_npz
from quant.float_model import load_float
from quant.options import Place
from quant.plan import Plan
from quant.prune_plan import PrunePlan
from quant.starting import named, setting
from quant.tasks import of_record, relabelled, suited, suited_training, to_record
from quant.teacher import TeacherNetwork
from quant.topologies import get_network
from quant.zoo import load_trained, model_images, pack_trained

DIGITS = Task(name="digits", shape=(8, 8, 1), classes=tuple("0123456789"))
WIDE = Task(name="shapes", shape=(48, 64, 1), classes=("circle", "cross", "square"))
SMALL = """
name = "small"
batch_norm = "all"
layers = [
  { kind = "conv", filters = 8 },
  { kind = "pool" },
  { kind = "dense", neurons = 16 },
]
"""
SHORT = {"network": "tiny", "recipe": "paper", "float_epochs": 1, "epochs": 1, "batch": 16}
RECIPE = Training(epochs=1, translate_px=3, cutout_px=8)


def place(data: Path, **options: str) -> Place:
    return Place(data=data, cache=data.parent / "cache", compiled=False, device="cpu", **options)


def test_shapes_from_pictures_to_qonnx(tmp_path: Path) -> None:
    names = ("a\nround one", "crüss", "<b>square")
    data = own_data.shapes(tmp_path / "shapes", {"train": 24, "test": 4}, classes=names)
    shown = [r"a\nround one", "crüss", "<b>square"]
    # Folders are in the order of their names.
    order = sorted(range(3), key=lambda n: names[n])
    shown = [shown[n] for n in order]
    out = tmp_path / "mine"
    Plan(**SHORT).run(setting(place(data)), out)
    made = load_trained(str(out / "mine.safetensors"))
    assert (made.network.input_shape, made.network.classes) == ((48, 64, 1), 3)
    record = read_json(out / "mine.json")
    assert (record["data"], record["classes"]) == ("shapes", shown)
    assert record["training"]["float"]["flip"] is False
    assert record["test_images"] == 12
    calls.export(out / "mine.safetensors", tmp_path / "export")
    model = onnx.load(tmp_path / "export" / "model.onnx")
    assert json.loads(next(p.value for p in model.metadata_props if p.key == "classes")) == shown
    assert read_json(tmp_path / "export" / "model.json")["classes"] == shown
    vectors = read_npz(tmp_path / "export" / "vectors.npz")
    assert vectors["images"].shape == (12, 48, 64, 1)
    assert vectors["labels"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    # Packed, it goes anywhere with its images.
    packed = pack_trained(str(out / "mine.safetensors"), "packed", tmp_path / "elsewhere")
    again = load_trained(str(packed))
    np.testing.assert_array_equal(model_images(str(packed), again.task).images, vectors["images"])
    packed.with_suffix(".npz").unlink()
    with pytest.raises(DataError, match=r"packed\.npz: not found; the images that travel with"):
        model_images(str(packed), again.task)
    # Other pictures under the same names are another training.
    victim = next((data / "train").rglob("000.png"))
    victim.write_bytes(next((data / "test").rglob("001.png")).read_bytes())
    with pytest.raises(CheckpointError, match="sha256: "):
        Plan(**SHORT).run(setting(place(data)), out)


def test_digits_are_learned_and_pruned(images: Labelled, tmp_path: Path) -> None:
    data = own_data.digits(tmp_path / "digits.npz")
    network = tmp_path / "small.toml"
    network.write_text(SMALL)
    options = {"network": str(network), "bits": "float", "float_epochs": 3, "float_lr": 0.01}
    plan = Plan(**{**SHORT, **options, "batch": 32, "translate": 1})
    plan.run(setting(place(data)), tmp_path / "d")
    record = read_json(tmp_path / "d" / "float.json")
    assert record["accuracy"]["float"] > 0.5
    assert record["training"]["float"]["translate_px"] == 1
    start = tmp_path / "d" / "float.safetensors"
    prune = PrunePlan(start=start, iterations=1, tune_epochs=0, epochs=0, share=0.2, flip=True)
    prune.run(setting(place(data)), tmp_path / "p")
    pruned = read_json(tmp_path / "p" / "float.json")
    assert sum(pruned["filters"]) == 6
    assert pruned["classes"][3] == "digit 3"
    assert pruned["training"]["final"]["flip"] is True
    with pytest.raises(ConfigError, match=r"float\.safetensors: a model of 10 classes \(digits\)"):
        Plan(**{**SHORT, "start": start}).run(
            settings(
                Labelled(images=np.zeros((40, 32, 32, 3), np.uint8), labels=np.zeros(40, int))
            ),
            tmp_path / "wrong",
        )
    assert load_float(start, "cpu").task == replace(DIGITS, classes=tuple(record["classes"]))


def test_a_network_takes_shape_and_classes_from_the_data() -> None:
    made = suited(get_network("arch2_slim"), WIDE)
    assert (made.input_shape, made.classes) == ((48, 64, 1), 3)
    assert made.products()[-2].inputs == (6, 8, 128)
    assert suited(get_network("arch1"), CIFAR10) == get_network("arch1")
    own = replace(get_network("tiny"), input_shape=(40, 40, 3), classes=4)
    with pytest.raises(ConfigError, match="tiny: is for 4 classes of 40x40x3 images, but the data"):
        suited(own, WIDE)


def test_a_network_that_pools_the_image_away_says_which_size_would_do() -> None:
    odd = replace(WIDE, shape=(28, 20, 1))
    with pytest.raises(ConfigError) as caught:
        suited(get_network("arch2_slim"), odd)
    said = str(caught.value)
    assert "arch2_slim, layer 8 (pool): size=2 does not divide 7x5" in said
    assert said.endswith("or --image-size 24x16 or 32x24")
    tiny = replace(WIDE, shape=(3, 3, 1))
    with pytest.raises(ConfigError, match="or --image-size 16x16"):
        suited(get_network("arch3"), tiny)


def test_augmentation_suits_the_images_and_what_is_given_goes_before() -> None:
    assert suited_training(RECIPE, CIFAR10) == RECIPE
    small = suited_training(RECIPE, DIGITS)
    assert (small.flip, small.translate_px, small.cutout_px) == (False, 1, 2)
    large = suited_training(RECIPE, WIDE, flip=True, cutout=0)
    assert (large.flip, large.translate_px, large.cutout_px) == (True, 5, 0)
    plain = suited_training(replace(RECIPE, translate_px=0, cutout_px=0), DIGITS)
    assert (plain.translate_px, plain.cutout_px) == (0, 0)


def test_records_of_before_are_of_cifar10() -> None:
    assert of_record({}, (32, 32, 3), 10) is CIFAR10
    assert of_record({}, (48, 64, 1), 3) is None
    assert of_record({}, (32, 32, 3), 12) is None
    said = {"data": "shapes", "classes": list(WIDE.classes)}
    assert of_record(said, (48, 64, 1), 3) == WIDE


def test_other_classes_do_not_get_the_name_of_cifar10() -> None:
    # A build would count the accuracy on CIFAR-10's files.
    own = task_of("cifar10", (32, 32, 3), ("a", "b"))
    assert own.name == "own_cifar10"
    assert of_record(to_record(own), own.shape, 2) == own
    assert task_of("cifar10", (16, 16, 1), CIFAR10.classes).name == "cifar10"


def test_checkpoints_of_cifar10_are_those_of_before(images: Labelled) -> None:
    assert settings(images).identity == {"images": 64, "validation": 16}


def test_a_list_that_is_done_stays_so_wherever_cifar10_lies(tmp_path: Path) -> None:
    # Lists of before say nothing of the data set, and were done with any --data.
    assert named(place(tmp_path / "somewhere else" / "cifar10")) == {}
    assert named(place(tmp_path, image_size="16x16")) == {"image_size": "16x16"}
    own = own_data.shapes(tmp_path / "shapes", {"train": 2, "test": 1})
    told = named(place(own))
    assert [*told] == ["data"]
    moved = own.rename(tmp_path / "moved")
    assert named(place(moved)) == told
    next(moved.glob("train/*/*.png")).unlink()
    assert named(place(moved)) != told


def test_nobodys_images_are_overwritten(tmp_path: Path) -> None:
    images = np.zeros((8, 8, 8), np.uint8)
    data = tmp_path / "mine" / "mine.npz"
    data.parent.mkdir()
    np.savez(data, train_images=images, train_labels=np.arange(8) % 2)
    before = data.read_bytes()
    with pytest.raises(ConfigError, match=r"mine\.npz: is there and no model's images"):
        pack_trained("arch2_slim_w2a2", "mine", data.parent)
    with pytest.raises(ConfigError, match="no model's images"):
        pack_trained("arch2_slim_w2a2", "cifar10_test100")
    with pytest.raises(ConfigError, match=r"mine\.npz: is the data set itself"):
        write_images(data.parent / ".." / "mine" / "mine.npz", place(data), sample=False)
    with pytest.raises(ConfigError, match="no model's images"):
        Plan(**SHORT).run(setting(place(with_test_images(data))), data.parent)
    assert data.read_bytes() == before


def with_test_images(data: Path) -> Path:
    """The data set with a large enough test part, elsewhere."""
    with np.load(data) as held:
        arrays = dict(held)
    path = data.parent.parent / "other.npz"
    np.savez(path, **arrays, test_images=arrays["train_images"], test_labels=arrays["train_labels"])
    return path


def test_labels_follow_the_names() -> None:
    data = Labelled(images=np.zeros((3, 48, 64, 1), np.uint8), labels=np.array([0, 1, 2]))
    turned = relabelled(data, WIDE, ("square", "circle", "cross"))
    assert turned.labels.tolist() == [1, 2, 0]
    with pytest.raises(DataError, match="shapes: its classes are circle, cross, square, the model"):
        relabelled(data, WIDE, ("square", "circle", "star"))


def test_a_teacher_of_small_grey_images() -> None:
    network = TeacherNetwork(widths=(2, 2, 2), classes=3, input_shape=(48, 64, 1))
    assert network.to_json()["input_shape"] == (48, 64, 1)
    assert TeacherNetwork().to_json() == {"widths": (64, 256, 256), "classes": 10}
    with pytest.raises(ConfigError, match="teacher: pools images of 8x8 pixels away; use --image"):
        TeacherNetwork(input_shape=DIGITS.shape)
