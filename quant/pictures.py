"""Pictures of any size and mode as arrays: upright, 8 bits, grey or red, green and blue.

What is done to a picture here is done to it on the board as well (finn_build/driver/pictures.py).
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image, ImageOps

from headrace.names import printable
from quant.dataset import Shape
from quant.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg")
_FORMATS = ("PNG", "JPEG")
_ORIENTATION = 0x0112  # of EXIF
_GREY = ("1", "L", "LA", "La", "I")


@contextmanager
def _opened(source: Path | bytes, where: str) -> Iterator[Image.Image]:
    """An open picture. Raises DataError for what is none, also while it is used."""
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
        if not data:
            raise DataError(f"{where}: an empty file; copy the picture again, or leave it out")
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            yield image
    except DataError:
        raise
    # A corrupt picture raises what the decoder stumbles over.
    except Exception as error:
        said = printable(str(error).replace(repr(io.BytesIO), "it"), most=120)
        if "cannot identify" in said:
            said = "neither PNG nor JPEG"
        raise DataError(
            f"{where}: not a readable picture ({said}); save it as PNG or JPEG, or leave it out"
        ) from error


def room(count: int, shape: Shape, where: str) -> None:
    """Raise DataError if so many images are more than half of the memory that is free."""
    wanted, free = count * math.prod(shape), psutil.virtual_memory().available
    if 2 * wanted > free:
        height, width, channels = shape
        raise DataError(
            f"{where}: {count:,} images of {height}x{width}x{channels} take {wanted / 1e9:,.1f} GB "
            f"twice, and {free / 1e9:,.1f} GB are free; use a smaller --image-size or fewer images"
        )


def look(source: Path | bytes, where: str) -> Shape:
    """Height, width and channels of a picture as it is shown, from its head alone.

    Raises:
        DataError: if it is no picture; names `where`.
    """
    with _opened(source, where) as image:
        width, height = image.size
        if image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8):
            width, height = height, width
        grey = image.mode in _GREY or image.mode.startswith("I;16")
        return height, width, 1 if grey else 3


def decode(source: Path | bytes, where: str, shape: Shape) -> NDArray[np.uint8]:
    """A picture, uint8 `shape`; one of another size is cut to the middle and scaled.

    Raises:
        DataError: if it is no picture; names `where`.
    """
    with _opened(source, where) as image:
        return fitted(plain(image, shape[2]), shape)


def plain(image: Image.Image, channels: int) -> Image.Image:
    """A picture as it is shown, upright, on black where it is transparent, in 8 bits.

    channels: 1 for grey, 3 for red, green and blue.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits, of which Pillow would cut off the upper ones
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return image.convert("RGB" if channels == 3 else "L")


def fitted(image: Image.Image, shape: Shape) -> NDArray[np.uint8]:
    """A plain picture, uint8 `shape`; one of another size is cut to the middle and scaled."""
    height, width, _ = shape
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height))
    return np.asarray(image, np.uint8).reshape(shape)


def reshaped(images: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
    """Images (N, H, W, C) in another size or number of channels, as pictures of them would be."""
    if images.shape[1:] == shape:
        return images
    squeezed = images[..., 0] if images.shape[3] == 1 else images
    made = [fitted(plain(Image.fromarray(image), shape[2]), shape) for image in squeezed]
    return np.stack(made) if made else np.empty((0, *shape), np.uint8)
