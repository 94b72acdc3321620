"""Bench of the whole chip: images in simulated DDR, results against the golden model."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge
from numpy.typing import NDArray
from streams import CASE, SEED
from zynq import DECERR, OKAY, SLVERR, WINDOW, Memory, Processor, power_up, reset

with np.load(CASE["vectors"]) as stored:
    IMAGES: NDArray[np.uint8] = stored["images"]
    EXPECTED: NDArray[np.int32] = stored["words"]
FRAME = -(-IMAGES[0].nbytes // 8) * 8
WORDS = EXPECTED.shape[1]
CANARY = 64  # bytes on both sides of the results that must stay


def selected(name: str) -> bool:
    """Whether the case asks for a bench; all of them where it does not say."""
    return name in CASE.get("benches", [name])


def place(memory: Memory, offset: int, frames: NDArray[np.uint8]) -> int:
    """Put frames into memory, each on 8 bytes; returns their address."""
    for i, frame in enumerate(frames):
        start = offset + i * FRAME
        memory.data[start : start + frame.nbytes] = frame.tobytes()
    return memory.base + offset


class Job:
    """Frames at `source`, room for results at `target`, both offsets into memory."""

    def __init__(
        self, memory: Memory, source: int, target: int, picks: NDArray[np.intp] | list[int]
    ) -> None:
        self.memory, self.target, self.picks = memory, target, list(picks)
        self.source_address = place(memory, source, IMAGES[self.picks])
        self.before = bytes(memory.data[target - CANARY : target + self.bytes + CANARY])

    @property
    def bytes(self) -> int:
        """Size of all results."""
        return 4 * WORDS * len(self.picks)

    async def start(self, processor: Processor) -> None:
        """Queue it."""
        target = self.memory.base + self.target
        await processor.start(self.source_address, target, len(self.picks))

    def check(self, frames: int | None = None) -> None:
        """The first frames' results are the golden model's, and nothing else was written."""
        count = len(self.picks) if frames is None else frames
        after = bytes(self.memory.data[self.target - CANARY : self.target + self.bytes + CANARY])
        end = CANARY + 4 * WORDS * count
        words = np.frombuffer(after[CANARY:end], "<i4").reshape(count, WORDS)
        wrong = np.flatnonzero((words != EXPECTED[self.picks[:count]]).any(axis=1))
        assert not len(wrong), f"{len(wrong)} of {count} frames differ, {wrong[:5]}; seed={SEED}"
        assert after[:CANARY] == self.before[:CANARY], "bytes before the results changed"
        assert after[end:] == self.before[end:], "bytes behind the results changed"


@cocotb.test(skip=not selected("identity"))
async def identity(dut: Any) -> None:
    """What the registers say about the chip."""
    processor, _ = await power_up(dut, random.Random(SEED))
    assert await processor.read("id") == 0x48524143
    assert await processor.read("version") == 1
    assert await processor.read("frame_bytes") == FRAME
    assert await processor.read("result_words") == WORDS
    digits = "".join([f"{await processor.read('hash', i):08x}" for i in range(4)])
    assert digits == CASE["hash"]


@cocotb.test(skip=not selected("jobs"))
async def jobs(dut: Any) -> None:
    """One frame and several, at addresses that begin bursts anywhere."""
    rng = random.Random(SEED)
    processor, memory = await power_up(dut, rng, stall=CASE.get("stall", False))
    done = 0
    for frames in CASE.get("frames", [1, 2, 5]):
        source, target = 8 * rng.randrange(512), 0x80000 + 8 * rng.randrange(512)
        job = Job(memory, source, target, [rng.randrange(len(IMAGES)) for _ in range(frames)])
        await job.start(processor)
        done += 1
        await processor.wait(done)
        job.check()
    assert await processor.read("errors") == 0
    assert memory.outstanding_reads <= 8 and memory.outstanding_writes <= 8
