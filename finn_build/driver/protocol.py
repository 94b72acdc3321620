"""What measurements and the self-test need of an accelerator, so that neither imports the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .manifest import Manifest


class Runs(Protocol):
    """A model on the board that can be asked: accelerator.Accelerator describes each member.

    fclk_mhz: as read back; waited_s: time in which the host had nothing to do but wait.
    """

    manifest: Manifest
    fclk_mhz: float
    waited_s: float
    pynq_version: str
    device: Any

    def clock(self) -> float:
        """Seconds, of a clock that is the device's own where that is simulated."""

    def predict(self, images: NDArray[Any], logits: bool = False) -> Any:
        """Labels (N,) of images, with their logits (N, CLASSES) if asked, or their values."""

    def words(self, images: NDArray[Any]) -> NDArray[Any]:
        """Results of images as they leave the chip, (N, WORDS)."""

    def counters(self) -> dict[str, int]:
        """Cycles with a job, of these starved, stalled; since the reset."""

    def set_clock(self, mhz: float) -> None:
        """Drop all jobs and set FCLK0."""

    def reset(self) -> None:
        """Drop all jobs and set the counters to 0."""
