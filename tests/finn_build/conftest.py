import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from finn_build.layers import Argmax, MaxPool, Mvtu, Network, Window

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
    return hand_made()


def hand_made() -> Network:
    """A convolution on 4 x 4 pixels, a pool and a dense layer, with random integers."""
    random = np.random.default_rng(7)
    conv = random.integers(-1, 2, (4, 18))
    steps = np.sort(random.integers(-400, 400, (4, 3)), axis=1)
    return Network(
        name="hand",
        height=4,
        width=4,
        channels=2,
        scale=0.5,
        layers=(
            Window(
                name="conv0_window",
                height=4,
                width=4,
                channels=2,
                bits=8,
                kernel=3,
                stride=1,
                pad=1,
            ),
            Mvtu(
                name="conv0",
                positions=16,
                windowed=True,
                in_bits=8,
                weight_bits=2,
                weights=conv,
                thresholds=steps,
                float_thresholds=steps - 0.25,
                bias=None,
            ),
            MaxPool(name="pool0", height=4, width=4, channels=4, bits=2, kernel=2),
            Mvtu(
                name="dense0",
                positions=1,
                windowed=False,
                in_bits=2,
                weight_bits=3,
                weights=random.integers(-3, 4, (6, 16)),
                thresholds=None,
                float_thresholds=None,
                bias=random.integers(-20, 20, 6),
            ),
            Argmax(name="argmax", classes=6, bits=9),
        ),
    )
