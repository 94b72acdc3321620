"""Compare the chip's results with the golden model's, and say what to suspect if they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import JobTimeoutError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .protocol import Runs


@dataclass(frozen=True)
class SelfTest:
    """images: how many ran; mismatches: of these wrong; suspect: why, None if none is wrong."""

    images: int
    mismatches: int
    suspect: str | None


def run(accelerator: Runs) -> SelfTest:
    """Run the golden vectors; where results differ, once more at half the clock.

    Results that are right only at half the clock point to the routed chip's critical path. Results
    that are wrong in the same way at both point to the bitstream, or to its copy on the board.
    """
    vectors = accelerator.manifest.golden()
    count = len(vectors["images"])
    wrong = _wrong(accelerator, vectors)
    mismatches = int(wrong.any(axis=1).sum())
    if not mismatches:
        return SelfTest(count, 0, None)
    mhz = accelerator.manifest.fclk_mhz
    try:
        accelerator.set_clock(mhz / 2)
        slow = _wrong(accelerator, vectors)
    except JobTimeoutError:
        slow = np.ones_like(wrong)
    finally:
        accelerator.set_clock(mhz)
    return SelfTest(count, mismatches, _suspect(accelerator, wrong, slow))


def _wrong(accelerator: Runs, vectors: Any) -> NDArray[np.bool_]:
    """Which words of the results differ: (N, WORDS)."""
    expected = accelerator.manifest.expected(vectors)
    return np.asarray(accelerator.words(vectors["images"]) != expected)


def _suspect(accelerator: Runs, wrong: NDArray[np.bool_], slow: NDArray[np.bool_]) -> str:
    manifest = accelerator.manifest
    images = f"{int(wrong.any(axis=1).sum())} of {len(wrong)} images"
    if not slow.any():
        path = manifest.critical_path or "not known: the build has no routed chip"
        return (
            f"the time of a path: {images} are wrong at {manifest.fclk_mhz:g} MHz, none at "
            f"{manifest.fclk_mhz / 2:g} MHz. The critical path is {path}. Build with a lower "
            "--clock-mhz"
        )
    last = manifest.output.suspect(wrong, images)
    if last is not None:
        return last
    return (
        f"a layer before the last, or the memory's way to the chip: {images} are wrong in most "
        f"{manifest.output.noun}, at {manifest.fclk_mhz:g} MHz and at half of it. Copy the deploy "
        "folder again, then build again"
    )
