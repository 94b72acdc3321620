"""Trainings of a tiny network that the tests of quant share, and how to stop one."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from quant.config import Dropout, Network, Quantisation, Training
from quant.data import CIFAR10, DataSet, Labelled, Task
from quant.float_model import FloatModel
from quant.setting import Setting
from quant.topologies import get_network
from quant.training import train_float, train_quantised

NETWORK = replace(get_network("tiny"), batch_norm="all", dropout=Dropout(stage=0.1, dense=0.2))
FLOAT = Training(epochs=2, batch=16, cutout_px=4)
QUANTISED = Training(epochs=3, batch=16, distill=0.5)
QUANTISATION = Quantisation(dropout=Dropout(dense=0.2))
# 64 images to train on.
STEPS = 4


def dataset(images: Labelled, task: Task = CIFAR10) -> DataSet:
    """A data set whose splits both are these images."""
    return DataSet(task=task, read=lambda _: images)


def settings(images: Labelled, *, compiled: bool = False, text: io.StringIO | None = None):
    console = Console(file=text or io.StringIO(), width=500)
    return Setting.of(images, images, validation=16, compiled=compiled, console=console)


def run_float(
    out: Path, images: Labelled, training: Training = FLOAT, network: Network = NETWORK
) -> FloatModel:
    return train_float(settings(images), network, training, out)


def run(
    out: Path, images: Labelled, training: Training = QUANTISED, *, compiled: bool = False
) -> dict[str, Any]:
    setting = settings(images, compiled=compiled)
    start = train_float(setting, NETWORK, FLOAT, out)
    return train_quantised(setting, start, QUANTISATION, training, out)


class StopError(Exception):
    """Stands for an interruption."""


def stop_at(patch: pytest.MonkeyPatch, owner: type, name: str, call: int) -> None:
    """Let the method `name` raise StopError at its `call`-th call, its work done."""
    method = getattr(owner, name)
    left = call

    def stopping(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        result = method(*arguments, **named)
        if left == 0:
            raise StopError
        return result

    patch.setattr(owner, name, stopping)
