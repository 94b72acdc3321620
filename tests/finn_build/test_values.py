"""Networks that end in values: when they do, what leaves them, at which rate, and what is said."""

from dataclasses import replace
from pathlib import Path

import case_values
import mlperf_tiny
import models
import numpy as np
import pages
import pytest
from case_values import CASES, OUTPUT
from graphs import Graph
from onnx import ModelProto, helper

from finn_build import frontend
from finn_build.config import Options
from finn_build.errors import ConfigError, ModelError
from finn_build.flow import labels
from finn_build.flow.pipeline import Build
from finn_build.folding.fold import Fold
from finn_build.folding.folding import make
from finn_build.folding.schedule import latency
from finn_build.frontend import Reading
from finn_build.network import differences, golden
from finn_build.network.graph import Network
from finn_build.network.layers import Mvtu, Values
from finn_build.network.verify import compare
from finn_build.pages import report


def read(model: ModelProto, folder: Path, *, ask: str | None = None) -> Reading:
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    graph = frontend.load(path)
    return frontend.read(frontend.ask(graph, ask) if ask else graph, "m")


def dense(rows: int) -> ModelProto:
    g = Graph(8)
    x = g.act(g.dense(g.quant("in0"), 4, scale=0.004), 0.5)
    return g.model(g.dense(x, rows))


@pytest.mark.parametrize(
    ("make_model", "kind"),
    [
        (lambda: dense(1), "values"),
        (lambda: dense(2), "label"),
        (lambda: dense(1024), "label"),
        (lambda: dense(1025), "values"),
        (CASES["values_map"], "values"),
        (CASES["mean_last"], "label"),
        (CASES["values_vector"], "values"),
    ],
    ids=["one", "two", "most classes", "more", "map", "mean", "metadata"],
)
def test_a_label_is_of_one_vector_of_few_numbers(make_model, kind, tmp_path):
    network = read(make_model(), tmp_path).network
    assert network.end.labelled == (kind == "label")
    assert network.end.manifest({})["output"]["kind"] == kind


def test_what_is_asked_for_comes_before_what_it_looks_like(tmp_path):
    model = CASES["values_map"]()
    of_all = read(model, tmp_path, ask="label").network
    assert of_all.end.labelled and of_all.end.integers == 4 * 6 * 5
    plain = read(CASES["mean_last"](), tmp_path, ask="values").network
    assert plain.end.words == plain.end.integers == 10
    helper.set_model_props(model, {OUTPUT: "label"})
    assert read(model, tmp_path, ask="values").network.end.kind == "values"
    helper.set_model_props(model, {OUTPUT: "both"})
    with pytest.raises(ModelError, match="headrace.output.*both.*use label or values"):
        read(model, tmp_path)
    with pytest.raises(ModelError, match="1,025 classes; use at most 1,024, or --output values"):
        read(dense(1025), tmp_path, ask="label")


def test_a_build_of_the_zoo_gives_labels():
    with pytest.raises(ConfigError, match="--output is for QONNX files"):
        Options(board="pynq-z2", model="arch2_slim_w2a2", output="values")
    with pytest.raises(ConfigError, match="--output both: use auto, label, values"):
        Options(board="pynq-z2", model="a.onnx", output="both")  # type: ignore[arg-type]


def test_values_have_no_names_and_no_test_set(tmp_path):
    network = read(CASES["values_map"](), tmp_path).network
    build = Build(options=Options(board="pynq-z2", model="m.onnx", out=tmp_path / "b"))
    assert not labels.of_build(build, network).known
    (tmp_path / "names").write_text("one\n")
    named = replace(build.options, labels=tmp_path / "names")
    for refuse in (
        lambda: labels.of_build(Build(options=named), network),
        lambda: labels.check_fit(tmp_path, network),
    ):
        with pytest.raises(ConfigError, match="it gives values, not labels; leave it out"):
            refuse()


def test_a_mean_of_points_is_taken_first(tmp_path):
    """So the product has a column for each channel; one of windows has one for each pixel."""
    points = read(CASES["mean_last"](), tmp_path).network
    assert [layer.kind for layer in points.layers][-3:] == ["sumpool", "mvtu", "argmax"]
    assert points.mvtus[-1].weights.shape == (10, 4)
    wide = read(CASES["mean_last_3x3"](), tmp_path).network
    assert wide.mvtus[-1].weights.shape == (10, 6 * 8 * 4)
    windows = read(CASES["means_of_points"](), tmp_path).network
    assert windows.mvtus[1].positions == 2 * 4


def test_a_scale_is_one_or_one_a_channel(tmp_path):
    network = read(CASES["values_map_nhwc"](), tmp_path).network
    assert np.shape(network.scale) == np.shape(network.offset) == (5,) and network.floor == 0
    assert network.end.manifest({})["output"]["shape"] == [4, 6, 5]
    network.save(tmp_path / "n.npz")
    stored = Network.load(tmp_path / "n.npz")
    images = np.zeros((2, 6, 8, 3), np.uint8)
    words = golden.run(stored, images).words
    assert words.shape == (2, 120)
    assert np.array_equal(stored.values(words), network.values(words))
    with pytest.raises(ModelError, match=r"scale of shape \(4,\); use one number"):
        replace(network, scale=np.arange(4.0))


