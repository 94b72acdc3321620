"""Graphs of one kind of layer or way to write it each, small and seeded."""

from collections.abc import Callable

import numpy as np
from graphs import SAME, Cases, Graph, find
from onnx import ModelProto, helper

CASES = Cases()


# What is between pixels and the first layer.
def _pixels(size: int, scale: float, bits: int, conv: int = 3) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = Graph(3, size, size)
        spread = 170.0 if bits > 1 else 100.0
        x = g.quant("in0", scale, bits)
        return g.end(g.pool(g.block(x, 5, spread, pads=SAME)))

    return make


CASES["in_10bit"] = _pixels(10, 0.25, 10)
CASES["in_1bit"] = _pixels(10, 255.0, 1)


# Widths.
def _widths(weight_bits: int, act_bits: int, scale: float) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = Graph(3, 10, 10)
        x, most = g.quant("in0"), (1 << (weight_bits - 1)) - 1
        for filters, spread in ((5, 57.0 * most), (6, 0.4 * most)):
            w = g.weights(filters, g.shapes[x][0], 3, 3, bits=weight_bits)
            x = g.act(g.norm(g.conv(x, filters, pads=SAME, weights=w), spread), scale, act_bits)
            x = g.pool(x) if filters == 5 else x
        return g.model(g.dense(g.flat(x), bits=weight_bits))

    return make


CASES["bits_w12a4u"] = _widths(12, 4, 0.1875)
CASES["bits_w2a12u"] = _widths(2, 12, 0.000732421875)


# Convolutions of all shapes.
def _conv(shape: tuple[int, int], *kernel: int, **more: object) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = Graph(3, *shape)
        x = g.block(g.first(pads=SAME), 4, kernel=kernel or 3, **more)  # type: ignore[arg-type]
        return g.end(x)

    return make


CASES["k1x3"] = _conv((8, 24), 1, 3, pads=(0, 1, 0, 1))
CASES["k3x5"] = _conv((12, 12), 3, 5)
CASES["s1x2"] = _conv((12, 12), pads=SAME, strides=(1, 2))
CASES["pad_asym"] = _conv((12, 12), pads=(0, 0, 1, 1), strides=(2, 2))
CASES["pad_h"] = _conv((12, 12), pads=(1, 0, 1, 0))
CASES["dil2"] = _conv((12, 12), pads=(2, 2, 2, 2), dilations=(2, 2))
CASES["depthwise"] = _conv((12, 12), pads=SAME, group=4)
CASES["depthwise_s2"] = _conv((12, 12), pads=SAME, group=4, strides=(2, 2))
CASES["groups"] = _conv((12, 12), pads=SAME, group=2)
CASES["groups_1x1"] = _conv((12, 12), 1, 1, group=2)


@CASES.add
def separable() -> ModelProto:
    """Depthwise and pointwise convolutions in turn, then one of several rows for each group."""
    g = Graph(3, 12, 12)
    x = g.first(8, pads=SAME)
    for filters, stride in ((12, 1), (8, 2)):
        channels = g.shapes[x][0]
        x = g.block(x, channels, pads=SAME, group=channels, strides=(stride, stride))
        x = g.block(x, filters, kernel=1)
    return g.end(g.block(x, 12, group=4))


@CASES.add
def auto_pad() -> ModelProto:
    g = Graph(3, 12, 12)
    made = g.end(g.pool(g.first(6, pads=SAME)))
    node = find(made, "Conv")
    del node.attribute[:]
    said = {"auto_pad": "SAME_UPPER", "kernel_shape": [3, 3]}
    node.attribute.extend(helper.make_attribute(name, value) for name, value in said.items())
    return made


@CASES.add
def auto_pad_dilated() -> ModelProto:
    made = auto_pad()
    find(made, "Conv").attribute.append(helper.make_attribute("dilations", [2, 2]))
    return made


