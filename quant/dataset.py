"""A data set: its images' shape, its classes, and its images, split for training and testing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headrace.names import printable
from quant.errors import DataError

Split = Literal["train", "test"]
# (height, width, channels)
Shape = tuple[int, int, int]
LONGEST = 64  # characters of a class's name
TRAVELLING = 100  # images that travel with a model
# Of the training images, where a set has no test images: the part that becomes them.
_TEST_PART = 5


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Images, uint8 (N, H, W, C), red first, with their classes, int64 (N,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def part(self, which: slice | NDArray[np.int64]) -> Labelled:
        """The images and labels of a slice, or those with these numbers."""
        return Labelled(images=self.images[which], labels=self.labels[which])


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a network sees and says: the shape of the images and the names of the classes.

    name: of the data set; classes: in the order of the logits; mirrors: whether an image that is
    mirrored left to right is of the same class, as an airplane is and a letter is not.
    """

    name: str
    shape: Shape
    classes: tuple[str, ...]
    mirrors: bool = False

    def __str__(self) -> str:
        """For messages."""
        size = "x".join(map(str, self.shape))
        return f"{len(self.classes)} classes ({printable(self.name, most=40)}) of {size} images"


CIFAR10 = Task(
    name="cifar10",
    shape=(32, 32, 3),
    classes=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    mirrors=True,
)


def task_of(name: str, shape: Shape, classes: Sequence[str]) -> Task:
    """The task of a data set; whatever has CIFAR-10's classes and shape is CIFAR-10.

    What has other classes does not get its name, which says that CIFAR-10's files are its images.
    """
    if tuple(classes) != CIFAR10.classes:
        name = f"own_{name}" if name == CIFAR10.name else name
    elif shape == CIFAR10.shape:
        return CIFAR10
    return Task(name=name, shape=shape, classes=tuple(classes))


@dataclass(frozen=True, kw_only=True, eq=False)
class DataSet:
    """A data set that is read when its images are asked for.

    task: shape and classes; read: gives the images of a split; held_out: how many of the training
    images, the first ones, are the set's own validation images, None where it has none; files:
    a hash of the names and sizes of its pictures, or of its file of arrays, "" where it is
    CIFAR-10, which never changes.
    """

    task: Task
    read: Callable[[Split], Labelled]
    held_out: int | None = None
    files: str = ""

    @property
    def train(self) -> Labelled:
        """The training images, in an order in which any first part has all classes in proportion.

        Raises:
            DataError: if there are none, or a file of them is not what it should be.
        """
        return self.read("train")

    @property
    def test(self) -> Labelled:
        """The test images, in such an order; raises as `train` does."""
        return self.read("test")


def travelling(test: Labelled, classes: int) -> Labelled:
    """The images that travel with a model: about a hundred, as many of each class, class by class.

    With more classes than that, the first images.
    """
    if classes > TRAVELLING:
        return test.part(slice(0, TRAVELLING))
    each = TRAVELLING // classes
    which = [np.flatnonzero(test.labels == label)[:each] for label in range(classes)]
    return test.part(np.concatenate(which))


def checked(images: NDArray[Any], labels: NDArray[Any], where: str, task: Task) -> Labelled:
    """Images and labels, if shapes, types and label range are those of a task.

    Raises:
        DataError: if not; names `where`.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != task.shape:
        raise DataError(
            f"{where}: images are {images.dtype} {images.shape}; "
            f"use uint8 (N, {', '.join(map(str, task.shape))})"
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise DataError(
            f"{where}: labels are {labels.dtype} {labels.shape} for {len(images)} images; "
            "use one integer for each"
        )
    top = len(task.classes) - 1
    if labels.size and (labels.min() < 0 or labels.max() > top):
        raise DataError(
            f"{where}: labels run from {labels.min()} to {labels.max()}; use 0 to {top} for the "
            f"{top + 1} classes of {printable(task.name)}"
        )
    return Labelled(images=images, labels=labels.astype(np.int64))


def mixed(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """An order, int64 (N,), in which any first part has the classes in about their proportions.

    Within a class it is drawn at random, the same for the same seed.
    """
    draw = np.random.default_rng(seed)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        own = draw.permutation(np.flatnonzero(labels == label))
        place[own] = (np.arange(len(own)) + 0.5) / len(own)
    return np.argsort(place, kind="stable")


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """What a layout holds before its images are read.

    labels: of each part that there is: train, val, test; load: gives images, uint8 (N, H, W, C),
    by part and number; where: it is, for messages; files: as of `DataSet`.
    """

    where: str
    files: str
    task: Task
    labels: dict[str, NDArray[np.int64]]
    load: Callable[[str, NDArray[np.int64]], NDArray[np.uint8]]

    def check(self) -> None:
        """Refuse what cannot be learned: one class alone, or one without training images.

        Raises:
            DataError: naming the class.
        """
        classes, train = self.task.classes, self.labels.get("train")
        if len(classes) < 2:
            raise DataError(
                f"{self.where}: one class alone, {', '.join(classes) or 'and that has no images'}; "
                "a network tells classes apart: use two or more"
            )
        if train is None:
            return
        for part, labels in self.labels.items():
            for label in np.setdiff1d(labels, train):
                raise DataError(
                    f"{self.where}: class {classes[label]} is in {part} and has no training "
                    "images; give it some, name it as in train, or leave it out"
                )

    def dataset(self) -> DataSet:
        """The data set, its images still unread."""
        held_out = len(self.labels["val"]) if "val" in self.labels else None
        return DataSet(task=self.task, read=self._read, held_out=held_out, files=self.files)

    def _read(self, split: Split) -> Labelled:
        which = self._numbers(split)
        if not sum(map(len, which.values())):
            raise DataError(f"{self.where}: no {split} images; put some into {split}")
        return Labelled(
            images=np.concatenate([self.load(part, n) for part, n in which.items()]),
            labels=np.concatenate([self.labels[part][n] for part, n in which.items()]),
        )

    def _numbers(self, split: Split) -> dict[str, NDArray[np.int64]]:
        """Which images of which part a split is, in its order."""
        order = {part: mixed(labels, 1) for part, labels in self.labels.items()}
        if "test" not in order and "train" in order:
            # A fifth of the training images is set aside for good.
            count = len(order["train"]) // _TEST_PART
            order["test"], order["train"] = order["train"][:count], order["train"][count:]
            if split == "test":
                return {"train": order["test"]}
        if split == "test":
            return {"test": order.get("test", np.empty(0, np.int64))}
        # The set's own validation images come first, where trainings hold images out.
        return {part: order[part] for part in ("val", "train") if part in order}


def digest(files: Iterable[tuple[object, ...]]) -> str:
    """Twelve hexadecimal digits that say what files there are, by what is known of each."""
    text = repr([*files]).encode(errors="surrogatepass")
    return hashlib.sha256(text).hexdigest()[:12]


def class_names(names: Sequence[str], where: str) -> tuple[str, ...]:
    """The names of classes as they are shown: one line each, at most LONGEST characters.

    Raises:
        DataError: for an empty name, or two that are shown alike.
    """
    shown: dict[str, str] = {}
    for name in names:
        text = printable(name.strip(), most=LONGEST).strip()
        if not text:
            raise DataError(f"{where}: a class has no name, {name!r}; give it one")
        if text in shown:
            raise DataError(
                f"{where}: two classes are called {text}, {printable(repr(shown[text]))} and "
                f"{printable(repr(name))}; give them names that differ when they are shown, in "
                f"their first {LONGEST} characters"
            )
        shown[text] = name
    return tuple(shown)
