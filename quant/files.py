"""Files that appear under their final name only when they are whole."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
from numpy.typing import NDArray
from torch import Tensor

from quant.errors import CheckpointError, DataError, WriteError


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of an OSError in the block that `path` is what could not be written.

    Raises:
        WriteError: with the system's reason, such as a full disk.
    """
    try:
        yield
    except OSError as error:
        raise WriteError(
            f"{path}: not written ({error.strerror or error}); make room or give access there, "
            "then use the same command again"
        ) from error


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds.

    Raises:
        WriteError: as `writing` does; the file that was there before is intact.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` as indented JSON, its keys in the given order."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON table.

    Raises:
        CheckpointError: if the file is missing or is not a JSON table.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: not found; a model is NAME.safetensors with NAME.json beside it"
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path}: not readable as JSON ({error}); restore it or train again"
        ) from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: not a JSON table; restore it or train again")
    return value


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as .npz; equal arrays give equal bytes."""
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            # A fixed date, where numpy.savez would put the present one.
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read every array of an .npz file; never runs code from it.

    Raises:
        DataError: if the file is missing or corrupt.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise DataError(f"{path}: not found; name an existing .npz file") from error
    # A corrupt file raises what NumPy, zipfile or zlib stumble over, MemoryError among it.
    except Exception as error:
        raise DataError(f"{path}: not a readable .npz file ({error}); make it again") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and text as one safetensors file, tensors in the order of their names."""
    whole = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    with whole_file(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(whole, dict(metadata)))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors, of any shapes, and text of a safetensors file, by their names.

    Raises:
        CheckpointError: if the file is missing or corrupt.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as archive:
            metadata = dict(archive.metadata() or {})
            return {name: archive.get_tensor(name) for name in archive.keys()}, metadata  # noqa: SIM118
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: not found; name an existing .safetensors file or train one"
        ) from error
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"{path}: not a readable safetensors file ({error}); restore it or train again"
        ) from error
