from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from finn_build.simulator import board


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


@pytest.fixture(scope="session")
def tiny() -> cases.Case:
    return cases.case(cases.TILE)


@pytest.fixture(scope="session")
def written(tiny: cases.Case) -> Path:
    """The deploy folder of the tiny network on the simulated board, in a place that stays."""
    built = cases.build(tiny, cases.BUILDS / "tiny")
    library = board.build(
        built.path("emit"), cases.BUILDS / "model", log=cases.BUILDS / "verilator.log"
    )
    board.furnish(built.path("deploy"), library, cases.BUILDS / "deploy")
    return cases.BUILDS / "deploy"


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
