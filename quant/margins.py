"""Thresholds kept off the integers, so that floating point and integers agree on every activation.

An accumulator is an integer, the threshold at which an activation goes up a step is none: the
integer model rounds it up. Where it lies within a float's rounding of an integer, float32 programs
may go either way. A small shift of the batch norm moves such thresholds away and changes nothing
for integers. Where a residual block's sum is thresholded, there is one for each level and each code
of what is added.
"""

from __future__ import annotations

from collections.abc import Iterable

import brevitas.nn as qnn
import torch
from torch import Tensor, nn

from quant.layers import act_bits, act_range
from quant.models import PIXEL_SCALE, Model
from quant.packing import weight_scale
from quant.pool import AveragePool
from quant.residual import JOINT, SKIP, ResidualBlock

# In units of the accumulator: what a threshold keeps from integers, and the shifts tried for it.
MARGIN = 0.01
_SHIFTS = tuple(sign * step / 50 for step in range(1, 25) for sign in (1, -1))


@torch.no_grad()
def keep_off_integers(model: Model) -> int:
    """Shift batch norms whose thresholds lie near integers; no integer result changes.

    Args:
        model: of `build_quantised`; changed in place.

    Returns:
        Channels whose batch norm was shifted. A channel that no shift serves stays as it is.
    """
    pixels = torch.arange(2.0, dtype=torch.float64) * PIXEL_SCALE
    return _along(model.body.children(), pixels)[0]


def _along(layers: Iterable[nn.Module], values: Tensor) -> tuple[int, Tensor]:
    """Shift the batch norms of layers that follow each other.

    values: of the codes 0, 1, 2, ... of the activations that come in. Returns the channels that
    were shifted, and the values that go out.
    """
    shifted, unit, norm = 0, values[1:2], None
    for layer in layers:
        if isinstance(layer, ResidualBlock):
            more, values = _block(layer, values)
            shifted += more
        elif isinstance(layer, AveragePool):
            values = values / layer.pixels
        elif isinstance(layer, qnn.QuantConv2d | qnn.QuantLinear):
            unit, norm = weight_scale(layer).double() * values[1], None
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            norm = layer
        elif isinstance(layer, qnn.QuantReLU):
            shifted += _keep_off(norm, unit, layer, values.new_zeros(1))
            values = _values(layer)
    return shifted, values


def _block(block: ResidualBlock, values: Tensor) -> tuple[int, Tensor]:
    """As `_along`, for the branches of a block and their sum."""
    layers = dict(block.named_children())
    first, inner = _along([x for name, x in layers.items() if name.startswith("conv0")], values)
    second, skip = _along([x for name, x in layers.items() if name.startswith(SKIP)], values)
    unit = weight_scale(layers["conv1"]).double() * inner[1]
    joint = layers[JOINT]
    shifted = _keep_off(layers.get("conv1_norm"), unit, joint, skip)
    return first + second + shifted, _values(joint)


def _values(relu: nn.Module) -> Tensor:
    """The values that an activation may have, float64, in steps of its scale."""
    steps = torch.arange(2 ** act_bits(relu)).to(act_range(relu).device, torch.float64)
    scale: Tensor = act_range(relu).double().abs() / (2 ** act_bits(relu) - 1)
    return steps * scale


def _keep_off(norm: nn.Module | None, unit: Tensor, relu: nn.Module, added: Tensor) -> int:
    """Shift the channels of a batch norm; how many.

    unit: of the accumulators before it, (C,) or (1,); added: what may be added before the ReLU.
    """
    if not isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
        return 0
    gain, offset = _line(norm)
    values = _values(relu)
    bounds = (values[1:] - values[1] / 2 - added[:, None]).flatten()
    slope = gain * unit
    found = _shifts((bounds - offset[:, None]) / slope[:, None])
    norm.bias.sub_((found * slope).to(norm.bias.dtype))
    return int((found != 0).sum())


def _line(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Slope and offset of each channel, float64 (C,)."""
    assert norm.running_var is not None and norm.running_mean is not None
    gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return gain, norm.bias.double() - gain * norm.running_mean.double()


def _shifts(thresholds: Tensor) -> Tensor:
    """How far each channel's thresholds (C, T) move, (C,): zero where none has to or none can."""
    found = thresholds.new_zeros(len(thresholds))
    wanting = _distance(thresholds) < MARGIN
    for shift in _SHIFTS:
        moved = thresholds + shift
        fits = (moved.floor() == thresholds.floor()).all(1) & (_distance(moved) >= MARGIN)
        found[wanting & fits] = shift
        wanting &= ~fits
    return found


def _distance(thresholds: Tensor) -> Tensor:
    """From each channel's thresholds to an integer, the least."""
    return (thresholds - thresholds.round()).abs().amin(1)
