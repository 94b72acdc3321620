"""One phase of training: epochs with a checkpoint after each, and exact resume."""

from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from torch import Tensor, nn

from quant.augment import cutout, translate_and_flip
from quant.config import Training
from quant.data import Labelled
from quant.errors import CheckpointError, ConfigError
from quant.files import read_tensors, write_tensors
from quant.models import load_state

Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Images:
    """A data set on the device: uint8 (N, 3, 32, 32) and int64 (N,)."""

    pixels: Tensor
    labels: Tensor

    @classmethod
    def of(cls, data: Labelled, device: torch.device) -> Images:
        """The arrays as tensors on `device`, channels first."""
        pixels = torch.from_numpy(data.images).permute(0, 3, 1, 2).contiguous()
        return cls(pixels=pixels.to(device), labels=torch.from_numpy(data.labels).to(device))


@dataclass(frozen=True, kw_only=True)
class Status:
    """How far a phase has come."""

    epoch: int = 0
    seconds: float = 0.0


def accuracy(model: nn.Module, data: Images, batch: int = 500) -> float:
    """Share of the images whose largest logit, the first of equals, is their class."""
    model.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(data.labels), batch):
            logits = model(data.pixels[start : start + batch].float())
            right += int((logits.argmax(1) == data.labels[start : start + batch]).sum())
    return right / max(1, len(data.labels))


def learning_rate(config: Training, step: int, steps_per_epoch: int) -> float:
    """Linear warm-up, then a cosine that reaches zero after the last step."""
    total = config.epochs * steps_per_epoch
    warm = min(config.warmup_epochs * steps_per_epoch, total / 2)
    if step < warm:
        return config.lr * (step + 1) / (warm + 1)
    return config.lr * 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1.0, total - warm)))


def _optimiser(model: nn.Module, config: Training) -> torch.optim.AdamW:
    # Biases, batch norm and the ranges of activations are not decayed.
    decayed = [p for p in model.parameters() if p.ndim > 1]
    free = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr)


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
        """Take over the tensors of a checkpoint, which must be the same."""
        if {n: t.shape for n, t in tensors.items()} != {
            n: t.shape for n, t in self.tensors.items()
        }:
            raise ValueError("the averaged weights are incomplete or of another shape")
        for name, tensor in tensors.items():
            self.tensors[name].copy_(tensor)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the model's values and the average."""
        for name, tensor in self.tensors.items():
            present = self.model[name].clone()
            self.model[name].copy_(tensor)
            tensor.copy_(present)


