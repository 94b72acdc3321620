import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from finn_build.network.graph import Network


# The tests are no package: make the builders beside this file importable.
def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


models, pages = _load("models"), _load("pages")
for _name in (
    "graphs",
    "broken",
    "case_branches",
    "case_upsampling",
    "case_exports",
    "case_layers",
    "case_networks",
    "case_values",
    "cases",
    "samples",
    "mlperf_tiny",
    "mutations",
    "patience",
    "open_chip",
    "fake_backend",
):
    _load(_name)


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.export(models.network(), tmp_path_factory.mktemp("tiny") / "tiny.onnx")


@pytest.fixture
def network() -> Network:
    return models.hand_made()
