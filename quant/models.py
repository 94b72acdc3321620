"""Builds the float network and the quantised network from the same configuration.

Both have the same modules under the same names, so that the float state loads into the
quantised network. Input: raw pixels 0..255 as float32 (N, C, H, W); output: logits (N, classes).
"""

from __future__ import annotations

import math
from typing import Any, assert_never, cast

import brevitas.nn as qnn
import torch
from torch import Tensor, nn

from quant.config import (
    Average,
    Conv,
    Dense,
    Depthwise,
    Dropout,
    Network,
    Pool,
    Quantisation,
    Residual,
    layer_names,
)
from quant.errors import CheckpointError
from quant.kinds import Product
from quant.layers import (
    QuantDropout,
    act_bits,
    act_range,
    best_range,
    fit_learned_range,
    quant_conv,
    quant_dense,
    quant_last,
    quant_relu,
)
from quant.pool import AveragePool, MaxPool
from quant.residual import SKIP, SKIP_ACT, ResidualBlock, values

PIXEL_SCALE = 1.0 / 255.0


class Model(nn.Module):
    """Multiplies the pixels by 1/255, then runs `body`."""

    def __init__(self, body: nn.Sequential) -> None:
        """Wrap `body`, whose children are the layers by name."""
        super().__init__()
        self.body = body

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (N, classes) of pixels 0..255, float32 (N, C, H, W)."""
        # A constant multiplication stays in the exported graph, where thresholds absorb it.
        return cast(Tensor, self.body(pixels * PIXEL_SCALE))


class _Parts:
    """Makes the layers of the float network."""

    def conv(self, layer: Conv | Depthwise, product: Product) -> nn.Module:
        return nn.Conv2d(
            product.inputs[-1],
            product.outputs[-1],
            layer.kernel,
            layer.stride,
            layer.pad,
            groups=product.groups,
            bias=not product.norm,
        )

    def dense(self, product: Product) -> nn.Module:
        return nn.Linear(math.prod(product.inputs), product.outputs[-1], bias=not product.norm)

    def last(self, inputs: int, classes: int) -> nn.Module:
        return nn.Linear(inputs, classes)

    def act(self, name: str) -> nn.Module:
        return nn.ReLU()

    def skip(self, name: str) -> nn.Module:
        return nn.Identity()

    def drop(self, share: float) -> nn.Module:
        return nn.Dropout(share)


class _QuantParts(_Parts):
    """Makes the layers of the quantised network."""

    def __init__(self, network: Network, config: Quantisation) -> None:
        self.bits = config.bits(network.weighted)
        self.scale = config.weight_scale

    def conv(self, layer: Conv | Depthwise, product: Product) -> nn.Module:
        return quant_conv(
            product.inputs[-1],
            product.outputs[-1],
            kernel=layer.kernel,
            pad=layer.pad,
            stride=layer.stride,
            groups=product.groups,
            bias=not product.norm,
            bits=self.bits[product.name][0],
            scale=self.scale,
        )

    def dense(self, product: Product) -> nn.Module:
        return quant_dense(
            math.prod(product.inputs),
            product.outputs[-1],
            bias=not product.norm,
            bits=self.bits[product.name][0],
            scale=self.scale,
        )

    def last(self, inputs: int, classes: int) -> nn.Module:
        return quant_last(inputs, classes, bits=self.bits["last"][0], scale=self.scale)

    def act(self, name: str) -> nn.Module:
        return quant_relu(self.bits[name][1])

    def skip(self, name: str) -> nn.Module:
        return self.act(name)

    def drop(self, share: float) -> nn.Module:
        return QuantDropout(share)


class _Builder:
    """Puts the layers of a network one after the other."""

    def __init__(self, network: Network, parts: _Parts, dropout: Dropout) -> None:
        self.network, self.parts, self.dropout = network, parts, dropout
        self.products = {product.name: product for product in network.products()}
        self.body = nn.Sequential()

    def build(self) -> Model:
        shape: tuple[int, ...] = self.network.input_shape
        flat = self.dropout.stage  # what is dropped where an image ends without a pool
        network = self.network
        layers = zip(network.layers, layer_names(network), network.shapes(), strict=True)
        for layer, name, out in layers:
            match layer:
                case Pool():
                    self.body.add_module(name, MaxPool(layer.size))
                    self.drop(name, self.dropout.stage)
                case Average():
                    self.body.add_module(name, AveragePool(math.prod(shape[:2])))
                    self.drop(name, self.dropout.stage)
                case Dense():
                    self.flatten(shape, flat)
                    self.add(self.body, name, self.products[name])
                    self.drop(name, self.dropout.dense)
                case Residual():
                    self.body.add_module(name, self.block(name, layer))
                case Conv() | Depthwise():
                    self.add(self.body, name, self.products[name])
                case _:
                    assert_never(layer)
            flat = self.dropout.stage if isinstance(layer, Conv | Depthwise | Residual) else 0.0
            shape = out
        self.flatten(shape, flat)
        self.body.add_module("last", self.parts.last(math.prod(shape), network.classes))
        return Model(self.body)

    def add(self, body: nn.Module, name: str, product: Product) -> None:
        """A layer with weights, as `name` within `body`, and what follows it."""
        layer, outputs = product.layer, product.outputs[-1]
        if isinstance(layer, Dense):
            module = self.parts.dense(product)
            norm: nn.Module = nn.BatchNorm1d(outputs)
        else:
            module = self.parts.conv(layer, product)
            norm = nn.BatchNorm2d(outputs)
        body.add_module(name, module)
        if product.norm:
            body.add_module(f"{name}_norm", norm)
        act = self.parts.skip if name == SKIP else self.parts.act
        body.add_module(f"{name}_act", act(product.name))

    def block(self, name: str, layer: Residual) -> ResidualBlock:
        block = ResidualBlock()
        for part in layer.convolutions():
            self.add(block, part, self.products[f"{name}.{part}"])
        return block

    def drop(self, name: str, share: float) -> None:
        if share:
            self.body.add_module(f"{name}_drop", self.parts.drop(share))

    def flatten(self, shape: tuple[int, ...], share: float) -> None:
        """Make a row of what is still an image, and drop a share of it."""
        if len(shape) == 3:
            self.drop("flatten", share)
            self.body.add_module("flatten", nn.Flatten())


def build_float(network: Network) -> Model:
    """The float network, with the network's dropout.

    Weights start as He et al. (2015) have it for ReLUs: without batch norm, PyTorch's own smaller
    ones would lose most of the signal on the way through eight layers.
    """
    model = _Builder(network, _Parts(), network.dropout).build()
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model


def build_quantised(network: Network, config: Quantisation) -> Model:
    """The Brevitas network, with the quantisation's dropout.

    Raises:
        ConfigError: if the quantisation names a layer that the network does not have.
    """
    return _Builder(network, _QuantParts(network, config), config.dropout).build()


def relus(model: Model) -> list[tuple[str, nn.Module]]:
    """Name and module of every quantised ReLU, in the order in which they are computed."""
    return [(n, m) for n, m in model.body.named_modules() if isinstance(m, qnn.QuantReLU)]


def load_state(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Copy a state dict into the tensors of `model`.

    Unlike `load_state_dict`, which makes Brevitas build new parameters that an optimiser or a
    twin does not know, this keeps every parameter object. Batch counters may be missing.

    Raises:
        CheckpointError: if names or shapes differ.
    """
    own = model.state_dict()
    needed = {name for name in own if not name.endswith("num_batches_tracked")}
    wrong = sorted((needed - set(state)) | (set(state) - set(own)))
    wrong += [n for n in sorted(needed & set(state)) if own[n].shape != state[n].shape]
    if wrong:
        raise CheckpointError(
            f"{len(wrong)} tensors are missing, unknown or of another shape, {wrong[0]} among "
            "them; use the checkpoint with the network it was trained for"
        )
    with torch.no_grad():
        for name, value in state.items():
            own[name].copy_(value)


