"""The teacher: a wide float network that only ever labels images for smaller ones.

After K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv 2404.00498): a first layer
that whitens patches of pixels and is not trained, three blocks of two convolutions, batch norms
whose scale is not trained, GELU, and logits made small. It never becomes hardware, so it is no
`Network`, whose layers all can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from quant.errors import ConfigError
from quant.models import PIXEL_SCALE

# Side of the patches that are whitened.
_PATCH_PX = 2
# Added to their variances, so that what is hardly there is not blown up.
_LEAST_VARIANCE = 5e-4
# The whitening layer has every filter twice, the second time negative, for the GELU's sake.
_WHITENED = 2 * 3 * _PATCH_PX**2
# The logits of an untrained network would be large enough for the loss to be steep.
_LOGIT_SCALE = 1.0 / 9.0


@dataclass(frozen=True, kw_only=True)
class TeacherNetwork:
    """Filters of the three blocks; two convolutions in each, which halves the image's sides."""

    widths: tuple[int, int, int] = (64, 256, 256)
    classes: int = 10

    def __post_init__(self) -> None:
        """Check every value."""
        if len(self.widths) != 3 or min(self.widths) < 1:
            raise ConfigError(f"teacher: widths={self.widths}; use three, each 1 or more")
        if self.classes < 2:
            raise ConfigError(f"teacher: classes={self.classes}; use 2 or more")


def _norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels)
    norm.weight.requires_grad_(False)
    return norm


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    # As many filters as there are inputs pass them on, so that depth costs nothing at the start.
    nn.init.dirac_(conv.weight[: min(inputs, outputs)])
    return conv


class _Block(nn.Module):
    """Convolution, pool, convolution, with a batch norm and a GELU after each."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv0, self.norm0 = _conv(inputs, outputs), _norm(outputs)
        self.conv1, self.norm1 = _conv(outputs, outputs), _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.gelu(self.norm0(functional.max_pool2d(self.conv0(x), 2)))
        return functional.gelu(self.norm1(self.conv1(x)))


class Teacher(nn.Module):
    """Input: pixels 0..255 as float32 (N, 3, 32, 32); output: logits (N, classes)."""

    filters: Tensor
    mean: Tensor

    def __init__(self, network: TeacherNetwork) -> None:
        """Build it untrained; `whiten` is to be called before it is trained."""
        super().__init__()
        first = torch.zeros(_WHITENED, 3, _PATCH_PX, _PATCH_PX)
        self.register_buffer("filters", first)
        self.register_buffer("mean", torch.zeros(3, 1, 1))
        self.bias = nn.Parameter(torch.zeros(_WHITENED, 1, 1))
        inputs = (_WHITENED, *network.widths[:-1])
        self.blocks = nn.Sequential(
            *(_Block(i, o) for i, o in zip(inputs, network.widths, strict=True))
        )
        self.last = nn.Linear(network.widths[-1], network.classes, bias=False)
        # As its input has them, so that wide convolutions need not turn them around.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def whiten(self, pixels: Tensor) -> None:
        """Fit the first layer to images: its outputs are uncorrelated and of variance one.

        Args:
            pixels: some thousand training images, uint8 (N, 3, 32, 32).
        """
        x = pixels.float() * PIXEL_SCALE
        self.mean.copy_(x.mean((0, 2, 3)).view(3, 1, 1))
        patches = functional.unfold(x - self.mean, _PATCH_PX).transpose(1, 2).flatten(0, 1)
        variances, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = vectors.T / (variances + _LEAST_VARIANCE).sqrt()[:, None]
        filters = filters.view(-1, 3, _PATCH_PX, _PATCH_PX)
        self.filters.copy_(torch.cat([filters, -filters]))

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of pixels 0..255."""
        x = functional.conv2d(pixels * PIXEL_SCALE - self.mean, self.filters) + self.bias
        x = self.blocks(functional.gelu(x))
        x = functional.adaptive_max_pool2d(x, 1).flatten(1)
        return cast(Tensor, self.last(x)) * _LOGIT_SCALE


def teacher_costs(network: TeacherNetwork) -> tuple[int, int]:
    """Parameters that are trained, and multiply-accumulates of an image of 32x32 pixels."""
    side, macs, inputs = 33 - _PATCH_PX, 0, _WHITENED
    macs += side**2 * _WHITENED * 3 * _PATCH_PX**2
    parameters = _WHITENED
    for width in network.widths:
        macs += 9 * inputs * width * side**2
        side //= 2
        macs += 9 * width * width * side**2
        parameters += 9 * width * (inputs + width) + 2 * width
        inputs = width
    last = inputs * network.classes
    return parameters + last, macs + last
