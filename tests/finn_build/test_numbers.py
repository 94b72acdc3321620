"""Numbers that are none, in every kind of tensor, are refused with the tensor and the place."""

import re

import numpy as np
import pytest
from broken import place, put, sound
from graphs import Graph, base, last

from finn_build import frontend
from finn_build.errors import ModelError

PLACES = {
    "weights": (1, 2, 0, 1),
    "last weights": (3, 1),
    "weight scale": (),
    "weight zero point": (),
    "weight bits": (),
    "pixel scale": (),
    "scale": (),
    "zero point": (),
    "bits": (),
    "gamma": (1,),
    "beta": (0,),
    "mean": (2,),
    "variance": (3,),
}


def refused(made, tmp_path) -> str:
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(ModelError) as caught:
        frontend.read(frontend.load(path), "m")
    return str(caught.value)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf], ids=["nan", "inf", "-inf"])
@pytest.mark.parametrize("what", PLACES)
def test_the_tensor_and_the_place_are_named(what, number, tmp_path):
    made = sound()
    put(made, what, number, PLACES[what])
    where = f"element {list(PLACES[what])} is" if PLACES[what] else "it is"
    name = place(made, what)
    assert refused(made, tmp_path) == f"tensor '{name}': {where} {number!s}, not finite"


@pytest.mark.parametrize("kind", ["Conv", "Gemm", "Add"])
def test_biases(kind, tmp_path):
    g, bias = Graph(3, 6, 6), [0.5, np.nan, 1.5, -1.0]
    x = g.quant("in0")
    if kind == "Conv":
        x = g.flat(g.act(g.conv(x, 4, bias=bias), 40.0))
        made = g.model(g.dense(x))
    else:
        x = g.flat(x)
        if kind == "Gemm":
            x = g.op("Gemm", x, g.weights(108, 4), g.constant(bias), shape=(4,))
        else:
            x = g.op("Add", g.dense(x, 4), g.constant(bias))
        made = g.model(x)
    assert re.fullmatch(r"tensor 'c\d+': element \[1\] is nan, not finite", refused(made, tmp_path))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_attributes(number, tmp_path):
    g = Graph(3, 6, 6)
    x = g.op("LeakyRelu", g.conv(g.quant("in0"), 4), alpha=float(number))
    text = refused(g.end(g.quant(x, 20.0, 4, signed=1)), tmp_path)
    assert re.fullmatch(r"node 'LeakyRelu_\d' \(LeakyRelu\): attribute 'alpha' is not finite", text)


def test_a_clip_may_have_no_limit_but_not_none_at_all(tmp_path):
    def clipped(high: float):
        g = Graph(3, 6, 6)
        x = g.op("Clip", g.conv(g.quant("in0"), 4), g.constant(0), g.constant(high))
        return g.end(g.quant(x, 20.0, 3))

    path = tmp_path / "m.onnx"
    path.write_bytes(clipped(np.inf).SerializeToString())
    assert frontend.read(frontend.load(path), "m").network.mvtus[0].steps == 7
    assert re.fullmatch(r"tensor 'c\d+': it is nan, not finite", refused(clipped(np.nan), tmp_path))


def test_what_becomes_infinite_on_the_way_is_named(tmp_path):
    g = base()
    w = g.constants[g.nodes[1].input[0]]
    big = g.op("Div", g.constant(w), g.constant(0), name="by_zero")
    g.nodes[1].input[0] = big
    g.nodes.insert(0, g.nodes.pop())
    dense = next(n for n in reversed(g.nodes) if n.op_type == "MatMul")
    text = refused(g.model(dense.output[0]), tmp_path)
    assert text.startswith("node 'by_zero' (Div): the constant 't") and "not finite" in text
    assert last(g) == "out0"
