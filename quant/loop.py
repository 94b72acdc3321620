"""One phase of training: epochs with a checkpoint after each, and exact resume."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from torch import Tensor, nn

from headrace.progress import Listener, nobody
from quant import distributed
from quant.augment import cutout, sides, translate
from quant.checkpoint import Checkpoint, Status
from quant.config import Training
from quant.errors import ConfigError, TrainingError
from quant.images import Images, accuracy
from quant.memory import keep_freed
from quant.progress import Meter, Report
from quant.step import Forward, Trainer, network_input
from quant.views import Views

# Steps between two looks at the losses, for which the device is waited for.
_LOOK_STEPS = 10
# Training images that the batch statistics of averaged weights are taken from.
_SETTLE_IMAGES = 5000


class Batch(NamedTuple):
    """Pixels, labels, int64 (N,), and if they are kept, a teacher's logits, (N, classes)."""

    pixels: Tensor
    labels: Tensor
    taught: Tensor | None = None


def augmented(
    name: str, config: Training, data: Images, epoch: int, views: Views | None = None
) -> Iterator[Batch]:
    """The batches of an epoch, augmented, the same in each of several processes.

    Args:
        name: of the phase, for the seed.
        config: batch, augmentation and seed.
        data: images to train on; those left over after the last whole batch are not used.
        epoch: from 0.
        views: of these images, to be seen instead of newly drawn ones.

    Yields:
        Batches, their pixels uint8 (N, C, H, W).
    """
    # Seeded by the epoch, so that a resumed training draws what an uninterrupted one draws.
    seed = zlib.crc32(f"{config.seed} {name} {epoch}".encode())
    torch.manual_seed(seed + distributed.rank())  # dropout, which differs between processes
    draw = torch.Generator().manual_seed(seed)
    count = len(data.labels)
    order = torch.randperm(count, generator=draw)
    mirrored = sides(count, zlib.crc32(f"{config.seed} {name}".encode()), epoch) & config.flip
    for step in range(count // config.batch):
        chosen = order[step * config.batch : (step + 1) * config.batch]
        pixels, labels = data.chosen(chosen)
        if views is not None:
            pixels, taught = views.seen(data, chosen, epoch)
            yield Batch(pixels, labels, taught)
            continue
        pixels = translate(pixels, config.translate_px, draw, mirrored[chosen])
        yield Batch(cutout(pixels, config.cutout_px, draw), labels)


def batches(
    name: str, config: Training, data: Images, epoch: int, views: Views | None = None
) -> Iterator[Batch]:
    """This process's part of every batch of `augmented`, pixels as `network_input` has them.

    All processes draw the same and augment whole batches, as one process would; that costs little
    beside the network.
    """
    for pixels, labels, taught in augmented(name, config, data, epoch, views):
        part = None if taught is None else distributed.part(taught)
        yield Batch(network_input(pixels), distributed.part(labels), part)


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
        views: Views | None = None,
        twin: nn.Module | None = None,
        compiled: bool = False,
        console: Console | None = None,
        listener: Listener = nobody,
    ) -> None:
        """Set up a phase; nothing is read or written yet.

        Args:
            name: for display and seeds.
            model: what checkpoints hold.
            config: how to train.
            path: checkpoint, .safetensors; the folder `tensorboard` beside it gets the scalars.
            identity: whatever else a checkpoint must agree with, plain JSON values.
            teacher: float network to imitate, as far as `config.distill` says.
            views: of the images to train on, with a teacher's logits, which are imitated instead.
            twin: module that shares the parameters of `model` and is trained in its place.
            compiled: try `torch.compile`.
            console: where progress goes.
            listener: told of each step.
        """
        self.name = name
        self.config = config
        self.compiled = compiled
        self.console = distributed.console(console)
        self.listener = listener
        self.views = views
        self.trainer = Trainer(model, config, teacher=None if views else teacher, twin=twin)
        self.checkpoint = Checkpoint(path, {**identity, "training": asdict(config)}, self.trainer)

    def run(self, train: Images, held_out: Images) -> Status:
        """Train what is left of the epochs; the model then has the averaged weights.

        Raises:
            ConfigError: if there are fewer images than one batch has, or the processes do not
                divide the batch.
            CheckpointError: if the checkpoint is corrupt or of another training.
            TrainingError: if loss or weights are no longer finite.
            WriteError: if the disk is full; the last checkpoint stays.
        """
        epochs, steps = self.config.epochs, self._steps(len(train.labels))
        # What the first process has tidied away, no other finds.
        distributed.wait()
        status = self.checkpoint.load()
        if status.epoch < epochs:
            trial = train.pixels[: self.config.batch]
            if trial.device.type == "cpu":
                keep_freed()
            forward = self.trainer.forward(trial, self.compiled, self.console)
            folder = self.checkpoint.path.parent / "tensorboard" / self.name
            with Report(
                self.name, self.config, steps, status.epoch, folder, self.console, self.listener
            ) as report:
                while status.epoch < epochs:
                    status = self._epoch(forward, train, held_out, status, report)
        self.trainer.average.swap()
        distributed.same(self.trainer.model)
        return status

    def _steps(self, images: int) -> int:
        """Steps of an epoch."""
        batch, processes = self.config.batch, distributed.count()
        if images < batch:
            raise ConfigError(
                f"training: batch={batch} is more than the {images} images to train on; "
                f"use at most {images}"
            )
        if batch % processes:
            raise ConfigError(
                f"training: batch={batch} does not divide among {processes} processes; "
                f"use {math.ceil(batch / processes) * processes}"
            )
        return images // batch

    def _epoch(
        self, forward: Forward, train: Images, held_out: Images, status: Status, report: Report
    ) -> Status:
        trainer, epoch, steps = self.trainer, status.epoch, self._steps(len(train.labels))
        meter = Meter(self.config.batch)
        trainer.train_mode()
        shown = batches(self.name, self.config, train, epoch, self.views)
        for index, (pixels, labels, taught) in enumerate(shown):
            step = epoch * steps + index
            meter.add(*trainer.step(forward, pixels, labels, step, steps, taught=taught))
            report.advance()
            if (index + 1) % _LOOK_STEPS == 0 or index + 1 == steps:
                reading = meter.read()
                self._check_losses(meter, epoch)
                report.steps_done(step, reading)
        if not trainer.average.finite():
            raise self._diverged("weights are no longer finite", epoch, steps - 1)
        self._settle(train, epoch)
        reading, validated = meter.epoch(), self._validate(held_out)
        report.epoch_done(epoch, reading, meter.seconds, validated)
        point = round(reading.accuracy, 4), None if validated is None else round(validated, 4)
        status += Status(epoch=1, seconds=meter.seconds, curve=(point,))
        if distributed.rank() == 0:
            self.checkpoint.save(status)
        return status

    def _settle(self, train: Images, epoch: int) -> None:
        """Give the averaged weights the batch statistics of images as they train on them."""
        seen = augmented(self.name, self.config, train, epoch, self.views)
        some = islice(seen, max(1, _SETTLE_IMAGES // self.config.batch))
        self.trainer.settle(batch.pixels for batch in some)

    def _validate(self, held_out: Images) -> float | None:
        """Accuracy of the averaged weights, which the first process alone takes."""
        if distributed.rank() or not len(held_out.labels):
            return None
        with self.trainer.average.in_place():
            return accuracy(self.trainer.model, held_out)

    def _check_losses(self, meter: Meter, epoch: int) -> None:
        for index, loss in enumerate(meter.losses):
            if not math.isfinite(loss):
                raise self._diverged(f"loss became {loss}", epoch, index)

    def _diverged(self, what: str, epoch: int, index: int) -> TrainingError:
        kept = f"{self.checkpoint.path} keeps epoch {epoch}; " if epoch else ""
        return TrainingError(
            f"{self.name}: the {what} in epoch {epoch + 1}, step {index + 1}; {kept}"
            f"use a learning rate below {self.config.lr:g}, with --fresh or another --out"
        )
