"""Pictures and test sets from files: what is read, and what is refused."""

from __future__ import annotations

import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import plain_pynq as plain
import pytest
from builds import build

from finn_build.driver.command import main
from finn_build.system.files import load_json, save_json

# The label and the logits 1 to 10 of the classes, whose scale is 0.5.
TRUCK = np.array([9, *range(1, 11)], np.int32)


@pytest.fixture
def nobodys(odd, folder, tmp_path):
    """The deploy folder of a network whose task nobody told, in the place of the other."""
    built = build(odd, tmp_path / "nobodys", {"network": "tiny"})
    made = load_json(built.path("deploy", "manifest.json"))
    assert made["classes"] is None and made["labelled"] is False
    save_json(built.path("deploy", "manifest.json"), {**made, "bitstream": "tiny.bit"})
    shutil.rmtree(folder)
    shutil.copytree(built.path("deploy"), folder)
    (folder / "tiny.bit").touch()
    return folder


def test_pictures_of_any_size_are_classified(chip, folder, odd, tmp_path, capsys):
    from PIL import Image

    seen = []
    chip.answer = lambda pixels: seen.append(pixels.copy()) or np.tile(TRUCK, (len(pixels), 1))
    Image.new("L", (40, 20), 200).save(tmp_path / "grey.png")
    Image.fromarray(odd.images[0]).save(tmp_path / "tile.png")
    paths = [str(tmp_path / "grey.png"), str(tmp_path / "tile.png")]
    assert main(folder, ["classify", *paths]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{path}: truck (5), ship (4.5), horse (4)" for path in paths]
    assert (seen[0][0, :75] == 200).all()
    assert np.array_equal(seen[0][1, :75], odd.images[0].ravel())


@pytest.mark.parametrize(
    ("floor", "shown"),
    [(None, "cat (2), dog (0), airplane (-0.5)"), (3, "cat (3), airplane (3), automobile (3)")],
)
def test_classes_of_their_own_scales_are_told_by_their_values(
    chip, folder, tmp_path, capsys, floor, shown
):
    from PIL import Image

    scales, offsets = [-0.5] * 10, [0.0, 0.0, 0.0, 4.0, 0.0, 3.0, 0.0, 0.0, 0.0, 4.0]
    told = {"logit_scale": scales, "logit_offset": offsets, "logit_floor": floor}
    path = folder / "manifest.json"
    save_json(path, {**load_json(path), **told})
    chip.answer = lambda pixels: np.tile([3, *TRUCK[1:]], (len(pixels), 1)).astype(np.int32)
    Image.new("L", (40, 20), 200).save(tmp_path / "a.png")
    assert main(folder, ["classify", str(tmp_path / "a.png")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'a.png'}: {shown}\n"


def test_classes_without_names_go_by_number(chip, nobodys, odd, tmp_path, capsys):
    from PIL import Image

    words = np.array([9, *range(1, 11)], np.int32)  # the label, then logits of half a unit
    chip.answer = lambda pixels: np.tile(words, (len(pixels), 1))
    Image.fromarray(odd.images[0]).save(tmp_path / "tile.png")
    assert main(nobodys, ["classify", str(tmp_path / "tile.png")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'tile.png'}: 9 (5), 8 (4.5), 7 (4)\n"


def test_images_of_another_task_give_no_accuracy(chip, nobodys, capsys):
    assert main(nobodys, ["accuracy"]) == 2
    shown = capsys.readouterr()
    assert "error: accuracy: not known; " in shown.err and shown.out == ""
    assert "golden.npz has no labels of the classes of tiny; name a test set" in shown.err
    assert not Path("results.json").exists()
    assert main(nobodys, ["self-test"]) == 0


def cifar(tmp_path, count=20):
    images = np.random.default_rng(2).integers(0, 256, (count, 3, 32, 32), np.uint8)
    labels = np.arange(count) % 10
    return images, labels


@pytest.mark.parametrize("version", ["binary", "python"])
def test_the_test_set_is_read_from_its_own_files(chip, folder, tmp_path, capsys, version):
    images, labels = cifar(tmp_path)
    rows = images.reshape(len(images), -1)
    if version == "binary":
        raw = np.column_stack([labels.astype(np.uint8), rows])
        (tmp_path / "test_batch.bin").write_bytes(raw.tobytes())
    else:
        inside = tmp_path / "cifar-10-batches-py"
        inside.mkdir()
        batch = {b"data": rows, b"labels": labels.tolist()}
        (inside / "test_batch").write_bytes(pickle.dumps(batch, protocol=4))
    manifest = load_json(folder / "manifest.json")
    save_json(folder / "manifest.json", {**manifest, "input": {"shape": [32, 32, 3]}})
    chip.values[plain.FRAME_BYTES] = 3072
    expected = images.transpose(0, 2, 3, 1).reshape(len(images), -1)
    order = {row.tobytes(): label for row, label in zip(expected, labels, strict=True)}
    chip.answer = lambda pixels: np.array([[order[row.tobytes()]] * 11 for row in pixels], np.int32)
    assert main(folder, ["accuracy", "--data", str(tmp_path)]) == 0
    assert "100.00 % of 20 images right (CIFAR-10 test set)" in capsys.readouterr().out


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


def test_a_pickle_runs_no_code(chip, folder, tmp_path, capsys):
    (tmp_path / "test_batch").write_bytes(pickle.dumps(Evil()))
    manifest = load_json(folder / "manifest.json")
    save_json(folder / "manifest.json", {**manifest, "input": {"shape": [32, 32, 3]}})
    chip.values[plain.FRAME_BYTES] = 3072
    assert main(folder, ["accuracy", "--data", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert "builtins.print is not part of CIFAR-10" in shown.err and "code ran" not in shown.out


@pytest.mark.parametrize("spoil", ["label", "count"])
def test_a_spoilt_test_set_is_refused(chip, folder, tmp_path, capsys, spoil):
    images, labels = cifar(tmp_path)
    labels = np.where(labels == 3, 10, labels) if spoil == "label" else labels[:-1]
    batch = {b"data": images.reshape(len(images), -1), b"labels": labels.tolist()}
    (tmp_path / "test_batch").write_bytes(pickle.dumps(batch, protocol=4))
    manifest = load_json(folder / "manifest.json")
    save_json(folder / "manifest.json", {**manifest, "input": {"shape": [32, 32, 3]}})
    chip.values[plain.FRAME_BYTES] = 3072
    assert main(folder, ["accuracy", "--data", str(tmp_path)]) == 2
    assert "not a label from 0 to 9 for each of 20 images" in capsys.readouterr().err


def test_a_picture_that_is_none_is_refused(chip, folder, tmp_path, capsys):
    (tmp_path / "a.png").write_text("no picture")
    for path in (tmp_path / "a.png", tmp_path / "lost.png"):
        assert main(folder, ["classify", str(path)]) == 2
        shown = capsys.readouterr().err
        assert f"{path}: not a picture that Pillow reads" in shown and "use PNG or JPEG" in shown


def test_pictures_without_pillow_say_what_to_install(chip, folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert main(folder, ["classify", "a.png"]) == 2
    assert "python3 -m pip install pillow" in capsys.readouterr().err
