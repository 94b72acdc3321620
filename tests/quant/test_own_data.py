"""Data sets of one's own: folders of pictures and arrays, and what is wrong with them by name."""

from __future__ import annotations

import io
import os
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import own_data
import pytest
from PIL import Image

from quant.data import DataSet, image_size, open_data, travelling
from quant.dataset import LONGEST
from quant.errors import ConfigError, DataError

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
FOUR = {"train_labels": np.array([0, 1, 0, 1]), "test_labels": np.array([1, 0])}


def picture(path: Path, image: Image.Image | np.ndarray = GREY, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    made.save(path, **options)
    return path


def two(folder: Path) -> Path:
    """Two classes, each of two training images and one test image, 3 x 4 in grey."""
    for name in ("train/a/0", "train/a/1", "train/b/0", "train/b/1", "test/a/0", "test/b/0"):
        picture(folder / f"{name}.png")
    return folder


def opened(path: Path, **options: object) -> DataSet:
    return open_data(path, cache=None, **options)


def arrays(path: Path, **changed: object) -> Path:
    images = np.arange(72, dtype=np.uint8).reshape(6, 3, 4)
    given = {"train_images": images[:4], "test_images": images[4:], **FOUR, **changed}
    np.savez(path, **{name: value for name, value in given.items() if value is not None})
    return path


def test_a_folder_is_not_square_and_in_grey(tmp_path: Path) -> None:
    folder = own_data.shapes(tmp_path / "my shapes", {"train": 6, "test": 2})
    for _ in range(2):  # decoded, then from the cache
        data = open_data(folder, cache=tmp_path / "cache")
        assert data.task.shape == (48, 64, 1)
        assert data.task.classes == own_data.SHAPES
        assert data.task.name.startswith("my_shapes")
        assert not data.task.mirrors
        assert (len(data.train), len(data.test), data.held_out) == (18, 6, None)
        path = folder / "train" / "cross"
        crosses = {np.asarray(Image.open(each)).tobytes() for each in path.iterdir()}
        found = data.train
        assert {image.tobytes() for image in found.images[found.labels == 1]} == crosses
    # Any first part has all classes, although they lie class by class on the disk.
    assert sorted(found.labels[:3].tolist()) == [0, 1, 2]
    picture(path / "000.png", np.zeros((48, 64), np.uint8))
    os.utime(path / "000.png", (1, 1))
    changed = open_data(folder, cache=tmp_path / "cache").train.images
    assert not changed.any(axis=(1, 2, 3)).all()


def test_digits_as_arrays(tmp_path: Path) -> None:
    data = opened(own_data.digits(tmp_path / "digits.npz"))
    assert data.task.shape == (8, 8, 1)
    assert data.task.classes[3] == "digit 3"
    assert (len(data.train), len(data.test)) == (1400, 397)
    assert data.train.images.max() == 255
    some = travelling(data.test, 10)
    assert some.labels.tolist() == sorted(some.labels.tolist())
    assert len(some) == 100


def test_pictures_of_mixed_modes_and_sizes(tmp_path: Path) -> None:
    two(tmp_path)
    wide = np.full((3, 8), 100, np.uint8)
    colour = np.zeros((3, 4, 3), np.uint8) + np.array([10, 200, 30], np.uint8)
    clear = np.dstack([colour, np.zeros((3, 4), np.uint8)])
    deep = np.full((3, 4), 0x8012, np.uint16)
    turned = Image.fromarray(np.tile(np.uint8([[0], [50], [100], [150]]), (1, 3)))
    orientation = Image.Exif()
    orientation[0x0112] = 6  # to be turned by 90 degrees
    made = {
        "wide.PNG": (wide, {}),
        "rgb.png": (colour, {}),
        "palette.png": (Image.fromarray(colour).convert("P"), {}),
        "clear.png": (clear, {}),
        "deep.png": (deep, {}),
        "bit.png": (Image.fromarray(GREY).convert("1"), {}),
        "print.jpg": (Image.fromarray(colour).convert("CMYK"), {"quality": 100}),
        "turned.jpeg": (turned, {"exif": orientation, "quality": 100}),
    }
    folder = tmp_path / "test" / "a"
    for name, (image, options) in made.items():
        picture(folder / name, image, **options)
    with pytest.raises(DataError, match=r"wide\.PNG: a picture of 3x8 .* 13 of 14 are of 3x4; add"):
        opened(tmp_path)
    data = opened(tmp_path, size=(3, 4))
    assert data.task.shape == (3, 4, 3)  # one in colour, so all are
    found = data.test
    pixels = {tuple(image[1, 1].tolist()) for image in found.images}
    assert {(100, 100, 100), (10, 200, 30), (0, 0, 0), (128, 128, 128)} <= pixels
    # The turned one is dark on the right now; that of CMYK is near its colour.
    assert any(np.abs(image[0, :, 0] - [150, 100, 50, 0.0]).max() < 9 for image in found.images)
    assert sum(np.abs(image - [10.0, 200, 30]).max() < 50 for image in found.images) >= 3
    grey = opened(tmp_path, size=(3, 4), colour="grey")
    assert grey.test.images.shape == (10, 3, 4, 1)


def test_what_file_managers_leave_is_passed_over(tmp_path: Path) -> None:
    two(tmp_path)
    for name in (".DS_Store", "train/.DS_Store", "train/a/._0.png", "test/a/Thumbs.db", "README"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "train" / ".cache").mkdir()
    (tmp_path / "train" / "empty").mkdir()
    assert opened(tmp_path).task.classes == ("a", "b")


def test_numbers_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 100):
        picture(tmp_path / "train" / str(number) / "0.png")
    assert opened(tmp_path).task.classes == ("9", "10", "100")


