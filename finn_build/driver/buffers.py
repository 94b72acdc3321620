"""Memory that the chip reaches, for the jobs of an accelerator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from .errors import BoardError, ClosedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .board import Board

FREES_PYNQ = (3, 0)  # before it, freebuffer does nothing
RATIO = 4  # from one size of buffers to the next smaller one
# Buffers that pynq cannot free, of each device, for this process' next accelerator.
_KEPT: WeakKeyDictionary[Any, list[Any]] = WeakKeyDictionary()


class Pair(NamedTuple):
    """Buffers of a job, as pynq's arrays of bytes and as plain ones of images and of results."""

    source: Any
    target: Any
    pixels: NDArray[np.uint8]
    results: NDArray[np.int32]


class Buffers:
    """Two pairs of each size: for `batch` images, and for RATIO times fewer, down to one or two.

    Small ones because pynq 3.1 and later flush a buffer as a whole, however few images it has.
    """

    def __init__(self, board: Board, batch: int, frame_bytes: int, words: int) -> None:
        """frame_bytes: of an image; words: of its results. Raises BoardError, nothing taken."""
        self._board = board
        self._taken: list[Any] = []
        sizes = [batch]
        while sizes[-1] > RATIO // 2:
            sizes.append(-(-sizes[-1] // RATIO))
        self._pairs: dict[int, tuple[Pair, Pair]] = {}
        try:
            for size in reversed(sizes):
                first, second = (self._pair(size, frame_bytes, words) for _ in range(2))
                self._pairs[size] = (first, second)
        except (MemoryError, OSError, RuntimeError) as error:
            self.close()
            raise BoardError(
                f"no memory for buffers of {batch} images ({error}); close other programs "
                "that use the board, or take a smaller batch"
            ) from error

    def pair(self, images: int, turn: int) -> Pair:
        """The smallest pair for so many images; of two, the one whose turn it is."""
        size = min(size for size in self._pairs if size >= images)
        return self._pairs[size][turn % 2]

    def close(self) -> None:
        """Give all back. Raises ClosedError where somebody freed one, after the others are free."""
        taken, self._taken = self._taken, []
        self._pairs = {}
        gone = []
        for buffer in taken:
            try:
                self._give(buffer)
            except RuntimeError as error:
                gone.append(str(error))
        if gone:
            raise ClosedError(
                f"{len(gone)} of the buffers were freed before ({gone[0]}); leave them to close()"
            )

    def _pair(self, size: int, frame_bytes: int, words: int) -> Pair:
        source, target = self._take(size * frame_bytes), self._take(4 * size * words)
        pixels, results = source.view(np.ndarray), target.view(np.ndarray)
        return Pair(
            source,
            target,
            pixels[: size * frame_bytes].reshape(size, frame_bytes),
            results[: 4 * size * words].view(np.int32).reshape(size, words),
        )

    def _take(self, size: int) -> Any:
        """A buffer of so many bytes, or a larger one that is left over."""
        kept = _KEPT.get(self._board.device, [])
        fits = sorted((i for i in kept if i.nbytes >= size), key=lambda buffer: int(buffer.nbytes))
        buffer = fits[0] if fits else self._board.pynq.allocate((size,), np.uint8)
        kept[:] = [other for other in kept if other is not buffer]
        self._taken.append(buffer)
        if int(buffer.device_address) + size > 1 << 32:
            raise RuntimeError(f"one is at {buffer.device_address:#x}, where the chip cannot reach")
        return buffer

    def _give(self, buffer: Any) -> None:
        if self._board.numbers >= FREES_PYNQ:
            buffer.freebuffer()
        else:
            _KEPT.setdefault(self._board.device, []).append(buffer)
