"""Graphs whose streams fork and meet again."""

from collections.abc import Callable
from typing import Any

import numpy as np
from graphs import SAME, Cases, Graph
from onnx import ModelProto

CASES = Cases()


def _sums(g: Graph, x: str, filters: int, spread: float = 1.0, **more: object) -> str:
    """A convolution and batch normalisation, not quantised."""
    return g.norm(g.conv(x, filters, **more), spread)


def _skip(change: Callable[[Graph, str], str]) -> Callable[[], ModelProto]:
    """A block with a skip that is added to its sums."""

    def make() -> ModelProto:
        g = Graph(3, 8, 8)
        x = g.first(pads=SAME)
        y = _sums(g, g.block(x, 6, pads=SAME), 4, pads=SAME)
        return g.end(g.act(g.op("Add", y, change(g, x)), 0.5, 3))

    return make


CASES["skip"] = _skip(lambda _, x: x)
CASES["skip_scaled"] = _skip(
    lambda g, x: g.op("Mul", x, g.constant([[[-0.7]], [[0.3]], [[0]], [[1.9]]]))
)
CASES["skip_signed"] = _skip(lambda g, x: g.quant(_sums(g, x, 4, kernel=1), 0.61, 2, signed=1))
CASES["skip_pooled"] = _skip(lambda g, x: g.pool(x, (3, 3), (1, 1), pads=SAME))
CASES["skip_bipolar"] = _skip(lambda g, x: g.quant(_sums(g, x, 4, kernel=1), 0.8, 1))


@CASES.add
def skip_first() -> ModelProto:
    """The skip is the Add's first input, and the sum is scaled below zero and pooled."""
    g = Graph(3, 8, 8)
    x = g.first(pads=SAME)
    y = g.op("Add", x, _sums(g, x, 4, pads=SAME))
    y = g.op("Mul", y, g.constant([[[-1.1]], [[0.8]], [[-0.4]], [[1.0]]]))
    return g.end(g.pool(g.act(g.op("Add", y, g.constant(0.3)), 0.3, 2)))


@CASES.add
def skip_dense() -> ModelProto:
    """Dense layers with a skip, and one over a whole image."""
    g = Graph(2, 4, 4)
    x = g.flat(g.first(4, pads=SAME))
    y = g.act(g.norm(g.dense(x, 16), 0.7), 0.3, 3)
    z = g.norm(g.dense(g.act(g.norm(g.dense(y, 12), 0.3), 0.3), 16), 0.4)
    return g.model(g.dense(g.act(g.op("Add", z, y), 0.3, 3)))


@CASES.add
def sum_of_codes() -> ModelProto:
    """Quantised branches of different depths are added."""
    g = Graph(3, 8, 8)
    x = g.first(pads=SAME)
    y = g.act(_sums(g, g.block(x, 5, pads=SAME), 4, pads=SAME), 0.45, 4)
    return g.end(g.quant(g.op("Add", y, x), 0.7, 3))


def _of_one_scale(kind: str, bits: tuple[int, int], scales: tuple[float, float]) -> Graph:
    """Two branches of codes that are added or subtracted; the last tensor is their sum."""
    g = Graph(3, 8, 8)
    x = g.quant(g.first(pads=SAME), scales[0], bits[0], signed=1)
    y = g.quant(_sums(g, x, 4, pads=SAME), scales[1], bits[1], signed=1)
    g.op(kind, x, y)
    return g


def _after(make: Callable[[Graph, str], ModelProto], *how: Any) -> Callable[[], ModelProto]:
    return lambda: make(g := _of_one_scale(*how), list(g.shapes)[-1])


CASES["sum_of_one_scale"] = _after(
    lambda g, x: g.end(g.act(x, 0.25, 4)), "Add", (6, 5), (0.0625, 0.125)
)
CASES["sum_of_wide_codes"] = _after(
    lambda g, x: g.end(g.quant(x, 0.173, 8, signed=1)), "Add", (8, 8), (0.037, 0.037)
)
CASES["sum_that_is_read"] = _after(
    lambda g, x: g.end(g.block(x, 5, pads=SAME)), "Add", (4, 4), (0.25, 0.25)
)
CASES["difference"] = _after(
    lambda g, x: g.end(g.quant(x, 0.5, 4, signed=1)), "Sub", (4, 5), (0.1875, 0.125)
)
CASES["sum_of_uneven_codes"] = _after(
    lambda g, x: g.end(g.quant(x, 0.5, 4)), "Add", (5, 5), (0.19, 0.123)
)
CASES["sum_that_is_wide"] = _after(
    lambda g, x: g.end(g.quant(x, 0.5, 4)), "Add", (8, 8), (0.00390625, 0.25)
)