def test_an_unbalanced_set_without_a_test_split_sets_a_fifth_aside(tmp_path: Path) -> None:
    for name, count in (("few", 5), ("many", 45)):
        for number in range(count):
            grey = 5 * number + (name == "few")
            picture(tmp_path / "train" / name / f"{number}.png", np.full((3, 4), grey, np.uint8))
    data = opened(tmp_path)
    train, test = data.train, data.test
    assert (len(train), len(test)) == (40, 10)
    assert np.bincount(test.labels).tolist() == [1, 9]
    assert not {i.tobytes() for i in train.images} & {i.tobytes() for i in test.images}
    np.testing.assert_array_equal(opened(tmp_path).test.images, test.images)


def test_own_validation_images_are_the_first(tmp_path: Path) -> None:
    two(tmp_path)
    picture(tmp_path / "val" / "b" / "0.png", np.full((3, 4), 7, np.uint8))
    data = opened(tmp_path)
    assert data.held_out == 1
    assert (data.train.images[0] == 7).all()
    assert data.train.labels[0] == 1
    assert len(data.train) == 5


def test_a_class_may_lack_test_images(tmp_path: Path) -> None:
    two(tmp_path)
    (tmp_path / "test" / "b" / "0.png").unlink()
    assert opened(tmp_path).test.labels.tolist() == [0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train/a/2.png", b"", r"train/a/2\.png: an empty file; copy the picture again"),
        ("train/a/2.jpg", b"rubbish", r"2\.jpg: not a readable picture \(neither PNG nor JPEG\)"),
        ("train/a/2.gif", b"GIF89a", r"2\.gif: no picture by its name; use \.png, \.jpg"),
        (
            "train/2.png",
            b"",
            r"train/2\.png: no folder of a class; put pictures into",
        ),
        ("train/a/deep/2.png", b"", r"train/a/deep: a folder within a class; put its pictures"),
        ("test/c/2.png", None, r"class c is in test and has no training images; give it some"),
    ],
)
def test_what_cannot_be_used_is_named(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    picture(two(tmp_path) / name)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        opened(tmp_path)


def test_a_cut_picture_is_named_and_all_are_counted(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (3, 4), np.uint8)
    for name in ("train/a/2.png", "train/b/2.png"):
        path = picture(two(tmp_path) / name, noise)
        path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match=r"a/2\.png: not a readable .* \(and 1 more such file"):
        _ = opened(tmp_path).train


