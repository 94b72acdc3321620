"""Quantised layers: Brevitas layers with this project's quantisers."""

from __future__ import annotations

import brevitas.nn as qnn
import torch
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import (
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFloat,
    Int16Bias,
    Uint8ActPerTensorFloat,
)
from brevitas.quant_tensor import IntQuantTensor
from torch import Tensor, nn

# The step that quantises a normal distribution with the least squared error, times the largest
# level, in units of the mean magnitude. From 4 bits on the largest magnitude serves as well.
RANGE_IN_MEANS = {2: 1.53, 3: 2.4}
# The same for the positive half of a normal distribution, in standard deviations.
_ACT_RANGE = 1.6


class MeanRange(nn.Module):  # type: ignore[misc, unused-ignore]
    """Largest representable weight as a multiple of the mean magnitude.

    At 2 bits this gives ternary weights whose threshold is 0.76 mean magnitudes, close to the
    optimum of Ternary Weight Networks (Li et al., 2016).
    """

    def __init__(
        self, stats_reduce_dim: int | None, range_in_means: float, keepdim: bool = False
    ) -> None:
        """Brevitas fills the arguments in by name."""
        super().__init__()
        self.dim = stats_reduce_dim
        self.factor = range_in_means
        self.keepdim = keepdim

    def forward(self, x: Tensor) -> Tensor:
        """Range of `x`, over all of it or along the reduced dimension."""
        if self.dim is None:
            return x.abs().mean() * self.factor
        return x.abs().mean(dim=self.dim, keepdim=self.keepdim) * self.factor


class _MeanWeightQuant(Int8WeightPerChannelFloat):  # type: ignore[misc]
    scaling_stats_impl = MeanRange
    range_in_means = 1.0


def _weight_options(bits: int) -> dict[str, object]:
    if bits in RANGE_IN_MEANS:
        return {
            "weight_quant": _MeanWeightQuant,
            "weight_bit_width": bits,
            "weight_range_in_means": RANGE_IN_MEANS[bits],
        }
    return {"weight_quant": Int8WeightPerChannelFloat, "weight_bit_width": bits}


def quant_conv(
    channels: int, filters: int, *, kernel: int, pad: int, stride: int, bias: bool, bits: int
) -> nn.Module:
    """Convolution with narrow-range weights of `bits` bits, one scale per filter."""
    layer: nn.Module = qnn.QuantConv2d(
        channels,
        filters,
        kernel,
        stride=stride,
        padding=pad,
        bias=bias,
        **_weight_options(bits),
    )
    return layer


def quant_dense(inputs: int, neurons: int, *, bias: bool, bits: int) -> nn.Module:
    """Hidden dense layer with narrow-range weights of `bits` bits, one scale per neuron."""
    layer: nn.Module = qnn.QuantLinear(inputs, neurons, bias=bias, **_weight_options(bits))
    return layer


def quant_last(inputs: int, classes: int, *, bits: int) -> nn.Module:
    """Last layer: one scale for all weights, bias an integer in units of the accumulator."""
    layer: nn.Module = qnn.QuantLinear(
        inputs,
        classes,
        bias=True,
        weight_quant=Int8WeightPerTensorFloat,
        weight_bit_width=bits,
        bias_quant=Int16Bias,
    )
    return layer


def quant_relu(bits: int) -> nn.Module:
    """ReLU to unsigned integers of `bits` bits with one learned scale."""
    layer: nn.Module = qnn.QuantReLU(
        act_quant=Uint8ActPerTensorFloat,
        bit_width=bits,
        scaling_impl_type=ScalingImplType.PARAMETER,
        scaling_init=_ACT_RANGE,
        return_quant_tensor=True,
    )
    return layer


def act_range(relu: nn.Module) -> nn.Parameter:
    """The learned range of a `quant_relu`: scale times the largest level."""
    path = "act_quant.fused_activation_quant_proxy.tensor_quant.scaling_impl.value"
    return relu.get_parameter(path)


@torch.no_grad()
def best_range(x: Tensor, bits: int) -> float:
    """Range whose quantisation of max(x, 0) to `bits` unsigned bits has the least squared error.

    Args:
        x: values before the ReLU, any shape.
        bits: bits of the activation.
    """
    positive = x.clamp_min(0.0).flatten()
    top = float(positive.max())
    levels = 2**bits - 1
    best, best_error = max(top, 1e-3), float("inf")
    for step in range(4, 101):
        limit = top * step / 100
        if limit <= 0.0:
            break
        scale = limit / levels
        error = float(
            ((positive / scale).round().clamp_max(levels) * scale - positive).square().sum()
        )
        if error < best_error:
            best, best_error = limit, error
    return best


class QuantDropout(nn.Module):
    """Dropout of the values of a quantised tensor, which keeps its scale."""

    def __init__(self, share: float) -> None:
        """Drop `share` of the values, 0 to 1."""
        super().__init__()
        self.share = share

    def forward(self, x: IntQuantTensor) -> IntQuantTensor:
        """`x`, in training with a share of its values dropped."""
        if not self.training:
            return x
        return x.set(value=nn.functional.dropout(x.value, self.share))