@CASES.add
def sum_of_three() -> ModelProto:
    """Sums of sums, which a skip and a convolution read as they are."""
    g = Graph(3, 8, 8)
    x = g.quant(g.first(pads=SAME), 0.25, 3)
    y = g.op("Add", x, g.quant(_sums(g, x, 4, pads=SAME), 0.25, 3, signed=1))
    z = g.op("Add", g.quant(_sums(g, y, 4, pads=SAME), 0.5, 3), y)
    return g.end(g.act(_sums(g, z, 5)))


def _products(scales: tuple[float, float], *, after: float = 1.0) -> ModelProto:
    """Two products of one image are added, neither of them quantised."""
    g = Graph(3, 8, 8)
    x = g.quant(g.first(pads=SAME), 0.25, 3)
    y = g.conv(x, 4, pads=SAME, weights=g.weights(4, 4, 3, 3, scale=scales[0]))
    z = g.conv(x, 4, kernel=1, weights=g.weights(4, 4, 1, 1, scale=scales[1], bits=4), bias=[1] * 4)
    total = g.op("Mul", g.op("Add", y, z), g.constant(after))
    return g.end(g.quant(total, 0.31, 4, signed=1))


CASES["sum_of_products"] = lambda: _products((0.125, 0.375))
CASES["sum_of_uneven_products"] = lambda: _products((0.125, 0.31))
CASES["sum_of_negated_products"] = lambda: _products((0.125, 0.125), after=-1.0)


@CASES.add
def sum_of_dense_products() -> ModelProto:
    """A product with the whole image and one with each pixel."""
    g = Graph(2, 4, 4)
    x = g.quant(g.first(3, kernel=1), 0.25, 3)
    y = g.conv(x, 4, kernel=1, weights=g.weights(4, 3, 1, 1, scale=0.25))
    z = g.conv(x, 4, pads=(2, 2, 2, 2), kernel=5, weights=g.weights(4, 3, 5, 5, scale=0.125))
    return g.end(g.act(g.op("Add", y, z), 0.4, 3))


def _wide_skip(scale: float, kind: str = "Add") -> ModelProto:
    """Codes of eight bits are added to a product's sums, or subtracted."""
    g = Graph(3, 8, 8)
    x = g.quant(g.first(pads=SAME), scale, 8, signed=1)
    low = g.quant(x, 0.25, 3)
    y = g.conv(low, 4, pads=SAME, weights=g.weights(4, 4, 3, 3, scale=0.0625))
    return g.end(g.act(g.op(kind, y, x), 0.3, 5))


CASES["skip_wide"] = lambda: _wide_skip(0.03125)
CASES["skip_subtracted"] = lambda: _wide_skip(0.03125, "Sub")
CASES["skip_of_uneven_scale"] = lambda: _wide_skip(0.031)


@CASES.add
def sum_too_wide() -> ModelProto:
    g = Graph(3, 4, 4)
    x = g.first(pads=SAME)
    y = g.op("Add", g.quant(x, 1.0, 8), g.quant(x, 2**-12, 8))
    return g.end(g.op("Add", y, g.quant(x, 2**-24, 8)))


@CASES.add
def sum_of_itself() -> ModelProto:
    g = Graph(3, 8, 8)
    x = g.first(pads=SAME)
    return g.end(g.quant(g.op("Add", x, x), 0.7, 3))


@CASES.add
def concat_deep() -> ModelProto:
    """Branches of different depths and widths, three of them."""
    g = Graph(3, 8, 8)
    x = g.first(pads=SAME)
    y = g.act(_sums(g, g.block(x, 5, pads=SAME), 6, pads=SAME), bits=2)
    z = g.pool(x, (3, 3), (1, 1), pads=SAME)
    return g.end(g.block(g.op("Concat", x, y, z, shape=(14, 8, 8), axis=1), 5))


@CASES.add
def fork_of_the_image() -> ModelProto:
    """Two convolutions read the pixels."""
    g = Graph(3, 8, 8)
    x = g.quant("in0")
    y = _sums(g, x, 4, 170.0, pads=SAME)
    z = g.act(_sums(g, x, 4, 60.0, kernel=1), 0.5, 2)
    return g.end(g.act(g.op("Add", y, z)))


@CASES.add
def sum_of_digits() -> ModelProto:
    """Two codes of two bits that are one of four bits: a table that changes nothing."""
    g = Graph(3, 8, 8)
    x = g.act(_sums(g, g.quant("in0"), 4, 170.0, pads=SAME), 0.5, 2)
    y = g.act(_sums(g, x, 4, kernel=1), 2.0, 2)
    return g.end(g.block(g.quant(g.op("Add", x, y), 0.5, 4), 5))


