"""What the words of a result are: a label and its logits, or values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Mapping, Sequence, Union

import numpy as np

from .errors import ImagesError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOP = 3  # classes that are listed
_MANY = 4  # values that are listed one by one


@dataclass(frozen=True)
class Scale:
    """What integers stand for: scale * integer + offset, and `floor` or more.

    scale, offset: one number, or as many as repeat along the integers; floor: None for none.
    """

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    floor: float | None

    @classmethod
    def read(cls, found: Mapping[str, Any], prefix: str, counts: Mapping[int, str]) -> Scale:
        """Of `scale`, `offset` and `floor`, whose names in `found` have a prefix.

        counts: how many numbers there may be beside a single one, and of what. Raises ValueError.
        """
        made = []
        for name in (f"{prefix}scale", f"{prefix}offset"):
            numbers = np.atleast_1d(np.asarray(found[name], np.float64))
            if numbers.ndim > 1 or numbers.size not in (1, *counts):
                wanted = " or ".join(f"{count} {what}" for count, what in counts.items())
                raise ValueError(f"{name} has {numbers.size} numbers for {wanted}")
            made.append(numbers)
        floor = found.get(f"{prefix}floor")
        return cls(made[0], made[1], None if floor is None else float(floor))

    def values(self, integers: NDArray[Any]) -> NDArray[np.float64]:
        """The numbers that integers (N, COUNT) stand for, float64."""
        count = integers.shape[1]
        scale, offset = (np.tile(v, count // len(v)) for v in (self.scale, self.offset))
        made: NDArray[np.float64] = integers * scale + offset
        return made if self.floor is None else np.maximum(made, self.floor)


@dataclass(frozen=True)
class Labels:
    """A label, then a logit for each class; classes: their names."""

    classes: tuple[str, ...]
    scale: Scale
    noun = "logits"
    # What golden.npz calls the words, in order.
    vectors: ClassVar[tuple[str, ...]] = ("labels", "logits")

    @property
    def words(self) -> int:
        """32-bit words of a result."""
        return 1 + len(self.classes)

    def results(self, words: NDArray[np.int32], logits: bool) -> Any:
        """Labels (N,), with logits (N, CLASSES) if asked, of words (N, WORDS)."""
        labels = words[:, 0].copy()
        return (labels, words[:, 1:]) if logits else labels

    def values(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """What logits (N, CLASSES) are in the trained network."""
        return self.scale.values(logits)

    def title(self, words: NDArray[np.int32]) -> str:
        """The name of one image's class; words: its (WORDS,)."""
        return self.classes[int(words[0])]

    def text(self, words: NDArray[np.int32]) -> str:
        """The best classes of one image, (WORDS,), with their logits in the trained network."""
        label, values = words[0], self.values(words[None, 1:])[0]
        # Rounded values may be equal though the chip's integers differ: its label comes first.
        order = np.lexsort((-values, np.arange(len(values)) != label))
        return ", ".join(f"{self.classes[i]} ({values[i]:.4g})" for i in order[:TOP])

    def suspect(self, wrong: NDArray[np.bool_], images: str) -> str | None:
        """What wrong words (N, WORDS) of some images point to, or None where it is not the end."""
        logits = wrong[:, 1:]
        if not logits.any():
            return f"argmax: {images} have another label than their logits say. Build again"
        classes = np.flatnonzero(logits.any(axis=0))
        if 2 * len(classes) <= logits.shape[1]:
            names = ", ".join(self.classes[i] for i in classes)
            return f"the last layer: {images} are wrong, all in the logits of {names}. Build again"
        return None


@dataclass(frozen=True)
class Values:
    """Values alone; shape: of an image's, as in the model's file.

    stream, axes: rows, columns and channels as the words lie, and in which order the file has them.
    """

    shape: tuple[int, ...]
    stream: tuple[int, ...]
    axes: tuple[int, ...]
    scale: Scale
    classes: ClassVar[tuple[str, ...]] = ()
    noun = "values"
    vectors: ClassVar[tuple[str, ...]] = ("integers",)

    @property
    def words(self) -> int:
        """32-bit words of a result."""
        return int(np.prod(self.stream))

    def results(self, words: NDArray[np.int32], logits: bool) -> Any:
        """Values (N, *shape) float32 of words (N, WORDS). Raises ImagesError for logits."""
        if logits:
            raise ImagesError("this model gives values, which have no logits: leave logits out")
        return self.values(words)

    def values(self, integers: NDArray[Any]) -> NDArray[np.float32]:
        """What integers (N, WORDS) are in the trained network: (N, *shape) float32."""
        spread = self.scale.values(integers).reshape(len(integers), *self.stream)
        turned = spread.transpose(0, *(1 + axis for axis in self.axes))
        return np.ascontiguousarray(turned.reshape(len(integers), *self.shape), np.float32)

    def title(self, words: NDArray[np.int32]) -> str:
        """The same as `text`."""
        return self.text(words)

    def text(self, words: NDArray[np.int32]) -> str:
        """The values of one image, (WORDS,): all of a few, the range of many."""
        values = self.values(words[None])[0].ravel()
        if len(values) <= _MANY:
            return ", ".join(f"{value:.4g}" for value in values)
        return f"{len(values):,} values, {values.min():.4g} to {values.max():.4g}"

    def suspect(self, wrong: NDArray[np.bool_], images: str) -> str | None:
        """What wrong words (N, WORDS) of some images point to, or None where it is not the end."""
        places = int(wrong.any(axis=0).sum())
        if 2 * places > wrong.shape[1]:
            return None
        return f"the last layer: {images} are wrong, all in {places} of the values. Build again"


Output = Union[Labels, Values]


def read(found: Mapping[str, Any]) -> Output:
    """What a manifest says of its output. Raises KeyError, TypeError and ValueError."""
    output = found["output"]
    count = len(output["words"])
    if output.get("kind") == "values":
        shape, stream, axes = (_sizes(output[name]) for name in ("shape", "stream", "axes"))
        if sorted(axes) != list(range(len(stream))) or not (
            np.prod(shape) == np.prod(stream) == count
        ):
            raise ValueError(f"{count} words of output for {shape}, {stream} in the order {axes}")
        counts = {stream[-1]: "channels", count: "values"}
        return Values(shape, stream, axes, Scale.read(output, "", counts))
    classes = _classes(found["classes"], count - 1)
    return Labels(classes, Scale.read(found, "logit_", {len(classes): "classes"}))


def fields(found: Any) -> Sequence[str]:
    """Fields that a manifest must have for `read`; a point leads into an object."""
    output = found.get("output") if isinstance(found, dict) else None
    if isinstance(output, dict) and output.get("kind") == "values":
        return [f"output.{name}" for name in ("shape", "stream", "axes", "scale", "offset")]
    return ["classes", "logit_scale", "logit_offset"]


def _classes(names: Any, count: int) -> tuple[str, ...]:
    """Names of the classes, or their numbers."""
    return tuple(map(str, range(count) if names is None else names))


def _sizes(values: Any) -> tuple[int, ...]:
    return tuple(map(int, values))
