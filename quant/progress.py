"""How a phase of training tells how it goes: a live line, a line per epoch, TensorBoard."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from torch import Tensor

from headrace.progress import Listener, NotebookBar, nobody
from quant import distributed
from quant.config import Training
from quant.events import Events
from quant.step import learning_rate


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Means over some steps of an epoch, and images per second."""

    loss: float
    accuracy: float
    speed: float

    def __str__(self) -> str:
        """For people."""
        return f"{self.speed:,.0f} images/s  loss {self.loss:.3f}  {100 * self.accuracy:.1f} %"


class Meter:
    """Loss, accuracy and speed over the steps of an epoch and over all processes.

    What the steps return stays on the device until it is read, so that no step waits for it.
    """

    def __init__(self, batch: int) -> None:
        """Start an epoch whose steps have `batch` images each."""
        self.batch = batch
        self.unread: list[Tensor] = []
        self.losses: list[float] = []
        self.rights: list[float] = []
        self.times = [time.monotonic()]

    def add(self, loss: Tensor, right: Tensor) -> None:
        """Take the loss and the share of right answers of a step, 0-d tensors."""
        self.unread.append(torch.stack((loss, right)))

    def read(self) -> Reading:
        """Means over the steps since the last reading, which are waited for."""
        values = distributed.mean(torch.stack(self.unread)).tolist()
        self.unread = []
        self.losses += [loss for loss, _ in values]
        self.rights += [right for _, right in values]
        self.times.append(time.monotonic())
        return self._mean(len(values), self.times[-2])

    def epoch(self) -> Reading:
        """Means over all steps that were read."""
        return self._mean(len(self.losses), self.times[0])

    @property
    def seconds(self) -> float:
        """Time from the start of the epoch to the last reading."""
        return self.times[-1] - self.times[0]

    def _mean(self, steps: int, since: float) -> Reading:
        return Reading(
            loss=sum(self.losses[-steps:]) / steps,
            accuracy=sum(self.rights[-steps:]) / steps,
            speed=steps * self.batch / (self.times[-1] - since),
        )


class Report:
    """Shows and records a phase; of several processes only the first records."""

    def __init__(
        self,
        name: str,
        config: Training,
        steps: int,
        done: int,
        folder: Path,
        console: Console,
        listener: Listener = nobody,
    ) -> None:
        """Set up a report; nothing is shown or written yet.

        Args:
            name: of the phase.
            config: of the phase.
            steps: in an epoch.
            done: epochs that are done already.
            folder: for TensorBoard's event files; what it has of later epochs becomes invalid.
            console: a terminal gets a live line, a notebook a bar while it runs, and anything but a
                notebook one line per epoch.
            listener: told the name, and the steps that are done, after each of them.
        """
        # A phase is named for its checkpoint, which is that of a state.
        self.name = name.removesuffix("-state")
        self.config, self.steps, self.done = config, steps, done
        self.folder = folder
        self.console = console
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self.bar = self.progress.add_task(
            self.name, total=config.epochs * steps, completed=done * steps, note=""
        )
        self.events: Events | None = None
        self.listener, self.step, self.note = listener, done * steps, ""
        self.shown: NotebookBar | None = None

    def __enter__(self) -> Self:
        """Open the event file, start the live line."""
        if distributed.rank() == 0:
            self.events = Events(self.folder, self.done * self.steps)
        if self.console.is_jupyter:
            self.shown = NotebookBar(self.name)
        elif self.console.is_terminal:
            self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close both."""
        if self.shown is not None:
            self.shown.close()
        elif self.console.is_terminal:
            self.progress.stop()
        if self.events is not None:
            self.events.close()

    def advance(self) -> None:
        """One step more is under way."""
        self.progress.advance(self.bar)
        self.step += 1
        total = self.config.epochs * self.steps
        if self.shown is not None:
            self.shown.show(self.step, total, self.note)
        self.listener(self.name, self.step, total)

    def steps_done(self, step: int, reading: Reading) -> None:
        """Show and record some steps, the last of them number `step`."""
        self.note = f"epoch {step // self.steps + 1}/{self.config.epochs}  {reading}"
        self.progress.update(self.bar, note=self.note)
        self._record("step", step, reading)

    def epoch_done(
        self, epoch: int, reading: Reading, seconds: float, held_out: float | None
    ) -> None:
        """Show and record epoch number `epoch`, from 0, which took some seconds.

        held_out: the share of held-out images that are right; None where none are.
        """
        epochs = self.config.epochs
        line = f"{self.name}  epoch {epoch + 1}/{epochs}  {reading}"
        if held_out is not None:
            line += f"  held out {100 * held_out:.2f} %"
        left = timedelta(seconds=round((epochs - epoch - 1) * seconds))
        if self.shown is None:  # a notebook has the bar, and the record its curve
            self.console.print(
                f"{line}  {left} left", markup=False, highlight=False, soft_wrap=True
            )
        # As of the last step, which a training that resumes after this epoch keeps.
        self._record("epoch", (epoch + 1) * self.steps - 1, reading, held_out)

    def _record(
        self, group: str, step: int, reading: Reading, held_out: float | None = None
    ) -> None:
        if self.events is None:
            return
        scalars = {
            "loss": reading.loss,
            "accuracy": reading.accuracy,
            "images_per_second": reading.speed,
            "learning_rate": learning_rate(self.config, step, self.steps),
        }
        if held_out is not None:
            scalars["held_out_accuracy"] = held_out
        self.events.add(step, {f"{group}/{name}": value for name, value in scalars.items()})
