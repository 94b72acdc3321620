"""Quantised layers: Brevitas layers with this project's quantisers, 1 to 8 bits."""

from __future__ import annotations

from typing import cast

import brevitas.nn as qnn
import torch
from brevitas.core.function_wrapper import TensorClamp
from brevitas.function.ops_ste import binary_sign_ste
from brevitas.inject.enum import ScalingImplType, ScalingPerOutputType
from brevitas.quant import Int8WeightPerChannelFloat, Int16Bias, Uint8ActPerTensorFloat
from brevitas.quant_tensor import IntQuantTensor
from torch import Tensor, nn

from quant.config import WeightScale

# One bit: the least squared error is at the mean magnitude, whatever the distribution. Two and
# three: the step that quantises a normal distribution with the least squared error, times the
# largest level, in units of the mean magnitude. From 4 bits on the largest magnitude serves as
# well.
RANGE_IN_MEANS = {1: 1.0, 2: 1.53, 3: 2.4}
LEAST_RANGE = 1e-10
# The step of 2 bits for the positive half of a normal distribution, times the largest level, in
# standard deviations.
_ACT_RANGE = 1.6


def weight_range(weight: Tensor, bits: int, *, per_channel: bool) -> Tensor:
    """Largest representable weight by the statistics of the weights: (channels,) or ().

    At 2 bits this gives ternary weights whose threshold is 0.76 mean magnitudes, close to the
    optimum of Ternary Weight Networks (Li et al., 2016), at 1 bit the mean magnitude of XNOR-Net
    (Rastegari et al., 2016).
    """
    size = weight.abs().flatten(1 if per_channel else 0)
    factor = RANGE_IN_MEANS.get(bits)
    limit = size.amax(-1) if factor is None else size.mean(-1) * factor
    return limit.clamp_min(LEAST_RANGE)


class MeanRange(nn.Module):  # type: ignore[misc, unused-ignore]
    """Largest representable weight as a multiple of the mean magnitude."""

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


class LearnedRange(nn.Module):  # type: ignore[misc, unused-ignore]
    """Largest representable weight as a parameter, one for each channel or one for all.

    The parameter is its base-2 logarithm, so that a step of an optimiser changes it by a share.
    It has at most one dimension, as a bias has, and is like it not decayed in training.
    """

    def __init__(self, scaling_shape: tuple[int, ...]) -> None:
        """Brevitas fills the argument in by name."""
        super().__init__()
        self.shape = scaling_shape
        size = torch.Size(scaling_shape).numel()
        self.log2_range = nn.Parameter(torch.zeros(size if scaling_shape else ()))

    def forward(self, x: Tensor, threshold: Tensor | None = None) -> Tensor:
        """The range, divided by the largest level if there is one, in the shape of a scale."""
        limit = torch.exp2(self.log2_range).view(self.shape)
        return limit if threshold is None else limit / threshold


class BinaryWeights(nn.Module):  # type: ignore[misc, unused-ignore]
    """Weights to -1 and +1 times a scale, 0 to +1; the sign's gradient is that of the identity."""

    def __init__(self, scaling_impl: nn.Module) -> None:
        """Brevitas fills the argument in by name."""
        super().__init__()
        self.scaling_impl = scaling_impl

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Quantised weights, scale, zero point and bits."""
        scale = self.scaling_impl(x)
        y = binary_sign_ste(x / scale) * scale
        return y, scale, x.new_zeros(()), x.new_ones(())


class _Weights(Int8WeightPerChannelFloat):  # type: ignore[misc]
    # Gradients stop where weights are clamped.
    tensor_clamp_impl = TensorClamp


class _MeanWeights(_Weights):
    scaling_stats_impl = MeanRange


def _weight_options(bits: int, scale: WeightScale, *, per_channel: bool) -> dict[str, object]:
    """Arguments that make Brevitas quantise a layer's weights."""
    factor = RANGE_IN_MEANS.get(bits)
    options: dict[str, object] = {
        "weight_quant": _Weights if factor is None else _MeanWeights,
        "weight_bit_width": bits,
        "weight_scaling_per_output_type": (
            ScalingPerOutputType.CHANNEL if per_channel else ScalingPerOutputType.TENSOR
        ),
    }
    if factor is not None:
        options["weight_range_in_means"] = factor
    if scale == "learned":
        options["weight_scaling_impl"] = LearnedRange
    if bits == 1:
        options["weight_tensor_quant"] = BinaryWeights
    return options


