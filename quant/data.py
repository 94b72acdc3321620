"""Data sets by their path: a folder of pictures, arrays in a file, or CIFAR-10 in any layout."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from headrace.names import printable
from quant import arrays, cifar10, folders
from quant.cifar10 import CLASSES as CLASSES
from quant.cifar10 import load_cifar10 as load_cifar10
from quant.config import Colour
from quant.dataset import CIFAR10 as CIFAR10
from quant.dataset import DataSet as DataSet
from quant.dataset import Labelled as Labelled
from quant.dataset import Split as Split
from quant.dataset import Task as Task
from quant.dataset import task_of as task_of
from quant.dataset import travelling as travelling
from quant.errors import ConfigError, DataError
from quant.pictures import reshaped
from quant.places import DEFAULT_CACHE as DEFAULT_CACHE
from quant.places import DEFAULT_DATA as DEFAULT_DATA

_CHANNELS = {"auto": None, "grey": 1, "rgb": 3}
_LARGEST = 4096  # pixels of a side


def image_size(text: str) -> tuple[int, int]:
    """Height and width of text such as 48x64.

    Raises:
        ConfigError: if it is no such text, or a side is not 1 to 4096.
    """
    match = re.fullmatch(r"(\d{1,5})[x, ](\d{1,5})", text.strip().lower())
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(1 <= side <= _LARGEST for side in size):
        raise ConfigError(
            f"--image-size {printable(text, most=40)}: use HEIGHTxWIDTH, as 48x64, each 1 to "
            f"{_LARGEST}"
        )
    return size


def open_data(
    path: Path,
    *,
    size: tuple[int, int] | None = None,
    colour: Colour = "auto",
    cache: Path | None = DEFAULT_CACHE,
    whole: bool = True,
) -> DataSet:
    """The data set at a path; its images are read when they are asked for.

    Args:
        path: a folder with train/CLASS/* and test/CLASS/* of PNG or JPEG, an .npz file of arrays
            (`quant.arrays`), or a folder with CIFAR-10 in any layout in which it is handed around.
        size: height and width that images are cut and scaled to; None: all must have one.
        colour: grey or rgb for all images; auto: grey where all are.
        cache: where decoded images are kept; None for nowhere.
        whole: require all images of CIFAR-10 where it is that.

    Raises:
        ConfigError: for another colour.
        DataError: if there is no data set, or one that cannot be used; names the file.
    """
    if colour not in get_args(Colour):
        raise ConfigError(f"--colour {colour}: use {', '.join(get_args(Colour))}")
    channels = _CHANNELS[colour]
    if path.is_file() and path.suffix != ".npz":
        raise DataError(f"{printable(str(path))}: a file; {cifar10.WHAT_WORKS}")
    if is_own(path):
        parts = (
            arrays.read(path, size, channels)
            if path.suffix == ".npz"
            else folders.read(path, size, channels, cache)
        )
        parts.check()
        return parts.dataset()
    return _cifar10(path, size, channels, cache, whole)


def is_own(path: Path) -> bool:
    """Whether a path is for a data set of one's own, and not for CIFAR-10."""
    return path.suffix == ".npz" or folders.is_layout(path)


def _cifar10(
    folder: Path,
    size: tuple[int, int] | None,
    channels: int | None,
    cache: Path | None,
    whole: bool,
) -> DataSet:
    """CIFAR-10, its images in another size or in grey if asked for."""
    shape = (*(size or CIFAR10.shape[:2]), channels or CIFAR10.shape[2])
    # A folder without it is refused now, not when its images are read.
    try:
        cifar10.find(folder)
    except DataError:
        folders.need_no_classes(folder)
        raise

    def read(split: Split) -> Labelled:
        found = load_cifar10(folder, split, cache=cache, whole=whole)
        return Labelled(images=reshaped(found.images, shape), labels=found.labels)

    return DataSet(task=task_of(CIFAR10.name, shape, CIFAR10.classes), read=read)
