"""Images to run: a test set from its files, vectors of the build, anyone's pictures."""

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
_SUFFIXES = (".png", ".jpg", ".jpeg")
_LONGEST = 64  # characters of a class's name


def labelled(
    manifest: Manifest, data: Path | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None, str]:
    """Images (N, H, W, C), their true classes (N,) or None where unknown, and where they are from.

    data: folder with test/CLASS/* of PNG or JPEG, an .npz file with test_images and test_labels, or
    a folder with CIFAR-10's test set, its binary or its Python version; None: the vectors that came
    with the build. Raises ImagesError where there is none, or it is not for this model.
    """
    if data is None:
        vectors = manifest.golden()
        return vectors["images"], vectors.get("truth"), "vectors of the build"
    if data.suffix == ".npz":
        return (*_arrays(data, manifest), "test set of " + data.name)
    if (data / "test").is_dir():
        return (*_folders(data / "test", manifest), "test set of " + data.resolve().name)
    if manifest.shape != CIFAR_SHAPE or len(manifest.classes) != 10:
        raise ImagesError(
            f"{manifest.model} is not for CIFAR-10: leave --data out, or name a "
            "folder with test/CLASS/* of pictures, or an .npz file"
        )
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
        f"{data}: neither {_FILES[0]} nor {_FILES[1]} in it, nor a folder test; unpack CIFAR-10's "
        "binary or Python version there (cs.toronto.edu/~kriz/cifar.html), or pictures as "
        "test/CLASS/*"
    )


def shown(name: str) -> str:
    """The name of a class as the build shows it: one line of at most 64 characters."""
    text = _printable(name.strip())
    return text.strip()


def _printable(text: str) -> str:
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    made = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
    return made if len(made) <= _LONGEST else made[: _LONGEST - 3] + "..."


def _numbers(names: Sequence[str], manifest: Manifest, where: Path) -> dict[str, int]:
    """The number of each class by the name that the data set has. Raises ImagesError."""
    known = {name: number for number, name in enumerate(manifest.classes)}
    lost = [name for name in names if shown(name) not in known]
    if lost:
        listed = ", ".join(manifest.classes[:10])
        raise ImagesError(
            f"{where}: {shown(lost[0])} is no class of {manifest.model}; it has {listed}"
            + (", ..." if len(manifest.classes) > 10 else "")
        )
    return {name: known[shown(name)] for name in names}


def _folders(folder: Path, manifest: Manifest) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures in a folder for each class; those that are hidden are passed over."""
    found = {
        place.name: sorted(
            path
            for path in place.iterdir()
            if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
        )
        for place in sorted(folder.iterdir())
        if place.is_dir() and not place.name.startswith(".")
    }
    found = {name: paths for name, paths in found.items() if paths}
    if not found:
        raise ImagesError(f"{folder}: no pictures in it; put PNG or JPEG into {folder}/CLASS")
    numbers = _numbers([*found], manifest, folder)
    images = read([path for paths in found.values() for path in paths], manifest.shape)
    labels = [numbers[name] for name, paths in found.items() for _ in paths]
    return images, np.array(labels, np.int64)


def _arrays(path: Path, manifest: Manifest) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Arrays of an .npz file, by our names or those of Keras."""
    try:
        with np.load(str(path), allow_pickle=False) as stored:
            held = {name: stored[name] for name in stored.files}
    # A corrupt file may raise what NumPy, zipfile or zlib stumble over.
    except Exception as error:
        raise ImagesError(f"{path}: not readable ({error}); name an .npz file") from error
    images = held.get("test_images", held.get("x_test"))
    labels = held.get("test_labels", held.get("y_test"))
    if images is None or labels is None:
        raise ImagesError(f"{path}: no test_images and test_labels in it; add them")
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.shape[1:] != manifest.shape:
        raise ImagesError(
            f"{path}: images {images.dtype} {images.shape}; {manifest.model} takes uint8 (N, "
            f"{', '.join(map(str, manifest.shape))})"
        )
    labels = labels.ravel()
    if len(labels) != len(images) or labels.dtype.kind not in "iuU":
        raise ImagesError(f"{path}: {labels.dtype} {labels.shape} are no labels of {len(images)}")
    classes = held.get("classes", held.get("class_names"))
    if labels.dtype.kind == "U":
        classes, labels = np.unique(labels, return_inverse=True)
    count = len(manifest.classes) if classes is None else len(classes)
    if len(labels) and (labels.min() < 0 or labels.max() >= count):
        raise ImagesError(
            f"{path}: labels from {labels.min()} to {labels.max()}; use 0 to {count - 1}"
        )
    if classes is None:
        return images, labels.astype(np.int64)
    names = [str(name) for name in classes]
    numbers = _numbers(names, manifest, path)
    return images, np.array([numbers[name] for name in names], np.int64)[labels]


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
    """Pictures of any size, cut to the middle and scaled to (H, W, C). Raises PictureError.

    What is done to them here was done to those that the model was trained on.
    """
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
                plain = _plain(picture, channels)
                if plain.size != (width, height):
                    plain = ImageOps.fit(plain, (width, height))
        # A corrupt picture raises what the decoder stumbles over.
        except Exception as error:
            raise PictureError(
                f"{path}: not a picture that Pillow reads ({error}); use PNG or JPEG"
            ) from error
        found.append(np.asarray(plain, np.uint8).reshape(shape))
    return np.stack(found)


def _plain(picture: Any, channels: int) -> Any:
    """A picture upright, on black where it is transparent, in 8 bits, grey or in colour."""
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):  # 16 bits, of which Pillow would cut off the upper ones
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, picture)
    return picture.convert("RGB" if channels == 3 else "L")