class Phase:
    """Trains one model; `run` continues from the checkpoint in `path`, if there is one."""

    def __init__(
        self,
        name: str,
        model: nn.Module,
        config: Training,
        path: Path,
        identity: dict[str, Any],
        *,
        teacher: nn.Module | None = None,
        twin: nn.Module | None = None,
        compiled: bool = False,
        console: Console | None = None,
    ) -> None:
        """Set up a phase; nothing is read or written yet.

        Args:
            name: for display and seeds.
            model: what checkpoints hold.
            config: how to train.
            path: checkpoint, .safetensors.
            identity: whatever else a checkpoint must agree with, plain JSON values.
            teacher: float network to imitate, as far as `config.distill` says.
            twin: module that shares the parameters of `model` and is trained in its place.
            compiled: try `torch.compile`.
            console: where progress goes.
        """
        self.name = name
        self.model = model
        # What is trained: the model, or a module that shares its parameters and is faster.
        self.twin = twin if twin is not None else model
        self.config = config
        self.path = path
        # As read back from JSON, so that tuples compare as the lists they become.
        self.identity: dict[str, Any] = json.loads(
            json.dumps({**identity, "training": asdict(config)})
        )
        self.teacher = teacher if config.distill > 0.0 else None
        self.compiled = compiled
        self.console = console or Console(stderr=True)
        self.optimiser = _optimiser(model, config)
        self.average = Average(model, config.average)

    def load(self) -> Status:
        """Restore model and optimiser from the checkpoint, if there is one.

        Raises:
            CheckpointError: if it is corrupt or of another training.
        """
        if not self.path.exists():
            return Status()
        tensors, metadata = read_tensors(self.path)
        try:
            status = Status(**json.loads(metadata["status"]))
            identity = json.loads(metadata["identity"])
            self._check_identity(identity)
            load_state(self.model, _under("model.", tensors))
            self.average.load(_under("average.", tensors))
            self._load_optimiser(_under("optimiser.", tensors))
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.path}: not a checkpoint of this training ({error}); "
                "use --fresh to start again, or another --out"
            ) from error
        return status

    def _check_identity(self, found: dict[str, Any]) -> None:
        if found == self.identity:
            return
        differing = [
            f"{key}: {found.get(key)} there, {self.identity.get(key)} here"
            for key in sorted({*found, *self.identity})
            if found.get(key) != self.identity.get(key)
        ]
        raise CheckpointError(
            f"{self.path}: from a training with other settings ({'; '.join(differing)}); "
            "use the same settings, --fresh to start again, or another --out"
        )

    def _load_optimiser(self, tensors: dict[str, Tensor]) -> None:
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            number, key = name.split(".", 1)
            state.setdefault(int(number), {})[key] = tensor
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        for index, parameter in enumerate(parameters):
            entry = state.get(index, {})
            if set(entry) != {"step", "exp_avg", "exp_avg_sq"}:
                raise ValueError(f"the optimiser's state of parameter {index} is incomplete")
            if entry["exp_avg"].shape != parameter.shape:
                raise ValueError(f"the optimiser's state of parameter {index} has another shape")
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})

    def save(self, status: Status) -> None:
        """Write model, optimiser and `status`; the old checkpoint stays until the new is whole."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.tensors.items()}
        for index, entry in self.optimiser.state_dict()["state"].items():
            for key, value in entry.items():
                tensors[f"optimiser.{index}.{key}"] = value
        metadata = {"status": json.dumps(asdict(status)), "identity": json.dumps(self.identity)}
        write_tensors(self.path, tensors, metadata)

    def run(self, train: Images, held_out: Images) -> Status:
        """Train what is left of the epochs; the model then has the averaged weights.

        Raises:
            ConfigError: if there are fewer images than one batch has.
            CheckpointError: as in `load`.
        """
        steps = len(train.labels) // self.config.batch
        if steps == 0:
            raise ConfigError(
                f"training: batch={self.config.batch} is more than the {len(train.labels)} "
                f"images to train on; use at most {len(train.labels)}"
            )
        status = self.load()
        if status.epoch < self.config.epochs:
            status = self._train(train, held_out, status, steps)
        self.average.swap()
        return status

    def _train(self, train: Images, held_out: Images, status: Status, steps: int) -> Status:
        forward = self._compile(train) if self.compiled else self.twin
        with self._progress(steps) as progress:
            bar = progress.add_task(
                self.name, total=self.config.epochs * steps, completed=status.epoch * steps, note=""
            )
            while status.epoch < self.config.epochs:
                status = self._epoch(forward, train, held_out, status, progress, bar)
        return status

    def _progress(self, steps: int) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def _compile(self, train: Images) -> Forward:
        """The compiled model, or the model itself where compiling fails."""
        state = {name: value.clone() for name, value in self.model.state_dict().items()}
        # What was compiled for other models counts against the limit of recompilations.
        torch.compiler.reset()
        compiled: Forward = torch.compile(self.twin)
        self._train_mode()
        try:
            loss = compiled(train.pixels[: self.config.batch].float()).sum()
            loss.backward()  # type: ignore[no-untyped-call]
        except (RuntimeError, OSError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            self.console.print(f"torch.compile failed, training goes on without it: {reason}")
            compiled = self.twin
        self.optimiser.zero_grad()
        load_state(self.model, state)
        return compiled

    def _train_mode(self) -> None:
        self.model.train()
        self.twin.train()

    def _epoch(
        self,
        forward: Forward,
        train: Images,
        held_out: Images,
        status: Status,
        progress: Progress,
        bar: Any,
    ) -> Status:
        config = self.config
        start = time.monotonic()
        # Seeded by the epoch, so that a resumed training draws what an uninterrupted one draws.
        seed = zlib.crc32(f"{config.seed} {self.name} {status.epoch}".encode())
        torch.manual_seed(seed)
        draw = torch.Generator().manual_seed(seed)
        steps = len(train.labels) // config.batch
        order = torch.randperm(len(train.labels), generator=draw).to(train.labels.device)
        self._train_mode()
        loss_sum = right = 0.0
        for step in range(steps):
            chosen = order[step * config.batch : (step + 1) * config.batch]
            labels = train.labels[chosen]
            pixels = translate_and_flip(
                train.pixels[chosen], config.translate_px, draw, flip=config.flip
            )
            pixels = cutout(pixels, config.cutout_px, draw).float().contiguous()
            loss, logits = self._step(forward, pixels, labels, status.epoch * steps + step, steps)
            loss_sum += loss
            right += float((logits.argmax(1) == labels).float().mean())
            rate = (step + 1) * config.batch / (time.monotonic() - start)
            note = (
                f"epoch {status.epoch + 1}/{config.epochs}  {rate:,.0f} images/s  "
                f"loss {loss_sum / (step + 1):.3f}  {100 * right / (step + 1):.1f} %"
            )
            progress.update(bar, advance=1, note=note)
        seconds = status.seconds + time.monotonic() - start
        status = replace(status, epoch=status.epoch + 1, seconds=round(seconds, 1))
        self.save(status)
        held = ""
        if len(held_out.labels):
            self.average.swap()
            held = f"  held out {100 * accuracy(self.model, held_out):.2f} %"
            self.average.swap()
        self.console.print(f"{self.name}  {note}{held}", highlight=False)
        return status

    def _step(
        self, forward: Forward, pixels: Tensor, labels: Tensor, step: int, steps: int
    ) -> tuple[float, Tensor]:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.config, step, steps)
        self.optimiser.zero_grad(set_to_none=True)
        teacher = None
        if self.teacher is not None:
            self.teacher.eval()
            with torch.no_grad():
                teacher = self.teacher(pixels)
        logits = forward(pixels)
        loss = _loss(self.config, logits, labels, teacher)
        if not bool(torch.isfinite(loss)):
            raise ConfigError(
                f"{self.name}: the loss is no longer finite at step {step}; use a smaller --lr"
            )
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.average.update(step)
        return float(loss.detach()), logits.detach()


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
