"""Compare two stages image by image, and explain the differences that float rounding causes.

Thresholds follow from exact arithmetic over the file's numbers (finn_build.frontend.thresholds), so
the golden model is always on the right side of them. A float stage may differ only where the
accumulator lies so near to a bound that float32 cannot tell on which side it is.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build.errors import MismatchError
from finn_build.network import golden
from finn_build.network.differences import few
from finn_build.network.golden import Outputs
from finn_build.network.graph import IMAGE, Network
from finn_build.network.layers.base import Codes, Layer

_EPS = float(np.finfo(np.float32).eps)
_SLACK = 16  # roundings of float32, relative to the largest value that the accumulator can reach
_WHOLE = 1 << 22  # below it float32 rounds sums of products by less than a quarter
_LOGIT_ROUNDING = 1e-2  # share of one integer step by which a logit with small sums may be off


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Outcome of one comparison.

    mismatches: images that differ anywhere; labels, logits: images that differ in these, labels
    None where there are none; explained: mismatches in which a value of the first stage, a float
    one, lies within a rounding of a bound; explanations: which value it was, and of which bound.
    """

    stage: str
    against: str
    images: int
    mismatches: int
    explained: int
    labels: int | None = 0
    logits: int = 0
    explanations: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """The comparison as report.json holds it."""
        return {**asdict(self), "explanations": list(self.explanations)}


def settle(network: Network, outputs: Outputs, exact: Outputs) -> Outputs:
    """Turn a float stage's logits into integers, and its labels into those of the integers.

    A logit within float32's rounding of the golden model's is set to it: with equal logits the
    lowest index is the label in every stage, so float rounding must not break ties. The values of a
    network that ends in these are settled alike. Raises MismatchError where a logit is not finite,
    or lies between two integers.
    """
    scale, offset = network.scales(outputs.logits.shape[1])
    reach = network.reach
    rounding = _SLACK * _EPS * (np.abs(scale) * reach + np.abs(offset))
    if reach < _WHOLE:
        rounding = np.minimum(rounding, 0.25 * np.abs(scale))
    room = np.maximum(_LOGIT_ROUNDING * np.abs(scale), rounding)
    expected = network.values(exact.logits)
    near = np.abs(outputs.logits - expected) <= room
    if not np.isfinite(outputs.logits).all():
        i, c = np.argwhere(~np.isfinite(outputs.logits))[0]
        raise MismatchError(f"{_place(network, i, c)} {outputs.logits[i, c]!r} is not finite")
    steps = np.where(scale == 0, 1.0, scale)
    other = np.rint((outputs.logits - offset) / steps).astype(np.int64)
    between = ~near & (other == exact.logits)
    if between.any():
        i, c = np.argwhere(between)[0]
        raise MismatchError(
            f"{_place(network, i, c)} {outputs.logits[i, c]!r} is not a multiple of the scale "
            f"{float(scale[c])!r}; the golden model has {float(expected[i, c])!r}"
        )
    logits = np.where(near, exact.logits, other)
    return replace(outputs, logits=logits, labels=golden.classify(network, logits)[0])


def _place(network: Network, image: int, index: int) -> str:
    """Which of an image's integers a message is about."""
    plain = any(not end.labelled for end in network.ends)
    return f"image {image}, value {index}:" if plain else f"image {image}, class {index}: logit"


def compare(
    network: Network,
    images: NDArray[np.uint8],
    *,
    names: tuple[str, str],
    first: Outputs,
    second: Outputs,
    numbers: Sequence[int] | None = None,
) -> Comparison:
    """Compare logits, and the activations that both have, of two settled stages.

    An image that differs is explained where, in the first layer that differs, every differing
    value's accumulator lies within float32 rounding of a bound. Raises MismatchError, naming layer
    and value, for any other difference. `images` are (N, H, W, C), `numbers` theirs in
    messages.
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
        labels=int((first.labels != second.labels).sum()) if second.labels.size else None,
        logits=int((first.logits != second.logits).any(axis=1).sum()),
        explanations=tuple(notes),
    )


def differing(first: Outputs, second: Outputs) -> list[int]:
    """Images whose logits or activations are not the same, by their numbers from 0.

    Raises MismatchError for arrays of other shapes, which cannot agree.
    """
    if first.logits.shape != second.logits.shape:
        raise MismatchError(
            f"logits of shapes {first.logits.shape} and {second.logits.shape} cannot agree"
        )
    different = (first.logits != second.logits).any(axis=1)
    for name in _shared(first, second):
        a, b = _flat(first, name), _flat(second, name)
        if a.shape != b.shape:
            raise MismatchError(f"{name}: activations of {a.shape} and {b.shape} cannot agree")
        different = different | (a != b).any(axis=1)
    return [int(i) for i in np.flatnonzero(different)]


def _shared(first: Outputs, second: Outputs) -> list[str]:
    return [name for name in first.activations if name in second.activations]


def _flat(outputs: Outputs, name: str) -> NDArray[Any]:
    values = outputs.activations[name]
    return values.reshape(len(values), -1)


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
    shared, text = _shared(first, second), ""
    steps = {IMAGE: Codes(codes=image, unsure=np.zeros(image.shape, bool))}
    last = IMAGE
    for layer, sources in network.walk():
        step = layer.doubt(*(steps[source] for source in sources))
        if layer.name in shared:
            wrong, why = _wrong(layer, step, names, first, second, index, number)
            text = text or why
            # The next layers are computed from the first stage's codes, which need not be the
            # golden model's. In every branch only what follows from differing codes may differ.
            codes = first.activations[layer.name][index].reshape(step.codes.shape)
            step = Codes(codes=codes, unsure=wrong)
        steps[layer.name] = step
        last = layer.name if layer.coded else last
    if text and (steps[last].unsure.any() or _same_logits(first, second, index)):
        return text
    if steps[last].unsure.any():
        return "a value lies within a rounding of its threshold, in a layer that cannot be compared"
    raise MismatchError(
        f"{names[0]} and {names[1]} differ on image {number} in the last layer alone: logits "
        f"{few(first.logits[index])} and {few(second.logits[index])}"
    )


def _same_logits(first: Outputs, second: Outputs, index: int) -> bool:
    return np.array_equal(first.logits[index], second.logits[index])


def _wrong(
    layer: Layer,
    step: Codes,
    names: tuple[str, str],
    first: Outputs,
    second: Outputs,
    index: int,
    number: int,
) -> tuple[NDArray[np.bool_], str]:
    """Where a layer's codes of one image differ, and how. Raises MismatchError beyond rounding."""
    sides = [s.activations[layer.name][index].reshape(step.codes.shape) for s in (first, second)]
    wrong = sides[0] != sides[1]
    if not wrong.any():
        return wrong, ""
    bad = wrong & ~step.unsure
    where = np.argwhere(bad if bad.any() else wrong)[0]
    text = _describe(layer, step, (sides[0], sides[1]), names, where)
    if bad.any():
        raise MismatchError(
            f"{names[0]} and {names[1]} differ on image {number}, first in {text}: "
            "more than a rounding apart"
        )
    return wrong, text


def _describe(
    layer: Layer,
    step: Codes,
    sides: tuple[NDArray[Any], NDArray[Any]],
    names: tuple[str, str],
    where: NDArray[np.intp],
) -> str:
    position = tuple(int(p) for p in where)
    text = f"{layer.name}{list(position[1:])}"
    text += f": {names[0]} {sides[0][position]}, {names[1]} {sides[1][position]}"
    return text + layer.why(step, position)
