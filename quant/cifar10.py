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
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from quant.dataset import CIFAR10, Labelled, Split, checked
from quant.errors import DataError
from quant.files import read_npz, write_npz
from quant.pictures import decode, look
from quant.places import DEFAULT_CACHE

CLASSES = CIFAR10.classes
_COUNT = {"train": 50_000, "test": 10_000}
_BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
_ROW = 1 + 3 * 32 * 32
WHAT_WORKS = (
    "put train/CLASS/* and test/CLASS/* of PNG or JPEG there, or CIFAR-10 as train-*.parquet and "
    "test-*.parquet, cifar-10-binary.tar.gz or cifar-10-python.tar.gz, which `./build.sh download` "
    "fetches, or name another folder or an .npz file with --data"
)


def load_cifar10(
    folder: Path, split: Split, *, cache: Path | None = DEFAULT_CACHE, whole: bool = True
) -> Labelled:
    """All images of a split, from the first layout found in `folder`.

    Args:
        folder: Parquet shards (columns img or image, label), the binary or the Python version
            of the original, as archive or extracted.
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
            return checked(arrays["images"], arrays["labels"], str(cached), CIFAR10)
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


def _key(files: Iterable[Path]) -> str:
    facts = [
        (path.parent.name, path.name, path.stat().st_size, path.stat().st_mtime_ns)
        for path in files
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def find(folder: Path) -> None:
    """Raise DataError for a folder without any images of CIFAR-10; says what would work."""
    try:
        _find(folder, "train")
    except DataError:
        _find(folder, "test")


def _find(folder: Path, split: Split) -> tuple[list[Path], Callable[[Path], Labelled]]:
    """Files of the split and the function that reads each of them."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder, so no images; {WHAT_WORKS}")
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
    raise DataError(f"{folder}: no {split} images found; {WHAT_WORKS}")


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
    return checked(images, labels, str(path), CIFAR10)


def _decode(picture: Any, where: str) -> NDArray[np.uint8]:
    if not isinstance(picture, bytes):
        raise DataError(f"{where}: no picture; fetch the file again")
    if (size := look(picture, where)[:2]) != CIFAR10.shape[:2]:
        raise DataError(f"{where}: a picture of {size[0]}x{size[1]} pixels; use CIFAR-10, 32x32")
    return decode(picture, where, CIFAR10.shape)


def _read_binary(path: Path) -> Labelled:
    return _parse_binary(path.read_bytes(), str(path))


def _parse_binary(raw: bytes, where: str) -> Labelled:
    if not raw or len(raw) % _ROW:
        raise DataError(
            f"{where}: {len(raw):,} bytes are not a multiple of {_ROW:,}; fetch the file again"
        )
    rows = np.frombuffer(raw, np.uint8).reshape(-1, _ROW)
    return checked(_from_planes(rows[:, 1:]), rows[:, 0], where, CIFAR10)


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
    return checked(_from_planes(rows), labels, where, CIFAR10)


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
