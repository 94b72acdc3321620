"""The networks as a CPU runs them: float as Brevitas has it, int8, and how they are timed."""

import io

import brevitas.nn as qnn
import models
import numpy as np
import onnx
import onnxruntime
import pages
import pytest
import torch
from brevitas.quant_tensor import QuantTensor
from onnx import TensorProto, helper
from rich.console import Console
from torch.nn import functional

from finn_build import frontend
from finn_build.errors import ModelError
from finn_build.network.golden import run
from finn_build.pages.compare import baselines, command, float_model
from finn_build.pages.compare.baselines import Images
from finn_build.system.files import load_json, save_json, save_npz

QONNX = "qonnx.custom_op.general"
RANDOM = np.random.default_rng(3)
IMAGES = RANDOM.integers(0, 256, (100, 8, 8, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def model():
    return models.network()


@pytest.fixture(scope="module")
def plain(tiny_onnx, tmp_path_factory):
    out = tmp_path_factory.mktemp("float") / "float.onnx"
    float_model.write_float(tiny_onnx, out)
    return out


def clipped(model, images):
    """Labels of a Brevitas model whose activations are clipped, not rounded, layer by layer."""
    x = torch.from_numpy(float_model.floats(images))
    with torch.inference_mode():
        for layer in model:
            if isinstance(layer, qnn.QuantReLU):
                made = layer(x)
                assert isinstance(made, QuantTensor)
                scale = float(made.scale)
                x = x.clamp(0, 3 * scale)
            elif isinstance(layer, qnn.QuantConv2d):
                weight = layer.quant_weight().value
                x = functional.conv2d(x, weight, None, layer.stride, layer.padding)
            elif isinstance(layer, qnn.QuantLinear):
                weight = layer.quant_weight()
                unit = scale * weight.scale.reshape(-1)  # of an accumulator, and of a bias
                bias = layer.bias
                bias = bias if bias is None else unit * (bias / unit).round()
                x = functional.linear(x, weight.value, bias)
            else:
                x = layer(x)
    return x.argmax(dim=1).numpy()


def test_float_is_the_network_without_rounding(model, plain):
    expected = clipped(model, IMAGES)
    assert len(set(expected)) > 1
    assert np.array_equal(float_model.by_torch(plain)(IMAGES), expected)
    assert np.array_equal(float_model.by_onnxruntime(plain, 1)(IMAGES), expected)


def test_the_float_file_is_plain_onnx_for_any_batch(plain):
    made = onnx.load(plain)
    assert {node.domain for node in made.graph.node} == {""}
    assert "Clip" in {node.op_type for node in made.graph.node}
    predict = float_model.by_onnxruntime(plain, 1)
    assert np.array_equal(predict(IMAGES), [predict(IMAGES[i : i + 1])[0] for i in range(100)])


def test_int8_holds_weights_of_eight_bits(plain, tmp_path):
    float_model.write_int8(plain, tmp_path / "int8.onnx", IMAGES)
    made = onnx.load(tmp_path / "int8.onnx")
    floats = onnx.load(plain)
    large = [i for i in floats.graph.initializer if np.prod(i.dims) > 90]
    eight = [
        i
        for i in made.graph.initializer
        if i.data_type == TensorProto.INT8 and np.prod(i.dims) > 90
    ]
    assert len(large) == len(eight) == 3
    assert float_model.by_onnxruntime(tmp_path / "int8.onnx", 1)(IMAGES).shape == (100,)


def graph(tmp_path, nodes, constants):
    shape = [1, 2, 3, 3]
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 18])],
            [
                helper.make_tensor(name, TensorProto.FLOAT, np.shape(v), np.ravel(v))
                for name, v in constants.items()
            ],
        ),
        opset_imports=[
            helper.make_opsetid("", 20),
            helper.make_opsetid("qonnx.custom_op.general", 2),
        ],
        ir_version=9,
    )
    onnx.save(made, tmp_path / "g.onnx")
    return tmp_path / "g.onnx"


@pytest.mark.parametrize(
    ("kind", "scale", "low", "high"),
    [
        ("Quant", [[[[10.0]], [[20.0]]]], -2, 1),
        ("Quant", 30.0, -2, 1),
        ("BipolarQuant", 40.0, -1, 1),
    ],
)
def test_quantisers_become_their_limits(tmp_path, kind, scale, low, high):
    constants = {"scale": scale, "zero": 0.0, "bits": 2.0, "half": -100.0}
    more = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"} if kind == "Quant" else {}
    inputs = ["a", "scale", "zero", "bits"] if kind == "Quant" else ["a", "scale"]
    nodes = [
        helper.make_node("Add", ["x", "half"], ["a"]),
        helper.make_node(kind, inputs, ["q"], domain=QONNX, **more),
        helper.make_node("Flatten", ["q"], ["y"], axis=1),
    ]
    source = graph(tmp_path, nodes, constants)
    float_model.write_float(source, tmp_path / "f.onnx")
    images = RANDOM.integers(0, 256, (40, 3, 3, 2)).astype(np.uint8)
    values = float_model.floats(images) - 100
    expected = np.clip(values, low * np.array(scale), high * np.array(scale)).reshape(40, 18)
    assert len(set(expected.argmax(axis=1))) > 1
    for predict in (
        float_model.by_torch(tmp_path / "f.onnx"),
        float_model.by_onnxruntime(tmp_path / "f.onnx", 1),
    ):
        assert np.array_equal(predict(images), expected.argmax(axis=1))


