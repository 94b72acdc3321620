from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from finn_build.driver import Accelerator
from finn_build.simulator import board
from finn_build.system.files import load_json, save_json

Locked = Callable[[Path], AbstractContextManager[None]]


def load(name: str, path: Path) -> ModuleType:
    """Import a file as a module of this name."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# The tests are no package: make the builders beside this file importable.
builds = load("builds", Path(__file__).with_name("builds.py"))
plain = load("plain_pynq", Path(__file__).with_name("plain_pynq.py"))
load("pynq_sources", Path(__file__).with_name("pynq_sources.py"))


@pytest.fixture(scope="session")
def tiny() -> builds.Case:
    return builds.case(builds.TILE)


@pytest.fixture(scope="session")
def written(
    tiny: builds.Case, locked: Locked, run_id: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The deploy folder of the tiny network on the simulated board.

    The library reads its sources' folder: both stay, and one worker writes them for all.
    """
    folder, stamp = builds.BUILDS / "tiny", builds.BUILDS / "run"
    with locked(builds.BUILDS):
        if not stamp.exists() or stamp.read_text() != run_id:
            builds.build(tiny, folder)
            stamp.write_text(run_id)
        library = board.build(
            folder / "emit", builds.BUILDS / "model", log=builds.BUILDS / "verilator.log"
        )
    made = tmp_path_factory.mktemp("board") / "deploy"
    board.furnish(folder / "deploy", library, made)
    return made


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A simulated board that was just switched on, as `import pynq` finds it."""
    module = load("simulated_pynq", board.PYNQ / "pynq" / "__init__.py")
    monkeypatch.setitem(sys.modules, "pynq", module)
    return module


@pytest.fixture
def environment() -> dict[str, str]:
    """Where another process finds the simulated board as pynq."""
    return {**os.environ, "PYTHONPATH": str(board.PYNQ)}


@pytest.fixture(scope="session")
def odd() -> builds.Case:
    return builds.case(builds.ODD)


@pytest.fixture(scope="session")
def bare(odd: builds.Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deploy folder with a bitstream of no contents."""
    folder = tmp_path_factory.mktemp("odd")
    built = builds.build(odd, folder)
    manifest = load_json(built.path("deploy", "manifest.json"))
    save_json(built.path("deploy", "manifest.json"), {**manifest, "bitstream": "tiny.bit"})
    built.path("deploy", "tiny.bit").touch()
    return built.path("deploy")


@pytest.fixture
def folder(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, in the folder where the test runs."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(bare, tmp_path / "deploy")


def answers(made: builds.Case) -> Callable[[NDArray[np.uint8]], NDArray[np.int32]]:
    """The golden model's results, looked up by pixels."""
    words = np.column_stack([made.expected.labels, made.expected.logits]).astype(np.int32)
    known = {image.tobytes(): row for image, row in zip(made.images, words, strict=True)}
    used = made.images[0].nbytes
    return lambda pixels: np.stack([known[row[:used].tobytes()] for row in pixels])


@pytest.fixture
def chip(odd: builds.Case, bare: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The stand-in for a board with that network's chip, as `import pynq` finds it."""
    identity = load_json(bare / "manifest.json")["model_hash"]
    made = plain.Chip(answers(odd), frame_bytes=80, words=11, identity=identity)
    monkeypatch.setitem(sys.modules, "pynq", plain.module(made))
    return made


@pytest.fixture
def accelerator(chip: Any, folder: Path) -> Iterator[Accelerator]:
    with Accelerator(folder, batch=32) as made:
        yield made
    assert not chip.memory
