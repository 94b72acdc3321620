"""Conv, MatMul and Gemm: products of a stream with constant weights."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from finn_build.frontend.check import attributes, refuse, shown
from finn_build.frontend.layout import Layout, of_axes
from finn_build.frontend.product import MOST_WEIGHT_BITS, sums
from finn_build.frontend.rational import fractions
from finn_build.frontend.scope import Scope, Value
from finn_build.frontend.shaping import image_only, shape_of, window
from finn_build.frontend.stream import Constant, Product, Stream, added
from finn_build.network.layers import Ints

_MOST_FLOAT_BITS = 40


def _weights(scope: Scope, node: NodeProto, index: int) -> Constant:
    """Weights as integers and scales. Float weights are accepted if they lie on a binary grid."""
    found = scope.constant(node, index)
    if found is None:
        raise refuse(node, "has no weights")
    if not np.size(found.values):
        raise refuse(node, f"its weights of shape {list(np.shape(found.values))} are empty")
    if found.integers is not None:
        return found
    values = np.asarray(found.values, np.float64)
    exponent = int(np.frexp(np.abs(values).max(initial=0.0))[1])
    for power in range(exponent, exponent - _MOST_FLOAT_BITS, -1):
        step = 2.0**power
        if not np.mod(values, step).any():
            integers = np.rint(values / step).astype(np.int64)
            if np.abs(integers).max(initial=0) >= 1 << (MOST_WEIGHT_BITS - 1):
                break
            return replace(found, integers=integers, scales=np.full(values.shape, step))
    raise refuse(
        node,
        f"its weights {shown(node.input[index])} are float numbers: put a quantiser (Quant) on "
        "them",
    )


def _bias(scope: Scope, node: NodeProto, index: int, rows: int) -> list[Fraction]:
    found = scope.constant(node, index)
    if found is None:
        return [Fraction(0)] * rows
    shape = np.shape(found.exact)
    one = node.op_type == "Gemm" and shape in ((), (1,), (1, 1))
    if not one and shape != (rows,) and (node.op_type != "Gemm" or shape != (1, rows)):
        raise refuse(node, f"has a bias of shape {list(shape)} for {rows} outputs")
    return fractions(found.exact) * (rows if one else 1)


def conv(scope: Scope, node: NodeProto) -> Value:
    """Conv over one or two dimensions, grouped or not; a Pad before it adds to its own padding."""
    said = attributes(node)
    stream = scope.stream(node)
    weights = _weights(scope, node, 1)
    flipped, dims = image_only(node, stream)
    integers, scales = weights.integers, weights.scales
    assert integers is not None and scales is not None
    if integers.ndim != dims + 2:
        raise refuse(
            node, f"weights of shape {list(integers.shape)} for images of {dims} dimensions"
        )
    groups, rows = said.get("group", 1), len(integers)
    layout = stream.layout
    channels = layout.channels
    if groups < 1 or rows % groups or channels != groups * integers.shape[1]:
        raise refuse(
            node,
            f"weights of shape {list(integers.shape)} in {groups} groups do not fit {channels} "
            f"channels of {shape_of(stream)}",
        )
    kernel, stride, dilation, pad = window(
        node, said, (layout.height, layout.width), flipped, dims, integers.shape[2:]
    )
    bias = _bias(scope, node, 2, rows)
    pad = added(pad, stream.pad)
    for axis, size in enumerate((layout.height, layout.width)):
        if (
            dilation != (1, 1)
            and (kernel[axis] - 1) * dilation[axis] >= size + pad[axis] + pad[axis + 2]
        ):
            raise refuse(
                node,
                f"a window of {list(kernel)} with dilation {list(dilation)} is "
                "larger than its image",
            )
    codes = scope.codes(stream, node)
    product = Product(
        codes=codes,
        integers=_windowed(integers, kernel, dilation, groups, flipped),
        scales=_windowed(scales, kernel, dilation, groups, flipped, like_first=True),
        bias=tuple(bias),
        stride=stride,
        pad=pad,
    )
    made = sums(product, scope.refuse(node))
    out = layout.with_image(*product.out, rows, flipped=flipped)
    return Stream(layout=out, base=made, names=(*stream.names, shown(node.name or node.output[0])))


def _windowed(
    values: NDArray[Any],
    kernel: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    flipped: bool,
    *,
    like_first: bool = False,
) -> NDArray[Any]:
    """Weights (ROWS, C, K...) as (ROWS, KH, KW, CHANNELS).

    The gaps of dilated windows and the channels of other groups hold zero, or the row's first value
    (like_first). The unit does not store the zeros of other groups (hardware.by_groups).
    """
    rows, each = values.shape[:2]
    spatial = values.transpose(0, 1, 3, 2) if flipped and values.ndim == 4 else values
    square = spatial.reshape(rows, each, *kernel).transpose(0, 2, 3, 1)
    tall, wide = ((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    made = np.zeros((rows, tall, wide, groups * each), values.dtype)
    if like_first:
        made[:] = square[:, :1, :1, :1]
    for group in range(groups):
        part = slice(group * rows // groups, (group + 1) * rows // groups)
        inputs = slice(group * each, (group + 1) * each)
        made[part, :: dilation[0], :: dilation[1], inputs] = square[part]
    return made


def matmul(scope: Scope, node: NodeProto) -> Value:
    """MatMul of a stream with a matrix."""
    weights = _weights(scope, node, 1)
    assert weights.integers is not None and weights.scales is not None
    if weights.integers.ndim != 2:
        raise refuse(node, f"weights of shape {list(weights.integers.shape)}; want a matrix")
    rows = weights.integers.shape[1]
    bias = [Fraction(0)] * rows
    return _dense(scope, node, weights.integers.T, weights.scales.T, bias)


def gemm(scope: Scope, node: NodeProto) -> Value:
    """Gemm: a dense layer with its bias."""
    said = attributes(node)
    weights = _weights(scope, node, 1)
    assert weights.integers is not None and weights.scales is not None
    if said.get("transA", 0):
        raise refuse(node, "transposes the image (transA)")
    turned = bool(said.get("transB", 0))
    integers = weights.integers if turned else weights.integers.T
    scales = weights.scales if turned else weights.scales.T
    if integers.ndim != 2:
        raise refuse(node, f"weights of shape {list(integers.shape)}; want a matrix")
    alpha, beta = (float(np.float32(said.get(name, 1.0))) for name in ("alpha", "beta"))
    bias = [Fraction(beta) * b for b in _bias(scope, node, 2, len(integers))]
    return _dense(scope, node, integers, scales * alpha, bias)


def _dense(
    scope: Scope, node: NodeProto, integers: Ints, scales: NDArray[np.float64], bias: list[Fraction]
) -> Value:
    """A product (ROWS, COLS) with the last dimension of a stream: with the image, or each pixel."""
    stream = scope.bare(node)
    layout = stream.layout
    cols = layout.shape[-1] if layout.dims else 0
    if integers.shape[1] != cols:
        raise refuse(
            node,
            f"{integers.shape[1]} weights for each output on activations of {shape_of(stream)}",
        )
    names = (*stream.names, shown(node.name or node.output[0]))
    rows = len(integers)
    if len(layout.dims) == 1:
        flat = _in_order(integers, layout), _in_order(scales, layout)
        out = of_axes(1, 1, rows, ("c",))
        codes = scope.codes(stream, node)
        product = Product(codes=codes, integers=flat[0], scales=flat[1], bias=tuple(bias))
        return Stream(layout=out, base=sums(product, scope.refuse(node)), names=names)
    if layout.dims[-1] not in ("c", "") or (layout.dims[-1] == "" and layout.channels > 1):
        raise refuse(node, f"multiplies a dimension of {shape_of(stream)} other than the channels")
    codes = scope.codes(stream, node)
    shape = (rows, 1, 1, cols)
    product = Product(
        codes=codes,
        integers=integers.reshape(shape),
        scales=scales.reshape(shape),
        bias=tuple(bias),
    )
    dims = tuple(d for d in layout.dims[:-1])
    out = Layout(
        height=layout.height,
        width=layout.width,
        channels=rows,
        dims=(*dims, "c" if rows > 1 else ""),
    )
    return Stream(layout=out, base=sums(product, scope.refuse(node)), names=names)


def _in_order(values: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Columns of a matrix, in the order of a tensor, as (ROWS, HEIGHT, WIDTH, CHANNELS)."""
    return layout.to_stream(np.ascontiguousarray(values))
