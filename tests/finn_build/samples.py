"""Cases as files, and images on which they can be compared."""

from pathlib import Path

import numpy as np
from cases import CASES, PIXEL_MAX
from onnx import ModelProto

from finn_build import frontend
from finn_build.frontend import Reading
from finn_build.network.graph import Network

IMAGES = 100


def images_of(network: Network) -> np.ndarray:
    """Random, constant, gradient and smooth images (N, H, W, C)."""
    rand = np.random.default_rng(9)
    height, width, channels = network.height, network.width, network.channels
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j][:, None, :, :, None]
    mixed = rand.uniform(-1, 1, (2, 25, 1, 1, channels))
    slope = mixed[0] * rows + mixed[1] * columns
    grid = rand.uniform(0, 255, (25, 3, 3, channels))
    place = [np.linspace(0, 1.999, n) for n in (height, width)]
    low = [np.floor(p).astype(int) for p in place]
    smooth = np.zeros((25, height, width, channels))
    for dy in (0, 1):
        for dx in (0, 1):
            parts = [p - n for p, n in zip(place, low, strict=True)]
            wy, wx = (q if d else 1 - q for q, d in zip(parts, (dy, dx), strict=True))
            near = grid[:, low[0] + dy][:, :, low[1] + dx]
            smooth += near * wy[:, None, None] * wx[None, :, None]
    made = [
        rand.integers(0, 256, (40, height, width, channels)),
        np.broadcast_to(
            np.r_[0, 255, rand.integers(0, 256, 8)][:, None, None, None],
            (10, height, width, channels),
        ),
        127.5 * (1 + slope / np.abs(slope).max(axis=(1, 2, 3), keepdims=True)),
        smooth,
    ]
    images = np.concatenate([np.rint(m) for m in made]).astype(np.uint8)
    assert images.shape == (IMAGES, height, width, channels)
    return images


def write(name: str, folder: Path) -> Path:
    """A case as a file."""
    path = folder / f"{name}.onnx"
    path.write_bytes(CASES[name]().SerializeToString())
    return path


def load(name: str, folder: Path) -> tuple[ModelProto, Reading]:
    """The tidy graph of a case, and what was read from it."""
    graph = frontend.load(write(name, folder))
    if name in PIXEL_MAX:
        graph = frontend.scaled(graph, PIXEL_MAX[name])
    return graph, frontend.read(graph, name)
