from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType

import pytest

from finn_build.simulator import board

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
cases = load("cases", Path(__file__).with_name("cases.py"))
load("plain_pynq", Path(__file__).with_name("plain_pynq.py"))
load("pynq_sources", Path(__file__).with_name("pynq_sources.py"))


@pytest.fixture(scope="session")
def tiny() -> cases.Case:
    return cases.case(cases.TILE)


@pytest.fixture(scope="session")
def written(
    tiny: cases.Case, locked: Locked, run_id: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The deploy folder of the tiny network on the simulated board.

    The library reads its sources' folder: both stay, and one worker writes them for all.
    """
    folder, stamp = cases.BUILDS / "tiny", cases.BUILDS / "run"
    with locked(cases.BUILDS):
        if not stamp.exists() or stamp.read_text() != run_id:
            cases.build(tiny, folder)
            stamp.write_text(run_id)
        library = board.build(
            folder / "emit", cases.BUILDS / "model", log=cases.BUILDS / "verilator.log"
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
