import importlib.util
import sys
from pathlib import Path

import pytest

from finn_build.layers import Network

# The tests are no package: make the builders beside this file importable.
_SPEC = importlib.util.spec_from_file_location("models", Path(__file__).with_name("models.py"))
assert _SPEC is not None and _SPEC.loader is not None
models = importlib.util.module_from_spec(_SPEC)
sys.modules["models"] = models
_SPEC.loader.exec_module(models)


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.export(models.network(), tmp_path_factory.mktemp("tiny") / "tiny.onnx")


@pytest.fixture
def network() -> Network:
    return models.hand_made()
