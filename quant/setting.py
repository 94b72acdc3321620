"""What the trainings of one run have in common: images on the device, and how to train on them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from headrace.progress import Listener, nobody
from quant import distributed
from quant.dataset import CIFAR10, Labelled, Task, travelling
from quant.errors import ConfigError
from quant.images import Images
from quant.tasks import to_record


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all trainings of one run share: images on the device, and how to train on them.

    task: what they are; travelling: those that go with each quantised model.
    """

    task: Task
    train: Images
    held_out: Images
    test: Images
    travelling: Labelled
    device: str
    compiled: bool
    command: str
    commit: str
    console: Console
    listener: Listener = nobody

    @classmethod
    def of(
        cls,
        train: Labelled,
        test: Labelled,
        *,
        task: Task = CIFAR10,
        validation: int = 1000,
        device: str = "cpu",
        compiled: bool = True,
        command: str = "",
        console: Console | None = None,
        listener: Listener = nobody,
    ) -> Setting:
        """Put the images on the device, the first `validation` of `train` held out.

        Raises:
            ConfigError: if no image is left to train on.
        """
        if not 0 <= validation < len(train):
            raise ConfigError(
                f"training: validation={validation} leaves none of {len(train)} images to train "
                f"on; hold out {max(0, len(train) - 1)} or fewer"
            )
        place = torch.device(device)
        return cls(
            task=task,
            travelling=travelling(test, len(task.classes)),
            train=Images.of(train.part(slice(validation, None)), place),
            held_out=Images.of(train.part(slice(0, validation)), place),
            test=Images.of(test, place),
            device=device,
            compiled=compiled,
            command=command,
            commit=_commit(),
            console=distributed.console(console),
            listener=listener,
        )

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with, as JSON values.

        Checkpoints of CIFAR-10 do not name it, since they are older than the choice.
        """
        counts = {"images": len(self.train.labels), "validation": len(self.held_out.labels)}
        if self.task == CIFAR10:
            return counts
        return {**counts, **to_record(self.task), "sha256": self.train.sha256}


def _commit() -> str:
    """The commit of this package's checkout, marked if `quant` differs from it."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise OSError(done.stderr)
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return (
            f"{commit}-dirty" if git("status", "--porcelain", "--", ".", "../headrace") else commit
        )
    except OSError:
        return "unknown"