def test_the_order_of_words_is_the_streams():
    end = Values(
        name="v", height=2, width=3, channels=4, bits=8, signed=True, axes=(2, 0, 1), sizes=(4, 6)
    )
    stream = np.arange(48).reshape(2, 2, 3, 4)
    file = stream.transpose(0, 3, 1, 2).reshape(2, 4, 6)
    assert np.array_equal(end.ordered(file), stream.reshape(2, -1))
    assert np.array_equal(end.compute(stream), stream.reshape(2, -1))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"bits": 32, "signed": False},
            "values of 32 bits take more than the 32 of an output",
        ),
        ({"bits": 33}, "values of 33 bits"),
        ({"sizes": (4, 5)}, r"an output of \(4, 5\) .* does not hold 2 x 3 x 4 values"),
        ({"axes": (0, 1, 1)}, r"in the order \(0, 1, 1\)"),
    ],
)
def test_values_that_cannot_be_are_refused(wrong, message):
    fits = {"name": "v", "height": 2, "width": 3, "channels": 4, "bits": 8, "signed": True}
    with pytest.raises(ModelError, match=message):
        Values(**{**fits, "sizes": (24,), **wrong})


def test_a_difference_names_the_value(tmp_path):
    model = CASES["values_map"]()
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    images = np.random.default_rng(1).integers(0, 256, (4, 6, 8, 3)).astype(np.uint8)
    network, ran = models.by_qonnx(frontend.load(tmp_path / "m.onnx"), images)
    exact = ran["golden"]
    other = replace(exact, logits=exact.logits + (np.arange(120) == 7))
    with pytest.raises(Exception, match=r"in the last layer alone: logits \[.*, \.\.\.\] and"):
        compare(network, images, names=("a", "b"), first=other, second=exact)
    same = compare(network, images, names=("a", "b"), first=exact, second=exact)
    assert same.labels is None and same.logits == 0
    entry = {**same.record(), "mismatches": 2, "explained": 2, "logits": 2}
    assert differences.counted(entry) == "by float rounding alone; 2 with other values"


def test_the_last_dense_layer_never_waits_for_its_values(tmp_path):
    """Its sums come at once, 24 in a cycle, and leave one by one."""
    network = read(CASES["values_dense"](), tmp_path).network
    folds = {m.name: models.lowest_fold(m) for m in network.mvtus}
    last = network.mvtus[-1]
    folds[last.name] = Fold(pe=last.rows, simd=1, memory="logic")
    made = make(network, folds)
    images = np.random.default_rng(2).integers(0, 256, (16, 1, 24, 1)).astype(np.uint8)
    ran = models.simulate(network, images, tmp_path, folding=made, stall=0)
    assert np.array_equal(ran.words, golden.run(network, images).words)
    assert ran.cycles_per_frame <= 1.01 * made.cycles
    assert abs(ran.latency_cycles - latency(network, made)) <= 5


def test_the_autoencoder_of_mlperf_tiny_gives_values(tmp_path):
    path = tmp_path / "autoencoder.onnx"
    path.write_bytes(mlperf_tiny.autoencoder().SerializeToString())
    graph = frontend.ask(frontend.load(path), "values")
    images = np.random.default_rng(1).integers(0, 256, (4, 1, 640, 1)).astype(np.uint8)
    network, ran = models.by_qonnx(graph, images)
    assert isinstance(network.end, Values) and network.end.words == 640
    assert all(isinstance(layer, Mvtu) for layer in network.layers[1:-1])
    assert np.array_equal(ran["qonnx"].words, ran["golden"].words)
    assert len(np.unique(ran["golden"].words, axis=0)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["thousand", "values_map_nhwc", "mean_last_3x3"])
def test_more_ends_in_rtl(name, tmp_path):
    network = read(case_values.CASES[name](), tmp_path).network
    shape = (4, network.height, network.width, network.channels)
    images = np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8)
    ran = models.simulate(network, images, tmp_path)
    assert np.array_equal(ran.words, golden.run(network, images).words)


def test_a_page_of_values_says_nothing_of_labels():
    found = {"low": -1.25, "mean": 0.5, "high": 3.0}
    unknown = {"value": None, "images": 100, "source": labels.NONE, "images_per_second": 1.0}
    rung = pages.rung(images=100, mismatches=2, logits=2) | {"labels": None}
    made = pages.report(accuracy={"hardware": unknown}, verification=[rung])
    made["output"] = {"kind": "values", "shape": [5, 4, 6], "values": found}
    page = report.html(made)
    assert "-1.25 to 3" in page and "5 &times; 4 &times; 6 for an image" in page
    assert "images with other values" in page and "labels and logits" not in page
    assert "2 with other values" in page and "another label" not in page
    assert "Accuracy</h2>" not in page
