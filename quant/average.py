"""Moving average of the weights, and the batch statistics that go with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Moving average of a model's parameters and batch statistics, step by step.

    Early steps count for more, so that the start is forgotten: step n keeps at most
    (1 + n) / (10 + n) of the average.
    """

    def __init__(self, model: nn.Module, keep: float) -> None:
        """Start at the present values of `model`; `keep` is the share kept at each step."""
        self.keep = keep
        self.model = {n: t for n, t in model.state_dict().items() if t.is_floating_point()}
        self.tensors = {name: tensor.clone() for name, tensor in self.model.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the values after `step`."""
        keep = min(self.keep, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.tensors.values()), list(self.model.values()), 1.0 - keep)

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take over the tensors of a checkpoint.

        Raises:
            ValueError: if names or shapes differ.
        """
        if {n: t.shape for n, t in tensors.items()} != {
            n: t.shape for n, t in self.tensors.items()
        }:
            raise ValueError("the averaged weights are incomplete or of another shape")
        for name, tensor in tensors.items():
            self.tensors[name].copy_(tensor)

    def finite(self) -> bool:
        """Whether every value is a finite number; after `update`, the model's are as well."""
        return all(bool(tensor.isfinite().all()) for tensor in self.tensors.values())

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the model's values and the average."""
        for name, tensor in self.tensors.items():
            present = self.model[name].clone()
            self.model[name].copy_(tensor)
            tensor.copy_(present)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the model has the average's values."""
        self.swap()
        try:
            yield
        finally:
            self.swap()


@torch.no_grad()
def recompute_statistics(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Take the running statistics of batch norms anew, with the present weights.

    Weights of few bits round differently once they are averaged, so that statistics gathered while
    training no longer fit; Nagel et al., "Overcoming Oscillations in Quantization-Aware Training"
    (ICML 2022), lose points of accuracy that way and get them back as we do.

    Args:
        model: in evaluation mode afterwards.
        batches: training images as the model is trained on them, uint8 (N, C, H, W), each batch
            counting alike. Without the augmentation borders and colours are others, and two points
            of accuracy are lost.
    """
    model.eval()
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over the batches
        norm.train()
    for pixels in batches:
        model(pixels.float())
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()
