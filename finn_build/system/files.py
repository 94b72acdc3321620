"""Write files whose bytes depend on their contents alone."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def save_npz(path: Path, **arrays: NDArray[Any]) -> None:
    """Write arrays as a compressed .npz without the time stamps that NumPy puts there."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), 8, 1)


def save_json(path: Path, value: Any) -> None:
    """Write indented JSON with a final newline."""
    path.write_text(json.dumps(value, indent=2) + "\n")


def load_json(path: Path) -> Any:
    """Read a JSON file. Raises OSError or ValueError for what is none."""
    return parse_json(path.read_text())


def parse_json(text: str) -> Any:
    """Read a JSON text from outside. Raises ValueError for what is none, however deep it is."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def identity(path: Path, *, deep: int = 0) -> list[tuple[str, int, int]]:
    """Names, sizes and times of a folder's files, or of one file: they change when it does.

    deep: how many levels of folders in it count with their files; a folder's own time says nothing
    of files that are written anew. Of a link that leads nowhere the link itself counts: whoever
    reads it says what is wrong.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []
    stats = [(f.name, f.stat() if f.exists() else f.lstat()) for f in files]
    found = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    for folder in (f for f in files if deep and f.is_dir()):
        inside = identity(folder, deep=deep - 1)
        found += [(f"{folder.name}/{name}", size, time) for name, size, time in inside]
    return found


def relative(path: Path, folder: Path) -> str:
    """A path as a program in `folder` calls it: relative, with names that headrace chose.

    The folders above, whose names may have any characters, are not in it.
    """
    return os.path.relpath(path.resolve(), folder.resolve())


def user_cache() -> Path:
    """The folder in which this user's programs keep what they can make again."""
    stated = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (stated if stated.is_absolute() else Path.home() / ".cache") / "headrace"
