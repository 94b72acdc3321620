"""Models that give values, on the simulated chip and on one that answers at once."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

import builds
import numpy as np
import plain_pynq as plain
import pytest
from PIL import Image
from rich.console import Console

from finn_build.driver import Accelerator, errors
from finn_build.driver.command import main
from finn_build.folding.calibration import random_unit
from finn_build.folding.fold import Fold
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.network.layers import Layer, Mvtu, Values, Window
from finn_build.simulator import board, demo
from finn_build.system.files import load_json, save_json

HEIGHT, WIDTH, FILTERS = 4, 6, 5
FOLDS = {
    "conv0": Fold(pe=2, simd=9, memory="logic"),
    "last": Fold(pe=1, simd=12, memory="logic"),
}


def window(name: str, channels: int, bits: int) -> Window:
    return Window(
        name=name, height=HEIGHT, width=WIDTH, channels=channels, bits=bits, kernel=(3, 3),
        stride=(1, 1), pad=(1, 1, 1, 1),
    )  # fmt: skip


def network(images: np.ndarray, *after: Layer, **more: object) -> Network:
    """A convolution with thresholds that the images reach, and what follows it."""
    draw, first = np.random.default_rng(5), window("conv0_window", 3, 8)
    unit = random_unit(
        draw, (4, 27), weight_bits=2, in_bits=8, low=-1, positions=HEIGHT * WIDTH, windowed=True
    )
    sums = unit.accumulate(first.compute(images)).reshape(-1, 4)
    steps = np.sort(np.quantile(sums, [0.25, 0.5, 0.75], axis=0).T.astype(np.int64), axis=1)
    return Network(
        name="valued", height=HEIGHT, width=WIDTH, channels=3,
        layers=(first, replace(unit, name="conv0", thresholds=steps), *after), **more,
    )  # fmt: skip


def last(rows: int, *, windowed: bool) -> Mvtu:
    cols, positions = (36, HEIGHT * WIDTH) if windowed else (4 * HEIGHT * WIDTH, 1)
    made = random_unit(
        np.random.default_rng(6), (rows, cols), weight_bits=4, in_bits=2, low=-7,
        positions=positions, windowed=windowed,
    )  # fmt: skip
    return replace(made, name="last")


def feature_map(images: np.ndarray) -> Network:
    """A map whose file has the channels first, with scales of their own."""
    unit = last(FILTERS, windowed=True)
    end = Values(
        name="values", height=HEIGHT, width=WIDTH, channels=FILTERS, bits=unit.acc_bits,
        signed=True, axes=(2, 0, 1), sizes=(FILTERS, HEIGHT, WIDTH),
    )  # fmt: skip
    scale = np.linspace(0.1, 0.5, FILTERS)
    return network(images, window("last_window", 4, 2), unit, end, scale=scale, offset=-1.5)


def regression(images: np.ndarray) -> Network:
    """A single value, and so an odd number of words; none is below a floor."""
    unit = last(1, windowed=False)
    end = Values(
        name="values", height=1, width=1, channels=1, bits=unit.acc_bits, signed=True, sizes=(1,)
    )
    return network(images, unit, end, scale=0.25, offset=0.5, floor=0.0)


MADE = {"map": feature_map, "one": regression}
SHAPES = {"map": (FILTERS, HEIGHT, WIDTH), "one": (1,)}


@pytest.fixture(scope="module", params=MADE)
def valued(request, tiny, tmp_path_factory):
    """The name of a network, the network, its images, what it gives, and its build."""
    images = np.ascontiguousarray(tiny.images[:100, 2 : 2 + HEIGHT, 1 : 1 + WIDTH])
    made = MADE[request.param](images)
    case = builds.Case(
        network=made, images=images, truth=tiny.truth[:100], expected=golden.run(made, images)
    )
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, case, builds.build(case, folder, {}, FOLDS)


def wanted(name: str, case: builds.Case) -> np.ndarray:
    """The values in the shape of the file's output."""
    values = case.network.values(case.expected.logits)
    if name == "map":
        values = values.reshape(-1, HEIGHT, WIDTH, FILTERS).transpose(0, 3, 1, 2)
    return values.astype(np.float32)


