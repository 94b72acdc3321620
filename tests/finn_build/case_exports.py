"""Graphs in the forms of certain exporters: truncated means, QONNX's channels-last operators."""

from collections.abc import Callable, Sequence

import numpy as np
from graphs import QONNX, SAME, Cases, Graph
from onnx import ModelProto, TensorProto, helper

CASES = Cases()
LAST = "qonnx.custom_op.channels_last"


# Trunc, in which Brevitas' TruncAvgPool2d ends.
def _truncated(
    scale: float,
    bits: Sequence[float],
    *,
    end: float | None = None,
    zero: float = 0,
    rounding: str = "FLOOR",
    stride: int = 4,
    signed: bool = False,
) -> Callable[[], ModelProto]:
    """Means over 4 x 4 pixels of 3-bit codes, of which Trunc drops bits.

    bits: of the input and the output; end: the output's scale, in QONNX's second version alone.
    """

    def make() -> ModelProto:
        g = Graph(3, 8, 8)
        x = g.first(6, pads=SAME)
        if signed:
            x = g.quant(g.norm(g.conv(x, 6, pads=SAME), 0.8), 0.37, 3, signed=1)
        x = g.pool(x, (4, 4), (stride, stride), kind="AveragePool")
        numbers = [scale, zero, bits[0], *([] if end is None else [end]), bits[1]]
        more = {} if end is None else {"signed": int(signed), "narrow": 0}
        inputs = [g.constant(n) for n in numbers]
        x = g.op("Trunc", x, *inputs, domain=QONNX, rounding_mode=rounding, **more)
        model = g.model(g.dense(g.flat(x)))
        model.opset_import[1].version = 1 if end is None else 2
        return model

    return make


_SUM = 0.37 / 16  # what one step of the sum is worth
CASES["trunc"] = _truncated(_SUM, (7, 4), end=_SUM * 8)
CASES["trunc_round"] = _truncated(_SUM, (7, 3), end=_SUM * 16, rounding="ROUND")
CASES["trunc_more"] = _truncated(_SUM, (7, 8), end=_SUM / 2)
CASES["trunc_signed"] = _truncated(_SUM, (7, 4), end=_SUM * 8, signed=True)
CASES["trunc_coarse"] = _truncated(0.5, (7, 2), end=1.1)
CASES["trunc_over"] = _truncated(_SUM, (7, 4), end=_SUM * 8, stride=2)
CASES["trunc_first"] = _truncated(_SUM, (7, 4))
CASES["trunc_zero"] = _truncated(_SUM, (7, 5), zero=13)
CASES["trunc_parts"] = _truncated(_SUM, (7, 3.5))
CASES["trunc_far"] = _truncated(1e-30, (7, 4), end=1.0)


@CASES.add
def trunc_weights() -> ModelProto:
    """Weights that are truncated instead of quantised."""
    g = Graph(3, 8, 8)
    values = np.round(g.random.uniform(-3, 3, (4, 3, 3, 3)))
    numbers = [g.constant(n) for n in (values, 1, 0, 4, 3)]
    w = g.op("Trunc", *numbers, domain=QONNX, rounding_mode="FLOOR")
    return g.end(g.act(g.norm(g.conv(g.quant("in0"), 4, weights=w), 170.0)))


# Channels-last tensors.
def _last(g: Graph, kind: str, x: str, *inputs: str, filters: int, **more: object) -> str:
    return g.op(kind, x, *inputs, shape=(*g.shapes[x][:2], filters), domain=LAST, **more)


def _conv_last(g: Graph, x: str, filters: int, kernel: int = 3, group: int = 1) -> str:
    """A convolution that keeps the size of its image, with weights whose channels are last."""
    pads = [kernel // 2] * 4
    w = g.weights(filters, kernel, kernel, g.shapes[x][2] // group)
    said = {"strides": [1, 1], "dilations": [1, 1], "kernel_shape": [kernel] * 2, "pads": pads}
    return _last(g, "Conv", x, w, filters=filters, group=group, **said)


def _norm_last(g: Graph, x: str, spread: float) -> str:
    n, rand = g.shapes[x][2], g.random
    numbers = (rand.uniform(0.5, 1.5, n), rand.normal(0.2, 0.4, n), rand.normal(0, 0.3, n))
    columns = [*numbers[:2], spread * numbers[2], spread**2 * rand.uniform(0.5, 1.5, n)]
    inputs = map(g.constant, columns)
    return _last(g, "BatchNormalization", x, *inputs, filters=n, epsilon=1e-5)


@CASES.add
def channels_last() -> ModelProto:
    """hls4ml's models after qonnx's ConvertToChannelsLast: separable convolutions, a branch."""
    g = Graph(8, 10, 3)
    x = g.act(_conv_last(g, g.quant("in0"), 6), 60.0)
    y = g.act(_conv_last(g, x, 6, group=6), 20.0)
    y = g.act(_conv_last(g, y, 5, 1), 20.0)
    return _finished(g, g.end(g.op("Concat", x, y, shape=(8, 10, 11), axis=-1)))


@CASES.add
def channels_last_norm() -> ModelProto:
    """The other operators that there are: qonnx cannot execute them."""
    g = Graph(8, 10, 3)
    x = g.act(_norm_last(g, _conv_last(g, g.quant("in0"), 6), 170.0))
    said = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0] * 4, "ceil_mode": 0}
    x = g.op("MaxPool", x, shape=(4, 5, 6), domain=LAST, **said)
    return _finished(g, g.end(x))


