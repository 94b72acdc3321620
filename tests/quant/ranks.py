"""What each process does that test_distributed.py starts with `torchrun`."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from quant import distributed, step
from quant.config import Dropout, Network, Quantisation, Training
from quant.data import Labelled
from quant.errors import HeadraceError
from quant.images import Images
from quant.loop import Phase
from quant.models import build_float, build_quantised, start_from_float
from quant.progress import Meter
from quant.setting import Setting
from quant.step import Trainer
from quant.surrogate import Surrogate
from quant.topologies import get_network
from quant.training import train_float, train_quantised

CONFIG = Training(epochs=2, batch=16, cutout_px=4)
PLAIN = get_network("tiny")
NORMED = replace(PLAIN, batch_norm="all", dropout=Dropout(stage=0.1, dense=0.2))


class StopError(Exception):
    """Stands for an interruption."""


def data(folder: Path) -> Images:
    with np.load(folder / "images.npz") as arrays:
        return Images.of(Labelled(**arrays), torch.device("cpu"))


def train(out: Path, images: Images, network: Network, config: Training = CONFIG) -> dict[str, Any]:
    """Train float and quantised; gives every step's loss, the final weights and the output."""
    losses: list[list[float]] = []
    epoch = Meter.epoch

    def watched(self: Meter) -> object:
        losses.append(self.losses)
        return epoch(self)

    Meter.epoch = watched
    text = io.StringIO()
    console = Console(file=text)
    torch.manual_seed(1)
    model = build_float(network)
    Phase("float", model, config, out / "float.safetensors", {}, console=console).run(
        images, images
    )
    quantised = build_quantised(network, Quantisation())
    start_from_float(quantised, model.state_dict(), images.pixels[:64].float())
    Phase(
        "quantised",
        quantised,
        replace(config, distill=0.5),
        out / "quantised.safetensors",
        {},
        teacher=model,
        twin=Surrogate(quantised),
        console=console,
    ).run(images, images)
    Meter.epoch = epoch
    state = {**model.state_dict(prefix="f."), **quantised.state_dict(prefix="q.")}
    weights = {name: value.tolist() for name, value in state.items()}
    return {"losses": losses, "weights": weights, "text": text.getvalue()}


def recorded(out: Path, folder: Path) -> dict[str, Any]:
    with np.load(folder / "images.npz") as arrays:
        images = Labelled(**arrays)
    setting = Setting.of(images, images, validation=6, compiled=False)
    start = train_float(setting, NORMED, CONFIG, out)
    return train_quantised(setting, start, Quantisation(), CONFIG, out)


def cut_and_resumed(out: Path, images: Images) -> dict[str, Any]:
    original, left = Trainer.step, 7

    def stopping(self: Trainer, *arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            raise StopError
        return original(self, *arguments, **named)

    Trainer.step = stopping
    try:
        train(out, images, NORMED)
    except StopError:
        Trainer.step = original
        return train(out, images, NORMED)
    raise AssertionError("not cut")


def message(out: Path, images: Images, config: Training) -> str:
    try:
        train(out, images, PLAIN, config)
    except HeadraceError as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def nan_in_one_process(out: Path, images: Images) -> str:
    original, calls = step._loss, 0

    def poisoned(*arguments: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        bad = distributed.rank() == 1 and calls == 8
        return original(*arguments) * (float("nan") if bad else 1.0)

    step._loss = poisoned
    try:
        return message(out, images, CONFIG)
    finally:
        step._loss = original


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    assert distributed.join("cpu") == "cpu"
    images = data(folder)
    rank = distributed.rank()
    found = {
        "device": distributed.device_name(torch.device("cpu")),
        "once": distributed.once(lambda: [rank, "made"]),
        "record": recorded(folder / "m", folder),
        "plain": train(folder / "plain", images, PLAIN),
        "whole": train(folder / "whole", images, NORMED),
        "resumed": cut_and_resumed(folder / "resumed", images),
        "nan": nan_in_one_process(folder / "nan", images),
        "batch": message(folder / "batch", images, replace(CONFIG, batch=15)),
    }
    (folder / f"rank{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
