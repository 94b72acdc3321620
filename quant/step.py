"""One step of training: the loss, its gradients, the optimiser, and the average of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from rich.console import Console
from torch import Tensor, nn

from quant import distributed
from quant.average import Average, recompute_statistics
from quant.config import Training
from quant.models import load_state

Forward = Callable[[Tensor], Tensor]


def network_input(pixels: Tensor) -> Tensor:
    """This process's part of a batch as a network trains on it the fastest.

    Args:
        pixels: of the whole batch, uint8 (N, C, H, W).

    Returns:
        float32 0..255 (N, C, H, W), the channels of a pixel side by side in memory.
    """
    return distributed.part(pixels).to(torch.float32, memory_format=torch.channels_last)


def learning_rate(config: Training, step: int, steps_per_epoch: int) -> float:
    """Linear warm-up, then a cosine that reaches zero after the last step."""
    total = config.epochs * steps_per_epoch
    warm = min(config.warmup_epochs * steps_per_epoch, total / 2)
    if step < warm:
        return config.lr * (step + 1) / (warm + 1)
    return config.lr * 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1.0, total - warm)))


def _optimiser(model: nn.Module, config: Training) -> torch.optim.Optimizer:
    # Biases, batch norm and the ranges of activations.
    trained = [p for p in model.parameters() if p.requires_grad]
    many = {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay}
    single: dict[str, Any] = {"params": [p for p in trained if p.ndim <= 1]}
    if config.optimiser == "adamw":
        groups = [many, {**single, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=config.lr, fused=True)
    # The same share of the weights decays in a step, whatever their learning rate is.
    decay = config.weight_decay / config.bias_lr
    groups = [many, {**single, "weight_decay": decay, "scale": config.bias_lr}]
    return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=True)


def _loss(config: Training, logits: Tensor, labels: Tensor, teacher: Tensor | None) -> Tensor:
    loss = nn.functional.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
    if teacher is None:
        return loss
    heat = config.distill_temperature
    soft = nn.functional.kl_div(
        nn.functional.log_softmax(logits / heat, 1),
        nn.functional.log_softmax(teacher / heat, 1),
        reduction="batchmean",
        log_target=True,
    )
    return (1.0 - config.distill) * loss + config.distill * heat**2 * soft


class Trainer:
    """A model with its optimiser and the average of its weights."""

    def __init__(
        self,
        model: nn.Module,
        config: Training,
        *,
        teacher: nn.Module | None = None,
        twin: nn.Module | None = None,
    ) -> None:
        """Set up the training of `model`; the arguments are those of `quant.loop.Phase`."""
        self.model = model
        # What is trained: the model, or a module that shares its parameters and is faster.
        self.twin = twin if twin is not None else model
        self.config = config
        self.teacher = teacher if config.distill > 0.0 else None
        self.optimiser = _optimiser(model, config)
        self.average = Average(model, config.average)

    def train_mode(self) -> None:
        """Switch to batch statistics and dropout; the teacher has neither."""
        self.model.train()
        self.twin.train()
        if self.teacher is not None:
            self.teacher.eval()

    def forward(self, pixels: Tensor, compiled: bool, console: Console) -> Forward:
        """What `step` calls: the twin, shared between the processes, and compiled if asked.

        Args:
            pixels: one batch, to try the compiled twin on; nothing is learned from it.
            compiled: try `torch.compile`, and do without where it fails.
            console: where a failure is told.
        """
        twin = distributed.wrap(self.twin)
        return self._compile(twin, pixels, console) if compiled else twin

    def _compile(self, twin: nn.Module, pixels: Tensor, console: Console) -> Forward:
        state = {name: value.clone() for name, value in self.model.state_dict().items()}
        # What was compiled for other models counts against PyTorch's limit of recompilations.
        torch.compiler.reset()
        # PyTorch's own random numbers, as without compilation: its compiler's are slower on a CPU.
        compiled: Forward = torch.compile(twin, options={"fallback_random": True})
        teacher = self.teacher and cast(nn.Module, torch.compile(self.teacher))
        self.train_mode()
        part = network_input(pixels)
        try:
            loss = self._logits(compiled, part).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            if teacher is not None:
                with torch.no_grad():
                    teacher(part)
                self.teacher = teacher
        except (RuntimeError, OSError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            console.print(
                f"torch.compile failed, training goes on without it: {reason}", markup=False
            )
            compiled = twin
        self.optimiser.zero_grad()
        load_state(self.model, state)
        return compiled

    def step(
        self,
        forward: Forward,
        pixels: Tensor,
        labels: Tensor,
        step: int,
        steps_per_epoch: int,
        *,
        taught: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Train on this process's part of a batch.

        Args:
            forward: of the method of that name.
            pixels: of `network_input`.
            labels: int64 (N,).
            step: number of the step, from 0 at the start of the training.
            steps_per_epoch: for the learning rate.
            taught: logits of a teacher for these pixels, instead of asking one.

        Returns:
            Loss and share of right answers before the step, on the device; not waited for.
        """
        rate = learning_rate(self.config, step, steps_per_epoch)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group.get("scale", 1.0)
        self.optimiser.zero_grad(set_to_none=True)
        if taught is None and self.teacher is not None:
            with torch.no_grad():
                taught = self.teacher(pixels)
        logits = self._logits(forward, pixels)
        loss = _loss(self.config, logits, labels, taught)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.average.update(step)
        return loss.detach(), (logits.detach().argmax(1) == labels).float().mean()

    def _logits(self, forward: Forward, pixels: Tensor) -> Tensor:
        """Float32 logits; the products before them in the precision of the training."""
        with torch.autocast(
            pixels.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16"
        ):
            return forward(pixels).float()

    def settle(self, batches: Iterable[Tensor]) -> None:
        """Give the averaged weights batch statistics of their own, from batches of images.

        Args:
            batches: of training images as the network is trained on them, uint8 (N, C, H, W).
        """
        if self.config.average > 0.0:
            with self.average.in_place():
                recompute_statistics(self.twin, batches)
