"""Read the layer list out of a chain of FINN's hardware layers."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from finn_build.errors import ModelError
from finn_build.layers import Argmax, Ints, Layer, Lookup, MaxPool, Mvtu, Network, Window

_CHAIN = "FMPadding, ConvolutionInputGenerator, Pool (max), MVAU, and one scale at the end"


@dataclass
class _Walk:
    """Where the walk along the chain stands.

    The stream carries codes of zero and more; a code c stands for the value step * c + offset.
    """

    model: ModelWrapper
    height: int
    width: int
    channels: int
    bits: int = 8
    step: int = 1
    offset: int = 0
    pad: int = 0
    windowed: bool = False
    flat: bool = False
    layers: list[Layer] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    scale: float = 1.0
    bias: NDArray[np.float64] | None = None

    def name(self, prefix: str) -> str:
        """Next name with a prefix: conv0, conv1, ..."""
        index = self.counts.get(prefix, 0)
        self.counts[prefix] = index + 1
        return f"{prefix}{index}"


def extract(model: ModelWrapper, name: str) -> Network:
    """Turn FINN's hardware layers into a Network.

    Signed and bipolar activations become unsigned codes; thresholds and biases make up for it.
    Thresholds become the ceilings of FINN's float thresholds, clipped to what the accumulator can
    reach, which is exact for integer accumulators. Raises ModelError naming the node that does not
    fit into a chain of layers.
    """
    _, channels, height, width = model.get_tensor_shape(model.graph.input[0].name)
    walk = _Walk(model=model, height=height, width=width, channels=channels)
    for node in model.graph.node:
        handler = _HANDLERS.get(node.op_type)
        if handler is None:
            raise ModelError(
                f"node {node.name} ({node.op_type}) did not map to a hardware layer; "
                f"supported: {_CHAIN}"
            )
        handler(walk, node)
    return _finish(walk, name, height, width, channels)


def _refuse(node: NodeProto, why: str) -> ModelError:
    return ModelError(f"node {node.name} ({node.op_type}): {why}")


def _attributes(node: NodeProto) -> dict[str, Any]:
    op = getCustomOp(node)
    return {key: op.get_nodeattr(key) for key in op.get_nodeattr_types()}


def _square(node: NodeProto, what: str, values: Any) -> int:
    numbers = {int(v) for v in values}
    if len(numbers) != 1:
        raise _refuse(node, f"{what} {list(values)} differ; use the same on all sides")
    return numbers.pop()


def _transpose(walk: _Walk, node: NodeProto) -> None:
    if walk.pad or any(not isinstance(layer, Lookup) for layer in walk.layers):
        raise _refuse(node, "a transpose in the middle of the network stays behind")


def _quantiser(walk: _Walk, node: NodeProto) -> None:
    """The quantiser of the pixels, as a table."""
    if walk.layers or walk.pad:
        raise _refuse(node, "an activation stays behind without a layer before it")
    codes = _read_codes(node)
    steps = walk.model.get_initializer(node.input[1]).astype(np.float64)
    values = np.arange(1 << walk.bits)
    tables: Ints = (values[None, :, None] >= steps[:, None, :]).sum(axis=2)
    if len(np.unique(tables)) < min(4, steps.shape[1] + 1):
        raise _refuse(
            node,
            f"pixels of 0 to {values[-1]} take {len(np.unique(tables))} of "
            f"{steps.shape[1] + 1} values; if the model wants them up to 1, say --pixel-max 1",
        )
    layer = Lookup(
        name=walk.name("pixels"),
        height=walk.height,
        width=walk.width,
        in_bits=walk.bits,
        tables=np.ascontiguousarray(np.broadcast_to(tables, (walk.channels, len(values)))),
    )
    walk.layers.append(layer)
    walk.bits, (walk.step, walk.offset) = layer.out_bits, codes


def _read_codes(node: NodeProto) -> tuple[int, int]:
    """Step and offset of what a MultiThreshold gives, which must be integers."""
    a = _attributes(node)
    step, offset = a["out_scale"], a["out_bias"]
    if step != int(step) or offset != int(offset) or step < 1:
        raise _refuse(node, f"values of {step:g} * n + {offset:g} are no integers")
    return int(step), int(offset)


def _padding(walk: _Walk, node: NodeProto) -> None:
    walk.pad = _square(node, "paddings", _attributes(node)["Padding"])


def _window(walk: _Walk, node: NodeProto) -> None:
    a = _attributes(node)
    kernel = _square(node, "kernel sides", a["ConvKernelDim"])
    stride = _square(node, "strides", a["Stride"])
    if _square(node, "dilations", a["Dilation"]) != 1:
        raise _refuse(node, "dilation is not supported; use 1")
    consumer = walk.model.find_consumer(node.output[0])
    if consumer is not None and consumer.op_type == "Pool":
        if walk.pad or stride != kernel:
            raise _refuse(node, "pooling windows must not overlap or be padded: stride = kernel")
        return
    if a["depthwise"]:
        raise _refuse(node, "depthwise convolutions are not supported")
    if 2 * walk.pad >= kernel:
        raise _refuse(node, f"padding {walk.pad} is too wide for kernel {kernel}")
    lag = (kernel - 1 - walk.pad) * (walk.width + 1)
    if walk.width < 2 or lag >= walk.height * walk.width:
        raise _refuse(
            node,
            f"an image of {walk.height} x {walk.width} is too small for a {kernel} x {kernel} "
            f"window with padding {walk.pad}; pool or stride less before it",
        )
    layer = Window(
        name=f"conv{walk.counts.get('conv', 0)}_window",
        height=walk.height,
        width=walk.width,
        channels=walk.channels,
        bits=walk.bits,
        kernel=kernel,
        stride=stride,
        pad=walk.pad,
        # The code of zero; pads whose zeros have none were refused before.
        fill=-walk.offset // walk.step if walk.pad else 0,
    )
    walk.layers.append(layer)
    walk.height, walk.width, walk.pad, walk.windowed = layer.out_height, layer.out_width, 0, True


def _pool(walk: _Walk, node: NodeProto) -> None:
    a = _attributes(node)
    if a["Function"] != "MaxPool":
        raise _refuse(node, f"{a['Function']} is not supported; use MaxPool")
    kernel = _square(node, "kernel sides", a["KernelSize"])
    walk.layers.append(
        MaxPool(
            name=walk.name("pool"),
            height=walk.height,
            width=walk.width,
            channels=walk.channels,
            bits=walk.bits,
            kernel=(kernel, kernel),
            stride=(kernel, kernel),
        )
    )
    walk.height, walk.width = walk.height // kernel, walk.width // kernel


def _mvau(walk: _Walk, node: NodeProto) -> None:
    a = _attributes(node)
    weights = walk.model.get_initializer(node.input[1])
    integers = np.rint(weights).astype(np.int64).T
    if not np.array_equal(integers.T, weights):
        raise _refuse(node, "weights are not integers after streamlining")
    cols = integers.shape[1]
    pixels = walk.height * walk.width
    pointwise = not walk.flat and cols == walk.channels and pixels > 1
    if (
        not walk.windowed
        and not pointwise
        and cols != (walk.channels if walk.flat else pixels * walk.channels)
    ):
        raise _refuse(node, f"{cols} inputs do not match the stream before it")
    spatial = walk.windowed or pointwise
    layer = Mvtu(
        name=walk.name("conv" if spatial else "dense"),
        positions=pixels if spatial else 1,
        windowed=spatial,
        in_bits=walk.bits,
        weight_bits=_weight_bits(integers),
        weights=np.ascontiguousarray(integers),
    )
    # sum(w * (step * c + offset)) is step * sum(w * c) + added.
    added = walk.offset * integers.sum(axis=1)
    if a["noActivation"]:
        layer = _with_bias(walk, layer, added)
    else:
        steps = walk.model.get_initializer(node.input[2]).astype(np.float64)
        layer = _with_thresholds(layer, (steps - added[:, None]) / walk.step)
        bipolar = walk.model.get_tensor_datatype(node.output[0]) == DataType["BIPOLAR"]
        walk.bits = layer.out_bits
        walk.step, walk.offset = (2, -1) if bipolar else (1, int(a["ActVal"]))
    walk.layers.append(layer)
    walk.channels, walk.windowed, walk.flat = layer.rows, False, walk.flat or not spatial


def _weight_bits(weights: NDArray[np.int64]) -> int:
    if set(np.unique(weights)) <= {-1, 1}:
        return 1
    low, high = int(weights.min()), int(weights.max())
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1


def _with_thresholds(layer: Mvtu, steps: NDArray[np.float64]) -> Mvtu:
    low, high = layer.reach
    ordered = np.sort(steps, axis=1)
    clipped = np.clip(np.ceil(ordered), low, high + 1).astype(np.int64)
    return replace(layer, thresholds=clipped, float_thresholds=ordered)


def _with_bias(walk: _Walk, layer: Mvtu, added: Ints) -> Mvtu:
    """The last layer, with what its input's offset adds; the step goes into the scale if it can."""
    if walk.step != 1 and (added % walk.step).any():
        weights = layer.weights * walk.step
        layer = replace(layer, weights=weights, weight_bits=_weight_bits(weights))
    else:
        walk.scale *= walk.step
        added = added // walk.step
    return replace(layer, bias=added) if added.any() else layer