def quant_conv(
    channels: int,
    filters: int,
    *,
    kernel: int,
    pad: int,
    stride: int,
    groups: int,
    bias: bool,
    bits: int,
    scale: WeightScale,
) -> nn.Module:
    """Convolution with weights of `bits` bits, symmetrical about zero, one scale per filter.

    Its channels and filters are in so many `groups`.
    """
    layer: nn.Module = qnn.QuantConv2d(
        channels,
        filters,
        kernel,
        stride=stride,
        padding=pad,
        groups=groups,
        bias=bias,
        **_weight_options(bits, scale, per_channel=True),
    )
    fit_learned_range(layer)
    return layer


def quant_dense(
    inputs: int, neurons: int, *, bias: bool, bits: int, scale: WeightScale
) -> nn.Module:
    """Hidden dense layer with weights of `bits` bits, one scale per neuron."""
    options = _weight_options(bits, scale, per_channel=True)
    layer: nn.Module = qnn.QuantLinear(inputs, neurons, bias=bias, **options)
    fit_learned_range(layer)
    return layer


def quant_last(inputs: int, classes: int, *, bits: int, scale: WeightScale) -> nn.Module:
    """Last layer: one scale for all weights, bias an integer in units of the accumulator."""
    layer: nn.Module = qnn.QuantLinear(
        inputs,
        classes,
        bias=True,
        bias_quant=Int16Bias,
        **_weight_options(bits, scale, per_channel=False),
    )
    fit_learned_range(layer)
    return layer


def weight_bits(layer: nn.Module) -> int:
    """Bits of the weights of a quantised layer."""
    return int(cast(qnn.QuantConv2d, layer).weight_quant.bit_width())


def learned_range(layer: nn.Module) -> LearnedRange | None:
    """What holds the learned range of a layer's weights; None if their statistics give it."""
    scaling = layer.get_submodule("weight_quant.tensor_quant.scaling_impl")
    return scaling if isinstance(scaling, LearnedRange) else None


@torch.no_grad()
def fit_learned_range(layer: nn.Module) -> None:
    """Set a layer's learned range, if it has one, to what the statistics of its weights give."""
    learned = learned_range(layer)
    if learned is not None:
        weight, per_channel = layer.get_parameter("weight"), learned.log2_range.ndim > 0
        limit = weight_range(weight, weight_bits(layer), per_channel=per_channel)
        learned.log2_range.copy_(limit.log2())


def quant_relu(bits: int) -> nn.Module:
    """ReLU to unsigned integers of `bits` bits with one learned scale.

    At one bit 0 and 1: a value of more than half the scale gives 1, and gradients pass up to one
    and a half.
    """
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


def act_bits(relu: nn.Module) -> int:
    """Bits of a `quant_relu`."""
    return int(cast(qnn.QuantReLU, relu).act_quant.bit_width())


@torch.no_grad()
def best_range(x: Tensor, bits: int, *, centred: bool = False) -> float:
    """Range whose quantisation of max(x, 0) to `bits` unsigned bits has the least squared error.

    Args:
        x: values before the ReLU, any shape.
        bits: bits of the activation.
        centred: whether x has both signs and is to be moved up by half the range before the ReLU.
    """
    wanted = x.flatten() if centred else x.clamp_min(0.0).flatten()
    top = float(2 * wanted.abs().max()) if centred else float(wanted.max())
    levels = 2**bits - 1
    best, best_error = max(top, 1e-3), float("inf")
    for step in range(4, 101):
        limit = top * step / 100
        if limit <= 0.0:
            break
        scale = limit / levels
        moved = wanted + limit / 2 if centred else wanted
        error = float(((moved / scale).round().clamp(0, levels) * scale - moved).square().sum())
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