@CASES.add
def pad_node() -> ModelProto:
    g = Graph(3, 12, 12)
    sides = g.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    x = g.op("Pad", g.quant("in0"), sides, shape=(3, 14, 14))
    return g.end(g.pool(g.block(x, 6, 170.0)))


@CASES.add
def shared_w() -> ModelProto:
    g = Graph(4, 12, 12)
    x, w = g.quant("in0"), g.weights(4, 4, 3, 3)
    x = g.block(x, 4, 190.0, pads=SAME, weights=w)
    return g.end(g.pool(g.block(x, 4, pads=SAME, weights=w)))


def _grey(height: int, width: int, pools: tuple[int, int]) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = Graph(1, height, width)
        x = g.quant("in0")
        for size, spread in zip(pools, (100.0, 1.0), strict=True):
            x = g.block(x, 4, spread, pads=SAME)
            x = g.pool(x, (size, size)) if size else x
        return g.model(g.dense(g.flat(x), 5))

    return make


CASES["shape_16x16_p4"] = _grey(16, 16, (4, 2))
CASES["shape_2x128"] = _grey(2, 128, (0, 2))
CASES["shape_4x64"] = _grey(4, 64, (2, 2))


# Pools.
def _pooled(size: int = 12, **more: object) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = Graph(3, size, size)
        return g.end(g.pool(g.first(6, pads=SAME), **more))  # type: ignore[arg-type]

    return make


CASES["pool_1x2"] = _pooled(kernel=(1, 2))
CASES["pool_over"] = _pooled(kernel=(3, 3), strides=(2, 2))
CASES["pool_pad"] = _pooled(kernel=(3, 3), strides=(2, 2), pads=SAME)
CASES["pool_ceil"] = _pooled(13, ceil=True)


@CASES.add
def pool_before() -> ModelProto:
    g = Graph(3, 12, 12)
    x = g.norm(g.conv(g.quant("in0"), 6, pads=SAME), 170.0)
    return g.end(g.quant(g.pool(g.op("Relu", x)), 0.37, 3))


@CASES.add
def avgpool() -> ModelProto:
    g = Graph(3, 12, 12)
    return g.end(g.quant(g.pool(g.first(6, pads=SAME), kind="AveragePool"), 0.1, 4))


def _global(kind: str) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = Graph(3, 12, 12)
        return g.end(g.op(kind, g.first(6, pads=SAME), shape=(6, 1, 1)))

    return make


CASES["gap"] = _global("GlobalAveragePool")
CASES["gmp"] = _global("GlobalMaxPool")


# Means that no quantiser follows.
def _means(change: Callable[[Graph, str], str], size: int = 12) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = Graph(3, size, size)
        return g.end(change(g, g.first(6, pads=SAME)))

    return make


def _average(kernel: tuple[int, int], strides: tuple[int, int] | None = None) -> Callable[..., str]:
    return lambda g, x: g.pool(x, kernel, strides, kind="AveragePool")


def _global_mean(g: Graph, x: str) -> str:
    return g.op("GlobalAveragePool", x, shape=(g.shapes[x][0], 1, 1))


def _signed(g: Graph, x: str) -> str:
    x = g.norm(g.conv(x, 6, pads=SAME))
    return _global_mean(g, g.quant(x, 0.4, 4, signed=1))


