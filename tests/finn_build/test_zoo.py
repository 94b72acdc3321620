"""Models of the zoo, as a build reads them: all that training knew of them is compared."""

import subprocess
import sys

import pytest

from finn_build.cli import DEFAULT_MODEL
from finn_build.system.files import load_json
from quant.zoo import zoo_names

# The default model is built whole by other tests.
NAMES = [name for name in zoo_names() if name != DEFAULT_MODEL]
ALWAYS = "resnet8_w2a2"  # has branches and a mean


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n != ALWAYS)) for n in NAMES],
)
def test_training_and_golden_model_agree_on_every_activation(name, tmp_path):
    command = [sys.executable, "-m", "headrace", "pynq-z2", "--model", name, "--to", "golden"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rungs = load_json(tmp_path / "build" / "pynq-z2" / name / "golden" / "verification.json")
    assert (rungs[0]["stage"], rungs[0]["against"], rungs[0]["images"]) == ("qat", "qonnx", 100)
    assert all(rung["mismatches"] == rung["explained"] for rung in rungs)
