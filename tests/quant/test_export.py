from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from qonnx.util.basic import get_by_name

from quant.config import Average, Conv, Depthwise, Network, Quantisation, preset
from quant.data import CLASSES
from quant.errors import ExportError
from quant.exporting import compare, export, golden_vectors, run_qonnx, to_qonnx
from quant.files import read_npz
from quant.models import build_float, build_quantised, start_from_float
from quant.topologies import NETWORKS
from quant.zoo import Trained, zoo_images


@pytest.fixture(scope="module")
def folder(arch1: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export")
    done = export(arch1, zoo_images(), out)
    assert done.explained <= 5
    return out


def test_three_files_and_no_more(folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == ["model.json", "model.onnx", "vectors.npz"]


def test_graph_is_the_contract(folder: Path) -> None:
    graph = onnx.load(folder / "model.onnx").graph
    for value, name, shape in (
        (graph.input[0], "pixels", [1, 3, 32, 32]),
        (graph.output[0], "logits", [1, 10]),
    ):
        assert value.name == name
        assert [d.dim_value for d in value.type.tensor_type.shape.dim] == shape
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert len(graph.input) == len(graph.output) == 1
    assert all(tensor.data_location == 0 for tensor in graph.initializer)
    first = graph.node[0]
    assert first.op_type == "Mul"
    assert first.input[0] == "pixels"
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    assert constants[first.input[1]] == np.float32(1 / 255)
    kinds = [node.op_type for node in graph.node]
    assert "Reshape" not in kinds
    assert kinds.count("Flatten") == 1


def test_weights_are_two_and_four_bits_narrow(folder: Path) -> None:
    graph = onnx.load(folder / "model.onnx").graph
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    bits = [
        int(constants[node.input[3]])
        for node in graph.node
        if node.op_type == "Quant"
        and node.input[0] in constants
        and constants[node.input[0]].ndim > 1
    ]
    assert bits == [4, 2, 2, 2, 4]
    for node in graph.node:
        if node.op_type == "Quant" and node.input[0] not in constants:
            assert get_by_name(node.attribute, "signed").i == 0


@pytest.mark.parametrize(
    "config",
    [preset("w1a1"), preset("w1a2"), replace(preset("w1a1"), weight_scale="learned")],
    ids=["w1a1", "w1a2", "w1a1, learned"],
)
def test_one_bit_weights_are_signs_and_one_bit_activations_are_not(config: Quantisation) -> None:
    data = zoo_images().part(slice(0, 20))
    torch.manual_seed(0)
    network = replace(NETWORKS["tiny"], batch_norm="all")
    model = build_quantised(network, config)
    pixels = torch.from_numpy(data.images).permute(0, 3, 1, 2).float()
    start_from_float(model, build_float(network).state_dict(), pixels)
    with torch.no_grad():
        for _ in range(30):
            model(pixels)  # settles the batch norms
    proto = to_qonnx(model, network.input_shape)
    vectors = golden_vectors(model, data)
    for name in ("act0", "act1", "act2"):
        assert set(np.unique(vectors[name])) == set(range(2**config.act_bits))
    assert compare(proto, vectors) <= 1
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in proto.graph.initializer}
    signs = [node for node in proto.graph.node if node.op_type == "BipolarQuant"]
    assert [constants[node.input[0]].ndim for node in signs] == [4, 2]
    acts = [
        node
        for node in proto.graph.node
        if node.op_type == "Quant" and node.input[0] not in constants
    ]
    assert [float(constants[node.input[3]]) for node in acts] == [config.act_bits] * 3
    assert all(get_by_name(node.attribute, "signed").i == 0 for node in acts)


def test_depthwise_convolutions_are_exported_in_groups() -> None:
    layers = (Conv(filters=6, stride=2), Depthwise(), Conv(filters=8, kernel=1, pad=0), Average())
    network = Network(name="separable", layers=layers)
    data = zoo_images().part(slice(0, 10))
    torch.manual_seed(0)
    model = build_quantised(network, preset("w2a2"))
    pixels = torch.from_numpy(data.images).permute(0, 3, 1, 2).float()
    start_from_float(model, build_float(network).state_dict(), pixels)
    proto = to_qonnx(model, network.input_shape)
    assert compare(proto, golden_vectors(model, data)) <= 1
    convolutions = [node for node in proto.graph.node if node.op_type == "Conv"]
    assert [get_by_name(node.attribute, "group").i for node in convolutions] == [1, 6, 1]


def test_vectors_are_the_model_s(folder: Path, arch1: Trained) -> None:
    vectors = read_npz(folder / "vectors.npz")
    shapes = {name: (array.shape, str(array.dtype)) for name, array in vectors.items()}
    assert shapes == {
        "images": ((100, 32, 32, 3), "uint8"),
        "labels": ((100,), "int64"),
        "logits": ((100, 10), "float32"),
        "act0": ((100, 32, 32, 32), "uint8"),
        "act1": ((100, 64, 16, 16), "uint8"),
        "act2": ((100, 64, 8, 8), "uint8"),
        "act3": ((100, 128), "uint8"),
    }
    for index in range(4):
        assert set(np.unique(vectors[f"act{index}"])) == {0, 1, 2, 3}
    pixels = torch.from_numpy(vectors["images"]).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        logits = arch1.model(pixels).numpy()
    np.testing.assert_allclose(logits, vectors["logits"], atol=1e-5)
    last = arch1.model.body.last
    weight = last.quant_weight().detach()
    steps = vectors["act3"] @ weight.int().numpy().T.astype(int)
    unit = float(weight.scale * list(arch1.model.body.children())[-2].act_quant.scale())
    bias = np.rint(last.bias.detach().numpy() / unit)
    np.testing.assert_allclose((steps + bias) * unit, logits, atol=1e-4)


def test_qonnx_equals_brevitas_one_by_one_and_in_batches(folder: Path) -> None:
    proto = onnx.load(folder / "model.onnx")
    vectors = read_npz(folder / "vectors.npz")
    together = run_qonnx(proto, vectors["images"][:3])["logits"]
    for index in range(3):
        alone = run_qonnx(proto, vectors["images"][index : index + 1])["logits"]
        np.testing.assert_allclose(alone[0], together[index], atol=1e-5)
        np.testing.assert_allclose(alone[0], vectors["logits"][index], atol=1e-4)


def test_a_wrong_activation_or_logit_stops_the_export(arch1: Trained) -> None:
    data = zoo_images().part(slice(0, 4))
    vectors = golden_vectors(arch1.model, data)
    proto = to_qonnx(arch1.model, arch1.network.input_shape)
    assert compare(proto, vectors) <= 1
    wrong = {**vectors, "act1": vectors["act1"].copy()}
    wrong["act1"][2] ^= 1
    with pytest.raises(ExportError, match=r"act1: .* differ on 1 of 4 images, image 2 first"):
        compare(proto, wrong)
    wrong = {**vectors, "logits": vectors["logits"].copy()}
    wrong["logits"][3] += 0.5
    with pytest.raises(ExportError, match=r"logits: .* image 3 first"):
        compare(proto, wrong)


def test_export_is_deterministic_and_leaves_nothing_on_failure(
    arch1: Trained, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(arch1, zoo_images(), tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name

    def fail(*_: object) -> int:
        raise ExportError("no")

    monkeypatch.setattr("quant.exporting.compare", fail)
    with pytest.raises(ExportError):
        export(arch1, zoo_images().part(slice(0, 1)), tmp_path / "failed")
    assert not (tmp_path / "failed").exists()


def test_record_travels_along(folder: Path, arch1: Trained) -> None:
    task = {"data": "cifar10", "classes": list(CLASSES)}
    made = json.loads((folder / "model.json").read_text())
    assert made == {"name": "arch1_w2a2", **arch1.record, **task}


def test_a_network_of_another_task_is_not_called_cifar10(
    arch1: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(arch1, network=replace(arch1.network, classes=12))
    export(other, zoo_images().part(slice(0, 2)), tmp_path)
    assert not {"data", "classes"} & set(json.loads((tmp_path / "model.json").read_text()))


def test_images_travel_along(folder: Path) -> None:
    vectors = read_npz(folder / "vectors.npz")
    data = zoo_images()
    np.testing.assert_array_equal(vectors["images"], data.images)
    np.testing.assert_array_equal(vectors["labels"], data.labels)