CASES["avg_rag"] = _means(_average((3, 3)), 13)
CASES["avg_row"] = _means(_average((1, 4)))
CASES["avg_single"] = _means(_average((7, 7), (1, 1)), 7)
CASES["avg_over"] = _means(lambda g, x: g.quant(_average((3, 3), (2, 2))(g, x), 0.15, 3))
CASES["avg_over_bare"] = _means(_average((3, 3), (2, 2)))
CASES["avg_twice"] = _means(lambda g, x: _global_mean(g, _average((2, 2))(g, x)))
CASES["gap_signed"] = _means(_signed)
CASES["gap_relu"] = _means(lambda g, x: g.quant(g.op("Relu", _signed(g, x)), 0.16, 4))
CASES["gap_conv"] = _means(lambda g, x: g.block(_global_mean(g, x), 8, 0.3, kernel=1), 8)
CASES["reduce_mean"] = _means(
    lambda g, x: g.op("ReduceMean", x, shape=g.shapes[x][:1], axes=[2, 3], keepdims=0)
)
CASES["mean_channels"] = _means(lambda g, x: g.op("ReduceMean", x, shape=(1, 12, 12), axes=[1]))
CASES["mean_axes"] = _means(lambda g, x: g.op("ReduceMean", x, shape=(1, 1, 1)))


def _padded_mean(counted: bool) -> Callable[[Graph, str], str]:
    def change(g: Graph, x: str) -> str:
        x = g.pool(x, (3, 3), (2, 2), kind="AveragePool", pads=SAME)
        if counted:
            g.nodes[-1].attribute.append(helper.make_attribute("count_include_pad", 1))
        x = g.op("Add", g.op("Mul", x, g.constant(0.7)), g.constant(-0.1))
        return g.quant(x, 0.11, 3)

    return change


CASES["avg_pad"] = _means(_padded_mean(True))
CASES["avg_pad_less"] = _means(_padded_mean(False))


def _after_pad(kind: str, signed: int = 0) -> Callable[[], ModelProto]:
    """A Pad node before a pool (Keras' ZeroPadding2D, PyTorch's ZeroPad2d)."""

    def make() -> ModelProto:
        g = Graph(3, 11, 11)
        x = g.quant(g.norm(g.conv(g.quant("in0"), 5), 170.0), 0.3, 3, signed=signed)
        pads = g.constant([0, 0, 1, 0, 0, 0, 1, 2], np.int64)
        x = g.op("Pad", x, pads, shape=(5, 11, 11))
        x = g.pool(x, (3, 3), (2, 2), kind=kind)
        return g.end(g.quant(x, 0.3, 3, signed=signed))

    return make


CASES["pad_max"] = _after_pad("MaxPool")
CASES["pad_max_signed"] = _after_pad("MaxPool", 1)
CASES["pad_mean_signed"] = _after_pad("AveragePool", 1)


@CASES.add
def gap_twice() -> ModelProto:
    """A mean that two branches flatten, each for itself."""
    g = Graph(3, 8, 8)
    x = _global_mean(g, g.first(6, pads=SAME))
    parts = [g.act(g.norm(g.dense(g.flat(x), 5), 0.06), 0.2, 4) for _ in range(2)]
    return g.model(g.dense(g.op("Concat", *parts, shape=(10,), axis=1)))


@CASES.add
def avg_wide() -> ModelProto:
    g = Graph(1, 20, 20)
    x = g.act(g.norm(g.conv(g.quant("in0"), 2, pads=SAME), 170.0), 0.01, 8)
    return g.end(_global_mean(g, x))


@CASES.add
def avg_heavy() -> ModelProto:
    g = Graph(1, 10, 10)
    x = g.act(g.norm(g.conv(g.quant("in0"), 2, pads=SAME), 170.0), 0.01, 8)
    return g.model(g.dense(g.flat(_global_mean(g, x)), bits=11))


@CASES.add
def gap_scaled() -> ModelProto:
    g = Graph(3, 12, 12)
    x = _global_mean(g, g.first(6, pads=SAME))
    scales = g.constant(g.random.choice([0.5, 2.0], (1, 6, 1, 1)))
    return g.end(g.op("Add", g.op("Mul", x, scales), g.constant(-0.25)))


@CASES.add
def gap_nhwc() -> ModelProto:
    g = Graph(3, 12, 12)
    x = g.op("Transpose", g.first(6), shape=(10, 10, 6), perm=[0, 2, 3, 1])
    x = g.op("ReduceMean", x, shape=(10, 1, 6), axes=[-2])
    x = g.quant(g.op("ReduceMean", x, shape=(1, 1, 6), axes=[1]), 0.1, 4)
    return g.end(x)