@pytest.fixture
def answering(valued, monkeypatch, tmp_path) -> Path:
    """A deploy folder with a bitstream of no contents, and a chip that gives what it should."""
    _, case, built = valued
    folder = built.path("deploy")
    manifest = load_json(folder / "manifest.json")
    save_json(folder / "manifest.json", {**manifest, "bitstream": "valued.bit"})
    (folder / "valued.bit").touch()
    known = {
        image.tobytes(): row
        for image, row in zip(case.images, case.expected.words.astype(np.int32), strict=True)
    }
    used = case.images[0].nbytes
    chip = plain.Chip(
        lambda pixels: np.stack([known[row[:used].tobytes()] for row in pixels]),
        frame_bytes=-(-used // 8) * 8,
        words=case.network.end.words,
        identity=manifest["model_hash"],
    )
    monkeypatch.setitem(sys.modules, "pynq", plain.module(chip))
    monkeypatch.chdir(tmp_path)
    return folder


def test_values_have_the_files_shape_scale_and_order(valued, answering):
    name, case, _ = valued
    with Accelerator(answering, batch=32) as accelerator:
        made = accelerator.predict(case.images)
        assert made.dtype == np.float32 and made.shape == (100, *SHAPES[name])
        assert np.array_equal(made, wanted(name, case)) and len(np.unique(made)) > 5
        assert (made >= 0).all() == (name == "one"), "the floor"
        with pytest.raises(errors.ImagesError, match="gives values, which have no logits"):
            accelerator.predict(case.images, logits=True)
        assert accelerator.self_test().mismatches == 0


def test_the_commands_say_values_and_no_label(valued, answering, tmp_path, capsys):
    name, case, _ = valued
    Image.fromarray(case.images[3]).save(tmp_path / "a.png")
    assert main(answering, ["predict", "a.png", "--to", "values.npy"]) == 0
    said = capsys.readouterr().out
    assert np.array_equal(np.load("values.npy"), wanted(name, case)[3:4])
    assert ("a.png: 120 values, " in said) == (name == "map") and "written to values.npy" in said
    for command in (["classify", "a.png"], ["accuracy"]):
        assert main(answering, command) == 2
    said = capsys.readouterr().err
    assert "valued gives values, not classes: use run.py predict FILE" in said
    assert "no labels of the classes" in said
    assert main(answering, ["predict", "a.png", "--to", "none/values.npy"]) == 2
    assert "name another file with --to" in capsys.readouterr().err


def test_a_manifest_that_does_not_fit_its_values_is_refused(valued, answering, capsys):
    path = answering / "manifest.json"
    found = load_json(path)
    for change, said in (
        ({"shape": [7]}, "words of output for (7,)"),
        ({"axes": [0, 0, 1]}, "in the order (0, 0, 1)"),
        ({"scale": [1.0, 2.0]}, "scale has 2 numbers for "),
    ):
        save_json(path, {**found, "output": {**found["output"], **change}})
        assert main(answering, ["self-test"]) == 2
        assert said in capsys.readouterr().err
    kept = {key: value for key, value in found["output"].items() if key != "axes"}
    save_json(path, {**found, "output": kept})
    assert main(answering, ["self-test"]) == 2
    assert "output.axes missing" in capsys.readouterr().err
    save_json(path, found)


def test_a_wrong_value_is_told_from_a_wrong_network(valued, answering, monkeypatch):
    name, case, _ = valued
    with Accelerator(answering) as accelerator:
        real = accelerator.words
        wrong = case.expected.words.astype(np.int32)
        wrong[:, : 1 if name == "map" else 0] += 1
        monkeypatch.setattr(accelerator, "words", lambda images: wrong)
        made = accelerator.self_test()
        assert (made.mismatches > 0) == (name == "map")
        if name == "map":
            assert "the last layer: 100 of 100 images are wrong, all in 1 of the values" in str(
                made.suspect
            )
        wrong += 1
        assert "wrong in most values" in str(accelerator.self_test().suspect)
        monkeypatch.setattr(accelerator, "words", real)


def test_the_simulated_chip_gives_them_and_the_demo_shows_them(
    valued, simulated, monkeypatch, tmp_path
):
    name, case, built = valued
    library = board.build(built.path("emit"), tmp_path / "model", log=tmp_path / "log")
    board.furnish(built.path("deploy"), library, tmp_path / "deploy")
    with Accelerator(tmp_path / "deploy", batch=32) as accelerator:
        assert np.array_equal(accelerator.predict(case.images), wanted(name, case))
        for count in (1, 3, 33):
            some = accelerator.predict(case.images[:count])
            assert np.array_equal(some, wanted(name, case)[:count])
        assert accelerator.self_test().mismatches == 0
    monkeypatch.setattr("sys.path", list(demo.sys.path))
    console = Console(file=io.StringIO(), width=120)
    shown = demo.classify(tmp_path / "deploy", 3, console)
    demo.show(shown, console)
    demo.picture(shown, tmp_path / "demo.png")
    said = console.file.getvalue()
    assert "values equal the golden model's" in said and "label" not in said
    with Image.open(tmp_path / "demo.png") as picture:
        assert picture.width > 1000
