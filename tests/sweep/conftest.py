"""A tiny sweep: the smallest network, a hundred made-up images, seconds in all."""

from __future__ import annotations

import numpy as np
import pytest
import torch

_TOML = """
[space]
networks = ["tiny"]
seeds = [1, 2]
[space.bits]
weights = [1, 2]
[space.pruning]
iterations = [0, 2]
share = 0.3
block = 2
[training]
images = 60
test_images = 20
held_out = 20
float_epochs = 1
pruned_epochs = 1
rungs = [1, 1]
batch = 20
[search]
builds = 0
[engine]
compiled = false
device = "cpu"
"""


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """CIFAR-10's binary version with 20 images a file; a class has its own brightness."""
    folder = tmp_path_factory.mktemp("cifar10")
    draw = np.random.default_rng(0)
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        labels = np.arange(20, dtype=np.uint8)[:, None] % 10
        pixels = (draw.integers(0, 60, (20, 3072)) + 18 * labels).astype(np.uint8)
        (folder / f"{name}.bin").write_bytes(np.hstack([labels, pixels]).tobytes())
    return folder


@pytest.fixture
def write(tmp_path):
    """Write the tiny sweep.toml, with texts replaced."""

    def write_(*changes, name="tiny"):
        text = _TOML
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        return path

    return write_
