"""A plain PyTorch twin of the quantised network, for `torch.compile`, which Brevitas defeats.

The twin shares the parameters and batch norms of the Brevitas network and computes the same
values and gradients; only training uses it. Every result comes from the Brevitas network.
"""

from __future__ import annotations

from typing import Any, cast

import brevitas.nn as qnn
import torch
from torch import Tensor, nn
from torch.nn import functional

from quant.layers import (
    LEAST_RANGE,
    QuantDropout,
    act_bits,
    act_range,
    learned_range,
    weight_bits,
    weight_range,
)
from quant.models import PIXEL_SCALE, Model
from quant.pool import AveragePool
from quant.residual import ResidualBlock

_BIAS_LIMIT = 2**15


class _Round(torch.autograd.Function):
    """Rounding, half to even, whose gradient is that of the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


class _Sign(torch.autograd.Function):
    """-1 or +1, the latter for zero, whose gradient is that of the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


def _round(x: Tensor) -> Tensor:
    return cast(Tensor, _Round.apply(x))  # type: ignore[no-untyped-call]


def _sign(x: Tensor) -> Tensor:
    return cast(Tensor, _Sign.apply(x))  # type: ignore[no-untyped-call]


class _Weights(nn.Module):
    """A convolution or dense layer with quantised weights."""

    weight: nn.Parameter
    bias: nn.Parameter | None
    log2_range: nn.Parameter | None

    def __init__(self, layer: nn.Module, *, per_channel: bool = True) -> None:
        super().__init__()
        self.weight = layer.get_parameter("weight")
        self.bias = layer.get_parameter("bias") if layer.bias is not None else None
        self.conv = None
        if isinstance(layer, nn.Conv2d):
            self.conv = layer.stride, layer.padding, layer.groups
        self.bits = weight_bits(layer)
        self.top: int = max(1, 2 ** (self.bits - 1) - 1)
        learned = learned_range(layer)
        self.log2_range = None if learned is None else learned.log2_range
        self.per_channel = per_channel

    def scale(self) -> Tensor:
        if self.log2_range is None:
            limit = weight_range(self.weight, self.bits, per_channel=self.per_channel)
        else:
            limit = torch.exp2(self.log2_range)
        scale = limit / self.top
        return scale.view(-1, *[1] * (self.weight.ndim - 1)) if self.per_channel else scale

    def quantised(self, scale: Tensor) -> Tensor:
        steps = self.weight / scale
        if self.bits == 1:
            return _sign(steps) * scale
        return _round(steps).clamp(-self.top, self.top) * scale

    def forward(self, x: Tensor) -> Tensor:
        weight = self.quantised(self.scale())
        if self.conv is None:
            return functional.linear(x, weight, self.bias)
        stride, padding, groups = self.conv
        return functional.conv2d(x, weight, self.bias, stride, padding, groups=groups)


class _Relu(nn.Module):
    """ReLU to unsigned integers times a learned scale."""

    limit: nn.Parameter

    def __init__(self, relu: nn.Module) -> None:
        super().__init__()
        self.limit = act_range(relu)
        self.top: int = 2 ** act_bits(relu) - 1

    def scale(self) -> Tensor:
        return self.limit.abs().clamp_min(LEAST_RANGE) / self.top

    def forward(self, x: Tensor) -> Tensor:
        scale = self.scale()
        return _round(x.relu() / scale).clamp(0, self.top) * scale


class _Last(_Weights):
    """The last layer, its bias rounded to the scale of the accumulator.

    before: the ReLU that its input comes from, if any, as means over so many `pixels`.
    """

    def __init__(self, layer: nn.Module, before: _Relu | None, pixels: int) -> None:
        super().__init__(layer, per_channel=False)
        self.before = before
        self.pixels = pixels

    def forward(self, x: Tensor) -> Tensor:
        scale = self.scale()
        unit = scale * (self.before.scale() / self.pixels if self.before else 1.0)
        assert self.bias is not None
        bias = _round(self.bias / unit).clamp(-_BIAS_LIMIT, _BIAS_LIMIT - 1) * unit
        return functional.linear(x, self.quantised(scale), bias)


def _twin(module: nn.Module) -> nn.Module:
    """The twin of any layer but the last."""
    if isinstance(module, qnn.QuantConv2d | qnn.QuantLinear):
        return _Weights(module)
    if isinstance(module, qnn.QuantReLU):
        return _Relu(module)
    if isinstance(module, QuantDropout):
        return nn.Dropout(module.share)
    if isinstance(module, ResidualBlock):
        block = ResidualBlock()
        for name, layer in module.named_children():
            block.add_module(name, _twin(layer))
        return block
    return module


class Surrogate(nn.Module):
    """The twin of a `build_quantised` network; same input and output."""

    def __init__(self, model: Model) -> None:
        """Share the parameters of `model`."""
        super().__init__()
        layers = list(model.body.children())
        self.steps = nn.ModuleList(_twin(layer) for layer in layers[:-1])
        pixels = 1
        for layer in layers:
            if isinstance(layer, AveragePool):
                pixels = layer.pixels
            elif isinstance(layer, qnn.QuantReLU):
                pixels = 1
        before = [module for module in self.steps.modules() if isinstance(module, _Relu)]
        self.steps.append(_Last(layers[-1], before[-1] if before else None, pixels))

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits (N, classes) of pixels 0..255, float32 (N, C, H, W)."""
        x = pixels * PIXEL_SCALE
        for step in self.steps:
            x = step(x)
        return x