@pytest.mark.parametrize(
    ("numbers", "ratio"),
    [((1.0, 0.0, 8.0, 5.0), 0.125), ((1.0, 0.0, 8.0, 8.0, 5.0), 1.0)],
    ids=["keeps the scale", "says the scale"],
)
def test_a_truncation_becomes_what_it_does_to_the_scale(tmp_path, numbers, ratio):
    constants = {f"n{i}": number for i, number in enumerate(numbers)}
    more = {"signed": 0, "narrow": 0} if len(numbers) == 5 else {}
    nodes = [
        helper.make_node("Trunc", ["x", *constants], ["q"], domain=QONNX, **more),
        helper.make_node("Flatten", ["q"], ["y"], axis=1),
    ]
    float_model.write_float(graph(tmp_path, nodes, constants), tmp_path / "f.onnx")
    x = RANDOM.integers(0, 256, (4, 2, 3, 3)).astype(np.float32)
    (y,) = onnxruntime.InferenceSession(tmp_path / "f.onnx").run(None, {"x": x})
    assert np.array_equal(y, x.reshape(4, 18) * np.float32(ratio))


def test_an_operator_that_pytorch_lacks_here_is_named(tmp_path):
    nodes = [
        helper.make_node("Erf", ["x"], ["e"], name="strange"),
        helper.make_node("Flatten", ["e"], ["y"], axis=1),
    ]
    with pytest.raises(ModelError, match="strange: no counterpart of Erf in PyTorch here"):
        float_model.by_torch(graph(tmp_path, nodes, {}))


@pytest.fixture
def build(tiny_onnx, tmp_path):
    """What a build leaves that a CPU can run."""
    network, _ = models.ladder(frontend.load(tiny_onnx), IMAGES[:5], name="tiny")
    for folder in ("export", "golden"):
        (tmp_path / folder).mkdir()
    (tmp_path / "export" / "model.onnx").write_bytes(tiny_onnx.read_bytes())
    labels = run(network, IMAGES).labels
    save_npz(tmp_path / "export" / "vectors.npz", images=IMAGES, labels=labels)
    network.save(tmp_path / "golden" / "network.npz")
    save_json(tmp_path / "report.json", pages.report())
    return tmp_path, labels


def test_every_program_is_timed_on_the_same_images(build, plain):
    folder, labels = build
    other = Images(images=np.zeros((3, 32, 32, 3), np.uint8), labels=labels[:3], source="others")
    said = []
    made = baselines.measure(
        folder, test=other, exact=(0.25, 7), classes=None, threads=1, seconds=0.02, tick=said.append
    )
    names = ["PyTorch float", "ONNX Runtime float", "ONNX Runtime int8", "golden integers"]
    assert [each.name for each in made] == names
    right = float((float_model.by_torch(plain)(IMAGES) == labels).mean())
    assert made[0].accuracy == made[1].accuracy == right and (made[3].accuracy, made[3].images) == (
        0.25,
        7,
    )
    assert all(each.images == 100 for each in made[:3])
    assert all(min(each.calls) >= 3 * baselines.ROUNDS for each in made)
    assert all(each.fps > 100 and each.latency_us > 1 for each in made)
    assert len(said) == 4 * (baselines.ROUNDS + 1) and "PyTorch" in said[0]


def test_the_comparison_has_the_cpus_rows_with_its_name(build, tmp_path):
    text = io.StringIO()
    command.run(
        [build[0]],
        out=tmp_path / "page.html",
        data=tmp_path / "none",
        cpu=True,
        threads=1,
        seconds=0.02,
        console=Console(file=text),
    )
    made = load_json(tmp_path / "page.json")
    rows = [row for row in made["points"] if row["kind"] == "cpu"]
    assert [row["number"] for row in rows] == [2, 3, 4, 5]
    assert rows[3]["accuracy"] == 0.8791 and rows[0]["accuracy"] != 0.8791
    assert {row["images"] for row in rows} == {100, 10000}
    assert rows[0]["detail"] == "PyTorch float, 1 thread" and "medians of" in rows[0]["source"]
    assert f"CPU: {made['machine']['cpu']}, 1 thread," in text.getvalue()


def test_labels_of_another_task_are_not_counted_on_the_cpu_either(build, tmp_path):
    hardware = {"value": None, "images": 100, "source": "no labels"}
    save_json(build[0] / "report.json", pages.report(accuracy={"hardware": hardware}))
    page, text = tmp_path / "page.html", io.StringIO()
    rest = {"threads": 1, "seconds": 0.02, "console": Console(file=text)}
    command.run([build[0]], out=page, data=tmp_path / "none", cpu=True, **rest)
    rows = [r for r in load_json(page.with_suffix(".json"))["points"] if r["kind"] != "published"]
    assert len(rows) == 6 and all(row["accuracy"] is None for row in rows)
    assert all("accuracy not known" in row["source"] for row in rows[2:])
    assert page.read_text().count('data-is="accuracy">not known<') == 6


def test_the_machine_is_named():
    made = baselines.machine(2)
    assert made["cpu"] and made["threads"] == 2 and set(made["versions"]) >= {"torch"}
