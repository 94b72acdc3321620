"""Moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterator
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