@CASES.add
def channels_last_other() -> ModelProto:
    """An operator that QONNX has no channels-last form of."""
    g = Graph(8, 8, 3)
    x = g.act(_norm_last(g, _conv_last(g, g.quant("in0"), 4), 170.0))
    return _finished(g, g.end(_last(g, "AveragePool", x, filters=4, kernel_shape=[8, 8])))


def _finished(g: Graph, model: ModelProto) -> ModelProto:
    """With the shapes of all tensors, without which qonnx cannot tell those of such nodes."""
    for node in model.graph.node[:-1]:  # the last one makes the output
        kept = g.constants.get(node.input[0])
        shape = kept.shape if kept is not None else (1, *g.shapes[node.output[0]])
        info = helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, shape)
        model.graph.value_info.append(info)
    return model


@CASES.add
def nhwc_twice() -> ModelProto:
    """A channels-last image that is brought to channels first in each of two branches."""
    g = Graph(6, 8, 3)
    x = g.quant("in0")
    parts = [g.op("Transpose", x, shape=(3, 6, 8), perm=[0, 3, 1, 2]) for _ in range(2)]
    y = g.act(g.norm(g.conv(parts[0], 4, pads=SAME), 170.0))
    z = g.act(g.norm(g.conv(parts[1], 5, 1), 60.0))
    return g.end(g.op("Concat", y, z, shape=(9, 6, 8), axis=1))


def _of_branches(kind: str, bits: Sequence[float]) -> Callable[[], ModelProto]:
    """Trunc, which keeps the scale, of the sum or the difference of two branches."""

    def make() -> ModelProto:
        g = Graph(3, 8, 8)
        x = g.quant(g.first(4, pads=SAME), 0.5, 4)
        y = g.quant(g.norm(g.conv(x, 4, pads=SAME), 2.0), 0.5, 3)
        numbers = [g.constant(n) for n in (0.5, 0, *bits)]
        x = g.op("Trunc", g.op(kind, x, y), *numbers, domain=QONNX, rounding_mode="FLOOR")
        model = g.end(x)
        model.opset_import[1].version = 1
        return model

    return make


CASES["trunc_difference"] = _of_branches("Sub", (5, 4))
CASES["trunc_to_nothing"] = _of_branches("Add", (16, 2))


@CASES.add
def slice_merged() -> ModelProto:
    """Channels of an image whose pixels are one dimension."""
    g = Graph(3, 6, 6)
    x = g.op("Reshape", g.first(4, pads=SAME), g.constant([1, 4, 36], np.int64), shape=(4, 36))
    places = [g.constant([n], np.int64) for n in (1, 3, 1)]
    return g.end(g.op("Slice", x, *places, shape=(2, 36)))


# What exporters compute from constants and shapes.
@CASES.add
def shape_parts() -> ModelProto:
    """The batch alone, as newer exporters of PyTorch ask for it, and the sides of the image."""
    g = Graph(3, 8, 8, opset=15)
    x = g.first(6)
    batch = g.op("Shape", x, start=0, end=1)
    row = g.op("Concat", batch, g.constant([-1], np.int64), axis=0)
    x = g.op("Reshape", x, row, shape=(216,))
    return g.model(g.dense(x))


@CASES.add
def masked_weights() -> ModelProto:
    """Pruned weights: a product of constants that are as large as they are."""
    g = Graph(16, 8, 8)
    kept = g.random.integers(0, 2, (16, 16, 7, 7))
    values = g.random.uniform(-3, 3, kept.shape) * 0.11
    weights = g.quant(g.op("Mul", g.constant(values), g.constant(kept)), 0.11, 3, signed=1)
    return g.end(g.act(g.conv(g.quant("in0"), 16, 7, weights=weights), 170.0))


@CASES.add
def softmax_old() -> ModelProto:
    """Probabilities of a fully convolutional network, before version 13: over all after axis 1."""
    g = Graph(3, 6, 6, opset=11)
    return g.model(g.op("Softmax", g.conv(g.first(6), 10, 4)))


@CASES.add
def softmax_of_rows() -> ModelProto:
    """Probabilities of rows instead of classes."""
    g = Graph(3, 12, 12)
    return g.model(g.op("Softmax", g.conv(g.first(6), 10, 4), axis=2))


@CASES.add
def clip_nodes() -> ModelProto:
    """Limits of a Clip as nodes, the upper one infinite."""
    g = Graph(3, 8, 8)
    low, high = (g.op("Constant", value_float=value) for value in (0.3, float("inf")))
    x = g.op("Clip", g.norm(g.conv(g.quant("in0"), 4), 170.0), low, high)
    return g.end(g.quant(x, 0.37, 3))
