"""Builds the float network and the quantised network from the same configuration.

Both have the same modules under the same names, so that the float state loads into the
quantised network. Input: raw pixels 0..255 as float32 (N, C, H, W); output: logits (N, classes).
"""

from __future__ import annotations

import math
from typing import Any, cast

import brevitas.nn as qnn
import torch
from torch import Tensor, nn

from quant.config import Conv, Dense, Dropout, Network, Pool, Quantisation, layer_names
from quant.errors import CheckpointError
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
from quant.pool import MaxPool

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

    def conv(self, name: str, channels: int, layer: Conv, bias: bool) -> nn.Module:
        return nn.Conv2d(channels, layer.filters, layer.kernel, layer.stride, layer.pad, bias=bias)

    def dense(self, name: str, inputs: int, neurons: int, bias: bool) -> nn.Module:
        return nn.Linear(inputs, neurons, bias=bias)

    def last(self, inputs: int, classes: int) -> nn.Module:
        return nn.Linear(inputs, classes)

    def act(self, name: str) -> nn.Module:
        return nn.ReLU()

    def pool(self, size: int) -> nn.Module:
        return MaxPool(size)

    def drop(self, share: float) -> nn.Module:
        return nn.Dropout(share)


class _QuantParts(_Parts):
    """Makes the layers of the quantised network."""

    def __init__(self, network: Network, config: Quantisation) -> None:
        layers = zip(network.layers, layer_names(network), strict=True)
        names = [name for layer, name in layers if not isinstance(layer, Pool)]
        self.bits = config.bits([*names, "last"])
        self.scale = config.weight_scale

    def conv(self, name: str, channels: int, layer: Conv, bias: bool) -> nn.Module:
        return quant_conv(
            channels,
            layer.filters,
            kernel=layer.kernel,
            pad=layer.pad,
            stride=layer.stride,
            bias=bias,
            bits=self.bits[name][0],
            scale=self.scale,
        )

    def dense(self, name: str, inputs: int, neurons: int, bias: bool) -> nn.Module:
        return quant_dense(inputs, neurons, bias=bias, bits=self.bits[name][0], scale=self.scale)

    def last(self, inputs: int, classes: int) -> nn.Module:
        return quant_last(inputs, classes, bits=self.bits["last"][0], scale=self.scale)

    def act(self, name: str) -> nn.Module:
        return quant_relu(self.bits[name][1])

    def drop(self, share: float) -> nn.Module:
        return QuantDropout(share)


def _build(network: Network, parts: _Parts, dropout: Dropout) -> Model:
    body = nn.Sequential()
    shape: tuple[int, ...] = network.input_shape

    def flatten() -> None:
        ended = [layer for layer in network.layers if not isinstance(layer, Dense)][-1]
        if dropout.stage and isinstance(ended, Conv):
            body.add_module("flatten_drop", parts.drop(dropout.stage))
        body.add_module("flatten", nn.Flatten())

    layers = zip(network.layers, layer_names(network), network.shapes(), strict=True)
    for layer, name, out in layers:
        if isinstance(layer, Pool):
            body.add_module(name, parts.pool(layer.size))
            if dropout.stage:
                body.add_module(f"{name}_drop", parts.drop(dropout.stage))
        else:
            norm = network.normalised(layer)
            if isinstance(layer, Conv):
                body.add_module(name, parts.conv(name, shape[2], layer, not norm))
                batch_norm: nn.Module = nn.BatchNorm2d(layer.filters)
            else:
                if name == "dense0":
                    flatten()
                body.add_module(name, parts.dense(name, math.prod(shape), layer.neurons, not norm))
                batch_norm = nn.BatchNorm1d(layer.neurons)
            if norm:
                body.add_module(f"{name}_norm", batch_norm)
            body.add_module(f"{name}_act", parts.act(name))
            if dropout.dense and isinstance(layer, Dense):
                body.add_module(f"{name}_drop", parts.drop(dropout.dense))
        shape = out
    if len(shape) == 3:
        flatten()
    body.add_module("last", parts.last(math.prod(shape), network.classes))
    return Model(body)


def build_float(network: Network) -> Model:
    """The float network, with the network's dropout.

    Weights start as He et al. (2015) have it for ReLUs: without batch norm, PyTorch's own smaller
    ones would lose most of the signal on the way through eight layers.
    """
    model = _build(network, _Parts(), network.dropout)
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
    return _build(network, _QuantParts(network, config), config.dropout)


def relus(model: Model) -> list[tuple[str, nn.Module]]:
    """Name and module of every quantised ReLU, in order."""
    return [(n, m) for n, m in model.body.named_children() if isinstance(m, qnn.QuantReLU)]


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
    for layer in model.body.children():
        if isinstance(layer, qnn.QuantConv2d | qnn.QuantLinear):
            fit_learned_range(layer)
    # Batch statistics, because the running ones belong to the float weights.
    model.train()
    for _, relu in relus(model):
        seen: list[Tensor] = []

        def keep(_: nn.Module, inputs: tuple[Any, ...], seen: list[Tensor] = seen) -> None:
            seen.append(getattr(inputs[0], "value", inputs[0]))

        handle = relu.register_forward_pre_hook(keep)
        with torch.no_grad():
            model(pixels)
        handle.remove()
        act_range(relu).data.fill_(best_range(seen[0], act_bits(relu)))
