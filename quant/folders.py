"""Data sets as folders of pictures: train/CLASS/* and test/CLASS/*, PNG or JPEG.

val/CLASS/* are validation images, where there are some. Hidden files and those that file managers
leave are passed over; anything else that is no picture is refused by its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headrace.names import identifier, printable
from quant.dataset import Parts, Shape, class_names, digest, task_of
from quant.errors import CheckpointError, DataError
from quant.files import read_json, read_npz, write_json, write_npz
from quant.pictures import SUFFIXES, decode, look, room

PARTS = ("train", "val", "test")
_LEFT_BEHIND = ("thumbs.db", "desktop.ini")  # by file managers
_NAMED = 3  # folders that a message names


def is_layout(folder: Path) -> bool:
    """Whether a folder has this layout."""
    return any((folder / part).is_dir() for part in ("train", "test"))


def need_no_classes(folder: Path) -> None:
    """Raise DataError for a folder that has the classes in it without train, which is common."""
    places = [path for path in _entries(folder) if path.is_dir()] if folder.is_dir() else []
    names = [
        printable(path.name, most=40)
        for path in places
        if any(file.suffix.lower() in SUFFIXES for file in path.iterdir())
    ]
    if names:
        more = ", ..." if len(names) > _NAMED else ""
        raise DataError(
            f"{_shown(folder)}: pictures lie in {', '.join(names[:_NAMED])}{more} itself; move "
            f"these folders into {_shown(folder)}/train: without a folder test, a fifth of the "
            "pictures is set aside for testing"
        )


def read(
    folder: Path, size: tuple[int, int] | None, channels: int | None, cache: Path | None
) -> Parts:
    """What a folder holds.

    Args:
        folder: with train/CLASS/*, test/CLASS/* or both.
        size: height and width that pictures are cut and scaled to; None: all must have one.
        channels: 1 or 3; None for 1 where all pictures are grey.
        cache: where decoded images are kept; None for nowhere.

    Raises:
        DataError: for what cannot be used, by name.
    """
    found = {part: _classes(folder / part) for part in PARTS if (folder / part).is_dir()}
    names = _order(name for part in found.values() for name in part)
    shown = class_names(names, str(folder))
    paths = {
        part: [(path, label) for label, name in enumerate(names) for path in part_of.get(name, [])]
        for part, part_of in found.items()
    }
    facts = _facts(path for part in paths.values() for path, _ in part)
    key = f"{identifier(folder.resolve().name)}-{digest(facts)}"
    shape = _shape(folder, paths, size, channels, cache and cache / f"{key}.json")
    labels = {part: np.array([n for _, n in each], np.int64) for part, each in paths.items()}

    def load(part: str, which: NDArray[np.int64]) -> NDArray[np.uint8]:
        store = cache and cache / f"{key}-{part}-{'x'.join(map(str, shape))}.npz"
        return _decoded([path for path, _ in paths[part]], shape, store)[which]

    task = task_of(identifier(folder.resolve().name), shape, shown)
    files = digest(fact[:-1] for fact in facts)
    return Parts(where=_shown(folder), files=files, task=task, labels=labels, load=load)


def _order(names: Iterable[str]) -> list[str]:
    """Names in order: numbers as numbers, so that 10 comes after 9, all others as text."""
    names = set(names)
    if all(name.isascii() and name.isdigit() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _shown(path: Path) -> str:
    return printable(str(path))


def _hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in _LEFT_BEHIND


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not _hidden(path))
    except OSError as error:
        raise DataError(
            f"{_shown(folder)}: not readable ({error.strerror}); give access to it"
        ) from error


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The pictures of each class folder in a part's folder, sorted."""
    found = {}
    for path in _entries(folder):
        if not path.is_dir():
            raise DataError(
                f"{_shown(path)}: no folder of a class; put pictures into "
                f"{_shown(folder)}/CLASS, and leave anything else out"
            )
        found[path.name] = _pictures(path)
    return {name: pictures for name, pictures in found.items() if pictures}


def _pictures(folder: Path) -> list[Path]:
    found = _entries(folder)
    for path in found:
        if path.is_dir():
            raise DataError(
                f"{_shown(path)}: a folder within a class; put its pictures into "
                f"{_shown(folder)} itself"
            )
        if path.suffix.lower() not in SUFFIXES:
            raise DataError(
                f"{_shown(path)}: no picture by its name; use {', '.join(SUFFIXES)}, or take it out"
            )
    return found


def _facts(paths: Iterable[Path]) -> list[tuple[tuple[str, ...], int, int]]:
    """Name, size and time of each file as it is now."""
    facts = []
    for path in paths:
        try:
            facts.append((path.parts[-3:], path.stat().st_size, path.stat().st_mtime_ns))
        except OSError as error:
            raise DataError(
                f"{_shown(path)}: not readable ({error.strerror}); mend the link, or take it out"
            ) from error
    return facts


def _shape(
    folder: Path,
    paths: dict[str, list[tuple[Path, int]]],
    size: tuple[int, int] | None,
    channels: int | None,
    store: Path | None,
) -> Shape:
    """The shape of the images: what is asked for, else what all pictures have in common."""
    if size is not None and channels is not None:
        return (*size, channels)
    shapes = _looked(store, [path for part in paths.values() for path, _ in part])
    channels = channels or max((shape[2] for shape in shapes.values()), default=1)
    if size is not None:
        return (*size, channels)
    counted = Counter(shape[:2] for shape in shapes.values()).most_common()
    if not counted:
        raise DataError(f"{_shown(folder)}: no pictures; put PNG or JPEG into train/CLASS")
    (height, width), count = counted[0]
    if len(counted) > 1:
        other, (h, w, _) = next((p, s) for p, s in shapes.items() if s[:2] != (height, width))
        raise DataError(
            f"{_shown(other)}: a picture of {h}x{w} pixels (height x width), but {count:,} of "
            f"{len(shapes):,} are of {height}x{width}; add --image-size {height}x{width}, or "
            "another size, to which all are cut and scaled"
        )
    return height, width, channels


def _looked(store: Path | None, paths: list[Path]) -> dict[Path, Shape]:
    """The shape of each picture, kept in `store` since thousands of files are opened for it."""
    if store is not None and store.exists():
        try:
            kept = [(int(h), int(w), int(c)) for h, w, c in read_json(store)["shapes"]]
            return dict(zip(paths, kept, strict=True))
        except (CheckpointError, KeyError, TypeError, ValueError):
            store.unlink(missing_ok=True)
    shapes, wrong = {}, []
    for path in paths:
        try:
            shapes[path] = look(path, _shown(path))
        except DataError as error:
            wrong.append(error)
    _refuse(wrong)
    if store is not None:
        write_json(store, {"shapes": [shapes[path] for path in paths]})
    return shapes


def _decoded(paths: list[Path], shape: Shape, store: Path | None) -> NDArray[np.uint8]:
    """All pictures of a part, uint8 (N, H, W, C)."""
    if store is not None and store.exists():
        try:
            images = read_npz(store)["images"]
            if images.dtype == np.uint8 and images.shape == (len(paths), *shape):
                return images
        except (DataError, KeyError):
            pass
        store.unlink(missing_ok=True)
    if paths:
        room(len(paths), shape, _shown(paths[0].parents[1]))
    images, wrong = np.empty((len(paths), *shape), np.uint8), []
    for number, path in enumerate(paths):
        try:
            images[number] = decode(path, _shown(path), shape)
        except DataError as error:
            wrong.append(error)
    _refuse(wrong)
    if store is not None:
        write_npz(store, {"images": images})
    return images


def _refuse(wrong: list[DataError]) -> None:
    """Raise for files that cannot be read, all of them at once."""
    if wrong:
        more = f" (and {len(wrong) - 1:,} more such files)" if len(wrong) > 1 else ""
        raise DataError(f"{wrong[0]}{more}")
