"""Somebody's own pictures, from training to labels with their names on the simulated board."""

from __future__ import annotations

import io

import numpy as np
import own_data
import pytest
from PIL import Image
from rich.console import Console

from finn_build.config import Options
from finn_build.driver import Accelerator, pictures
from finn_build.driver.command import main
from finn_build.driver.errors import ImagesError
from finn_build.flow import pipeline
from finn_build.flow.steps import deploy
from finn_build.flow.steps.plan import STEPS
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.simulator import board, demo
from finn_build.system.files import load_json
from quant.data import open_data
from quant.dataset import class_names
from quant.files import read_npz
from quant.options import Place
from quant.plan import Plan
from quant.starting import setting

FOLDERS = ("a\nround one", "crüss", "<b>square")
NAMES = ("<b>square", r"a\nround one", "crüss")
SMALL = """
name = "small"
batch_norm = "all"
layers = [
  { kind = "conv", filters = 2, stride = 2 },
  { kind = "pool", size = 4 },
  { kind = "pool", size = 2 },
]
"""
DIGITS = """
name = "small"
batch_norm = "all"
layers = [
  { kind = "conv", filters = 4 },
  { kind = "pool" },
]
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "shapes"
    return own_data.shapes(folder, {"train": 12, "test": 4}, classes=FOLDERS)


def build(folder, network, data, **how):
    """A build of a network of these pictures, up to its simulation, and what goes to a board."""
    (folder / "small.toml").write_text(network)
    options = {"recipe": "paper", "float_epochs": 1, "epochs": 1, "batch": 16, **how}
    plan = Plan(network=str(folder / "small.toml"), **options)
    place = Place(data=data, cache=folder / "cache", compiled=False, device="cpu")
    plan.run(setting(place), folder / "mine")
    options = Options(
        board="pynq-z2",
        model=str(folder / "mine" / "mine.safetensors"),
        out=folder / "build",
        data=data,
        target_fps=4000,
        images=2,
    )
    steps = STEPS[: [step.name for step in STEPS].index("simulate") + 1]
    made = pipeline.run(steps, options, console=Console(file=io.StringIO()))
    deployed = made.path("deploy")
    deployed.mkdir()
    deploy.write(made, deployed)
    return made


def simulated_board(built):
    """Its deploy folder for the simulated board."""
    library = board.build(built.path("emit"), built.folder / "chip", log=built.log("board"))
    board.furnish(built.path("deploy"), library, built.folder / "board")
    return built.folder / "board"


@pytest.fixture(scope="module")
def built(data, tmp_path_factory):
    return build(tmp_path_factory.mktemp("own"), SMALL, data)


@pytest.fixture(scope="module")
def board_folder(built):
    return simulated_board(built)


def test_the_build_knows_pictures_and_names(built, data):
    made = load_json(built.path("accuracy", "result.json"))
    assert (made["images"], made["source"]) == (12, "whole test set")
    assert made["classes"] == [*NAMES]
    assert [sum(row) for row in made["confusion"]] == [4, 4, 4]
    record = load_json(built.path("export", "model.json"))
    assert made["accuracy"] == pytest.approx(record["accuracy"]["quantised"])
    assert load_json(built.path("simulate", "result.json"))["mismatches"] == 0
    manifest = load_json(built.path("deploy", "manifest.json"))
    assert manifest["classes"] == [*NAMES]
    assert manifest["input"]["shape"] == [48, 64, 1]
    assert manifest["labelled"]


def test_the_board_says_the_names(built, board_folder, data, simulated, tmp_path, capsys):
    record = load_json(built.path("export", "model.json"))
    right = f"{100 * record['accuracy']['quantised']:.2f} % of 12 images right"
    results = ["--results", str(tmp_path / "results.json")]
    assert main(board_folder, [*results, "accuracy"]) == 0
    assert f"{right} (vectors of the build)" in capsys.readouterr().out
    assert main(board_folder, [*results, "accuracy", "--data", str(data)]) == 0
    said = capsys.readouterr().out
    assert f"{right} (test set of shapes)" in said
    assert all(name in said for name in NAMES)
    assert load_json(tmp_path / "results.json")["accuracy"]["classes"] == [*NAMES]
    picture = str(next((data / "test" / FOLDERS[1]).iterdir()))
    assert main(board_folder, [*results, "classify", picture]) == 0
    said = capsys.readouterr().out
    assert "\n" not in said.replace(picture, "").strip()
    assert any(f": {name} (" in said for name in NAMES)


class Mine:
    """A model of pictures of 3 x 4 pixels."""

    model, shape, classes = "mine", (3, 4, 3), NAMES


@pytest.mark.slow
def test_digits_are_read_on_the_board(simulated, tmp_path, capsys):
    """Arrays of 8 x 8 pixels; every label and logit is the golden model's."""
    data = own_data.digits(tmp_path / "digits.npz")
    made = build(tmp_path, DIGITS, data, float_epochs=3, float_lr=0.01, epochs=2)
    assert load_json(made.path("simulate", "result.json"))["mismatches"] == 0
    share = load_json(made.path("accuracy", "result.json"))
    assert share["images"] == 397 and share["accuracy"] > 0.3, "a tenth would be chance"
    folder = simulated_board(made)
    images = read_npz(data)["test_images"][:24, ..., None]
    with Accelerator(folder, batch=8) as accelerator:
        labels, logits = accelerator.predict(images, logits=True)
    expected = golden.run(Network.load(made.path("golden", "network.npz")), images)
    np.testing.assert_array_equal(labels, expected.labels)
    np.testing.assert_array_equal(logits, expected.logits)
    results = ["--results", str(tmp_path / "results.json")]
    assert main(folder, [*results, "accuracy"]) == 0
    assert "(vectors of the build)" in capsys.readouterr().out
    assert load_json(tmp_path / "results.json")["accuracy"]["classes"][3] == "digit 3"


