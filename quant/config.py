"""What a network, its quantisation and its training are: frozen and validated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, assert_never

from headrace import tables
from headrace.tables import Range
from quant.errors import ConfigError
from quant.kinds import Average as Average
from quant.kinds import Conv as Conv
from quant.kinds import Count, Product, Shape, Size, need, output_shape
from quant.kinds import Dense as Dense
from quant.kinds import Depthwise as Depthwise
from quant.kinds import Layer as Layer
from quant.kinds import Pool as Pool
from quant.kinds import Residual as Residual

Norm = Literal["all", "dense", "none"]
WeightScale = Literal["statistics", "learned"]
Precision = Literal["float32", "bfloat16"]
Optimiser = Literal["adamw", "nesterov"]
Ranking = Literal["l1", "bn", "taylor"]
Device = Literal["auto", "cpu", "cuda"]
Colour = Literal["auto", "grey", "rgb"]

PIXEL_BITS = 8

Width = Annotated[int, Range(least=1, most=8)]
Share = Annotated[float, Range(least=0, most=1)]
# A share of which something is left.
Part = Annotated[float, Range(least=0, below=1)]


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
    """Convolutions, blocks and pools, then hidden dense layers, then the last one to `classes`.

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
        need(bool(self.layers), f"network {self.name}: no layers; give it one or more")
        self.shapes()

    def shapes(self) -> list[Shape]:
        """Output shape of each layer, (height, width, channels) or (features,).

        Raises:
            ConfigError: where a layer does not fit its input.
        """
        shape: Shape = self.input_shape
        out: list[Shape] = []
        for index, layer in enumerate(self.layers):
            where = f"network {self.name}, layer {index} ({type(layer).__name__.lower()})"
            need(
                index > 0 or isinstance(layer, Conv | Dense),
                f"{where}: the network starts with it; put a convolution before it",
            )
            shape = output_shape(layer, shape, where)
            out.append(shape)
        return out

    def products(self) -> list[Product]:
        """Every layer with weights, those within blocks and the last one included, in order."""
        shape: Shape = self.input_shape
        reads: str | None = None
        found: list[Product] = []
        for layer, name, out in zip(self.layers, layer_names(self), self.shapes(), strict=True):
            match layer:
                case Residual():
                    found += self._branches(layer, name, reads, shape)
                    reads = f"{name}.conv1"
                case Conv() | Depthwise() | Dense():
                    found.append(self._product(name, layer, reads, shape))
                    reads = name
                case Pool() | Average():
                    pass
                case _:
                    assert_never(layer)
            shape = out
        return [*found, self._product("last", Dense(neurons=self.classes), reads, shape)]

    def _branches(
        self, block: Residual, name: str, reads: str | None, shape: Shape
    ) -> Iterator[Product]:
        middle = f"{name}.conv0", shape
        for part, conv in block.convolutions().items():
            source = middle if part == "conv1" else (reads, shape)
            layer = self._product(f"{name}.{part}", conv, *source)
            if part == "conv0":
                middle = layer.name, layer.outputs
            yield layer

    def _product(
        self, name: str, layer: Conv | Depthwise | Dense, reads: str | None, shape: Shape
    ) -> Product:
        norm = self.batch_norm == "all" or (self.batch_norm == "dense" and isinstance(layer, Dense))
        return Product(
            name=name,
            layer=layer,
            reads=reads,
            inputs=shape,
            outputs=output_shape(layer, shape, f"network {self.name}, {name}"),
            norm=norm and name != "last",
        )

    @property
    def weighted(self) -> list[str]:
        """Names of the layers with weights, the last one included, in order."""
        return [product.name for product in self.products()]

    def tied(self) -> dict[str, list[str]]:
        """Names of the convolutions that have their channels in common, by the first of them.

        Those whose outputs are added up, and depthwise ones with what they read: they have equally
        many filters, and lose them together. Any other convolution is alone.
        """
        groups: dict[str, list[str]] = {}
        trunk = ""  # the first of those whose channels come into the next layer
        for layer, name in zip(self.layers, layer_names(self), strict=True):
            match layer:
                case Conv():
                    trunk = name
                    groups[trunk] = [name]
                case Depthwise():
                    groups[trunk].append(name)
                case Residual():
                    groups[f"{name}.conv0"] = [f"{name}.conv0"]
                    if layer.projection:
                        trunk = f"{name}.skip"
                        groups[trunk] = [trunk, f"{name}.conv1"]
                    else:
                        groups[trunk].append(f"{name}.conv1")
                case Dense() | Pool() | Average():
                    pass
                case _:
                    assert_never(layer)
        return groups

    @property
    def filters(self) -> list[int]:
        """Filters of each convolution, in order, those that are tied counted once."""
        counts = {product.name: product.outputs[-1] for product in self.products()}
        return [counts[first] for first in self.tied()]

    def costs(self) -> list[tuple[int, int]]:
        """(parameters, multiply-accumulates) of each layer with weights, the last one included.

        Counted as Dhouibi, Ben Salem and Ben Saoud do: the weights, one bias per output, and
        scale and shift per output of a batch norm.
        """
        return [(product.parameters, product.macs) for product in self.products()]

    @property
    def parameters(self) -> int:
        """Weights, one bias per filter or neuron, and two per output of a batch norm."""
        return sum(product.parameters for product in self.products())

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image, padding counted like pixels."""
        return sum(product.macs for product in self.products())

    @property
    def flops(self) -> int:
        """Operations for one image as the paper counts: two per MAC, one per filter or neuron."""
        return 2 * self.macs + sum(product.outputs[-1] for product in self.products())


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
        need(
            self.weight_bits is not None or self.act_bits is not None,
            f"{where}: nothing is given; give weight_bits or act_bits",
        )
        need(
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
        need(not twice, f"quantisation: layer {', '.join(twice)} is given twice; give it once")

    def bits(self, names: Sequence[str]) -> dict[str, tuple[int, int]]:
        """(weight bits, activation bits) of each layer with weights.

        Args:
            names: of these layers in order, the last one's included.

        Raises:
            ConfigError: if `layers` names a layer that is not among them.
        """
        unknown = [layer.name for layer in self.layers if layer.name not in names]
        need(
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

    def inputs(self, network: Network) -> list[tuple[int, int]]:
        """(weight bits, bits of what comes in) of each layer with weights, the pixels' at first."""
        bits = self.bits(network.weighted)
        found = []
        for product in network.products():
            reads = product.reads
            found.append((bits[product.name][0], PIXEL_BITS if reads is None else bits[reads][1]))
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
    match = re.fullmatch(r"([\w.]+)=(?:w(\d+))?(?:a(\d+))?", text)
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
        need(
            self.views == 0 or self.cutout_px == 0,
            f"training: views={self.views} with cutout_px={self.cutout_px}; use cutout_px=0",
        )
