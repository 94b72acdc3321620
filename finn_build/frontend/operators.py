"""What each operator of a graph does to a stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import ceil

import numpy as np
from onnx import NodeProto

from finn_build.frontend import hardware, join, rewiring, shaping
from finn_build.frontend.check import attributes, kind, refuse
from finn_build.frontend.elementwise import Affine, Clip, Leaky
from finn_build.frontend.extremes import extremes
from finn_build.frontend.linear import conv, gemm, matmul
from finn_build.frontend.operations import per_channel, then
from finn_build.frontend.probabilities import LABELS
from finn_build.frontend.quantisers import quant
from finn_build.frontend.rational import root
from finn_build.frontend.scope import Scope, Value
from finn_build.frontend.shaping import image_only
from finn_build.frontend.stream import NO_SIDES, Constant, Pool, Repeat, Sides, Stream, added
from finn_build.frontend.tidy import QCDQ
from finn_build.frontend.truncation import trunc
from finn_build.frontend.upsampling import upsampling

_HINTS = {
    "QuantizeLinear": QCDQ,
    "DequantizeLinear": QCDQ,
    "Sigmoid": "leave it out; the label is the same",
    **dict.fromkeys(LABELS, "only as the last node of the network"),
}


def unsupported(node: NodeProto) -> str:
    """Why an operator is refused."""
    hint = f" ({_HINTS[node.op_type]})" if node.op_type in _HINTS else ""
    supported = sorted(
        {
            *HANDLERS,
            "Constant",
            "Dropout",
            "Identity",
            "Shape",
        }
    )
    ends = ", ".join(LABELS)
    return (
        f"operator {kind(node)} is not supported{hint}; supported: {', '.join(supported)}, and at "
        f"the end {ends}"
    )


def _arithmetic(scope: Scope, node: NodeProto) -> Value:
    """Add, Sub, Mul, Div of a stream and a constant."""
    first, second = (scope.values[name] for name in node.input)
    if isinstance(first, Stream) and isinstance(second, Stream):
        if node.op_type == "Add":
            return join.add(scope, node, first, second)
        if node.op_type == "Sub":
            negated = then(scope, second, node, Affine(gains=(Fraction(-1),)))
            return join.add(scope, node, first, negated)
        raise refuse(node, f"{node.op_type} of two computed tensors is not supported; Add, Sub are")
    turned = not isinstance(first, Stream)
    stream = first if isinstance(first, Stream) else second
    other = second if isinstance(first, Stream) else first
    if not isinstance(stream, Stream) or not isinstance(other, Constant):
        raise refuse(node, "has no input that depends on the image")
    numbers = per_channel(node, stream, other.exact)
    if node.op_type in ("Add", "Sub"):
        sign = -1 if node.op_type == "Sub" else 1
        gains = (Fraction(-1),) if turned and sign < 0 else (Fraction(1),)
        offsets = tuple(numbers) if turned else tuple(sign * n for n in numbers)
        return then(scope, stream, node, Affine(gains=gains, offsets=offsets))
    if node.op_type == "Div":
        if turned or not all(numbers):
            raise refuse(node, "divides by zero, or a constant by the image; no scale does that")
        numbers = [1 / n for n in numbers]
    return then(scope, stream, node, Affine(gains=tuple(numbers)))


def _batch_norm(scope: Scope, node: NodeProto) -> Value:
    said = attributes(node)
    if said.get("training_mode", 0):
        raise refuse(node, "is in training mode; export the model in evaluation mode")
    stream = scope.stream(node)
    columns = [scope.numbers(node, index) for index in range(1, 5)]
    vectors = []
    for values in columns:
        if values is None or values.ndim != 1:
            raise refuse(node, "want scale, bias, mean and variance of each channel")
        shape = [1, -1, *(1 for _ in stream.layout.dims[1:])]
        vectors.append(per_channel(node, stream, values.reshape(shape)))
    eps = Fraction(float(np.float32(said.get("epsilon", 1e-5))))
    gains, offsets = [], []
    for channel, (gamma, beta, mean, variance) in enumerate(zip(*vectors, strict=True)):
        if variance + eps <= 0:
            raise refuse(
                node,
                f"the variance of channel {channel}, {float(variance):g}, is below "
                "zero, so that its scale is not finite",
            )
        gains.append(gamma / root(variance + eps))
        offsets.append(beta - gains[-1] * mean)
    return then(scope, stream, node, Affine(gains=tuple(gains), offsets=tuple(offsets)))


def _relu(scope: Scope, node: NodeProto) -> Value:
    return then(scope, scope.stream(node), node, Clip(low=Fraction(0)))


def _clip(scope: Scope, node: NodeProto) -> Value:
    said = attributes(node)
    limits: list[Fraction | None] = []
    for index, name in ((1, "min"), (2, "max")):
        values = scope.numbers(node, index)
        if values is not None and values.size != 1:
            raise refuse(node, f"its {name} has the shape {list(values.shape)}; want one number")
        number = said.get(name) if values is None else float(values.reshape(-1)[0])
        if number == (np.inf if name == "min" else -np.inf):
            raise refuse(node, f"its {name} of {number:g} leaves no finite number")
        limits.append(None if number is None or np.isinf(number) else Fraction(float(number)))
    low, high = limits
    if low is not None and high is not None and low > high:
        raise refuse(node, f"has a minimum of {float(low):g} above its maximum of {float(high):g}")
    return then(scope, scope.stream(node), node, Clip(low=low, high=high))


def _leaky(scope: Scope, node: NodeProto) -> Value:
    stream = scope.stream(node)
    if node.op_type == "PRelu":
        values = scope.numbers(node, 1)
        assert values is not None
        slopes = per_channel(node, stream, values)
    else:
        slopes = [Fraction(float(np.float32(attributes(node).get("alpha", 0.01))))]
    if any(slope < 0 for slope in slopes):
        raise refuse(node, "has a slope below zero: outputs that fall have no thresholds")
    if not any(slopes):
        return then(scope, stream, node, Clip(low=Fraction(0)))
    if not all(slopes):
        raise refuse(node, "has slopes of zero beside others, which is not supported")
    return then(scope, stream, node, Leaky(slopes=tuple(slopes)))


def _pool(scope: Scope, node: NodeProto) -> Value:
    """MaxPool, AveragePool, GlobalMaxPool and GlobalAveragePool, maybe of an image with a Pad."""
    said = attributes(node)
    stream = scope.stream(node)
    flipped, dims = image_only(node, stream)
    height, width = stream.layout.height, stream.layout.width
    if node.op_type.startswith("Global"):
        kernel, stride, pad = (height, width), (height, width), NO_SIDES
    else:
        kernel, stride, apart, pad = shaping.window(node, said, (height, width), flipped, dims)
        if apart != (1, 1):
            raise refuse(node, f"dilations {said['dilations']} of a pool are not supported; use 1")
    largest = node.op_type in ("MaxPool", "GlobalMaxPool")
    if not largest and pad != NO_SIDES and not said.get("count_include_pad", 0):
        raise refuse(
            node,
            "takes means of fewer pixels at the border (count_include_pad is 0); set it to 1, or "
            "do not pad",
        )
    if said.get("ceil_mode"):
        given, pad = pad, _to_ceiling((height, width), kernel, stride, pad)
        if not largest and pad != given:
            raise refuse(
                node, "takes means of windows that reach beyond the image (ceil_mode); crop or pad"
            )
    out = hardware.pooled(height, width, Pool(kernel=kernel, stride=stride, pad=pad))
    if min(out) < 1:
        raise refuse(
            node, f"an image of {height} x {width} has no room for windows of {list(kernel)}"
        )
    layout = stream.layout.with_image(*out, stream.layout.channels, flipped=flipped)
    pool = Pool(kernel=kernel, stride=stride, pad=added(pad, stream.pad))
    if not largest:
        return replace(scope.mean(stream, node, pool), layout=layout)
    if stream.pad != NO_SIDES and _below_zero(stream):
        raise refuse(
            node,
            "takes the largest of zeros around an image and of numbers below zero in it; pad "
            "within the pool",
        )
    return replace(then(scope, replace(stream, pad=NO_SIDES), node, pool), layout=layout)


def _below_zero(stream: Stream) -> bool:
    """Whether values of a stream may be below zero."""
    return any(extremes(stream, channel)[0] < 0 for channel in range(stream.layout.channels))


def _resize(scope: Scope, node: NodeProto) -> Value:
    """Resize and Upsample to the nearest pixel, by whole factors, in any layout."""
    stream = scope.bare(node)
    factors, layout = upsampling(node, scope.numbers, stream.layout)
    return replace(then(scope, stream, node, Repeat(factors=factors)), layout=layout)


def _reduce_mean(scope: Scope, node: NodeProto) -> Value:
    """ReduceMean over the rows, the columns, or both, in whichever dimensions they are."""
    said = attributes(node)
    stream = scope.bare(node)
    layout, rank = stream.layout, 1 + len(stream.layout.dims)
    given = scope.numbers(node, 1)
    axes = said.get("axes") if given is None else given.ravel().tolist()
    if not axes or any(not -rank <= axis < rank for axis in axes):
        raise refuse(node, f"axes {(axes or [])[:4]}; want some of 1 to {rank - 1}")
    places = {int(axis) % rank for axis in axes}
    merged = "".join(layout.dims[place - 1] for place in places)
    if 0 in places or "c" in merged:
        raise refuse(node, "takes means over batch or channels; use rows and columns only")
    kernel = (layout.height if "h" in merged else 1, layout.width if "w" in merged else 1)
    dims = ["" if i in places else dim for i, dim in enumerate(layout.dims, 1)]
    if not said.get("keepdims", 1):
        dims = [dim for i, dim in enumerate(dims, 1) if i not in places]
    whole = Pool(kernel=kernel, stride=kernel, pad=NO_SIDES)
    made = scope.mean(stream, node, whole) if merged else stream
    sizes = {"height": layout.height // kernel[0], "width": layout.width // kernel[1]}
    return replace(made, layout=replace(layout, **sizes, dims=tuple(dims)))


def _to_ceiling(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], pad: Sides
) -> Sides:
    """The padding for ceil_mode: every window that begins within the image is complete."""
    more = []
    for axis in (0, 1):
        total = size[axis] + pad[axis] + pad[axis + 2]
        count = ceil(Fraction(total - kernel[axis], stride[axis])) + 1
        if (count - 1) * stride[axis] >= size[axis] + pad[axis]:
            count -= 1
        more.append(max(0, (count - 1) * stride[axis] + kernel[axis] - total))
    return (pad[0], pad[1], pad[2] + more[0], pad[3] + more[1])


def _cast(scope: Scope, node: NodeProto) -> Value:
    raise refuse(node, "casts activations to integers, which does not quantise them; use Quant")


Handler = Callable[[Scope, NodeProto], Value]
HANDLERS: dict[str, Handler] = {
    "Add": _arithmetic,
    "AveragePool": _pool,
    "BatchNormalization": _batch_norm,
    "BipolarQuant": quant,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": join.concat,
    "Conv": conv,
    "Div": _arithmetic,
    "Flatten": shaping.flatten,
    "Gemm": gemm,
    "GlobalAveragePool": _pool,
    "GlobalMaxPool": _pool,
    "LeakyRelu": _leaky,
    "MatMul": matmul,
    "MaxPool": _pool,
    "Mul": _arithmetic,
    "PRelu": _leaky,
    "Pad": shaping.pad,
    "Quant": quant,
    "ReduceMean": _reduce_mean,
    "Relu": _relu,
    "Resize": _resize,
    "Reshape": shaping.reshape,
    "Slice": rewiring.cut,
    "Squeeze": shaping.squeeze,
    "Sub": _arithmetic,
    "Transpose": shaping.transpose,
    "Trunc": trunc,
    "Unsqueeze": shaping.unsqueeze,
    "Upsample": _resize,
}
