"""Every stage computes what the stage before it computed."""

from itertools import pairwise

import models
import numpy as np
import pytest
from graphs import Graph
from onnx import TensorProto, helper
from patience import at_most
from qonnx.core.modelwrapper import ModelWrapper

from finn_build import frontend
from finn_build.errors import ModelError
from finn_build.frontend import quantised
from finn_build.frontend.tidy import tidy
from finn_build.network import golden
from finn_build.network.layers import MaxPool, Mvtu, Window
from finn_build.network.verify import compare

IMAGES = 12
VARIANTS = {
    "padded": {},
    "unpadded, ragged": {"size": 9, "pad": 0, "convs": (5, 7), "dense": 9},
    "strided": {"size": 12, "convs": (4, 6, 5), "stride": 2},
    "5x5, 3-bit activations": {"size": 10, "kernel": 5, "pad": 2, "act_bits": 3},
    "one channel": {"channels": 1, "size": 6, "pad": 1},
    "pointwise": {"kernel": 1, "pad": 0, "size": 6},
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_stages_agree(variant, tmp_path):
    shape = {k: variant[k] for k in ("size", "channels") if k in variant}
    path = models.export(models.network(**variant), tmp_path / "m.onnx", **shape)
    size, channels = shape.get("size", 8), shape.get("channels", 3)
    images = np.random.default_rng(4).integers(0, 256, (IMAGES, size, size, channels))
    images = images.astype(np.uint8)

    network, results = models.ladder(frontend.load(path), images)
    for pair in pairwise(results):
        first, second = (results[p] for p in pair)
        made = compare(network, images, names=pair, first=first, second=second)
        assert made.mismatches == made.explained <= 2
        thresholded = {m.name for m in network.mvtus if m.thresholds is not None}
        assert set(first.activations) & set(second.activations) == thresholded


def test_brevitas_agrees_with_golden(tmp_path):
    import torch

    model = models.network(seed=3)
    path = models.export(model, tmp_path / "m.onnx")
    images = np.random.default_rng(5).integers(0, 256, (50, 8, 8, 3)).astype(np.uint8)
    network = frontend.read(frontend.load(path), "m").network
    with torch.no_grad():
        logits = model(torch.tensor(images.transpose(0, 3, 1, 2), dtype=torch.float32)).numpy()
    exact = golden.run(network, images).logits * network.scale
    close = np.isclose(exact, logits, rtol=1e-4, atol=1e-4).all(axis=1)
    assert close.sum() >= 49  # one may lie on a threshold


def test_the_layer_list_is_read_as_it_is(tiny_onnx):
    network = frontend.read(frontend.load(tiny_onnx), "tiny").network
    kinds = [type(layer) for layer in network.layers[:-1]]
    assert kinds == [Window, Mvtu, MaxPool, Window, Mvtu, Mvtu, Mvtu]
    conv0, conv1, dense0, dense1 = network.mvtus
    assert (conv0.rows, conv0.cols, conv0.positions, conv0.in_bits) == (4, 27, 64, 8)
    assert (conv1.rows, conv1.cols, conv1.weight_bits) == (6, 36, 2)
    assert set(np.unique(conv1.weights)) <= {-1, 0, 1}
    assert (dense0.cols, dense0.windowed) == (96, False)
    assert dense1.bias is not None and dense1.thresholds is None
    assert network.macs == 64 * 4 * 27 + 16 * 6 * 36 + 96 * 8 + 8 * 5


def edited(path, tmp_path, edit):
    model = ModelWrapper(str(path))
    edit(model)
    out = tmp_path / "edited.onnx"
    model.save(str(out))
    return str(out)


def test_an_unsupported_operator_is_named(tiny_onnx, tmp_path):
    def relu_to_sigmoid(model):
        node = model.get_nodes_by_op_type("Relu")[0]
        node.op_type = "Sigmoid"

    path = edited(tiny_onnx, tmp_path, relu_to_sigmoid)
    with pytest.raises(
        ModelError, match=r"node 'Relu_0' \(Sigmoid\): operator Sigmoid.*supported: Add, .*Quant"
    ):
        frontend.read(frontend.load(path), "m")


def test_a_branch_is_named(tiny_onnx, tmp_path):
    def add_branch(model):
        node = model.get_nodes_by_op_type("Relu")[0]
        total = helper.make_tensor_value_info("total", TensorProto.FLOAT, None)
        model.graph.value_info.append(total)
        add = helper.make_node("Add", [node.input[0], node.output[0]], ["total"], name="skip")
        index = list(model.graph.node).index(node)
        model.graph.node.insert(index + 1, add)
        model.find_consumers(node.output[0])[-1].input[0] = "total"

    path = edited(tiny_onnx, tmp_path, add_branch)
    with pytest.raises(ModelError, match=r"node 'skip' \(Add\): reads values that are not q"):
        frontend.read(frontend.load(path), "m")


def test_a_file_that_is_no_onnx_is_named(tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"\x00\x01 no protobuf")
    with pytest.raises(ModelError, match=r"broken\.onnx: not a readable ONNX file"):
        frontend.load(path)


def test_a_network_without_a_dense_end_gives_its_activations(tiny_onnx, tmp_path):
    def cut(model, kind):
        relu = model.get_nodes_by_op_type("Relu")[-1]
        last = model.find_consumers(relu.output[0])[0] if kind == "Quant" else relu
        last.op_type = kind
        model.graph.output[0].name = last.output[0]

    path = edited(tiny_onnx, tmp_path, lambda model: cut(model, "Quant"))
    network = frontend.read(frontend.load(path), "cut").network
    assert np.array_equal(network.mvtus[-1].weights, np.eye(8)) and network.offset == 0
    path = edited(tiny_onnx, tmp_path, lambda model: cut(model, "LeakyRelu"))
    with pytest.raises(ModelError, match="Relu.*values that are not quantised"):
        frontend.read(frontend.load(path), "cut")


def test_an_image_too_small_for_its_window_is_one_product(tmp_path):
    model = models.network(size=4, convs=(4, 6, 5), stride=2)
    graph = frontend.load(models.export(model, tmp_path / "m.onnx", size=4))
    images = np.random.default_rng(6).integers(0, 256, (IMAGES, 4, 4, 3)).astype(np.uint8)
    network, results = models.by_qonnx(graph, images)
    assert [m.windowed for m in network.mvtus[:3]] == [True, False, False]
    outcome = compare(
        network,
        images,
        names=("qonnx", "golden"),
        first=results["qonnx"],
        second=results["golden"],
    )
    assert outcome.mismatches <= 1


def test_a_window_that_is_larger_than_the_image_is_refused(tiny_onnx, tmp_path):
    def unpad(model):
        model.set_tensor_shape(model.graph.input[0].name, [1, 3, 2, 2])
        for node in model.get_nodes_by_op_type("Conv"):
            pads = next(a for a in node.attribute if a.name == "pads")
            pads.ints[:] = [0, 0, 0, 0]

    path = edited(tiny_onnx, tmp_path, unpad)
    with pytest.raises(ModelError, match="image of 2 x 2 .* has no room for a window of 3 x 3"):
        frontend.read(frontend.load(path), "m")


PADDED = {
    "an addition": lambda g, x: g.op("Add", x, g.constant(1)),
    "a clip": lambda g, x: g.op("Clip", x, g.constant(2), g.constant(6)),
    "a product, then an addition": lambda g, x: g.op("Add", g.op("Relu", x), g.constant(1)),
    "a mean": lambda g, x: g.op("GlobalAveragePool", x, shape=(3, 1, 1)),
    "the end": lambda g, x: x,
}


def padded(change):
    g = Graph(3, 6, 6)
    sides = g.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    x = change(g, g.op("Pad", g.quant("in0"), sides, shape=(3, 8, 8)))
    return (
        g.model(x)
        if change is PADDED["the end"]
        else g.end(g.block(x, 4, 170.0, kernel=1 if g.shapes[x][1] == 1 else 3))
    )


@pytest.mark.parametrize("change", PADDED.values(), ids=PADDED.keys())
def test_only_what_leaves_zeros_as_they_are_can_follow_a_padding(change):
    with pytest.raises(ModelError, match="padded") as caught:
        frontend.read(tidy(padded(change)), "m")
    assert str(caught.value).startswith("node '")


def test_a_scale_can_follow_a_padding():
    graph = padded(lambda g, x: g.op("Mul", x, g.constant(0.5)))
    images = np.random.default_rng(3).integers(0, 256, (IMAGES, 6, 6, 3)).astype(np.uint8)
    network, results = models.by_qonnx(tidy(graph), images)
    names = ("qonnx", "golden")
    compare(network, images, names=names, first=results["qonnx"], second=results["golden"])
    assert network.windows["conv0"].pad == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("kind", "shape", "why"),
    [
        ("Reshape", [5, -1], "does not fit constants of shape"),
        ("Unsqueeze", list(range(12)), "adds 12 dimensions"),
        ("Unsqueeze", [7], "does not fit constants of shape"),
        ("Squeeze", [0], "does not fit constants of shape"),
    ],
)
def test_quantised_weights_that_are_moved_as_they_cannot_be(kind, shape, why):
    g = Graph(16)
    w = g.op(kind, g.weights(16, 4), g.constant(shape, np.int64))
    graph = g.model(g.op("MatMul", g.quant("in0"), w, shape=(4,)))
    with pytest.raises(ModelError, match=rf"node '{kind}_\d' \({kind}\): {why}"):
        frontend.read(tidy(graph), "m")


