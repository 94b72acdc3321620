from __future__ import annotations

import io
import os
import pickle
import struct
import tarfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from quant.data import CIFAR10, CLASSES, Labelled, load_cifar10, open_data, travelling
from quant.errors import DataError
from quant.files import read_npz, write_npz
from quant.zoo import zoo_images


def random_images(count: int, seed: int = 0) -> Labelled:
    draw = np.random.default_rng(seed)
    return Labelled(
        images=draw.integers(0, 256, (count, 32, 32, 3), np.uint8),
        labels=draw.integers(0, 10, count, np.int64),
    )


def rows(data: Labelled) -> np.ndarray:
    return data.images.transpose(0, 3, 1, 2).reshape(len(data), -1)


def png(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()


def write_parquet(path: Path, data: Labelled) -> None:
    pictures = [{"bytes": png(image), "path": None} for image in data.images]
    table = pyarrow.table({"img": pictures, "label": data.labels})
    pyarrow.parquet.write_table(table, path)


def binary(data: Labelled) -> bytes:
    return np.concatenate([data.labels[:, None].astype(np.uint8), rows(data)], 1).tobytes()


def pickled(data: Labelled) -> bytes:
    return pickle.dumps({b"data": rows(data), b"labels": data.labels.tolist()}, protocol=4)


class Python2Pickler(pickle._Pickler):
    """Writes text as Python 2 did, which made the official batches: bytes without an encoding."""

    def save_bytes(self, value: bytes | str) -> None:
        raw = value.encode("latin1") if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, bytes: save_bytes, str: save_bytes}


def python2(data: Labelled) -> bytes:
    out = io.BytesIO()
    batch = {"data": rows(data), "labels": data.labels.tolist(), "batch_label": "testing batch"}
    Python2Pickler(out, 2).dump(batch)
    return out.getvalue().replace(b"numpy._core.", b"numpy.core.")


def test_official_batches_are_read(tmp_path: Path) -> None:
    data = random_images(10)
    archive(tmp_path / "cifar-10-python.tar.gz", {"test_batch": python2(data)})
    found = load_cifar10(tmp_path, "test", cache=None, whole=False)
    np.testing.assert_array_equal(found.images, data.images)
    np.testing.assert_array_equal(found.labels, data.labels)


def archive(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as out:
        for name, content in members.items():
            info = tarfile.TarInfo(f"cifar/{name}")
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))


def lay_out(folder: Path, layout: str, data: Labelled) -> None:
    """Write `data` as the training images, in five equal batches where there are batches."""
    fifth = len(data) // 5
    parts = [data.part(slice(i * fifth, (i + 1) * fifth)) for i in range(5)]
    names = [f"data_batch_{i}" for i in range(1, 6)]
    if layout == "parquet":
        half = len(data) // 2
        write_parquet(folder / "train-0.parquet", data.part(slice(0, half)))
        write_parquet(folder / "train-1.parquet", data.part(slice(half, None)))
    elif layout == "binary":
        for name, part in zip(names, parts, strict=True):
            (folder / f"{name}.bin").write_bytes(binary(part))
    elif layout == "python":
        (folder / "cifar-10-batches-py").mkdir()
        for name, part in zip(names, parts, strict=True):
            (folder / "cifar-10-batches-py" / name).write_bytes(pickled(part))
    elif layout == "binary archive":
        members = {f"{n}.bin": binary(p) for n, p in zip(names, parts, strict=True)}
        archive(folder / "cifar-10-binary.tar.gz", members)
    else:
        members = {n: pickled(p) for n, p in zip(names, parts, strict=True)}
        archive(folder / "cifar-10-python.tar.gz", members)


