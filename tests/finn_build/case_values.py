"""Graphs that end in values, and classifiers that end in a mean of a convolution."""

import numpy as np
from graphs import SAME, Cases, Graph
from onnx import ModelProto, helper

CASES = Cases()
OUTPUT = "headrace.output"  # of a file's metadata


def as_values(model: ModelProto) -> ModelProto:
    """A model whose file says that its output are values."""
    helper.set_model_props(model, {OUTPUT: "values"})
    return model


def _map(g: Graph) -> str:
    """A 3 x 3 convolution to 4 x 6 x 5 sums with a bias each, and nothing behind it."""
    x = g.block(g.first(pads=SAME), 6)
    return g.conv(x, 5, pads=SAME, bias=np.linspace(-3, 2, 5))


@CASES.add
def values_map() -> ModelProto:
    g = Graph(3, 6, 8)
    return g.model(_map(g))


@CASES.add
def values_map_nhwc() -> ModelProto:
    """Scales of each channel, a ReLU, channels last."""
    g = Graph(3, 6, 8)
    x = g.op("Relu", g.norm(_map(g)))
    channels, height, width = g.shapes[x]
    return g.model(g.op("Transpose", x, shape=(height, width, channels), perm=[0, 2, 3, 1]))


@CASES.add
def values_codes() -> ModelProto:
    """The codes of a last quantiser."""
    g = Graph(3, 6, 8)
    return g.model(g.quant(_map(g), 0.75, 4, signed=1))


@CASES.add
def values_pooled() -> ModelProto:
    g = Graph(3, 6, 8)
    return g.model(g.pool(g.block(g.first(pads=SAME), 6), (2, 3)))


@CASES.add
def values_means() -> ModelProto:
    """Means of codes, in windows that are no squares."""
    g = Graph(3, 6, 8)
    x = g.pool(g.block(g.first(pads=SAME), 6), (2, 3), kind="AveragePool")
    return g.model(g.op("Mul", x, g.constant(0.3)))


@CASES.add
def values_vector() -> ModelProto:
    """The codes of a dense layer, which could be taken for logits."""
    g = Graph(3, 6, 8)
    x = g.dense(g.flat(g.first(pads=SAME)), 12)
    return as_values(g.model(g.act(x)))


@CASES.add
def values_one() -> ModelProto:
    """A regression: a single value."""
    g = Graph(3, 6, 8)
    x = g.dense(g.flat(g.first(pads=SAME)), 1)
    return g.model(g.op("Add", x, g.constant(-0.7)))


@CASES.add
def values_dense() -> ModelProto:
    """An autoencoder of dense layers: 24 numbers, 5 of 3 bits, 24 numbers."""
    g = Graph(24)
    x = g.quant("in0")
    for rows, spread in ((12, 60.0), (5, 0.4), (12, 0.3)):
        x = g.act(g.norm(g.dense(x, rows), spread))
    return as_values(g.model(g.dense(x, 24)))


@CASES.add
def values_left_out() -> ModelProto:
    """Probabilities: the values are those before them."""
    g = Graph(3, 6, 8)
    x = g.dense(g.flat(g.first(pads=SAME)), 12)
    return as_values(g.model(g.op("Softmax", x, axis=1)))


@CASES.add
def values_of_pixels() -> ModelProto:
    """Nothing is multiplied."""
    return (g := Graph(3, 6, 8)).model(g.pool(g.quant("in0")))


def _mean_last(g: Graph, kernel: int) -> ModelProto:
    x = g.conv(g.first(pads=SAME), 10, kernel, bias=np.linspace(-2, 1, 10))
    return g.model(g.flat(g.op("GlobalAveragePool", x, shape=(10, 1, 1))))


@CASES.add
def mean_last() -> ModelProto:
    """Logits are the means of a 1 x 1 convolution."""
    return _mean_last(Graph(3, 6, 8), 1)


@CASES.add
def mean_last_3x3() -> ModelProto:
    return _mean_last(Graph(3, 6, 8), 3)


@CASES.add
def means_of_points() -> ModelProto:
    """Means of a 1 x 1 convolution in windows, not quantised before the last layer is."""
    g = Graph(3, 6, 8)
    x = g.pool(g.conv(g.first(pads=SAME), 6, 1), (3, 2), kind="AveragePool")
    return g.end(g.act(g.norm(x)))


@CASES.add
def thousand() -> ModelProto:
    """A thousand classes."""
    g = Graph(3, 6, 8)
    x = g.block(g.first(pads=SAME), 4, strides=(3, 3))
    return g.model(g.dense(g.flat(x), 1000))


def _branches(g: Graph, x: str) -> tuple[str, str]:
    """Codes, and codes of a convolution of them, of one scale."""
    x = g.quant(x, 0.5, 4)
    return x, g.quant(g.norm(g.conv(x, g.shapes[x][0], pads=SAME), 3.0), 0.25, 4, signed=1)


@CASES.add
def values_sum_of_pools() -> ModelProto:
    """An image of 25 pixels behind units that may take two of a hundred at once."""
    g = Graph(1, 10, 10)
    x = g.first(2, pads=SAME)
    y, z = (g.pool(branch) for branch in _branches(g, x))
    return g.model(g.op("Add", y, z))


@CASES.add
def values_skip() -> ModelProto:
    """The quantised image less what a convolution finds in it, as in denoisers."""
    g = Graph(2, 6, 5)
    x = g.quant("in0", 16.0, 4)
    y = g.quant(g.norm(g.conv(x, 2, pads=SAME), 60.0), 8.0, 4, signed=1)
    return g.model(g.op("Sub", x, y))


@CASES.add
def values_beside() -> ModelProto:
    g = Graph(2, 6, 5)
    x = g.quant("in0", 16.0, 4)
    y = g.quant(g.norm(g.conv(x, 3, pads=SAME), 60.0), 16.0, 4)
    return g.model(g.op("Concat", x, y, shape=(5, 6, 5), axis=1))
