"""The accelerator: a bitstream, its registers, and the jobs that are given to it."""

from __future__ import annotations

import atexit
import weakref
from collections import deque
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

import numpy as np

from . import manifest as manifests
from . import selftest
from .benchmark import measure
from .board import Board
from .buffers import Buffers, Pair
from .errors import (
    BoardError,
    ClosedError,
    DeployError,
    IdentityError,
    ImagesError,
    JobTimeoutError,
    ModelError,
    TransferError,
)
from .registers import IDENTITY, INTERFACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_FRAMES = 1 << 20  # of a job
IN_QUEUE = 2  # jobs, as many as there are pairs of buffers of a size
TIMEOUT_S, TIMEOUT_FACTOR = 1.0, 20  # for any job, and times the time that it should take
EXPECTED_HZ = 1000.0  # frames per second where the build has no prediction


class _Job(NamedTuple):
    number: int  # counted from 1 since the reset
    start: int  # of its images, in those of the call
    frames: int
    pair: Pair


class Accelerator:
    """A model on the board; a context manager, which frees what it took.

    Two jobs are in the chip's queue while there are images: while it works on one, the next one is
    there already, and the host reads results and copies images. A call that is interrupted leaves
    its jobs; the next call drops them by a reset.
    """

    def __init__(
        self, folder: str | Path = ".", *, batch: int = 128, timeout_s: float = 0.0
    ) -> None:
        """Load the bitstream of a deploy folder, check that it is the manifest's, take buffers.

        batch: images per job; timeout_s: longest time for a job, 0 for a generous one. Raises
        ImagesError, DeployError, BoardError, IdentityError and ModelError.
        """
        if not 1 <= batch <= MOST_FRAMES:
            raise ImagesError(f"batch {batch}: use 1 to {MOST_FRAMES} images per job")
        self._closed, self._clean = True, True
        self.manifest = manifests.load(Path(folder))
        self.batch = batch
        self._board = Board()
        self.pynq_version, self.device = self._board.version, self._board.device
        self.clock = self._board.clock
        self.timeout_s = timeout_s or TIMEOUT_S + TIMEOUT_FACTOR * self._expected_s()
        self.waited_s = 0.0  # time in which the host had nothing to do but wait for the chip
        self._jobs = 0
        self._open()
        frame_bytes = self.registers.read("frame_bytes")
        self._buffers = Buffers(self._board, batch, frame_bytes, self.manifest.words)
        self._closed = False
        self._at_exit = partial(_close, weakref.ref(self))
        atexit.register(self._at_exit)

    def __enter__(self) -> Accelerator:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _expected_s(self) -> float:
        predicted = self.manifest.predicted or {}
        return self.batch / predicted.get("frames_per_second", EXPECTED_HZ)

    def _open(self) -> None:
        """Load the bitstream, set FCLK0 for it, check what it is."""
        path, manifest = self.manifest.bitstream, self.manifest
        self._board.load(path, manifest.board)
        # Not before the download: each chip must only run at its own clock.
        self.fclk_mhz = self._board.set_clock(manifest.fclk_mhz, manifest.crystal_mhz)
        self.registers = self._board.registers(manifest.registers)
        self._identify()
        if not self._reset():
            raise BoardError(f"{path}: the chip's reset does not end; restart the board")

    def set_clock(self, mhz: float) -> None:
        """Drop all jobs, set FCLK0 and read it back. Raises BoardError where it is another one."""
        self._check_open()
        self._recover()
        self.fclk_mhz = self._board.set_clock(mhz, self.manifest.crystal_mhz)
        self.registers.forget()
        self._recover()

    def _identify(self) -> None:
        registers, path, wanted = self.registers, self.manifest.bitstream, self.manifest
        found = registers.read("id")
        if found != IDENTITY:
            raise IdentityError(
                f"{path}: register id is 0x{found:08x}, headrace's is 0x{IDENTITY:08x}; "
                "use a bitstream that headrace built"
            )
        version = registers.read("version")
        if version != INTERFACE:
            raise IdentityError(
                f"{path}: version {version} of the registers, this driver knows {INTERFACE}; "
                "use the driver in the deploy folder of the bitstream"
            )
        digits = "".join(f"{registers.read('hash', i):08x}" for i in range(4))
        if digits != wanted.model_hash:
            raise ModelError(
                f"{path}: the chip holds model {digits[:8]}, manifest.json says "
                f"{wanted.model} {wanted.model_hash[:8]}; copy both from one build"
            )
        sizes = (registers.read("frame_bytes"), registers.read("result_words"))
        expected = (-(-wanted.image_bytes // 8) * 8, wanted.words)
        if sizes != expected:
            raise DeployError(
                f"{wanted.folder / 'manifest.json'}: {expected[0]} bytes in and {expected[1]} "
                f"words out per image, the chip has {sizes[0]} and {sizes[1]}; copy both from "
                "one build"
            )

    def close(self) -> None:
        """Give the buffers back; a second time does nothing.

        Raises ClosedError where somebody else freed one, after all others are freed.
        """
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self._at_exit)
        try:
            if not self._clean:
                self._recover()  # unfinished jobs would write into memory of others
        finally:
            self._buffers.close()

    def reset(self) -> None:
        """Drop all jobs and set the counters to 0; loads the bitstream again if it must."""
        self._check_open()
        self._recover()

    def _recover(self) -> str:
        """Reset by the register or, where that does not end, by the bitstream; says which."""
        if self._reset():
            return "the chip was reset"
        self._open()
        return "a reset did not end either, so the bitstream was loaded again"

    def _reset(self) -> bool:
        """Whether the reset ended."""
        if not self.registers.reset():
            return False
        self._jobs, self._clean = 0, True
        return True

    def counters(self) -> dict[str, int]:
        """Cycles with a job, of these starved of pixels, stalled by results; since the reset."""
        return {name: self.registers.read(name) for name in ("cycles", "starved", "stalled")}

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("this accelerator was closed; make another Accelerator(folder)")

    def predict(self, images: NDArray[np.uint8], logits: bool = False) -> Any:
        """What the model gives for images (N, H, W, C) uint8, any N.

        That is the labels (N,), with the logits (N, CLASSES) if asked, both int32, or the values
        (N, ...) float32 of a model that ends in these. Logits are integers;
        `manifest.values(logits)` are the trained network's. Raises ImagesError, TransferError,
        JobTimeoutError, ClosedError; the next call works.
        """
        return self.manifest.output.results(self.words(images), logits)

    def words(self, images: NDArray[np.uint8]) -> NDArray[np.int32]:
        """The words (N, WORDS) as they leave the chip, for images as of `predict`."""
        self._check_open()
        flat = self._checked(images)
        if not self._clean:
            self._recover()
        self._clean = False
        results = np.empty((len(flat), self.manifest.words), np.int32)
        jobs: deque[_Job] = deque()
        for turn, start in enumerate(range(0, len(flat), self.batch)):
            if len(jobs) == IN_QUEUE:
                self._finish(jobs.popleft(), results)
            jobs.append(self._start(flat, start, turn))
        while jobs:
            self._finish(jobs.popleft(), results)
        self._clean = True
        return results

    def _checked(self, images: Any) -> NDArray[np.uint8]:
        """Images as rows of bytes."""
        shape = self.manifest.shape
        wanted = f"{self.manifest.model} takes uint8, (N, {', '.join(map(str, shape))})"
        found = np.asarray(images)
        what = f"images are {found.dtype}, {found.shape}; {wanted}"
        if found.dtype != np.uint8:
            raise ImagesError(f"{what}: for pixels from 0 to 1, (255 * images).astype('uint8')")
        if found.shape == shape:
            raise ImagesError(f"{what}: for a single image, images[None]")
        if found.shape[1:] != shape:
            raise ImagesError(what)
        if not len(found):
            raise ImagesError(f"no images; {wanted} with N of at least 1")
        return found.reshape(len(found), -1)

    def _start(self, flat: NDArray[np.uint8], start: int, turn: int) -> _Job:
        """Copy images into a buffer and queue them."""
        part = flat[start : start + self.batch]
        count = len(part)
        pair = self._buffers.pair(count, turn)
        pair.pixels[:count, : part.shape[1]] = part
        self._sync(pair.source[: count * pair.pixels.shape[1]].flush)
        registers = self.registers
        registers.hold("source", int(pair.source.device_address))
        registers.hold("target", int(pair.target.device_address))
        registers.hold("frames", count)
        registers.write("control", registers.bit("control", "start"))
        self._jobs += 1
        return _Job(self._jobs, start, count, pair)

    def _finish(self, job: _Job, results: NDArray[np.int32]) -> None:
        """Wait for a job and copy its results."""
        self._wait(job)
        registers = self.registers
        if registers.read("errors"):
            names = registers.fields("errors")
            failed, dump = registers.read("failed"), registers.dump()
            raise TransferError(
                f"job {failed or job.number} ended with {names}: the memory refused an access of "
                f"the chip; free memory of other programs and try again. Registers: {dump}"
            )
        self._sync(job.pair.target[: 4 * job.frames * self.manifest.words].invalidate)
        results[job.start : job.start + job.frames] = job.pair.results[: job.frames]

    def _wait(self, job: _Job) -> None:
        began, read = self.clock(), self.registers.read
        # The count is modulo 2**32: it is behind where the difference's highest bit is set.
        while (read("jobs") - job.number) & 0x80000000:
            if self.clock() - began > self.timeout_s:
                dump = self.registers.dump()
                raise JobTimeoutError(
                    f"job {job.number} of {job.frames} images did not end within "
                    f"{self.timeout_s:g} s, {self._recover()}. Registers before: {dump}"
                )
        self.waited_s += self.clock() - began

    @staticmethod
    def _sync(step: Callable[[], None]) -> None:
        try:
            step()
        except RuntimeError as error:
            raise ClosedError(
                f"a buffer is not there any more ({error}); leave buffers to close(), and make "
                "another Accelerator(folder)"
            ) from error

    def benchmark(self, **options: Any) -> dict[str, Any]:
        """Rates, latency and counters; see benchmark.measure."""
        return measure(self, **options)

    def self_test(self) -> selftest.SelfTest:
        """Run the golden vectors; see selftest.run."""
        return selftest.run(self)


def _close(accelerator: weakref.ref[Accelerator]) -> None:
    """Close it where it still is; as a program ends, so that no job writes on after it."""
    alive = accelerator()
    if alive is not None:
        alive.close()
