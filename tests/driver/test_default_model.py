"""The default model on the simulated board: the demo, 200 images of the test set, the rate."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from finn_build.cli import DEFAULT_MODEL
from finn_build.driver import Accelerator
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.pages.compare import baselines

BATCH = 8


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """What the demo leaves, and what it says."""
    folder = tmp_path_factory.mktemp("default")
    command = [sys.executable, "-m", "headrace", "demo", "--images", "10"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "build" / "pynq-z2" / DEFAULT_MODEL, " ".join(done.stdout.split())


@pytest.fixture
def accelerator(built, simulated):
    with Accelerator(built[0] / "board" / "deploy", batch=BATCH) as made:
        yield made


def test_the_demo_shows_what_the_golden_model_says(built):
    assert "of 10 right; labels and logits equal the golden model's" in built[1]
    assert (built[0] / "board" / "demo.png").is_file()


def test_every_label_and_logit_of_200_test_images_is_the_golden_models(
    built, accelerator, data_folder, tmp_path
):
    images = baselines.whole_test_set(data_folder, tmp_path / "log").images[:200]
    labels, logits = accelerator.predict(images, logits=True)
    expected = golden.run(Network.load(built[0] / "golden" / "network.npz"), images)
    assert np.array_equal(labels, expected.labels)
    assert np.array_equal(logits, expected.logits)


def test_the_rate_is_that_of_cycles_and_clock(accelerator):
    predicted = accelerator.manifest.predicted["frames_per_second"]
    (made,) = accelerator.benchmark(batches=(400,), repeats=1, singles=0)["throughput"]
    assert made["frames_per_second"] == pytest.approx(predicted, rel=0.02)
    assert made["fabric_frames_per_second"] == pytest.approx(predicted, rel=0.02)