def test_one_class_alone_and_no_layout_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "one" / "train" / "a" / "0.png")
    with pytest.raises(DataError, match="one class alone, a; a network tells classes apart"):
        opened(tmp_path / "one")
    picture(tmp_path / "flat" / "a" / "0.png")
    with pytest.raises(DataError, match="flat: pictures lie in a itself; move these folders into"):
        opened(tmp_path / "flat")
    (tmp_path / "bare" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"bare: no pictures; put PNG or JPEG into train/CLASS"):
        opened(tmp_path / "bare")
    with pytest.raises(DataError, match=r"0\.png: a file; put train/CLASS"):
        opened(tmp_path / "flat" / "a" / "0.png")
    two(tmp_path / "tested")
    for path in (tmp_path / "tested" / "train").rglob("*.png"):
        path.unlink()
    for path in ("a", "b"):
        (tmp_path / "tested" / "train" / path).rmdir()
    (tmp_path / "tested" / "train").rmdir()
    assert len(opened(tmp_path / "tested").test) == 2  # enough to score a model
    with pytest.raises(DataError, match="tested: no train images; put some into train"):
        _ = opened(tmp_path / "tested").train


HOSTILE = (
    "new\nline",
    "\x1b[31mred",
    "\u202etxt.exe",
    "x" * 200,
    "Äpfel & <b>Birnen",
    "a;$(b)",
)


def test_hostile_names_are_shown_as_what_they_are(tmp_path: Path) -> None:
    for name in HOSTILE:
        picture(tmp_path / "train" / name / "0.png")
    picture(Path(os.fsdecode(os.fsencode(tmp_path) + b"/train/\xff")) / "0.png")
    classes = opened(tmp_path).task.classes
    assert len(set(classes)) == 7
    assert all(name.isprintable() and 0 < len(name) <= LONGEST for name in classes)
    assert {r"new\nline", r"\x1b[31mred", r"\u202etxt.exe", "Äpfel & <b>Birnen"} <= {*classes}


def test_names_that_are_shown_alike_are_refused(tmp_path: Path) -> None:
    for name in ("cat", " cat", "dog"):
        picture(tmp_path / "train" / name / "0.png")
    with pytest.raises(DataError, match=r"two classes are called cat, ' cat' and 'cat'; give"):
        opened(tmp_path)


def test_arrays_of_other_libraries(tmp_path: Path) -> None:
    names = {"x_train": "train_images", "y_train": "train_labels", "x_test": "test_images"}
    path = arrays(tmp_path / "a.npz")
    with np.load(path) as stored:
        given = dict(stored)
    keras = {new: given.pop(old) for new, old in names.items()} | {"y_test": given["test_labels"]}
    keras["y_train"] = keras["y_train"][:, None]
    np.savez(tmp_path / "b.npz", **keras)
    one, other = opened(path), opened(tmp_path / "b.npz")
    np.testing.assert_array_equal(one.train.images, other.train.images)
    np.testing.assert_array_equal(one.train.labels, other.train.labels)
    assert other.task.classes == ("0", "1")
    words = {"train_labels": np.array(["b", "a", "b", "a"]), "test_labels": np.array(["a", "b"])}
    assert opened(arrays(tmp_path / "c.npz", **words)).task.classes == ("a", "b")
    assert opened(arrays(tmp_path / "c.npz", **words)).train.labels.tolist().count(0) == 2
    larger = opened(path, size=(6, 8), colour="rgb")
    assert larger.train.images.shape == (4, 6, 8, 3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"train_images": None, "test_images": None},
            "has test_labels, train_labels; use",
        ),
        ({"train_images": np.zeros((4, 3, 4))}, "train_images: values of type float64; use uint8"),
        ({"train_images": np.zeros((4, 3, 8, 9), np.uint8)}, "channels last: x.transpose"),
        ({"train_images": np.zeros((4, 12), np.uint8)}, r"shape \(4, 12\); use uint8 \(N, H, W"),
        (
            {"train_images": np.zeros((4, 5, 4), np.uint8)},
            "several shapes: train 5x4x1, test",
        ),
        ({"train_labels": None}, "train_images without train_labels; use"),
        ({"train_labels": np.zeros(3, int)}, r"train_labels: shape \(3,\) for 4 images"),
        ({"train_labels": np.zeros(4)}, "labels are neither integers nor names"),
        ({"train_labels": np.array([0, 1, -1, 1])}, "labels from -1 to 1; use 0 to 1"),
        ({"train_labels": np.array([0, 1, 3, 1])}, "one class alone|class 2"),
        ({"classes": np.array(["a"])}, "labels from 0 to 1; use 0 to 0"),
        ({"classes": np.array([1, 2])}, r"classes: int64 \(2,\); use one name for each class"),
        ({"classes": np.array(["a", "a"])}, "two classes are called a"),
        ({"test_labels": np.array([2, 0])}, "class 2 is in test and has no training images"),
        ({"train_labels": np.array([0, 1, 1 << 62, 1])}, "more classes than images; number the"),
    ],
)
def test_arrays_that_cannot_be_are_named(
    changed: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = arrays(tmp_path / "a.npz", **changed)
    if message.startswith("one class"):
        assert opened(path).task.classes == ("0", "1", "2", "3")  # the third has no images at all
        return
    with pytest.raises(DataError, match=message) as caught:
        opened(path)
    assert str(path) in str(caught.value)


def test_an_npz_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"rubbish")
    with pytest.raises(DataError, match=r"a\.npz: not a readable \.npz file"):
        opened(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"b\.npz: not found"):
        opened(tmp_path / "b.npz")


