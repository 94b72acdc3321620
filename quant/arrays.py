"""Data sets as arrays in one .npz file.

train_images, test_images: uint8 (N, H, W), (N, H, W, 1) or (N, H, W, 3); train_labels, test_labels:
integers from 0, or names, (N,) or (N, 1); classes: their names, if any; val_images, val_labels:
validation images, if any. x_train, y_train, x_test, y_test are names of the same.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headrace.names import identifier, printable
from quant.dataset import Parts, class_names, digest, task_of
from quant.errors import DataError
from quant.files import read_npz
from quant.pictures import reshaped, room

PARTS = ("train", "val", "test")
_OTHER = {  # names of other libraries' files
    **{
        f"{kind}_{part}": f"{part}_{whole}"
        for part in PARTS
        for kind, whole in (("x", "images"), ("y", "labels"))
    },
    "class_names": "classes",
}
_NAMES = "train_images, train_labels, test_images and test_labels"
Arrays = dict[str, NDArray[Any]]


def read(path: Path, size: tuple[int, int] | None, channels: int | None) -> Parts:
    """What a file holds; images of another size are cut to the middle and scaled.

    Args:
        path: .npz file.
        size: height and width that images are cut and scaled to; None: as they are.
        channels: 1 or 3; None: as they are.

    Raises:
        DataError: for what cannot be used, by the name of the array.
    """
    where = printable(str(path))
    arrays = {_OTHER.get(name, name): array for name, array in read_npz(path).items()}
    parts = [part for part in PARTS if f"{part}_images" in arrays]
    if not {"train", "test"} & set(parts):
        held = ", ".join(printable(name, most=40) for name in sorted(arrays)) or "nothing"
        raise DataError(f"{where}: has {held}; use {_NAMES}")
    images = {part: _images(arrays[f"{part}_images"], f"{where}, {part}_images") for part in parts}
    names, labels = _labels(arrays, images, where)
    shapes = {part: array.shape[1:] for part, array in images.items() if len(array)}
    shape = next(iter(shapes.values()), (1, 1, 1))
    if size is None and len(set(shapes.values())) > 1:
        said = ", ".join(f"{part} {'x'.join(map(str, s))}" for part, s in shapes.items())
        raise DataError(f"{where}: images of several shapes: {said}; add --image-size HxW")
    wanted = (*(size or shape[:2]), channels or max((s[2] for s in shapes.values()), default=1))

    def load(part: str, which: NDArray[np.int64]) -> NDArray[np.uint8]:
        if images[part].shape[1:] != wanted:
            room(len(which), wanted, where)
        return reshaped(images[part][which], wanted)

    task = task_of(identifier(path.stem), wanted, names)
    # Arrays without compression have the same size whatever they hold.
    files = digest([(path.name, hashlib.sha256(path.read_bytes()).hexdigest())])
    return Parts(where=where, files=files, task=task, labels=labels, load=load)


def _images(array: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """Images with channels last."""
    if array.dtype != np.uint8:
        raise DataError(
            f"{where}: values of type {array.dtype}; use uint8 from 0 to 255: for pixels from 0 to "
            "1, (x * 255).round().astype('uint8')"
        )
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in (1, 3) or 0 in array.shape[1:]:
        first = array.ndim == 4 and array.shape[1] in (1, 3)
        hint = "channels last: x.transpose(0, 2, 3, 1)" if first else "uint8 (N, H, W, 1 or 3)"
        raise DataError(f"{where}: an array of shape {array.shape}; use {hint}")
    return array


def _labels(
    arrays: Arrays, images: dict[str, NDArray[np.uint8]], where: str
) -> tuple[tuple[str, ...], dict[str, NDArray[np.int64]]]:
    """Names of the classes, and the labels of each part."""
    found = {part: _column(arrays, part, len(images[part]), where) for part in images}
    kinds = {array.dtype.kind for array in found.values() if len(array)}
    if not kinds <= set("iu") and not kinds <= set("U"):
        raise DataError(f"{where}: labels are neither integers nor names; use integers from 0")
    given = arrays.get("classes")
    if given is not None and (given.ndim != 1 or given.dtype.kind != "U"):
        raise DataError(
            f"{where}, classes: {given.dtype} {given.shape}; use one name for each class, in the "
            "order of the labels"
        )
    if kinds == {"U"}:
        names = [*given] if given is not None else sorted({*np.concatenate([*found.values()])})
        number = {name: n for n, name in enumerate(names)}
        unknown = [name for array in found.values() for name in array if name not in number]
        if unknown:
            raise DataError(f"{where}: label {printable(repr(unknown[0]))} is not one of classes")
        labels = {p: np.array([number[n] for n in a], np.int64) for p, a in found.items()}
        return class_names([str(name) for name in names], where), labels
    labels = {part: array.astype(np.int64) for part, array in found.items()}
    low = min((int(a.min()) for a in labels.values() if len(a)), default=0)
    high = max((int(a.max()) for a in labels.values() if len(a)), default=-1)
    count = high + 1 if given is None else len(given)
    if given is None and count > sum(map(len, labels.values())):
        raise DataError(
            f"{where}: labels up to {high}, more classes than images; number the classes from 0, "
            "or add classes, their names"
        )
    if low < 0 or high >= count:
        raise DataError(f"{where}: labels from {low} to {high}; use 0 to {max(count - 1, 0)}")
    names = [str(n) for n in range(count)] if given is None else [str(name) for name in given]
    return class_names(names, where), labels


def _column(arrays: Arrays, part: str, count: int, where: str) -> NDArray[Any]:
    """The labels of a part as they lie there, one for each image."""
    name = f"{part}_labels"
    if name not in arrays:
        raise DataError(f"{where}: {part}_images without {name}; use {_NAMES}")
    labels = arrays[name]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise DataError(
            f"{where}, {name}: shape {labels.shape} for {count:,} images; use one label for each"
        )
    return labels
