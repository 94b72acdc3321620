"""A data set on the device, and the accuracy of a network on it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from quant.dataset import Labelled


@dataclass(frozen=True, kw_only=True)
class Images:
    """A data set on the device: uint8 (N, C, H, W) and int64 (N,)."""

    pixels: Tensor
    labels: Tensor

    @classmethod
    def of(cls, data: Labelled, device: torch.device) -> Images:
        """The arrays as tensors on `device`, channels first."""
        pixels = torch.from_numpy(data.images).permute(0, 3, 1, 2).contiguous()
        return cls(pixels=pixels.to(device), labels=torch.from_numpy(data.labels).to(device))

    @cached_property
    def sha256(self) -> str:
        """Of the pixels and the labels."""
        digest = hashlib.sha256(self.pixels.cpu().numpy().tobytes())
        digest.update(self.labels.cpu().numpy().tobytes())
        return digest.hexdigest()

    def chosen(self, which: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels and labels of the images with these numbers, int64 (N,) on any device."""
        which = which.to(self.labels.device)
        return self.pixels[which], self.labels[which]


def accuracy(model: nn.Module, data: Images, batch: int = 500) -> float:
    """Share of the images whose largest logit, the first of equals, is their class."""
    model.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(data.labels), batch):
            logits = model(data.pixels[start : start + batch].float())
            right += int((logits.argmax(1) == data.labels[start : start + batch]).sum())
    return right / max(1, len(data.labels))
