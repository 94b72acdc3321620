"""Images to run: CIFAR-10's test set from its files, vectors of the build, anyone's pictures."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

import numpy as np

from .errors import ImagesError, PictureError
from .manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

CIFAR_SHAPE = (32, 32, 3)
_ROW = 3073  # a label, then the planes of red, green and blue
_FILES = ("test_batch.bin", "test_batch")
_FOLDERS = ("", "cifar-10-batches-bin", "cifar-10-batches-py")


def labelled(
    manifest: Manifest, data: Path | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None, str]:
    """Images (N, H, W, C), their true classes (N,) or None where unknown, and where they are from.

    data: folder with CIFAR-10's test set, its binary or its Python version; None: the vectors that
    came with the build. Raises ImagesError where there is none, or it is not for this model.
    """
    if data is None:
        vectors = manifest.golden()
        return vectors["images"], vectors.get("truth"), "vectors of the build"
    if manifest.shape != CIFAR_SHAPE or len(manifest.classes) != 10:
        raise ImagesError(f"{manifest.model} is not for CIFAR-10: leave --data out")
    for folder in _FOLDERS:
        for name in _FILES:
            path = data / folder / name
            if path.is_file():
                images, labels = _binary(path) if path.suffix == ".bin" else _python(path)
                if len(images) != len(labels) or not np.isin(labels, np.arange(10)).all():
                    raise ImagesError(
                        f"{path}: not a label from 0 to 9 for each of {len(images):,} images; "
                        "unpack it again"
                    )
                return images, labels, "CIFAR-10 test set"
    raise ImagesError(
        f"{data}: neither {_FILES[0]} nor {_FILES[1]} in it; unpack CIFAR-10's binary or Python "
        "version there (cs.toronto.edu/~kriz/cifar.html)"
    )


def _binary(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    raw = np.fromfile(str(path), np.uint8)
    if not raw.size or raw.size % _ROW:
        raise ImagesError(f"{path}: {raw.size} bytes are no multiple of {_ROW}; unpack it again")
    rows = raw.reshape(-1, _ROW)
    return _planes(rows[:, 1:]), rows[:, 0].astype(np.int64)


class _ArrayUnpickler(pickle.Unpickler):
    """Builds NumPy arrays and plain containers; refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.zeros(0).__reduce__()[0]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not part of CIFAR-10")


def _python(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    try:
        with path.open("rb") as file:
            batch = _ArrayUnpickler(file, encoding="bytes").load()
        rows = np.asarray(batch[b"data"], np.uint8).reshape(-1, _ROW - 1)
        labels = np.asarray(batch[b"labels"], np.int64)
    # A corrupt pickle may raise the error of any operation in it.
    except Exception as error:
        raise ImagesError(f"{path}: not a batch of CIFAR-10 ({error}); unpack it again") from error
    return _planes(rows), labels


def _planes(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def read(paths: Sequence[Path], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Pictures of any size, cut to the middle and scaled to (H, W, C). Raises PictureError."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise PictureError(f"pictures need Pillow ({error}); python3 -m pip install pillow") from (
            error
        )
    height, width, channels = shape
    if channels not in (1, 3):
        raise PictureError(f"the model takes {channels} channels; pictures have 1 or 3")
    found: list[NDArray[np.uint8]] = []
    for path in paths:
        try:
            with Image.open(path) as picture:
                plain = picture.convert("RGB" if channels == 3 else "L")
                fitted = ImageOps.fit(plain, (width, height))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise PictureError(
                f"{path}: not a picture that Pillow reads ({error}); use PNG or JPEG"
            ) from error
        found.append(np.asarray(fitted, np.uint8).reshape(shape))
    return np.stack(found)
