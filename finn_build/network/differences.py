"""The result of comparing two stages, in words, and when to warn of it.

An entry is one of report.json's `verification`: stage, against, images, mismatches, explained and
explanations; `labels` and `logits` are how many of the mismatches have other labels and logits.
`labels` is None where the network ends in values; `logits` then counts these. Older reports lack
both.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FEW = 16  # integers that a message lists
LIMIT = 0.01  # share of images that rounding may change without a warning
Verdict = Literal["equal", "differs", "wrong"]


def warning(images: int, explained: int, labels: int | None, logits: int | None) -> str | None:
    """The warning if rounding changes more than LIMIT of the images, else None."""
    if explained <= LIMIT * images:
        return None
    share = f"{100 * explained / images:.1f} % of {images:,} images differ by float rounding"
    return share if logits is None else f"{share}: {_counts(labels, logits)}"


def verdict(entry: Mapping[str, Any]) -> Verdict:
    """Wrong if rounding does not explain all; equal if only activations differ, on few images."""
    if entry["mismatches"] > entry["explained"]:
        return "wrong"
    return "differs" if other_logits(entry) or warned(entry) is not None else "equal"


def other_logits(entry: Mapping[str, Any]) -> int:
    """Images with other logits; all mismatches if an old report did not count them."""
    logits = entry.get("logits")
    return int(entry["mismatches"] if logits is None else logits)


def counted(entry: Mapping[str, Any]) -> str:
    """Why images differ, and how many have other labels and logits, if that is known.

    Empty if none differ.
    """
    if not entry["mismatches"]:
        return ""
    unexplained = entry["mismatches"] - entry["explained"]
    cause = f"{unexplained:,} unexplained" if unexplained else "by float rounding alone"
    labels, logits = entry.get("labels"), entry.get("logits")
    if logits is None:
        return cause
    return f"{cause}; {_counts(labels, logits)}"


def warned(entry: Mapping[str, Any]) -> str | None:
    """The warning of an entry, if it has one."""
    return warning(entry["images"], entry["explained"], entry.get("labels"), entry.get("logits"))


def worst(entries: Sequence[Mapping[str, Any]]) -> str | None:
    """One line for the terminal: the warning about the most images, and how many more there are.

    None if no entry has a warning.
    """
    many = sorted(
        (e for e in entries if warned(e)), key=lambda e: e["explained"] / e["images"], reverse=True
    )
    if not many:
        return None
    more = f" (and {len(many) - 1} more)" if len(many) > 1 else ""
    first = many[0]
    return f"warning: {first['stage']} and {first['against']}: {warned(first)}{more}"


def few(values: NDArray[np.integer]) -> str:
    """The first integers of an image, of any shape, for messages."""
    listed = ", ".join(map(str, values[:FEW].tolist()))
    return f"[{listed}{', ...' if len(values) > FEW else ''}]"


def _counts(labels: int | None, logits: int) -> str:
    if labels is None:
        return f"{logits:,} with other values"
    return f"{labels:,} with another label, {logits:,} with other logits"
