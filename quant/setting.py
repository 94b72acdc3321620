"""What a command that trains begins with: the device, the images, a folder without old states."""

from __future__ import annotations

from pathlib import Path

from headrace.program import command_line
from headrace.progress import Listener, nobody
from quant import distributed
from quant.data import Labelled, Split, load_cifar10
from quant.options import Place
from quant.training import Setting


def images(place: Place, split: Split) -> Labelled:
    """The images of a split. Raises DataError if they are missing or corrupt."""
    return load_cifar10(place.data, split, cache=place.cache)


def setting(
    place: Place,
    *,
    validation: int = 1000,
    command: str | None = None,
    listener: Listener = nobody,
) -> Setting:
    """Join the other processes, if any, and read the images, `validation` of them held out.

    Args:
        place: where the images are, and what computes.
        validation: images held out of training.
        command: for the records, the command line if None.
        listener: told of each step.

    Raises:
        ConfigError: if the device is not there, or no image is left to train on.
        DataError: if images are missing or corrupt.
    """
    device = distributed.join(place.device)
    return Setting.of(
        images(place, "train"),
        images(place, "test"),
        validation=validation,
        device=device,
        compiled=place.compiled,
        command=command_line() if command is None else command,
        listener=listener,
    )


def forget(folder: Path) -> None:
    """Drop the checkpoints of an earlier training; results stay until new ones replace them."""
    for path in folder.glob("*-state.safetensors"):
        path.unlink(missing_ok=True)  # several processes do this at once
