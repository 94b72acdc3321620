"""The default model, on real images: from its QONNX file to the simulated board."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from finn_build import frontend
from finn_build.cli import DEFAULT_MODEL
from finn_build.driver import Accelerator
from finn_build.frontend import execute
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.network.verify import compare, settle
from finn_build.pages.compare import baselines
from finn_build.system.files import load_json

BATCH = 8


def headrace(folder, *words, env=None):
    """What a command says, as one line."""
    command = [sys.executable, "-m", "headrace", *words]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """What the demo leaves, and what it says."""
    folder = tmp_path_factory.mktemp("default")
    said = headrace(folder, "demo", "--images", "10")
    return folder / "build" / "pynq-z2" / DEFAULT_MODEL, said


@pytest.fixture
def accelerator(built, simulated):
    with Accelerator(built[0] / "board" / "deploy", batch=BATCH) as made:
        yield made


def test_the_demo_shows_what_the_golden_model_says(built):
    assert "of 10 right; labels and logits equal the golden model's" in built[1]
    assert (built[0] / "board" / "demo.png").is_file()


def test_training_and_golden_model_agree_on_every_activation(built):
    ladder = load_json(built[0] / "golden" / "verification.json")
    assert (ladder[0]["stage"], ladder[0]["against"]) == ("qat", "qonnx")
    assert ladder[0]["images"] == 100
    assert all(rung["mismatches"] == rung["explained"] for rung in ladder)


@pytest.mark.slow
def test_the_accelerator_is_exact_and_as_fast_as_its_slowest_layer(built):
    # As a user runs it: without the launcher that spares the tests Verilator's runtime.
    plain = {key: value for key, value in os.environ.items() if key != "OBJCACHE"}
    headrace(built[0].parents[2], "pynq-z2", "--to", "simulate", env=plain)
    sim = load_json(built[0] / "simulate" / "result.json")
    costs = load_json(built[0] / "fold" / "costs.json")
    assert sim["images"] == 10 and sim["mismatches"] == 0 and sim["images_with_stalls"] >= 4
    assert costs["cycles"] <= sim["cycles_per_frame"] <= 1.01 * costs["cycles"]
    assert sim["latency_cycles"] == pytest.approx(costs["latency_cycles"], rel=0.01)
    assert 100e6 / sim["cycles_per_frame"] >= 3000
    assert costs["estimate"]["lut"] <= costs["budget"]["lut"] <= 53_200


@pytest.mark.slow
def test_golden_labels_are_qonnx_labels_on_the_whole_test_set(built, data_folder, tmp_path):
    everything = baselines.whole_test_set(data_folder, tmp_path / "log")
    images, labels = everything.images, everything.labels
    assert images.shape == (10_000, 32, 32, 3)
    graph = frontend.load(built[0] / "export" / "model.onnx")
    reading = frontend.read(graph, "default")
    network, model = reading.network, frontend.with_shapes(graph)
    exact = golden.run(network, images)
    floating = execute.run(model, reading, images, activations=False)
    names = ("qonnx", "golden")
    different = np.flatnonzero(
        (settle(network, floating, exact).logits != exact.logits).any(axis=1)
    )
    assert len(different) <= 10
    if len(different):  # each must be explained
        few = images[different]
        second = golden.run(network, few)
        first = settle(network, execute.run(model, reading, few), second)
        compare(network, few, names=names, first=first, second=second)
    # Ties go to the lowest index here, where float rounding breaks them as it happens.
    trained = load_json(built[0] / "export" / "model.json")["accuracy"]["quantised"]
    assert abs((exact.labels == labels).mean() - trained) <= 0.003


@pytest.mark.slow
def test_every_label_and_logit_of_200_test_images_is_the_golden_models(
    built, accelerator, data_folder, tmp_path
):
    images = baselines.whole_test_set(data_folder, tmp_path / "log").images[:200]
    labels, logits = accelerator.predict(images, logits=True)
    expected = golden.run(Network.load(built[0] / "golden" / "network.npz"), images)
    assert np.array_equal(labels, expected.labels)
    assert np.array_equal(logits, expected.logits)


@pytest.mark.slow
def test_the_rate_is_that_of_cycles_and_clock(accelerator):
    predicted = accelerator.manifest.predicted["frames_per_second"]
    (made,) = accelerator.benchmark(batches=(400,), repeats=1, singles=0)["throughput"]
    assert made["frames_per_second"] == pytest.approx(predicted, rel=0.02)
    assert made["fabric_frames_per_second"] == pytest.approx(predicted, rel=0.02)
