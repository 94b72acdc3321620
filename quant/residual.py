"""Residual blocks: the float network's, the quantised one's and its twin's alike.

relu(norm1(conv1(relu(norm0(conv0(x))))) + skip), where `skip` is the block's input, or, projected,
norm(conv(x)) with a convolution of 1x1. In a quantised network the skip is an activation of few
bits with a scale of its own: the input, which is one, or the projection, quantised. The sum is not
quantised before its ReLU, so that hardware needs no adder: what the last convolution's accumulator
must reach for an activation depends on the skip's code alone.

A projection is quantised as an activation after a ReLU is, to 0, 1, 2, ... times a scale, though it
has values of both signs: each channel is moved up until it fits, and moved down again after the
addition. Both moves are offsets of batch norms, or biases.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

# The projection, which begins the names of the layers on the skip; its quantiser; the sum's ReLU.
SKIP, SKIP_ACT, JOINT = "skip", "skip_act", "conv1_act"


def values(x: Any) -> Tensor:
    """A tensor's values in its shape, of a quantised one without its scale."""
    found: Tensor = getattr(x, "value", x)
    return found


class ResidualBlock(nn.Module):
    """A block whose children are its layers by name, in the order in which they are computed.

    conv0, conv0_norm, conv0_act; skip, skip_norm, skip_act, if it projects its input; conv1,
    conv1_norm and conv1_act, which takes the sum.
    """

    def forward(self, x: Any) -> Any:
        """Activations (N, C, H, W), quantised ones where `x` is."""
        product = skip = x
        for name, layer in self.named_children():
            if name == JOINT:
                return layer(values(product) + values(skip))
            if name.startswith(SKIP):
                skip = layer(skip)
            else:
                product = layer(product)
        raise AssertionError("a block ends with its joint")

    @torch.no_grad()
    def lift(self, by: Tensor) -> None:
        """Move the channels of the projection up by so much, and the sum down again; by: (C,)."""
        self._offset(SKIP).add_(by)
        self._offset("conv1").sub_(by)

    def _offset(self, name: str) -> Tensor:
        """What is added to each channel of a convolution's results."""
        layers = dict(self.named_children())
        return layers.get(f"{name}_norm", layers[name]).get_parameter("bias")
