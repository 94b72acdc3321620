"""The teacher: a wide float network that only ever labels images for smaller ones.

After K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv 2404.00498): a first layer
that whitens patches of pixels and is not trained, three blocks of two convolutions, batch norms
whose scale is not trained, GELU, and logits made small. It never becomes hardware, so it is no
`Network`, whose layers all can.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from quant.dataset import CIFAR10, Shape
from quant.errors import ConfigError
from quant.models import PIXEL_SCALE

# Side of the patches that are whitened.
_PATCH_PX = 2
# Least side of an image, of which three pools leave one pixel.
_LEAST_PX = 8 + _PATCH_PX - 1
# Added to their variances, so that what is hardly there is not blown up.
_LEAST_VARIANCE = 5e-4
# The logits of an untrained network would be large enough for the loss to be steep.
_LOGIT_SCALE = 1.0 / 9.0


@dataclass(frozen=True, kw_only=True)
class TeacherNetwork:
    """Filters of the three blocks; two convolutions in each, which halves the image's sides."""

    widths: tuple[int, int, int] = (64, 256, 256)
    classes: int = 10
    input_shape: Shape = CIFAR10.shape

    def __post_init__(self) -> None:
        """Check every value."""
        if len(self.widths) != 3 or min(self.widths) < 1:
            raise ConfigError(f"teacher: widths={self.widths}; use three, each 1 or more")
        if self.classes < 2:
            raise ConfigError(f"teacher: classes={self.classes}; use 2 or more")
        height, width, _ = self.input_shape
        if min(height, width) < _LEAST_PX:
            raise ConfigError(
                f"teacher: pools images of {height}x{width} pixels away; use --image-size "
                f"{max(height, _LEAST_PX)}x{max(width, _LEAST_PX)} or larger, or no teacher"
            )

    @property
    def whitened(self) -> int:
        """Filters of the first layer: each twice, the second time negative, for the GELU's sake."""
        return 2 * self.input_shape[2] * _PATCH_PX**2

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; CIFAR-10's shape is left out, as before there were others."""
        values = asdict(self)
        if self.input_shape == CIFAR10.shape:
            del values["input_shape"]
        return values


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
    """Input: pixels 0..255 as float32 (N, C, H, W); output: logits (N, classes)."""

    filters: Tensor
    mean: Tensor

    def __init__(self, network: TeacherNetwork) -> None:
        """Build it untrained; `whiten` is to be called before it is trained."""
        super().__init__()
        channels = network.input_shape[2]
        first = torch.zeros(network.whitened, channels, _PATCH_PX, _PATCH_PX)
        self.register_buffer("filters", first)
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(network.whitened, 1, 1))
        inputs = (network.whitened, *network.widths[:-1])
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
            pixels: some thousand training images, uint8 (N, C, H, W).
        """
        x = pixels.float() * PIXEL_SCALE
        self.mean.copy_(x.mean((0, 2, 3)).view(-1, 1, 1))
        patches = functional.unfold(x - self.mean, _PATCH_PX).transpose(1, 2).flatten(0, 1)
        variances, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = vectors.T / (variances + _LEAST_VARIANCE).sqrt()[:, None]
        filters = filters.view(-1, x.shape[1], _PATCH_PX, _PATCH_PX)
        self.filters.copy_(torch.cat([filters, -filters]))

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of pixels 0..255."""
        x = functional.conv2d(pixels * PIXEL_SCALE - self.mean, self.filters) + self.bias
        x = self.blocks(functional.gelu(x))
        x = functional.adaptive_max_pool2d(x, 1).flatten(1)
        return cast(Tensor, self.last(x)) * _LOGIT_SCALE


def teacher_costs(network: TeacherNetwork) -> tuple[int, int]:
    """Parameters that are trained, and multiply-accumulates of an image."""
    height, width_px, channels = network.input_shape
    sides = [height + 1 - _PATCH_PX, width_px + 1 - _PATCH_PX]
    inputs = parameters = network.whitened
    macs = math.prod(sides) * inputs * channels * _PATCH_PX**2
    for width in network.widths:
        macs += 9 * inputs * width * math.prod(sides)
        sides = [side // 2 for side in sides]
        macs += 9 * width * width * math.prod(sides)
        parameters += 9 * width * (inputs + width) + 2 * width
        inputs = width
    last = inputs * network.classes
    return parameters + last, macs + last
