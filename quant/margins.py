"""Thresholds kept off the integers, so that floating point and integers agree on every activation.

An accumulator is an integer, the threshold at which an activation goes up a step is none: the
integer model rounds it up. Where it lies within a float's rounding of an integer, float32 programs
may go either way. A small shift of the batch norm moves such thresholds away and changes nothing
for integers.
"""

from __future__ import annotations

import brevitas.nn as qnn
import torch
from torch import Tensor, nn

from quant.layers import act_bits, act_range
from quant.models import PIXEL_SCALE, Model
from quant.packing import weight_scale

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
    shifted, before = 0, torch.tensor(PIXEL_SCALE, dtype=torch.float64)
    unit = gain = offset = norm = None
    for module in model.body.children():
        if isinstance(module, qnn.QuantConv2d | qnn.QuantLinear):
            unit, norm = weight_scale(module).double() * before, None
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            norm, (gain, offset) = module, _line(module)
        elif isinstance(module, qnn.QuantReLU):
            scale = act_range(module).double().abs() / (2 ** act_bits(module) - 1)
            if norm is not None and unit is not None and gain is not None and offset is not None:
                steps = torch.arange(1, 2 ** act_bits(module)).to(scale) - 0.5
                slope = gain * unit
                found = _shifts((steps * scale - offset[:, None]) / slope[:, None])
                norm.bias.sub_((found * slope).to(norm.bias.dtype))
                shifted += int((found != 0).sum())
            before = scale
    return shifted


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