# Activations.
def _activation(change: Callable[[Graph, str], str], spread: float = 170.0) -> ModelProto:
    g = Graph(3, 12, 12)
    x = change(g, g.norm(g.conv(g.quant("in0"), 6), spread))
    return g.end(g.pool(x))


@CASES.add
def leaky() -> ModelProto:
    return _activation(lambda g, x: g.quant(g.op("LeakyRelu", x, alpha=0.1), 0.3, 4, signed=1))


@CASES.add
def relu6() -> ModelProto:
    def clip(g: Graph, x: str) -> str:
        return g.quant(g.op("Clip", x, g.constant(0), g.constant(6)), 0.4, 4)

    return _activation(clip, 50.0)


@CASES.add
def act_perchan() -> ModelProto:
    g = Graph(3, 12, 12)
    scales = g.random.uniform(0.3, 0.7, (1, 6, 1, 1))
    x = g.pool(g.act(g.norm(g.conv(g.quant("in0"), 6), 170.0), scales))
    return g.end(g.block(x, 6))


@CASES.add
def zp_int() -> ModelProto:
    g = Graph(3, 12, 12)
    x = g.quant(g.norm(g.conv(g.quant("in0"), 6), 170.0), 0.4, 4, zero=3)
    return g.end(g.block(g.pool(x), 6))


@CASES.add
def zp_weight() -> ModelProto:
    g = Graph(3, 12, 12)
    w = g.weights(6, 3, 3, 3, scale=0.1, bits=4, zero=1, narrow=0)
    return g.end(g.pool(g.act(g.norm(g.conv(g.quant("in0"), 6, weights=w), 300.0), 0.4)))


@CASES.add
def no_quant() -> ModelProto:
    g = Graph(3, 12, 12)
    x = g.op("Relu", g.norm(g.conv(g.quant("in0"), 6), 170.0))
    return g.end(g.block(g.pool(x), 6))


@CASES.add
def requant() -> ModelProto:
    g = Graph(3, 12, 12)
    x = g.act(g.norm(g.conv(g.quant("in0"), 6, pads=SAME), 170.0), 0.37, 4)
    return g.end(g.quant(g.pool(x), 0.74, 3))


@CASES.add
def requant_same() -> ModelProto:
    g = Graph(3, 12, 12)
    return g.end(g.pool(g.quant(g.first(6, pads=SAME), 0.37, 3)))


def _rounded(mode: str) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = Graph(1, 12, 12)
        w = g.weights(6, 1, 3, 3, scale=0.125)
        x = g.act(g.conv(g.quant("in0"), 6, weights=w), 32.0, 4, rounding=mode)
        return g.model(g.dense(g.flat(g.pool(x)), scale=0.25))

    return make


CASES["round_ceil"] = _rounded("CEIL")
CASES["round_floor"] = _rounded("FLOOR")
CASES["round_down"] = _rounded("DOWN")


# Layouts.
@CASES.add
def keras_nhwc() -> ModelProto:
    g = Graph(12, 12, 3)
    x = g.op("Transpose", "in0", shape=(3, 12, 12), perm=[0, 3, 1, 2])
    x = g.pool(g.block(g.quant(x), 6, 170.0))
    x = g.op("Transpose", x, shape=(5, 5, 6), perm=[0, 2, 3, 1])
    x = g.op("Reshape", x, g.constant([-1, 150], np.int64), shape=(150,))
    return g.model(g.dense(x))


@CASES.add
def transpose_hw() -> ModelProto:
    g = Graph(3, 12, 12)
    x = g.pool(g.first(6))
    return g.end(g.op("Transpose", x, perm=[0, 1, 3, 2]))
