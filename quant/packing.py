"""Checkpoints without what inference does not need: integer weights, packed at their bit width.

A packed checkpoint is the state of the Brevitas network with two changes. The range of a layer's
weights is a float32 tensor, where training takes it from statistics of the float weights or
learns its logarithm; neither can be undone exactly. And the weights are integers of `bits` bits,
one after the other from the least significant bit of the first byte on, in uint8.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import brevitas.nn as qnn
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quant.errors import CheckpointError
from quant.layers import fit_learned_range, learned_range, weight_bits
from quant.models import Model, load_state

# The metadata of a packed file, with the version of the format.
MARK = {"packed": "1"}


class FixedRange(nn.Module):  # type: ignore[misc, unused-ignore]
    """Largest representable weight as a constant, in the shape of a scale."""

    range: Tensor

    def __init__(self, limit: Tensor) -> None:
        """Start with the range `limit`."""
        super().__init__()
        self.register_buffer("range", limit.detach().clone())

    def forward(self, x: Tensor, threshold: Tensor | None = None) -> Tensor:
        """The range, divided by the largest level if there is one."""
        return self.range if threshold is None else self.range / threshold


def pack_integers(values: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Integers as bytes, least significant bit first; the rest of the last byte is zero.

    Args:
        values: integers of any shape from -top to top, top = 2^(bits - 1) - 1; -1 and 1 where
            bits is 1.
        bits: 1 to 8.

    Returns:
        ceil(values.size x bits / 8) bytes.
    """
    codes = ((values.ravel() + _top(bits)) // _step(bits)).astype(np.uint8)
    unpacked = np.unpackbits(codes[:, None], axis=1, count=bits, bitorder="little")
    return np.packbits(unpacked.ravel(), bitorder="little")


def unpack_integers(packed: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.int8]:
    """The `count` integers of `pack_integers`, int8 (count,).

    Raises:
        CheckpointError: if the bytes are not those of so many integers.
    """
    size = math.ceil(count * bits / 8)
    if packed.shape != (size,):
        raise CheckpointError(
            f"{count:,} weights of {bits} bits are bytes of shape {packed.shape}, not ({size},); "
            "use the checkpoint with its own record, or pack the model again"
        )
    unpacked = np.unpackbits(packed, bitorder="little")
    codes = np.packbits(unpacked[: count * bits].reshape(count, bits), axis=1, bitorder="little")
    values = codes.ravel().astype(np.int16) * _step(bits) - _top(bits)
    if unpacked[count * bits :].any() or (values > _top(bits)).any():
        raise CheckpointError(
            f"weights out of the range of {bits} bits; use the checkpoint with its own record, or "
            "pack the model again"
        )
    return values.astype(np.int8)


def _top(bits: int) -> int:
    """Largest weight."""
    return max(1, (1 << (bits - 1)) - 1)


def _step(bits: int) -> int:
    """From one weight to the next: there is no zero at one bit."""
    return 2 if bits == 1 else 1


@torch.no_grad()
def pack(model: Model) -> dict[str, Tensor]:
    """The packed state of a quantised network; its ranges become constants, it computes the same.

    Args:
        model: of `build_quantised`; changed in place.
    """
    _fix_ranges(model)
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    for name, layer in _quantised(model).items():
        weight = layer.quant_weight()
        integers = (weight.value / weight.scale).round().to(torch.int16).cpu().numpy()
        state[f"{name}.weight"] = torch.from_numpy(pack_integers(integers, weight_bits(layer)))
    return state


@torch.no_grad()
def load_packed(model: Model, state: Mapping[str, Tensor]) -> None:
    """Give a quantised network a packed state; its ranges become constants.

    Args:
        model: of `build_quantised`, with the bit widths of the packed one; changed in place.
        state: of `pack`.

    Raises:
        CheckpointError: if the state is of another network, or a weight of another width.
    """
    _fix_ranges(model)
    layers = _quantised(model)
    floats = dict(state)
    for name, layer in layers.items():
        key = f"{name}.weight"
        if key not in state or state[key].dtype != torch.uint8:
            raise CheckpointError(f"{key} is missing or not packed; pack the model again")
        weight = layer.get_parameter("weight")
        try:
            integers = unpack_integers(state[key].numpy(), weight_bits(layer), weight.numel())
        except CheckpointError as error:
            raise CheckpointError(f"{key}: {error}") from error
        floats[key] = torch.from_numpy(integers).reshape(weight.shape).to(weight.dtype)
    load_state(model, floats)
    for layer in layers.values():
        # Integers times scale: dividing by the scale and rounding gives the integers again.
        scale = _range(layer) / _top(weight_bits(layer))
        layer.get_parameter("weight").mul_(scale)


@torch.no_grad()
def start_from_quantised(model: Model, earlier: Model) -> None:
    """Give a quantised network the state of another one, packed or not, also of other bits.

    A learned range starts as the one that the weights had; of other bits, and by statistics, it
    follows from the weights.

    Args:
        model: of `build_quantised`; changed in place.
        earlier: of the same network.
    """
    own, state = model.state_dict(), earlier.state_dict()
    load_state(model, {**own, **{name: value for name, value in state.items() if name in own}})
    before = _quantised(earlier)
    for name, layer in _quantised(model).items():
        learned = learned_range(layer)
        if learned is not None and weight_bits(layer) == weight_bits(before[name]):
            learned.log2_range.copy_(_range(before[name]).log2().view_as(learned.log2_range))
        else:
            fit_learned_range(layer)


def _quantised(model: Model) -> dict[str, Any]:
    """The layers with quantised weights by name."""
    return {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, qnn.QuantConv2d | qnn.QuantLinear)
    }


def _range(layer: Any) -> Tensor:
    """Largest representable weight, in the shape of a scale."""
    limit: Tensor = layer.weight_quant.tensor_quant.scaling_impl(layer.weight, torch.ones(()))
    return limit


def weight_scale(layer: Any) -> Tensor:
    """The scale of a layer's weights, (outputs,), or (1,) where there is one for all."""
    return _range(layer).flatten() / _top(weight_bits(layer))


def _fix_ranges(model: Model) -> None:
    for layer in _quantised(model).values():
        layer.weight_quant.tensor_quant.scaling_impl = FixedRange(_range(layer))
