"""Two data sets that the tests make on the spot: handwritten digits, and drawn shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

SHAPES = ("circle", "cross", "square")


def digits(path: Path) -> Path:
    """The 1,797 digits of scikit-learn, 8 x 8 pixels in grey, as an .npz file."""
    datasets = pytest.importorskip("sklearn.datasets")
    found = datasets.load_digits()
    images = (found.images * 255 / 16).round().astype(np.uint8)
    cut = 1400
    np.savez(
        path,
        train_images=images[:cut],
        train_labels=found.target[:cut],
        test_images=images[cut:],
        test_labels=found.target[cut:],
        classes=np.array([f"digit {n}" for n in range(10)]),
    )
    return path


def shapes(
    folder: Path,
    counts: dict[str, int],
    *,
    classes: tuple[str, ...] = SHAPES,
    size: tuple[int, int] = (48, 64),
    mode: str = "L",
) -> Path:
    """Folders of drawn shapes, grey unless mode is RGB; counts: pictures of each class by split.

    classes: what the folders of circles, crosses and squares are called; size: height and width.
    """
    draw = np.random.default_rng(2)
    for split, count in counts.items():
        for kind, name in zip(SHAPES, classes, strict=True):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                _shape(kind, draw, size).convert(mode).save(
                    folder / split / name / f"{number:03}.png"
                )
    return folder


def _shape(kind: str, draw: np.random.Generator, extent: tuple[int, int]) -> Image.Image:
    height, width = extent
    image = Image.new("L", (width, height), int(draw.integers(0, 60)))
    pen, size = ImageDraw.Draw(image), int(draw.integers(8, 14))
    x, y = int(draw.integers(size, width - size)), int(draw.integers(size, height - size))
    ink, box = int(draw.integers(160, 256)), (x - size, y - size, x + size, y + size)
    if kind == "circle":
        pen.ellipse(box, outline=ink, width=3)
    elif kind == "square":
        pen.rectangle(box, outline=ink, width=3)
    else:
        pen.line((*box[:2], *box[2:]), fill=ink, width=3)
        pen.line((box[0], box[3], box[2], box[1]), fill=ink, width=3)
    return image