@CASES.add
def fork_of_codes() -> ModelProto:
    """Signed codes that are read as they are, behind a ReLU, and behind a pool and a scale."""
    g = Graph(3, 8, 8)
    x = g.quant(_sums(g, g.quant("in0"), 4, 170.0, pads=SAME), 0.4, 3, signed=1)
    y = g.quant(_sums(g, g.op("Relu", x), 4, pads=SAME), 0.4, 3, signed=1)
    z = g.op("Mul", g.pool(x, (3, 3), (1, 1), pads=SAME), g.constant(1.0))
    return g.end(g.op("Concat", x, y, z, shape=(12, 8, 8), axis=1))


@CASES.add
def joined_whole() -> ModelProto:
    """Products with a whole image, as padded windows of one pixel are, are joined and convolved."""
    g = Graph(2, 4, 4)
    x = g.first(3, pads=SAME)
    y, z = (g.act(_sums(g, x, 3, kernel=1, pads=SAME), 0.4, 3) for _ in range(2))
    return g.end(g.block(g.op("Concat", y, z, shape=(6, 6, 6), axis=1), 4))


def residual_network(
    stages: tuple[int, ...], *, size: int, bits: int = 2, blocks: int = 1, weights: int = 2
) -> ModelProto:
    """A residual network (He et al., 2016) of random weights with quantised skips."""
    g = Graph(3, size, size)

    def sums(x: str, filters: int, kernel: int = 3, stride: int = 1) -> str:
        w = g.weights(filters, g.shapes[x][0], kernel, kernel, scale=0.11, bits=weights)
        pads = SAME if kernel == 3 else (0,) * 4
        spread = 0.4 * (g.shapes[x][0] * kernel**2) ** 0.5 * 0.11 * (1 << bits)
        return g.norm(
            g.conv(x, filters, kernel, pads=pads, strides=(stride,) * 2, weights=w), spread
        )

    w = g.weights(stages[0], 3, 3, 3, scale=0.11, bits=weights)
    x = g.act(g.norm(g.conv(g.quant("in0"), stages[0], pads=SAME, weights=w), 100.0), 0.6, bits)
    for stage, filters in enumerate(stages):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            y = sums(g.act(sums(x, filters, 3, stride), 0.6, bits), filters)
            skip = x
            if stride == 2 or g.shapes[x][0] != filters:
                skip = g.quant(sums(x, filters, 1, stride), 0.6, bits, signed=1)
            x = g.act(g.op("Add", y, skip), 0.6, bits)
    x = g.op("GlobalAveragePool", x, shape=(g.shapes[x][0], 1, 1))
    return g.model(g.dense(g.flat(x), bits=4))


CASES["resnet_small"] = lambda: residual_network((4, 8), size=8)


@CASES.add
def shortcut_a() -> ModelProto:
    """Shortcuts without weights (He et al., 2016, option A): every second pixel, zeros beside."""
    g = Graph(3, 7, 8)
    x = g.first(4, pads=SAME)
    ends = [g.constant(n, np.int64) for n in ([0, 0], [2**63 - 1, 2**63 - 1], [2, 3], [2, 2])]
    y = g.op("Slice", x, *ends, shape=(4, 4, 4))
    y = g.op("Pad", y, g.constant([0, 2, 0, 0, 0, 2, 0, 0], np.int64), shape=(8, 4, 4))
    z = _sums(g, g.block(x, 8, pads=SAME, strides=(2, 2)), 8, pads=SAME)
    return g.end(g.act(g.op("Add", z, y), 0.3, 3))


@CASES.add
def slices() -> ModelProto:
    """Halves of the channels that go different ways, one of them cropped (an old Slice)."""
    g = Graph(3, 8, 9, opset=9)
    x = g.quant(_sums(g, g.quant("in0"), 6, 170.0, pads=SAME), 0.4, 3, signed=1)
    y = g.op("Slice", x, shape=(3, 6, 6), axes=[1, 2, 3], starts=[0, 1, 3], ends=[3, -1, 9])
    z = g.op("Slice", x, shape=(3, 8, 9), axes=[1], starts=[3], ends=[6])
    z = g.act(_sums(g, z, 4), 0.4)  # 6 x 7
    z = g.op("Slice", z, shape=(4, 6, 6), axes=[3], starts=[0], ends=[6])
    return g.end(g.op("Concat", y, z, shape=(7, 6, 6), axis=1))


@CASES.add
def slice_back() -> ModelProto:
    """Rows in the reverse order."""
    g = Graph(3, 8, 8)
    x = g.first(4, pads=SAME)
    ends = [g.constant([n], np.int64) for n in (-1, -9, 2, -1)]
    return g.end(g.op("Slice", x, *ends))
