"""Small data for the tests of quant."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from quant.data import Labelled, load_cifar10
from quant.zoo import Trained, load_trained

# The tests are no package: make the module beside this file importable.
_spec = importlib.util.spec_from_file_location(
    "trainings", Path(__file__).with_name("trainings.py")
)
assert _spec is not None and _spec.loader is not None
sys.modules["trainings"] = _made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_made)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def images() -> Labelled:
    draw = np.random.default_rng(0)
    return Labelled(
        images=draw.integers(0, 256, (80, 32, 32, 3), np.uint8),
        labels=draw.integers(0, 10, 80, np.int64),
    )


@pytest.fixture(scope="session")
def arch1() -> Trained:
    return load_trained("arch1_w2a2")


@pytest.fixture(scope="session")
def test_set(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    return load_cifar10(data_folder, "test", cache=tmp_path_factory.mktemp("cache"))
