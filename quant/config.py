"""What a network, its quantisation and its training are: frozen and validated."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from headrace import tables
from headrace.tables import Range
from quant.errors import ConfigError

Norm = Literal["all", "dense", "none"]
WeightScale = Literal["statistics", "learned"]
Precision = Literal["float32", "bfloat16"]
Optimiser = Literal["adamw", "nesterov"]
Ranking = Literal["l1", "bn", "taylor"]
Device = Literal["auto", "cpu", "cuda"]


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


Count = Annotated[int, Range(least=0)]
Size = Annotated[int, Range(least=1)]
Width = Annotated[int, Range(least=1, most=8)]
Share = Annotated[float, Range(least=0, most=1)]
# A share of which something is left.
Part = Annotated[float, Range(least=0, below=1)]


@dataclass(frozen=True, kw_only=True)
class Conv:
    """A convolution, followed by batch norm (if the network has it there) and a ReLU."""

    filters: Size
    kernel: Size = 3
    pad: Count = 1
    stride: Size = 1

    def __post_init__(self) -> None:
        """Check every value."""
        tables.check(self, "conv")
        _need(
            self.pad < self.kernel,
            f"conv: pad={self.pad} does not suit kernel={self.kernel}; use 0 to {self.kernel - 1}",
        )


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Max-pooling with windows that do not overlap."""

    size: Annotated[int, Range(least=2)] = 2

    def __post_init__(self) -> None:
        """Check every value."""
        tables.check(self, "pool")


@dataclass(frozen=True, kw_only=True)
class Dense:
    """A hidden fully connected layer, followed by batch norm (if any) and a ReLU."""

    neurons: Size

    def __post_init__(self) -> None:
        """Check every value."""
        tables.check(self, "dense")


Layer = Conv | Pool | Dense


@dataclass(frozen=True, kw_only=True)
class Dropout:
    """Shares of activations dropped in training.

    `stage` of them at the end of each stage of convolutions, which is a pool or the last of them;
    `dense` of them after each hidden dense layer.
    """

    stage: Part = 0.0
    dense: Part = 0.0

    def __post_init__(self) -> None:
        """Check every value."""
        tables.check(self, "dropout")


