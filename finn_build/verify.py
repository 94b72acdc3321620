"""Compare two stages image by image, and explain what float rounding alone can explain."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build import golden
from finn_build.errors import MismatchError
from finn_build.golden import Outputs
from finn_build.layers import Argmax, Mvtu, Network

_EPS = float(np.finfo(np.float32).eps)
_SLACK = 16  # roundings of float32, relative to the largest value that the accumulator can reach


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Outcome of one comparison; `explanations` says which value lay within a rounding of what."""

    stage: str
    against: str
    images: int
    mismatches: int
    explained: int
    explanations: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """The comparison as report.json holds it."""
        return {**asdict(self), "explanations": list(self.explanations)}


def compare(
    network: Network,
    images: NDArray[np.uint8],
    *,
    names: tuple[str, str],
    first: Outputs,
    second: Outputs,
) -> Comparison:
    """Compare labels and activations of two floating-point stages, or of one with the golden model.

    Both must hold the activations of every thresholded layer, in the network's order, or none. An
    image that differs is explained where, in the first layer that differs, every differing value's
    accumulator lies within float32 rounding of a threshold, or where the activations agree and
    the two labels' integer logits are equal. Raises MismatchError, naming layer and value, for any
    other difference.
    """
    notes = []
    different = differing(first, second)
    for i in different:
        notes.append(f"image {i}: " + _explain(network, images[i : i + 1], names, first, second, i))
    return Comparison(
        stage=names[0],
        against=names[1],
        images=len(images),
        mismatches=len(different),
        explained=len(notes),
        explanations=tuple(notes),
    )


def differing(first: Outputs, second: Outputs) -> list[int]:
    """Images whose labels or activations are not the same."""
    if len(first.labels) != len(second.labels):
        raise AssertionError("the two sides ran different numbers of images")
    different = first.labels != second.labels
    for a, b in _pairs(first, second):
        different = different | (a != b).reshape(len(different), -1).any(axis=1)
    return [int(i) for i in np.flatnonzero(different)]


def _pairs(first: Outputs, second: Outputs) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    if not first.activations or not second.activations:
        return []
    a, b = list(first.activations.values()), list(second.activations.values())
    if len(a) != len(b):
        raise MismatchError(
            f"one side has {len(a)} activations, the other {len(b)}: a layer was lost"
        )
    for x, y in zip(a, b, strict=True):
        if x.shape != y.shape:
            raise MismatchError(f"activations of shapes {x.shape} and {y.shape} cannot agree")
    return list(zip(a, b, strict=True))


def _explain(
    network: Network,
    image: NDArray[np.uint8],
    names: tuple[str, str],
    first: Outputs,
    second: Outputs,
    index: int,
) -> str:
    """Say why one image differs, or raise MismatchError."""
    pairs = iter(_pairs(first, second))
    x: NDArray[Any] = image
    known = bool(first.activations and second.activations)
    for layer in network.layers:
        if isinstance(layer, Argmax):
            break
        if not isinstance(layer, Mvtu):
            x = golden.feed(layer, x)
            continue
        acc = golden.accumulate(layer, x)
        if layer.thresholds is None:
            return _explain_tie(acc[0], names, first, second, index)
        if known:
            a, b = (side[index] for side in next(pairs))
            if not np.array_equal(a, b):
                return _explain_threshold(layer, acc[0], a, b, names, index)
            x = a[None]
        else:
            x = golden.threshold(acc, layer.thresholds)
    raise AssertionError("a network ends in a layer without thresholds")


def _explain_threshold(
    layer: Mvtu,
    acc: NDArray[np.int64],
    a: NDArray[Any],
    b: NDArray[Any],
    names: tuple[str, str],
    index: int,
) -> str:
    if layer.float_thresholds is None:
        raise AssertionError(f"{layer.name} has no thresholds")
    tolerance = _SLACK * _EPS * max(abs(v) for v in layer.reach)
    worst = ""
    for where in np.argwhere(a != b):
        position = tuple(int(p) for p in where)
        value = int(acc[position])
        steps = layer.float_thresholds[position[-1]]
        nearest = float(steps[np.abs(steps - value).argmin()])
        text = (
            f"{layer.name}{list(position)}: {names[0]} {a[position]}, {names[1]} {b[position]}, "
            f"accumulator {value}, threshold {nearest!r}"
        )
        if abs(value - nearest) > tolerance:
            raise MismatchError(
                f"{names[0]} and {names[1]} differ on image {index}, first in {text}: "
                "more than a rounding apart"
            )
        worst = worst or text
    return worst


def _explain_tie(
    logits: NDArray[np.int64], names: tuple[str, str], first: Outputs, second: Outputs, index: int
) -> str:
    one, two = int(first.labels[index]), int(second.labels[index])
    text = (
        f"labels {names[0]} {one}, {names[1]} {two}, integer logits {logits[one]} and {logits[two]}"
    )
    if logits[one] != logits[two]:
        raise MismatchError(f"{names[0]} and {names[1]} differ on image {index}: {text}")
    return text + ", a tie broken by rounding"
