"""What a command that trains begins with: the device, the images, a folder without old states."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from headrace.program import command_line
from headrace.progress import Listener, nobody
from quant import distributed
from quant.config import Colour
from quant.data import DataSet, Labelled, image_size, is_own, open_data
from quant.options import Place
from quant.setting import Setting
from quant.tasks import relabelled
from quant.zoo import Trained


def opened(place: Place) -> DataSet:
    """The data set of a place, its images still unread. Raises DataError if it is none."""
    size = None if place.image_size is None else image_size(place.image_size)
    return open_data(place.data, size=size, colour=place.colour, cache=place.cache)


def named(place: Place) -> dict[str, str]:
    """What tells the data set from CIFAR-10 as it is: its files, and options that are not usual.

    Where CIFAR-10 lies does not matter: it is the same everywhere. Raises DataError for a data set
    of one's own that cannot be used.
    """
    given = {"image_size": place.image_size, "colour": place.colour}
    usual = {field.name: field.default for field in fields(Place)}
    asked = {name: str(value) for name, value in given.items() if value != usual[name]}
    return {**asked, "data": opened(place).files} if is_own(place.data) else asked


def judges(trained: Trained, data: Path, cache: Path) -> Labelled:
    """The test images of a data set as a model takes them, with the labels that it gives.

    Raises:
        DataError: if they are missing or corrupt, or of other classes.
    """
    height, width, channels = trained.network.input_shape
    colour: Colour = "grey" if channels == 1 else "rgb"
    found = open_data(data, size=(height, width), colour=colour, cache=cache)
    classes = found.task.classes if trained.task is None else trained.task.classes
    return relabelled(found.test, found.task, classes)


def setting(
    place: Place,
    *,
    validation: int = 1000,
    command: str | None = None,
    listener: Listener = nobody,
) -> Setting:
    """Join the other processes, if any, and read the images.

    Args:
        place: where the images are, and what computes.
        validation: training images held out, but at most a tenth of a small set; a set's own
            validation images go before that.
        command: for the records, the command line if None.
        listener: told of each step.

    Raises:
        ConfigError: if the device is not there, or no image is left to train on.
        DataError: if images are missing or corrupt.
    """
    device = distributed.join(place.device)
    data = opened(place)
    train = data.train
    held_out = min(validation, len(train) // 10) if data.held_out is None else data.held_out
    return Setting.of(
        train,
        data.test,
        task=data.task,
        validation=held_out,
        device=device,
        compiled=place.compiled,
        command=command_line() if command is None else command,
        listener=listener,
    )


def forget(folder: Path) -> None:
    """Drop the checkpoints of an earlier training; results stay until new ones replace them."""
    for path in folder.glob("*-state.safetensors"):
        path.unlink(missing_ok=True)  # several processes do this at once
