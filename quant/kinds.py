"""The kinds of layers that a network is described with, and what each makes of a shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, assert_never

from headrace import tables
from headrace.tables import Range
from quant.errors import ConfigError

# (height, width, channels) of an image, or (features,).
Shape = tuple[int, ...]
Count = Annotated[int, Range(least=0)]
Size = Annotated[int, Range(least=1)]


def need(condition: bool, message: str) -> None:
    """Raise a ConfigError with this message unless the condition holds."""
    if not condition:
        raise ConfigError(message)


@dataclass(frozen=True, kw_only=True)
class Conv:
    """A convolution, followed by batch norm (if the network has it there) and a ReLU."""

    filters: Size
    kernel: Size = 3
    pad: Count = 1
    stride: Size = 1

    def __post_init__(self) -> None:
        """Check every value."""
        _check_window(self, "conv")


@dataclass(frozen=True, kw_only=True)
class Depthwise:
    """A convolution of each channel by itself, followed by batch norm (if any) and a ReLU."""

    kernel: Size = 3
    pad: Count = 1
    stride: Size = 1

    def __post_init__(self) -> None:
        """Check every value."""
        _check_window(self, "depthwise")


def _check_window(layer: Conv | Depthwise, kind: str) -> None:
    tables.check(layer, kind)
    need(
        layer.pad < layer.kernel,
        f"{kind}: pad={layer.pad} does not suit kernel={layer.kernel}; use 0 to {layer.kernel - 1}",
    )


@dataclass(frozen=True, kw_only=True)
class Residual:
    """Two convolutions, to whose result the block's input is added before the last ReLU.

    The first one has `inner` filters (as many as `filters`, unless given) and the stride. Where
    stride or channels change, the input is added as a `projection`: a convolution of 1x1.
    """

    filters: Size
    inner: Size | None = None
    kernel: Size = 3
    stride: Size = 1
    projection: bool = False

    def __post_init__(self) -> None:
        """Check every value."""
        tables.check(self, "residual")
        need(
            self.kernel % 2 == 1,
            f"residual: kernel={self.kernel} would change the image's size; use an odd one",
        )
        need(
            self.stride == 1 or self.projection,
            f"residual: stride={self.stride} needs projection=true, for the input to have the size "
            "of what it is added to",
        )

    def convolutions(self) -> dict[str, Conv]:
        """The block's convolutions by their names within it; `skip` is the projection."""
        pad, inner = self.kernel // 2, self.inner or self.filters
        skip = Conv(filters=self.filters, kernel=1, pad=0, stride=self.stride)
        return {
            "conv0": Conv(filters=inner, kernel=self.kernel, pad=pad, stride=self.stride),
            **({"skip": skip} if self.projection else {}),
            "conv1": Conv(filters=self.filters, kernel=self.kernel, pad=pad),
        }


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Max-pooling with windows that do not overlap."""

    size: Annotated[int, Range(least=2)] = 2

    def __post_init__(self) -> None:
        """Check every value."""
        tables.check(self, "pool")


@dataclass(frozen=True, kw_only=True)
class Average:
    """The mean of each channel over what is left of the image."""


@dataclass(frozen=True, kw_only=True)
class Dense:
    """A hidden fully connected layer, followed by batch norm (if any) and a ReLU."""

    neurons: Size

    def __post_init__(self) -> None:
        """Check every value."""
        tables.check(self, "dense")


Layer = Conv | Depthwise | Residual | Pool | Average | Dense


@dataclass(frozen=True, kw_only=True)
class Product:
    """A layer with weights in its place in a network.

    name: in the built network, such as conv0, residual1.skip or last; reads: the layer with
    weights whose activations come into it, None for the pixels; norm: whether batch norm follows,
    so that the layer itself has no bias.
    """

    name: str
    layer: Conv | Depthwise | Dense
    reads: str | None
    inputs: Shape
    outputs: Shape
    norm: bool

    @property
    def weights(self) -> int:
        """How many weights it has."""
        inputs = math.prod(self.inputs)
        if not isinstance(self.layer, Dense):
            inputs = self.layer.kernel**2 * self.inputs[-1] // self.groups
        return inputs * self.outputs[-1]

    @property
    def groups(self) -> int:
        """Parts in which a convolution reads its channels, each by filters of its own."""
        return self.inputs[-1] if isinstance(self.layer, Depthwise) else 1

    @property
    def parameters(self) -> int:
        """Weights, one bias per output, and scale and shift per output of a batch norm."""
        return self.weights + self.outputs[-1] * (3 if self.norm else 1)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image, padding counted like pixels."""
        return self.weights * math.prod(self.outputs[:-1])


def output_shape(layer: Layer, shape: Shape, where: str) -> Shape:
    """What a layer makes of its input; `where` it is begins the message if it does not fit.

    Raises:
        ConfigError: if it does not fit.
    """
    if isinstance(layer, Dense):
        return (layer.neurons,)
    need(len(shape) == 3, f"{where}: comes after a layer that leaves no image; put it before")
    match layer:
        case Conv():
            return (*_pixels(layer, shape, where), layer.filters)
        case Depthwise():
            return (*_pixels(layer, shape, where), shape[2])
        case Residual():
            return _added(layer, shape, where)
        case Average():
            return shape[2:]
        case Pool():
            return _pooled(layer, shape, where)
        case _:
            assert_never(layer)


def _pooled(layer: Pool, shape: Shape, where: str) -> Shape:
    height, width, channels = shape
    need(
        min(height, width) >= layer.size,
        f"{where}: size={layer.size} leaves no pixel of {height}x{width}; "
        "leave this pool out, or pool less before it",
    )
    need(
        height % layer.size == 0 and width % layer.size == 0,
        f"{where}: size={layer.size} does not divide {height}x{width}; "
        "use a size that divides both",
    )
    return height // layer.size, width // layer.size, channels


def _pixels(layer: Conv | Depthwise, shape: Shape, where: str) -> tuple[int, int]:
    height, width, _ = shape
    rest_h = height + 2 * layer.pad - layer.kernel
    rest_w = width + 2 * layer.pad - layer.kernel
    need(
        rest_h >= 0 and rest_w >= 0,
        f"{where}: kernel={layer.kernel} is larger than the padded {height}x{width} input; "
        "use a smaller kernel or more padding",
    )
    return rest_h // layer.stride + 1, rest_w // layer.stride + 1


def _added(layer: Residual, shape: Shape, where: str) -> Shape:
    need(
        layer.projection or layer.filters == shape[2],
        f"{where}: filters={layer.filters} cannot be added to an input of {shape[2]} channels; "
        f"use filters={shape[2]} or projection=true",
    )
    # The second convolution leaves the size as it is.
    return (*_pixels(layer.convolutions()["conv0"], shape, where), layer.filters)
