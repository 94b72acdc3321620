"""Which data set a model is of: what records say of it, and whether two models are of the same."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from quant.config import Network, Training
from quant.dataset import CIFAR10, Labelled, Shape, Task, task_of
from quant.errors import ConfigError, DataError

# The pixels that recipes shift and cut out are for images of CIFAR-10's size.
_SIDE = CIFAR10.shape[0]
# Pixels by which a size that fits a network may differ from the images' own.
_NEAR = 64


def to_record(task: Task) -> dict[str, Any]:
    """What a record says of the data set: `data`, its name, and `classes`, those of the logits."""
    return {"data": task.name, "classes": list(task.classes)}


def of_record(record: dict[str, Any], shape: Shape, classes: int) -> Task | None:
    """The task of a model, or None where its record says nothing of it.

    What was trained before records said it, and has the shape and the classes of CIFAR-10, is of
    that.
    """
    names = record.get("classes")
    if isinstance(names, list) and len(names) == classes:
        return task_of(str(record.get("data")), shape, [str(name) for name in names])
    fits = names is None and shape == CIFAR10.shape and classes == len(CIFAR10.classes)
    return CIFAR10 if fits else None


def need_same(task: Task, found: Task | None, where: object) -> None:
    """Raise ConfigError where a model `where` is not of the data set of a training."""
    same = found is not None and (found.shape, found.classes) == (task.shape, task.classes)
    if not same:
        raise ConfigError(
            f"{where}: a model of {found or 'an unknown data set'}, but the data are {task}; use "
            "the data set that it was trained on"
        )


def suited(network: Network, task: Task) -> Network:
    """The network for the images and classes of a task.

    Raises:
        ConfigError: if it is described for other images, or its layers do not fit them; says which
            sizes of images would.
    """
    own, plain = (network.input_shape, network.classes), (CIFAR10.shape, len(CIFAR10.classes))
    wanted = (task.shape, len(task.classes))
    if own not in (plain, wanted):
        raise ConfigError(
            f"network {network.name}: is for {own[1]} classes of {'x'.join(map(str, own[0]))} "
            f"images, but the data are {task}; leave input_shape and classes out of its file"
        )
    try:
        return replace(network, input_shape=task.shape, classes=len(task.classes))
    except ConfigError as error:
        sizes = _sizes(network, task.shape)
        hint = f", or --image-size {' or '.join(sizes)}" if sizes else ""
        raise ConfigError(f"{error}{hint}") from error


def _sizes(network: Network, shape: Shape) -> list[str]:
    """The next smaller and the next larger size of images that fit, as HEIGHTxWIDTH."""
    height, width, channels = shape

    def fits(side: int, axis: int) -> bool:
        # The other side is as good as any: a multiple of all that a network pools by.
        tried = (side, 256, channels) if axis == 0 else (256, side, channels)
        try:
            replace(network, input_shape=tried)
        except ConfigError:
            return False
        return True

    found = []
    for steps in (range(0, -_NEAR, -1), range(_NEAR)):
        sides = [
            next((own + n for n in steps if own + n > 0 and fits(own + n, axis)), None)
            for axis, own in enumerate((height, width))
        ]
        if None not in sides:
            found.append("x".join(map(str, sides)))
    return found


def suited_training(
    training: Training,
    task: Task,
    *,
    flip: bool | None = None,
    translate: int | None = None,
    cutout: int | None = None,
) -> Training:
    """A recipe's training for the images of a task.

    Args:
        training: of a recipe, for images of 32 x 32 pixels whose mirror images are of their class.
        task: whose images; shifts and holes keep their size relative to the shorter side, and only
            images that may be mirrored are.
        flip: whether images are mirrored, whatever the task says.
        translate: largest shift in pixels; None for the recipe's.
        cutout: side of the hole in pixels; None for the recipe's.
    """
    scale = min(task.shape[:2]) / _SIDE

    def scaled(pixels: int) -> int:
        return max(1, math.floor(pixels * scale + 0.5)) if pixels else 0

    return replace(
        training,
        flip=(training.flip and task.mirrors) if flip is None else flip,
        translate_px=scaled(training.translate_px) if translate is None else translate,
        cutout_px=scaled(training.cutout_px) if cutout is None else cutout,
    )


def relabelled(data: Labelled, own: Task, classes: tuple[str, ...]) -> Labelled:
    """Images of a data set with labels in another order of its classes.

    Raises:
        DataError: if these are not its classes.
    """
    if set(own.classes) != set(classes):
        lost = sorted(set(own.classes) ^ set(classes))[0]
        raise DataError(
            f"{own.name}: its classes are {_listed(own.classes)}, the model's are "
            f"{_listed(classes)}, {lost} among one of them alone; use the model's data set"
        )
    order = np.array([classes.index(name) for name in own.classes], np.int64)
    return Labelled(images=data.images, labels=order[data.labels])


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{', '.join(names[:10])}{more}"
