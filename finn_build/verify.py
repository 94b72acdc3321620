"""Compare two stages image by image, and explain what float rounding alone can explain."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build import golden
from finn_build.errors import MismatchError
from finn_build.golden import Outputs
from finn_build.layers import Argmax, Lookup, Mvtu, Network

_EPS = float(np.finfo(np.float32).eps)
_SLACK = 16  # roundings of float32, relative to the largest value that the accumulator can reach
# Of one integer step: what a logit may be off where its sums are small, and at most.
_LOGIT_ROUNDING = (1e-2, 0.25)


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


def settle(network: Network, outputs: Outputs) -> Outputs:
    """Turn a float stage's logits into integers, and its labels into those of the integers.

    Equal logits go to the lowest index everywhere, so float rounding must not break ties. Raises
    MismatchError where a logit is no multiple of the network's scale, but for float32 rounding.
    """
    scaled = (outputs.logits - network.offset) / network.scale
    logits = np.rint(scaled).astype(np.int64)
    off = np.abs(scaled - logits)
    least, most = _LOGIT_ROUNDING
    reach = max(abs(v) for v in network.mvtus[-1].reach)
    if off.max(initial=0) > min(most, max(least, _SLACK * _EPS * reach)):
        i, c = np.unravel_index(int(off.argmax()), off.shape)
        raise MismatchError(
            f"image {i}, class {c}: logit {outputs.logits[i, c]!r} is no multiple of the scale "
            f"{np.broadcast_to(network.scale, off.shape)[i, c].item()!r}"
        )
    labels = golden.classify(logits, network.ends[0])[0] if network.ends else golden.argmax(logits)
    return replace(outputs, logits=logits, labels=labels)


def compare(
    network: Network,
    images: NDArray[np.uint8],
    *,
    names: tuple[str, str],
    first: Outputs,
    second: Outputs,
    numbers: Sequence[int] | None = None,
) -> Comparison:
    """Compare logits and activations of two settled stages.

    Both hold the activations of every thresholded layer, in the network's order. An image that
    differs is explained where, in the first layer that differs, every differing value's
    accumulator lies within float32 rounding of a threshold. Raises MismatchError, naming layer and
    value, for any other difference. `numbers` are the images' numbers in messages.
    """
    notes = []
    for i in differing(first, second):
        number = numbers[i] if numbers is not None else i
        text = _explain(network, images[i : i + 1], names, first, second, i, number)
        notes.append(f"image {number}: {text}")
    return Comparison(
        stage=names[0],
        against=names[1],
        images=len(images),
        mismatches=len(notes),
        explained=len(notes),
        explanations=tuple(notes),
    )


def differing(first: Outputs, second: Outputs) -> list[int]:
    """Images whose logits or activations are not the same."""
    if first.logits.shape != second.logits.shape:
        raise MismatchError(
            f"logits of shapes {first.logits.shape} and {second.logits.shape} cannot agree"
        )
    different = (first.logits != second.logits).any(axis=1)
    for a, b in _pairs(first, second):
        different = different | (a != b).reshape(len(different), -1).any(axis=1)
    return [int(i) for i in np.flatnonzero(different)]


def _pairs(first: Outputs, second: Outputs) -> list[tuple[NDArray[Any], NDArray[Any]]]:
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
    number: int,
) -> str:
    """Say why one image differs, or raise MismatchError."""
    pairs = iter(_pairs(first, second))
    x: NDArray[Any] = image
    for layer in network.layers:
        if isinstance(layer, Argmax):
            break
        if isinstance(layer, Lookup):
            a, b = (side[index] for side in next(pairs))
            if not np.array_equal(a, b):
                raise MismatchError(
                    f"{names[0]} and {names[1]} quantise the pixels of image {number} differently"
                )
            x = a[None]
        elif not isinstance(layer, Mvtu):
            x = golden.feed(layer, x)
        elif layer.thresholds is not None:
            a, b = (side[index] for side in next(pairs))
            if not np.array_equal(a, b):
                acc = golden.accumulate(layer, x)
                return _explain_threshold(layer, acc[0], a, b, names, number)
            x = a[None]
    raise MismatchError(
        f"{names[0]} and {names[1]} differ on image {number} in the last layer alone: logits "
        f"{first.logits[index].tolist()} and {second.logits[index].tolist()}"
    )


def _explain_threshold(
    layer: Mvtu,
    acc: NDArray[np.int64],
    a: NDArray[Any],
    b: NDArray[Any],
    names: tuple[str, str],
    number: int,
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
                f"{names[0]} and {names[1]} differ on image {number}, first in {text}: "
                "more than a rounding apart"
            )
        worst = worst or text
    return worst