def test_pictures_are_read_as_in_training(tmp_path):
    """Whatever the picture is: turned, of 16 bits, with a transparent part, a palette."""
    orientation = Image.Exif()
    orientation[0x0112] = 6
    colour = np.random.default_rng(1).integers(0, 256, (9, 11, 4), np.uint8)
    made = {
        "0.png": (Image.fromarray(colour), {}),
        "1.png": (Image.fromarray(colour[..., 0].astype(np.uint16) * 250), {}),
        "2.png": (Image.fromarray(colour[..., :3].copy()).quantize(7), {}),
        "3.jpg": (Image.fromarray(colour[..., :3].copy()), {"exif": orientation}),
        "4.jpg": (Image.fromarray(colour[..., :3].copy()).convert("CMYK"), {}),
        "5.png": (Image.fromarray(colour[..., 0].copy()).convert("LA"), {}),
    }
    for split, name in (("train", FOLDERS[0]), ("train", FOLDERS[1]), ("test", FOLDERS[0])):
        (tmp_path / split / name).mkdir(parents=True)
        for file, (image, options) in made.items():
            image.save(tmp_path / split / name / file, **options)
    trained = open_data(tmp_path, size=(3, 4), colour="rgb", cache=None).test
    images, labels, _ = pictures.labelled(Mine, tmp_path)
    assert {i.tobytes() for i in images} == {i.tobytes() for i in trained.images}
    assert len({i.tobytes() for i in images}) == len(made)
    assert labels.tolist() == [1] * len(made)


@pytest.mark.parametrize("name", ["cat", " a\nb ", "\x1b[1m", 200 * "x", "\u202e" * 30, "ü"])
def test_names_are_shown_as_in_training(name):
    assert pictures.shown(name) == class_names([name], "")[0]


def test_arrays_go_by_their_names(tmp_path):
    images = np.zeros((3, 3, 4, 3), np.uint8)
    given = {"test_images": images, "test_labels": np.array([0, 1, 1])}
    np.savez(tmp_path / "a.npz", **given, classes=np.array([FOLDERS[1], FOLDERS[0]]))
    assert pictures.labelled(Mine, tmp_path / "a.npz")[1].tolist() == [2, 1, 1]
    np.savez(tmp_path / "b.npz", **given, classes=np.array(["cat", "dog"]))
    with pytest.raises(ImagesError, match=r"b\.npz: cat is no class of mine; it has <b>square, a"):
        pictures.labelled(Mine, tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", **{**given, "test_labels": np.array([0, 1, 3])})
    with pytest.raises(ImagesError, match="labels from 0 to 3; use 0 to 2"):
        pictures.labelled(Mine, tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", **{**given, "test_images": images[:, 1:]})
    with pytest.raises(ImagesError, match=r"mine takes uint8 \(N, 3, 4, 3\)"):
        pictures.labelled(Mine, tmp_path / "d.npz")
    np.savez_compressed(tmp_path / "e.npz", **given)
    broken = bytearray((tmp_path / "e.npz").read_bytes())
    broken[broken.find(b"PK\x01\x02") + 10] = 99  # a compression that zipfile does not have
    (tmp_path / "e.npz").write_bytes(broken)
    with pytest.raises(ImagesError, match=r"e\.npz: not readable .*; name an \.npz file"):
        pictures.labelled(Mine, tmp_path / "e.npz")
    (tmp_path / "test").mkdir()
    with pytest.raises(ImagesError, match="no pictures in it; put PNG or JPEG into"):
        pictures.labelled(Mine, tmp_path)


def test_the_demo_shows_grey_pictures_that_are_not_square(board_folder, simulated, monkeypatch):
    monkeypatch.setattr("sys.path", list(demo.sys.path))
    console = Console(file=io.StringIO(), width=120)
    shown = demo.classify(board_folder, 3, console)
    demo.show(shown, console)
    assert shown.images.shape == (3, 48, 64, 1)
    assert all(shown.names[label] in console.file.getvalue() for label in shown.labels)
    demo.picture(shown, board_folder / "demo.png")
