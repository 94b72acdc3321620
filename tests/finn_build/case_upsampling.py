"""Graphs with images that become larger."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from graphs import SAME, Cases, Graph
from onnx import ModelProto

CASES = Cases()


def _larger(g: Graph, x: str, factors: Sequence[float], **said: Any) -> str:
    """Resize by factors of rows and columns."""
    channels, *sides = g.shapes[x]
    scales = g.constant([1, 1, *factors])
    size = [int(n * factor) for n, factor in zip(sides, factors, strict=True)]
    return g.op("Resize", x, "", scales, shape=(channels, *size), **{"mode": "nearest", **said})


def _after_a_pool(factors: Sequence[float], **said: Any) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = Graph(3, 10, 8)
        x = _larger(g, g.pool(g.first(pads=SAME)), factors, **said)
        return g.end(g.pool(g.block(x, 5), (3, 2)))

    return make


FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
CASES["up_twice"] = _after_a_pool((2, 2), **FLOOR)
CASES["up_rows"] = _after_a_pool((3, 1))
CASES["up_columns"] = _after_a_pool((1, 3), coordinate_transformation_mode="pytorch_half_pixel")
CASES["up_linear"] = _after_a_pool((2, 2), mode="linear")
CASES["up_half"] = _after_a_pool((2, 1.5))
CASES["up_corners"] = _after_a_pool((2, 2), coordinate_transformation_mode="align_corners")
CASES["up_uneven"] = _after_a_pool((2, 2), **{**FLOOR, "nearest_mode": "ceil"})


@CASES.add
def up_and_joined() -> ModelProto:
    """A small image comes back beside the large one, as in a U-Net."""
    g = Graph(3, 8, 8)
    x = g.first(pads=SAME)
    y = _larger(g, g.block(g.pool(x), 6, pads=SAME), (2, 2), **FLOOR)
    return g.end(g.block(g.op("Concat", x, y, shape=(10, 8, 8), axis=1), 5))


@CASES.add
def up_before_a_quantiser() -> ModelProto:
    """Sums are repeated before they are quantised, and pooled after it."""
    g = Graph(3, 6, 6)
    x = _larger(g, g.norm(g.conv(g.quant("in0"), 4), 170.0), (2, 3))
    return g.end(g.block(g.pool(g.act(x)), 4))


@CASES.add
def up_pixels() -> ModelProto:
    """The image itself is repeated."""
    g = Graph(3, 4, 5)
    return g.end(g.pool(g.block(g.quant(_larger(g, "in0", (2, 2), **FLOOR)), 4, 170.0), (3, 2)))


@CASES.add
def up_sizes() -> ModelProto:
    """The size is given, and images are transposed."""
    g = Graph(3, 8, 6)
    x = g.op("Transpose", g.pool(g.first(4)), shape=(4, 2, 3), perm=[0, 1, 3, 2])
    sizes = g.constant([1, 4, 4, 9], np.int64)
    return g.end(g.op("Resize", x, "", "", sizes, shape=(4, 4, 9), mode="nearest", **FLOOR))


@CASES.add
def up_channels_last() -> ModelProto:
    """Images with channels last, the first of which has one pixel, as Keras has them."""
    g = Graph(3, 8, 8)
    x = g.act(g.norm(g.conv(g.first(6, pads=SAME), 12, kernel=8), 20.0), 0.02, 6)
    for factors in ((2, 2), (1, 3)):
        channels, height, width = g.shapes[x]
        x = g.op("Transpose", x, shape=(height, width, channels), perm=[0, 2, 3, 1])
        size = height * factors[0], width * factors[1]
        scales = g.constant([1, *factors, 1])
        x = g.op("Resize", x, "", scales, shape=(*size, channels), mode="nearest", **FLOOR)
        x = g.op("Transpose", x, shape=(channels, *size), perm=[0, 3, 1, 2])
        x = g.act(g.norm(g.conv(x, 12, kernel=1)), 0.02, 6)
    return g.end(x)


@CASES.add
def up_channels() -> ModelProto:
    g = Graph(3, 8, 8)
    scales = g.constant([1, 2, 1, 1])
    x = g.op("Resize", g.first(4), "", scales, shape=(8, 6, 6), mode="nearest", **FLOOR)
    return g.end(x)


@CASES.add
def up_by_an_older_operator() -> ModelProto:
    """Upsample, as it was until ONNX 1.5."""
    g = Graph(3, 8, 8, opset=9)
    x = g.op("Upsample", g.pool(g.first(4)), g.constant([1, 1, 2, 2]), shape=(4, 6, 6))
    return g.end(g.block(x, 5))