def start_from_float(model: Model, state: dict[str, Tensor], pixels: Tensor) -> None:
    """Give a quantised network the float network's state and fitting ranges.

    Args:
        model: of `build_quantised`; changed in place.
        state: state dict of the float network.
        pixels: some hundreds of training images, float32 0..255 (N, C, H, W).
    """
    own = model.state_dict()
    load_state(model, {**own, **{name: value for name, value in state.items() if name in own}})
    for layer in model.modules():
        if isinstance(layer, qnn.QuantConv2d | qnn.QuantLinear):
            fit_learned_range(layer)
    # Batch statistics, because the running ones belong to the float weights.
    model.train()
    for name, relu in relus(model):
        seen: list[Tensor] = []

        def keep(_: nn.Module, inputs: tuple[Any, ...], seen: list[Tensor] = seen) -> None:
            seen.append(values(inputs[0]))

        handle = relu.register_forward_pre_hook(keep)
        with torch.no_grad():
            model(pixels)
        handle.remove()
        block, _, part = name.rpartition(".")
        if part == SKIP_ACT:
            # What comes in has both signs, and as much above zero as below once it is centred.
            mean = seen[0].mean((0, 2, 3))
            limit = best_range(seen[0] - mean.view(-1, 1, 1), act_bits(relu), centred=True)
            cast(ResidualBlock, model.body.get_submodule(block)).lift(limit / 2 - mean)
        else:
            limit = best_range(seen[0], act_bits(relu))
        act_range(relu).data.fill_(limit)