@dataclass(frozen=True, kw_only=True)
class Network:
    """Convolutions and pools, then hidden dense layers, then the last dense layer to `classes`.

    Batch norm follows all hidden layers, the dense ones among them, or none.
    """

    name: str
    layers: tuple[Layer, ...]
    input_shape: tuple[Size, Size, Size] = (32, 32, 3)
    classes: Annotated[int, Range(least=2)] = 10
    batch_norm: Norm = "all"
    dropout: Dropout = field(default_factory=Dropout)

    def __post_init__(self) -> None:
        """Check every value."""
        tables.check(self, f"network {self.name}")
        _need(bool(self.layers), f"network {self.name}: no layers; give it one or more")
        self.shapes()

    def shapes(self) -> list[tuple[int, ...]]:
        """Output shape of each layer, (height, width, channels) or (neurons,).

        Raises:
            ConfigError: where a layer does not fit its input.
        """
        shape: tuple[int, ...] = self.input_shape
        out: list[tuple[int, ...]] = []
        for index, layer in enumerate(self.layers):
            where = f"network {self.name}, layer {index} ({type(layer).__name__.lower()})"
            if isinstance(layer, Dense):
                shape = (layer.neurons,)
            else:
                _need(len(shape) == 3, f"{where}: comes after a dense layer; put it before")
                _need(
                    not isinstance(layer, Pool) or index > 0,
                    f"{where}: the network starts with a pool; put a convolution before it",
                )
                shape = _spatial(layer, shape[0], shape[1], shape[2], where)
            out.append(shape)
        return out

    @property
    def filters(self) -> list[int]:
        """Filters of each convolution, in order."""
        return [layer.filters for layer in self.layers if isinstance(layer, Conv)]

    def normalised(self, layer: Layer) -> bool:
        """Whether batch norm follows this layer; if it does, the layer itself has no bias."""
        if self.batch_norm == "all":
            return not isinstance(layer, Pool)
        return self.batch_norm == "dense" and isinstance(layer, Dense)

    def costs(self) -> list[tuple[int, int]]:
        """(parameters, multiply-accumulates) of each layer with weights, the last one included.

        Counted as Dhouibi, Ben Salem and Ben Saoud do: the weights, one bias per output, and
        scale and shift per output of a batch norm.
        """
        shape: tuple[int, ...] = self.input_shape
        costs: list[tuple[int, int]] = []
        for layer, out in zip(self.layers, self.shapes(), strict=True):
            outputs = out[-1]
            if isinstance(layer, Conv):
                weights = layer.kernel**2 * shape[2] * outputs
                pixels = out[0] * out[1]
            else:
                weights = math.prod(shape) * outputs
                pixels = 1
            if not isinstance(layer, Pool):
                extra = outputs * (3 if self.normalised(layer) else 1)
                costs.append((weights + extra, weights * pixels))
            shape = out
        inputs = math.prod(shape)
        costs.append(((inputs + 1) * self.classes, inputs * self.classes))
        return costs

    @property
    def parameters(self) -> int:
        """Weights, one bias per filter or neuron, and two per output of a batch norm."""
        return sum(parameters for parameters, _ in self.costs())

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image, padding counted like pixels."""
        return sum(macs for _, macs in self.costs())

    @property
    def flops(self) -> int:
        """Operations for one image as the paper counts: two per MAC, one per filter or neuron."""
        outputs = [
            out[-1]
            for x, out in zip(self.layers, self.shapes(), strict=True)
            if not isinstance(x, Pool)
        ]
        return 2 * self.macs + sum(outputs) + self.classes


def _spatial(
    layer: Conv | Pool, height: int, width: int, channels: int, where: str
) -> tuple[int, int, int]:
    if isinstance(layer, Pool):
        _need(
            min(height, width) >= layer.size,
            f"{where}: size={layer.size} leaves no pixel of {height}x{width}; "
            "leave this pool out, or pool less before it",
        )
        _need(
            height % layer.size == 0 and width % layer.size == 0,
            f"{where}: size={layer.size} does not divide {height}x{width}; "
            "use a size that divides both",
        )
        return height // layer.size, width // layer.size, channels
    rest_h = height + 2 * layer.pad - layer.kernel
    rest_w = width + 2 * layer.pad - layer.kernel
    _need(
        rest_h >= 0 and rest_w >= 0,
        f"{where}: kernel={layer.kernel} is larger than the padded {height}x{width} input; "
        "use a smaller kernel or more padding",
    )
    return rest_h // layer.stride + 1, rest_w // layer.stride + 1, layer.filters


def layer_names(network: Network) -> list[str]:
    """Name of each layer in the built network: conv0, conv1, pool0, dense0, ..."""
    counts: dict[str, int] = {}
    names = []
    for layer in network.layers:
        kind = type(layer).__name__.lower()
        names.append(f"{kind}{counts.get(kind, 0)}")
        counts[kind] = counts.get(kind, 0) + 1
    return names


@dataclass(frozen=True, kw_only=True)
class LayerBits:
    """Bit widths of one layer by its name; None where the quantisation's own hold."""

    name: str
    weight_bits: Width | None = None
    act_bits: Width | None = None

    def __post_init__(self) -> None:
        """Check every value."""
        where = f"quantisation, layer {self.name}"
        tables.check(self, where)
        _need(
            self.weight_bits is not None or self.act_bits is not None,
            f"{where}: nothing is given; give weight_bits or act_bits",
        )
        _need(
            self.name != "last" or self.act_bits is None,
            f"{where}: act_bits={self.act_bits}, but no activation follows; give weight_bits only",
        )


@dataclass(frozen=True, kw_only=True)
class Quantisation:
    """Bit widths: weights symmetrical about zero, unsigned activations after each ReLU.

    One-bit weights are -1 and +1, one-bit activations 0 and 1, times a scale. The scale of the
    weights, one per filter or neuron and one for the whole last layer, follows their statistics
    or is learned from there on. `first_weight_bits` and `last_weight_bits` hold for the first and
    the last layer, `layers` overrides everything else.
    """

    weight_bits: Width = 2
    act_bits: Width = 2
    first_weight_bits: Width = 4
    last_weight_bits: Width = 4
    weight_scale: WeightScale = "statistics"
    layers: tuple[LayerBits, ...] = ()
    dropout: Dropout = field(default_factory=Dropout)

    def __post_init__(self) -> None:
        """Check every value."""
        tables.check(self, "quantisation")
        names = [layer.name for layer in self.layers]
        twice = sorted({name for name in names if names.count(name) > 1})
        _need(not twice, f"quantisation: layer {', '.join(twice)} is given twice; give it once")

    def bits(self, names: Sequence[str]) -> dict[str, tuple[int, int]]:
        """(weight bits, activation bits) of each layer with weights.

        Args:
            names: of these layers in order, the last one's included.

        Raises:
            ConfigError: if `layers` names a layer that is not among them.
        """
        unknown = [layer.name for layer in self.layers if layer.name not in names]
        _need(
            not unknown,
            f"quantisation: the network has no layer {', '.join(unknown)} with weights; "
            f"use {', '.join(names)}",
        )
        ends = {names[0]: self.first_weight_bits, names[-1]: self.last_weight_bits}
        found = {name: (ends.get(name, self.weight_bits), self.act_bits) for name in names}
        for layer in self.layers:
            weight, act = found[layer.name]
            found[layer.name] = (layer.weight_bits or weight, layer.act_bits or act)
        return found