LAYOUTS = ["parquet", "binary", "python", "binary archive", "python archive"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_images(layout: str, tmp_path: Path) -> None:
    data = random_images(20)
    lay_out(tmp_path, layout, data)
    cache = tmp_path / "cache"
    for _ in range(2):  # decoded, then from the cache
        found = load_cifar10(tmp_path, "train", cache=cache, whole=False)
        np.testing.assert_array_equal(found.images, data.images)
        np.testing.assert_array_equal(found.labels, data.labels)
        assert found.images.dtype == np.uint8
        assert found.labels.dtype == np.int64


def test_cache_is_used_and_rebuilt_when_corrupt_or_outdated(tmp_path: Path) -> None:
    lay_out(tmp_path, "binary", random_images(20))
    cache = tmp_path / "cache"
    load_cifar10(tmp_path, "train", cache=cache, whole=False)
    (file,) = cache.iterdir()
    other = random_images(20, seed=1)
    write_npz(file, {"images": other.images, "labels": other.labels})
    found = load_cifar10(tmp_path, "train", cache=cache, whole=False)
    np.testing.assert_array_equal(found.images, other.images)
    file.write_bytes(b"rubbish")
    found = load_cifar10(tmp_path, "train", cache=cache, whole=False)
    np.testing.assert_array_equal(found.images, random_images(20).images)
    lay_out(tmp_path, "binary", random_images(20, seed=2))
    os.utime(tmp_path / "data_batch_1.bin", (1, 1))
    found = load_cifar10(tmp_path, "train", cache=cache, whole=False)
    np.testing.assert_array_equal(found.images, random_images(20, seed=2).images)


def test_missing_data_says_what_works(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder.*train/CLASS.*parquet.*--data"):
        load_cifar10(tmp_path / "none", "train", cache=None)
    with pytest.raises(DataError, match=r"no test images found; put train/CLASS"):
        load_cifar10(tmp_path, "test", cache=None)


def test_incomplete_data_is_refused(tmp_path: Path) -> None:
    lay_out(tmp_path, "parquet", random_images(20))
    with pytest.raises(DataError, match="20 train images instead of 50,000"):
        load_cifar10(tmp_path, "train", cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("damage", ["cut", "rubbish"])
def test_corrupt_files_are_named(layout: str, damage: str, tmp_path: Path) -> None:
    lay_out(tmp_path, layout, random_images(20))
    victim = sorted(path for path in tmp_path.rglob("*") if path.is_file())[0]
    whole = victim.read_bytes()
    victim.write_bytes(whole[: len(whole) // 2 - 7] if damage == "cut" else b"rubbish" * 100)
    with pytest.raises(DataError) as caught:
        load_cifar10(tmp_path, "train", cache=tmp_path / "cache", whole=False)
    assert str(victim) in str(caught.value)
    assert "again" in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_parquet_with_a_broken_picture_or_label(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    broken = {"img": [{"bytes": b"not a PNG", "path": None}], "label": [0]}
    pyarrow.parquet.write_table(pyarrow.table(broken), path)
    with pytest.raises(DataError, match=r"test.parquet, row 0: not a readable picture"):
        load_cifar10(tmp_path, "test", cache=None, whole=False)
    one = random_images(1)
    write_parquet(path, Labelled(images=one.images, labels=np.array([17])))
    with pytest.raises(DataError, match="labels run from 17 to 17"):
        load_cifar10(tmp_path, "test", cache=None, whole=False)
    pyarrow.parquet.write_table(pyarrow.table({"x": [1]}), path)
    with pytest.raises(DataError, match="columns x; use a file with img and label"):
        load_cifar10(tmp_path, "test", cache=None, whole=False)


def write_pictures(folder: Path, data: Labelled) -> None:
    for index, (image, label) in enumerate(zip(data.images, data.labels, strict=True)):
        path = folder / CLASSES[label] / f"{index:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))


def test_folders_of_pictures_of_its_classes_are_cifar10(tmp_path: Path) -> None:
    draw = random_images(40)
    data = Labelled(images=draw.images, labels=np.arange(40) % 10)
    write_pictures(tmp_path / "train", data)
    write_pictures(tmp_path / "test", data.part(slice(0, 5)))
    for _ in range(2):  # decoded, then from the cache
        found = open_data(tmp_path, cache=tmp_path / "cache")
        assert found.task is CIFAR10
        assert sorted(image.tobytes() for image in found.train.images) == sorted(
            image.tobytes() for image in data.images
        )
        known = {
            image.tobytes(): label for image, label in zip(data.images, data.labels, strict=True)
        }
        train = found.train
        assert [known[image.tobytes()] for image in train.images] == train.labels.tolist()
    assert len(found.test) == 5


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch evil-was-here",)


def test_pickles_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_batch").write_bytes(pickle.dumps({b"data": Evil(), b"labels": [0]}))
    with pytest.raises(DataError, match=r"test_batch: .*system is not part of CIFAR-10"):
        load_cifar10(tmp_path, "test", cache=None, whole=False)
    assert not (tmp_path / "evil-was-here").exists()


def test_npz_bytes_are_reproducible_and_whole(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6).reshape(2, 3), "b": np.zeros(3, np.uint8)}
    write_npz(tmp_path / "x.npz", arrays)
    write_npz(tmp_path / "y.npz", arrays)
    assert (tmp_path / "x.npz").read_bytes() == (tmp_path / "y.npz").read_bytes()
    np.testing.assert_array_equal(read_npz(tmp_path / "x.npz")["a"], arrays["a"])
    with pytest.raises(ValueError, match="Object arrays"):
        write_npz(tmp_path / "z.npz", {"a": np.array([Evil()])})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npz", "y.npz"]


def test_zoo_has_ten_images_of_each_class_in_order() -> None:
    data = zoo_images()
    np.testing.assert_array_equal(data.labels, np.repeat(np.arange(10), 10))
    assert data.images.std() > 50


@pytest.mark.slow
def test_published_channel_means(data_folder: Path, tmp_path: Path) -> None:
    data = load_cifar10(data_folder, "train", cache=tmp_path)
    levels = np.arange(256) / 255
    means, spreads = [0.49139968, 0.48215841, 0.44653091], [0.24703223, 0.24348513, 0.26158784]
    for channel, mean, spread in zip(range(3), means, spreads, strict=True):
        share = np.bincount(data.images[..., channel].ravel(), minlength=256) / (50_000 * 1024)
        assert share @ levels == pytest.approx(mean, abs=1e-7)
        assert (share @ (levels - mean) ** 2) ** 0.5 == pytest.approx(spread, abs=1e-7)


def test_zoo_images_are_the_first_of_the_test_set(test_set: Labelled) -> None:
    first = np.concatenate([np.flatnonzero(test_set.labels == c)[:10] for c in range(10)])
    np.testing.assert_array_equal(zoo_images().images, test_set.images[first])
    np.testing.assert_array_equal(travelling(test_set, 10).images, zoo_images().images)