@pytest.mark.parametrize("wrong", ["one array", "contents", "method", "size"])
def test_a_broken_npz_file_is_named_whatever_stumbles_over_it(wrong: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, train_images=np.arange(256, dtype=np.uint8))
    held = bytearray(path.read_bytes())
    if wrong == "one array":
        np.save(tmp_path / "a.npy", np.zeros(3))
        held = bytearray((tmp_path / "a.npy").read_bytes())
    elif wrong == "contents":  # zlib stumbles
        held[80:90] = b"\xff" * 10
    elif wrong == "method":  # zipfile does not have it
        held[held.find(b"PK\x01\x02") + 10] = 99
    path.write_bytes(held)
    if wrong == "size":  # more than any memory
        head = io.BytesIO()
        kind = {"descr": "|u1", "fortran_order": False, "shape": (1 << 50,)}
        np.lib.format.write_array_header_1_0(head, kind)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("train_images.npy", head.getvalue())
    with pytest.raises(DataError, match=r"a\.npz: not a readable \.npz file"):
        opened(path)


def test_other_labels_are_another_data_set(tmp_path: Path) -> None:
    one = arrays(tmp_path / "a.npz")
    before, size = opened(one).files, one.stat().st_size
    other = arrays(tmp_path / "a.npz", train_labels=np.array([1, 0, 1, 0]))
    assert other.stat().st_size == size
    assert opened(other).files != before


def test_the_size_of_images_is_understood_or_refused() -> None:
    assert image_size("48x64") == image_size("48 64") == image_size("48X64") == (48, 64)
    for text in ("48", "0x64", "48x64x1", "5000x5", "-1x4", "axb", ""):
        message = re.escape(f"--image-size {text}: use HEIGHTxWIDTH, as 48x64")
        with pytest.raises(ConfigError, match=message):
            image_size(text)


def test_images_that_no_memory_holds_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = own_data.shapes(tmp_path / "shapes", {"train": 2, "test": 1})
    free = SimpleNamespace(available=10**6)
    monkeypatch.setattr("quant.pictures.psutil.virtual_memory", lambda: free)
    assert len(open_data(folder, cache=None).train) == 6
    large = open_data(folder, size=(400, 1000), cache=None)
    with pytest.raises(DataError) as caught:
        _ = large.train
    assert str(caught.value) == (
        f"{folder / 'train'}: 6 images of 400x1000x1 take 0.0 GB twice, and 0.0 GB are free; "
        "use a smaller --image-size or fewer images"
    )