PRESETS: dict[str, Quantisation] = {
    **{
        f"w{weight}a{act}": Quantisation(weight_bits=weight, act_bits=act)
        for weight, act in ((1, 1), (1, 2), (2, 2), (3, 3), (4, 4))
    },
    "w8a8": Quantisation(weight_bits=8, act_bits=8, first_weight_bits=8, last_weight_bits=8),
}


def preset(name: str) -> Quantisation:
    """The quantisation of that name: a preset, or any other `wWaA` with 4 bits at both ends.

    Raises:
        ConfigError: if it is neither, or a width is not 1 to 8.
    """
    if name in PRESETS:
        return PRESETS[name]
    match = re.fullmatch(r"w(\d+)a(\d+)", name)
    if match is None:
        raise ConfigError(
            f"quantisation {name!r} is not known; use {', '.join(PRESETS)}, "
            "or other widths of weights and activations in this form"
        )
    return Quantisation(weight_bits=int(match[1]), act_bits=int(match[2]))


def layer_bits(text: str) -> LayerBits:
    """Bit widths of one layer from text such as `conv3=w4a2`, `conv3=w4` or `conv3=a4`.

    Raises:
        ConfigError: if it is no such text, or a width is not 1 to 8.
    """
    match = re.fullmatch(r"(\w+)=(?:w(\d+))?(?:a(\d+))?", text)
    if match is None:
        raise ConfigError(f"layer bits {text!r}: not understood; use for example conv3=w4a2")
    name, weight, act = match.groups()
    return LayerBits(
        name=name,
        weight_bits=int(weight) if weight else None,
        act_bits=int(act) if act else None,
    )


@dataclass(frozen=True, kw_only=True)
class Training:
    """One phase of training: linear warm-up of the learning rate, cosine decay to zero.

    `optimiser` is AdamW, or gradient descent with Nesterov's `momentum`, whose learning rate for
    biases is `bias_lr` times the others'.

    `average` is the share that the moving average of the weights keeps at each step, 0 for no
    average; what is validated and kept is the average. `precision` is that of the float network's
    products while it trains, float32 or bfloat16; weights, statistics and every accuracy are
    float32 in any case. With `views`, a teacher's predictions of so many fixed shifts of each image
    are what is imitated, one of them in each epoch.
    """

    epochs: Count
    batch: Annotated[int, Range(least=2)] = 128
    lr: Annotated[float, Range(above=0)] = 3e-3
    weight_decay: Annotated[float, Range(least=0)] = 1e-2
    warmup_epochs: Annotated[float, Range(least=0)] = 1.0
    label_smoothing: Share = 0.1
    distill: Share = 0.0
    distill_temperature: Annotated[float, Range(above=0)] = 3.0
    flip: bool = True
    translate_px: Count = 3
    cutout_px: Count = 0
    average: Part = 0.998
    precision: Precision = "float32"
    seed: Annotated[int, Range(least=0, most=2**63 - 1)] = 1
    optimiser: Optimiser = "adamw"
    momentum: Part = 0.0
    bias_lr: Annotated[float, Range(above=0)] = 1.0
    views: Count = 0

    def __post_init__(self) -> None:
        """Check every value."""
        tables.check(self, "training")
        # The teacher has seen an image without a square cut out.
        _need(
            self.views == 0 or self.cutout_px == 0,
            f"training: views={self.views} with cutout_px={self.cutout_px}; use cutout_px=0",
        )
