"""The four networks of MLPerf Tiny (Banbury et al., arXiv 2106.07597), with random weights."""

from case_branches import residual_network
from graphs import Graph
from onnx import ModelProto

BITS = 4  # of weights and activations
# The padding that keeps the size of an image under a 3 x 3 window, and that of one which halves it.
AROUND, AFTER = (1, 1, 1, 1), (0, 0, 1, 1)


def _layer(g: Graph, x: str, filters: int, kernel: tuple[int, int] = (1, 1), **more: object) -> str:
    """A convolution of few bits, with all that follows up to the codes of its results."""
    group = int(more.get("group", 1))  # type: ignore[call-overload]
    weights = g.weights(filters, g.shapes[x][0] // group, *kernel, scale=0.04, bits=BITS)
    made = g.conv(x, filters, kernel, weights=weights, **more)  # type: ignore[arg-type]
    return g.act(g.norm(made, 170.0 if x == "t0" else 0.7), 0.2, BITS)


def _pair(g: Graph, x: str, filters: int, stride: int = 1) -> str:
    """A convolution of each channel alone, and one of each pixel."""
    channels, pads = g.shapes[x][0], AROUND if stride == 1 else AFTER
    x = _layer(g, x, channels, (3, 3), pads=pads, strides=(stride,) * 2, group=channels)
    return _layer(g, x, filters)


def _end(g: Graph, x: str, classes: int) -> ModelProto:
    """The mean of all pixels, and classes."""
    x = g.op("GlobalAveragePool", x, shape=(g.shapes[x][0], 1, 1))
    return g.model(g.dense(g.flat(x), classes, bits=BITS))


def ds_cnn() -> ModelProto:
    """Keywords in 49 x 10 numbers."""
    g = Graph(1, 49, 10)
    x = _layer(g, g.quant("in0"), 64, (10, 4), pads=(4, 1, 5, 1), strides=(2, 2))
    for _ in range(4):
        x = _pair(g, x, 64)
    return _end(g, x, 12)


def mobilenet(size: int = 96, width: int = 8) -> ModelProto:
    """MobileNetV1 of a quarter of the channels, for pictures of one of two kinds."""
    g = Graph(3, size, size)
    x = _layer(g, g.quant("in0"), width, (3, 3), pads=AFTER, strides=(2, 2))
    for times, stride in ((2, 1), (4, 2), (4, 1), (8, 2), (8, 1), (16, 2), *[(16, 1)] * 5):
        x = _pair(g, x, times * width, stride)
    for stride in (2, 1):
        x = _pair(g, x, 32 * width, stride)
    return _end(g, x, 2)


def resnet8(bits: int = 2) -> ModelProto:
    """Three residual blocks of 16, 32 and 64 filters, for CIFAR-10."""
    return residual_network((16, 32, 64), size=32, bits=bits, weights=bits)


def autoencoder() -> ModelProto:
    """Dense layers alone, 640 numbers to as many: sounds of a machine."""
    g = Graph(640)
    x = g.quant("in0")
    for index, rows in enumerate((128, 128, 128, 128, 8, 128, 128, 128, 128)):
        sums = g.norm(g.dense(x, rows, scale=0.05, bits=BITS), 1.0 if index else 100.0)
        x = g.act(sums, 0.2, BITS)
    return g.model(g.dense(x, 640, scale=0.05, bits=BITS))