def _check_end(walk: _Walk, node: NodeProto) -> None:
    last = walk.layers[-1] if walk.layers else None
    if not isinstance(last, Mvtu) or last.thresholds is not None:
        raise _refuse(
            node,
            "stays behind in the middle of the network, since there is no quantised activation to "
            "take it up; quantise the pixels, or leave out what is done to them before",
        )


def _mul(walk: _Walk, node: NodeProto) -> None:
    _check_end(walk, node)
    factor = walk.model.get_initializer(node.input[1])
    if factor is None or factor.size != 1 or float(factor.item()) <= 0:
        raise _refuse(node, "the last layer needs one positive scale for all classes")
    walk.scale *= float(factor.item())
    if walk.bias is not None:
        walk.bias = walk.bias * float(factor.item())


def _add(walk: _Walk, node: NodeProto) -> None:
    _check_end(walk, node)
    offset = walk.model.get_initializer(node.input[1])
    if offset is None:
        raise _refuse(node, "an addition of two computed tensors is not supported")
    flat = offset.astype(np.float64).reshape(-1)
    walk.bias = flat if walk.bias is None else walk.bias + flat


_HANDLERS = {
    "Transpose": _transpose,
    "MultiThreshold": _quantiser,
    "FMPadding": _padding,
    "ConvolutionInputGenerator": _window,
    "Pool": _pool,
    "MVAU": _mvau,
    "Mul": _mul,
    "Add": _add,
}


def _finish(walk: _Walk, name: str, height: int, width: int, channels: int) -> Network:
    last = walk.layers[-1] if walk.layers else None
    if not isinstance(last, Mvtu) or last.thresholds is not None or last.positions != 1:
        raise ModelError("the network must end in a dense layer without an activation")
    offset = 0.0
    if walk.bias is not None and np.ptp(walk.bias) == 0:
        offset = float(walk.bias[0])
    elif walk.bias is not None:
        scaled = np.broadcast_to(walk.bias / walk.scale, (last.rows,))
        bias = np.rint(scaled).astype(np.int64)
        if np.abs(scaled - bias).max() > 1e-2:
            raise ModelError(
                f"{last.name}: the bias is not a multiple of the accumulator's scale; "
                "quantise it with scale = input scale x weight scale"
            )
        last = replace(last, bias=bias if last.bias is None else bias + last.bias)
        walk.layers[-1] = last
    walk.layers.append(Argmax(name="argmax", classes=last.rows, bits=last.acc_bits))
    return Network(
        name=name,
        height=height,
        width=width,
        channels=channels,
        scale=walk.scale,
        offset=offset,
        layers=tuple(walk.layers),
    )