@pytest.mark.parametrize("bits", [9, 17, 32])
def test_many_levels_are_refused_before_they_are_counted(bits, monkeypatch):
    left, apply = iter(range(10_000)), quantised.apply_all

    def counted(*arguments):
        assert next(left, None) is not None, f"2^{bits} levels are counted one by one"
        return apply(*arguments)

    monkeypatch.setattr(quantised, "apply_all", counted)
    g = Graph(3, 6, 6)
    graph = g.end(g.block(g.act(g.conv(g.quant("in0"), 4), 2.0**-10, bits), 4))
    with pytest.raises(ModelError, match=f"Conv.*{bits} bits; use at most 8"):
        frontend.read(tidy(graph), "m")


def test_pixels_beyond_what_float32_holds_are_at_the_end_of_the_range():
    g = Graph(2)
    x = g.quant(g.op("Mul", "in0", g.constant(1e38)), 1e-3, 2)
    x = g.op("Add", x, g.constant(0))
    with pytest.raises(ModelError, match="pixels of 0 to 255 take 2 of 4 values"):
        frontend.read(tidy(g.model(g.dense(x, 2))), "m")


def test_shapes_of_a_deep_network_take_one_pass(tmp_path):
    """qonnx's own inference looks through all tensors for each of them."""
    g = Graph(3, 8, 8)
    x = g.first()
    for _ in range(100):
        x = g.act(x)
    (tmp_path / "m.onnx").write_bytes(g.end(x).SerializeToString())
    graph = frontend.load(tmp_path / "m.onnx")
    with at_most(20_000):
        shaped = frontend.with_shapes(graph)
    assert len(shaped.graph.value_info) == len(shaped.graph.node) - 1
