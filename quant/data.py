"""CIFAR-10 as arrays, from any of the layouts in which it is handed around.

Nothing read here can run code: the pickles of the Python version go through an unpickler that
knows NumPy arrays and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from quant.errors import DataError
from quant.files import read_npz, write_npz
from quant.places import DEFAULT_CACHE as DEFAULT_CACHE
from quant.places import DEFAULT_DATA as DEFAULT_DATA

Split = Literal["train", "test"]
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_COUNT = {"train": 50_000, "test": 10_000}
_BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
_ROW = 1 + 3 * 32 * 32
_WHAT_WORKS = (
    "put train-*.parquet and test-*.parquet, cifar-10-binary.tar.gz, cifar-10-python.tar.gz or "
    "train/CLASS/*.png and test/CLASS/*.png there, fetch it with `./build.sh download`, or "
    "name another folder with --data"
)


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Images, uint8 (N, 32, 32, 3), red first, with their classes, int64 (N,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def part(self, which: slice) -> Labelled:
        """The images and labels of a slice."""
        return Labelled(images=self.images[which], labels=self.labels[which])


def checked(images: NDArray[Any], labels: NDArray[Any], where: str) -> Labelled:
    """Images and labels, if shapes, types and label range are CIFAR-10's.

    Raises:
        DataError: if not; names `where`.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (32, 32, 3):
        raise DataError(
            f"{where}: images are {images.dtype} {images.shape}; use uint8 (N, 32, 32, 3)"
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise DataError(
            f"{where}: labels are {labels.dtype} {labels.shape} for {len(images)} images; "
            "use one integer for each"
        )
    if labels.size and (labels.min() < 0 or labels.max() > 9):
        raise DataError(
            f"{where}: labels run from {labels.min()} to {labels.max()}; use CIFAR-10, 0 to 9"
        )
    return Labelled(images=images, labels=labels.astype(np.int64))


def load_cifar10(
    folder: Path, split: Split, *, cache: Path | None = DEFAULT_CACHE, whole: bool = True
) -> Labelled:
    """All images of a split, from the first layout found in `folder`.

    Args:
        folder: Parquet shards (columns img or image, label), the binary or the Python version
            of the original, as archive or extracted, or PNG files as SPLIT/CLASS/*.png.
        split: "train" or "test".
        cache: where decoded arrays are kept; None for nowhere.
        whole: require the 50,000 or 10,000 images of CIFAR-10.

    Raises:
        DataError: if there is no data set, or one that is corrupt or incomplete.
    """
    files, read = _find(folder, split)
    cached = cache / f"cifar10-{split}-{_key(files)}.npz" if cache else None
    if cached and cached.exists():
        try:
            arrays = read_npz(cached)
            return checked(arrays["images"], arrays["labels"], str(cached))
        except (DataError, KeyError):
            cached.unlink(missing_ok=True)
    parts = [read(path) for path in files]
    data = Labelled(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
    )
    if whole and len(data) != _COUNT[split]:
        raise DataError(
            f"{folder}: {len(data):,} {split} images instead of {_COUNT[split]:,}; "
            "a file is missing or is not CIFAR-10's: fetch the data set again"
        )
    if cached:
        write_npz(cached, {"images": data.images, "labels": data.labels})
    return data


def test100(path: Path) -> Labelled:
    """The hundred test images of the zoo, ten of each class in the order of the classes.

    Raises DataError where the file has others.
    """
    arrays = read_npz(path)
    if not {"images", "labels"} <= set(arrays):
        raise DataError(f"{path}: no images and labels in it; restore the file")
    return checked(arrays["images"], arrays["labels"], str(path))


def _key(files: Iterable[Path]) -> str:
    facts = [
        (path.parent.name, path.name, path.stat().st_size, path.stat().st_mtime_ns)
        for path in files
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def _find(folder: Path, split: Split) -> tuple[list[Path], Callable[[Path], Labelled]]:
    """Files of the split and the function that reads each of them."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder, so no CIFAR-10; {_WHAT_WORKS}")
    shards = sorted(folder.glob(f"{split}*.parquet"))
    if shards:
        return shards, _read_parquet
    for place in (folder, folder / "cifar-10-batches-bin", folder / "cifar-10-batches-py"):
        for suffix, read in ((".bin", _read_binary), ("", _read_pickle)):
            paths = [place / f"{name}{suffix}" for name in _BATCHES[split]]
            if all(path.is_file() for path in paths):
                return paths, read
    for name, suffix, parse in (
        ("cifar-10-binary.tar.gz", ".bin", _parse_binary),
        ("cifar-10-python.tar.gz", "", _parse_pickle),
    ):
        if (folder / name).is_file():
            members = [f"{batch}{suffix}" for batch in _BATCHES[split]]
            return [folder / name], partial(_read_archive, members=members, parse=parse)
    pictures = _pictures(folder / split)
    if pictures:
        return pictures, _read_picture
    raise DataError(f"{folder}: no CIFAR-10 {split} images found; {_WHAT_WORKS}")


def _pictures(folder: Path) -> list[Path]:
    """The PNG files of the class folders in `folder`, sorted."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    for path in classes:
        if path.name not in CLASSES:
            raise DataError(f"{path}: not a class of CIFAR-10; use {', '.join(CLASSES)}")
    return [picture for path in classes for picture in sorted(path.glob("*.png"))]


def _read_picture(path: Path) -> Labelled:
    image = _decode(path.read_bytes(), str(path))
    return checked(image[None], np.array([CLASSES.index(path.parent.name)]), str(path))


def _read_parquet(path: Path) -> Labelled:
    try:
        table = pyarrow.parquet.read_table(path)
        names = set(table.column_names)
        column = "img" if "img" in names else "image"
        if not {column, "label"} <= names:
            raise DataError(
                f"{path}: columns {', '.join(sorted(names))}; use a file with img and label"
            )
        labels = np.asarray(table.column("label").to_numpy())
        pictures = [item["bytes"] for item in table.column(column).to_pylist()]
    except (OSError, pyarrow.ArrowException, TypeError, KeyError) as error:
        raise DataError(f"{path}: not a readable parquet file ({error}); fetch it again") from error
    images = np.empty((len(pictures), 32, 32, 3), np.uint8)
    for index, picture in enumerate(pictures):
        images[index] = _decode(picture, f"{path}, row {index}")
    return checked(images, labels, str(path))


def _decode(picture: bytes, where: str) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(picture), formats=("PNG",)) as image:
            if image.size != (32, 32):
                raise DataError(f"{where}: the image is {image.size}; use CIFAR-10, 32x32")
            return np.asarray(image.convert("RGB"), np.uint8)
    except (UnidentifiedImageError, OSError, SyntaxError, TypeError, ValueError) as error:
        raise DataError(f"{where}: not a readable PNG ({error}); fetch the file again") from error


def _read_binary(path: Path) -> Labelled:
    return _parse_binary(path.read_bytes(), str(path))


def _parse_binary(raw: bytes, where: str) -> Labelled:
    if not raw or len(raw) % _ROW:
        raise DataError(
            f"{where}: {len(raw):,} bytes are not a multiple of {_ROW:,}; fetch the file again"
        )
    rows = np.frombuffer(raw, np.uint8).reshape(-1, _ROW)
    return checked(_from_planes(rows[:, 1:]), rows[:, 0], where)


def _from_planes(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


class _ArrayUnpickler(pickle.Unpickler):
    """Builds NumPy arrays and plain containers; refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.zeros(0).__reduce__()[0]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not part of CIFAR-10")


def _read_pickle(path: Path) -> Labelled:
    return _parse_pickle(path.read_bytes(), str(path))


def _parse_pickle(raw: bytes, where: str) -> Labelled:
    try:
        batch = _ArrayUnpickler(io.BytesIO(raw), encoding="bytes").load()
        rows = np.asarray(batch[b"data"])
        labels = np.asarray(batch[b"labels"])
    # A corrupt pickle raises what the operation it stumbles over raises.
    except Exception as error:
        raise DataError(
            f"{where}: not a batch of CIFAR-10 ({error}); fetch the file again"
        ) from error
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != _ROW - 1:
        raise DataError(f"{where}: data is {rows.dtype} {rows.shape}; fetch the file again")
    return checked(_from_planes(rows), labels, where)


def _read_archive(
    path: Path, members: list[str], parse: Callable[[bytes, str], Labelled]
) -> Labelled:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                name = Path(member.name).name
                if name in members and member.isfile() and member.size <= 64 * 2**20:
                    file = archive.extractfile(member)
                    found[name] = file.read() if file else b""
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(f"{path}: not a readable archive ({error}); fetch it again") from error
    missing = [name for name in members if name not in found]
    if missing:
        raise DataError(f"{path}: {', '.join(missing)} missing in it; fetch it again")
    parts = [parse(found[name], f"{path}: {name}") for name in members]
    return Labelled(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
    )
