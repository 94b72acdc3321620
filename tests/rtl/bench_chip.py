"""Bench of the whole chip: images in simulated DDR, results against the golden model."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiBurstType, AxiBus, AxiRam
from numpy.typing import NDArray
from streams import CASE, SEED
from zynq import DECERR, OKAY, SLVERR, WINDOW, Memory, Processor, pauses, power_up, reset

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

    def check(self, good: int | None = None, written: int | None = None) -> None:
        """The first frames' results are the golden model's, and none but `written` are there."""
        good = len(self.picks) if good is None else good
        end = CANARY + 4 * WORDS * (good if written is None else written)
        after = bytes(self.memory.data[self.target - CANARY : self.target + self.bytes + CANARY])
        words = np.frombuffer(after, "<i4", good * WORDS, CANARY).reshape(good, WORDS)
        wrong = np.flatnonzero((words != EXPECTED[self.picks[:good]]).any(axis=1))
        assert not len(wrong), f"{len(wrong)} of {good} frames differ, {wrong[:5]}; seed={SEED}"
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


@cocotb.test(skip=not selected("accesses"))
async def accesses(dut: Any) -> None:
    """Bursts, IDs, and addresses and bursts that there are no registers for: all are answered."""
    rng = random.Random(SEED)
    processor, _ = await power_up(dut, rng, stall=CASE.get("stall", False))
    bus, size = processor.bus, 4 * (1 + max(r["offset"] // 4 for r in processor.table.values()))
    single = [await bus.read(WINDOW + i, 4) for i in range(0, size, 4)]
    burst = await bus.read(WINDOW, size, arid=0xABC)
    assert burst.data == b"".join(r.data for r in single) and burst.resp == OKAY
    many = [bus.init_read(WINDOW + 4 * i, 4, arid=0xFFF - i) for i in range(8)]
    for i, read in enumerate(many):
        await read.wait()
        assert read.data.data == single[i].data, f"read {i} with an ID of its own"
    for offset in (size, 0x7C, 0x80, 0x1000, 0x10000, 0x3FFF_FFC0, 0x3FFF_FFFC):
        assert (await bus.read(WINDOW + offset, 4)).resp == DECERR, f"read at {offset:#x}"
        assert (await bus.write(WINDOW + offset, bytes(4))).resp == DECERR, f"write at {offset:#x}"
    beyond = await bus.read(WINDOW + size - 8, 64)
    assert beyond.resp == DECERR and beyond.data == burst.data[-8:] + bytes(56)
    for kind in (AxiBurstType.FIXED, AxiBurstType.WRAP):
        assert (await bus.read(WINDOW + 0x20, 16, burst=kind)).resp == SLVERR
        assert (await bus.write(WINDOW + 0x20, bytes(16), burst=kind)).resp == SLVERR
    assert (await bus.read(WINDOW, 4, size=0)).resp == SLVERR, "a burst of four bytes"
    byte = await bus.read(WINDOW + 1, 1, size=0)
    assert byte.data == single[0].data[1:2] and byte.resp == OKAY
    words = [rng.getrandbits(32) for _ in range(3)]
    data = b"".join(word.to_bytes(4, "little") for word in words)
    assert (await bus.write(WINDOW + 0x20, data)).resp == OKAY
    assert await processor.read("source") == words[0] & ~7
    assert await processor.read("target") == words[1] & ~7
    assert await processor.read("frames") == words[2] & (1 << 21) - 1
    await bus.write(WINDOW + 0x21, b"\x5a")
    assert await processor.read("source") == words[0] & ~0xFF07 | 0x5A00, "a byte's strobe"
    assert (await bus.write(WINDOW, bytes(16))).resp == OKAY
    assert await processor.read("id") == 0x48524143, "a constant was written"


@cocotb.test(skip=not selected("jobs"))
async def jobs(dut: Any) -> None:
    """One frame and several, at addresses that begin bursts anywhere."""
    rng = random.Random(SEED)
    processor, memory = await power_up(dut, rng, stall=CASE.get("stall", False))
    for done, frames in enumerate(CASE.get("frames", [1, 2, 5]), 1):
        source, target = 8 * rng.randrange(512), 0x80000 + 8 * rng.randrange(512)
        job = Job(memory, source, target, [rng.randrange(len(IMAGES)) for _ in range(frames)])
        await job.start(processor)
        await processor.wait(done)
        job.check()
    assert await processor.read("errors") == 0
    assert memory.outstanding_reads <= 8 and memory.outstanding_writes <= 8


@cocotb.test(skip=not selected("queue"))
async def queue(dut: Any) -> None:
    """Jobs wait for each other; a start that could not run is refused and does nothing."""
    rng = random.Random(SEED)
    processor, memory = await power_up(dut, rng, stall=CASE.get("stall", False))
    room, refused = processor.bit("status", "room"), processor.bit("errors", "refused")
    await processor.start(memory.base, memory.base, 0)
    assert await processor.read("errors") == refused, "no frames, yet not refused"
    await processor.write("errors", refused)
    memory.blocked = {"ar"}
    jobs = [
        Job(memory, 0x2000 * i, 0x80000 + 0x2008 * i, rng.choices(range(len(IMAGES)), k=frames))
        for i, frames in enumerate([3, 1, 4, 2])
    ]
    for job in jobs:
        assert await processor.read("status") & room
        await job.start(processor)
    assert await processor.read("errors") == 0
    assert await processor.read("status") == processor.bit("status", "busy"), "room for a fifth"
    await processor.start(memory.base, memory.base, 1)
    assert await processor.read("errors") == refused, "a fifth job, yet not refused"
    memory.blocked = set()
    await processor.wait(len(jobs))
    for job in jobs:
        job.check()
    assert await processor.read("results") == sum(len(job.picks) for job in jobs)
    assert await processor.read("status") == room
    await ClockCycles(processor.ps7.fclk, 300)
    assert await processor.read("jobs") == len(jobs), "the refused job ran"


@cocotb.test(skip=not selected("interrupt"))
async def interrupt(dut: Any) -> None:
    """The line rises when a job ends and falls when that is acknowledged, if it may."""
    rng = random.Random(SEED)
    processor, memory = await power_up(dut, rng)
    enable, done = (processor.bit("interrupt", name) for name in ("enable", "done"))
    job = Job(memory, 0, 0x80000, [0, 1])
    await job.start(processor)
    await processor.wait(1)
    assert await processor.read("interrupt") == done
    assert not processor.ps7.irq.value, "the line rose though it may not"
    await processor.write("interrupt", enable | done)
    assert await processor.read("interrupt") == enable
    for number in (2, 3):
        assert not processor.ps7.irq.value
        job = Job(memory, 0, 0x80000, [number, 5, 6])
        await job.start(processor)
        await with_timeout(RisingEdge(processor.ps7.irq), 100, "us")
        assert await processor.read("jobs") == number
        job.check()
        await processor.write("interrupt", enable | done)
        await ClockCycles(processor.ps7.fclk, 2)


@cocotb.test(skip=not selected("faults"))
async def faults(dut: Any) -> None:
    """An error response ends its job early, and the job behind it is right."""
    rng = random.Random(SEED)
    processor, memory = await power_up(dut, rng, stall=CASE.get("stall", False))
    long, bad = min(60, 0x4000 // FRAME), 2
    done = results = 0
    for name, at_source, response in (
        ("read_slverr", True, SLVERR),
        ("read_decerr", True, DECERR),
        ("write_slverr", False, SLVERR),
        ("write_decerr", False, DECERR),
    ):
        picks = [rng.randrange(len(IMAGES)) for _ in range(long)]
        failing = Job(memory, 0, 0x80000, picks)
        behind = Job(memory, 0x10000, 0x90000, picks[:3])
        first = memory.base + (bad * FRAME + 8 if at_source else 0x80000 + bad * 4 * WORDS)
        memory.faults = [(first, first + 8, response)]
        for _ in range(2):
            await failing.start(processor)
        await behind.start(processor)
        await processor.wait(done + 3)
        assert await processor.read("errors") == processor.bit("errors", name), name
        assert await processor.read("failed") == done + 1, f"{name}: not the first of both"
        total = await processor.read("results")
        ran = total - results - len(behind.picks)
        assert 2 * bad < ran < long, f"{name}: {ran} frames of two failing jobs of {long}"
        if at_source:
            failing.check(good=bad, written=long)
        behind.check()
        done, results = done + 3, total
        await processor.write("errors", processor.bit("errors", name))
        assert await processor.read("errors") == 0
    memory.faults = []


@cocotb.test(skip=not selected("resets"))
async def resets(dut: Any) -> None:
    """A reset at any time, by register or by the processing system; the next job is right."""
    rng = random.Random(SEED)
    processor, memory = await power_up(dut, rng, stall=True)
    ps7, busy = processor.ps7, processor.bit("status", "busy")
    for turn in range(10):
        picks = [rng.randrange(len(IMAGES)) for _ in range(30)]
        for half in (picks[:10], picks[10:]):
            await Job(memory, 0, 0x80000, half).start(processor)
        await ClockCycles(ps7.fclk, rng.randrange(1500))
        assert await processor.read("status") & busy
        if turn % 2:
            await reset(ps7)
        else:
            await processor.write("control", processor.bit("control", "reset"))
            await wait_reset(processor)
            assert memory.quiet, f"turn {turn}: a burst was cut"
        for name in ("jobs", "results", "cycles", "starved", "stalled", "errors", "interrupt"):
            assert await processor.read(name) == 0, f"turn {turn}: {name} after the reset"
        assert await processor.read("status") == processor.bit("status", "room")
        job = Job(memory, 0x40000, 0x90000, picks[:3])
        await job.start(processor)
        await processor.wait(1)
        job.check()


async def wait_reset(processor: Processor) -> None:
    """Poll until the reset is over."""
    for _ in range(100):
        if not await processor.read("status") & processor.bit("status", "resetting"):
            return
        await ClockCycles(processor.ps7.fclk, 10)
    raise AssertionError("the reset does not end")


@cocotb.test(skip=not selected("counters"))
async def counters(dut: Any) -> None:
    """Cycles are those of the jobs; a channel that is blocked shows as starved or stalled."""
    rng = random.Random(SEED)
    processor, memory = await power_up(dut, rng)
    frames = 12

    async def job(blocked: set[str], pause: int) -> dict[str, int]:
        names = ("cycles", "starved", "stalled", "results", "jobs")
        before = {name: await processor.read(name) for name in names}
        memory.blocked = blocked
        await Job(memory, 0, 0x80000, [1] * frames).start(processor)
        await ClockCycles(processor.ps7.fclk, pause)
        memory.blocked = set()
        await processor.wait(before["jobs"] + 1)
        return {name: await processor.read(name) - before[name] for name in names}

    plain = await job(set(), 0)
    assert (plain["results"], plain["jobs"], plain["stalled"]) == (frames, 1, 0)
    assert 0 < plain["starved"] < 100 and frames * CASE["cycles"] <= plain["cycles"]
    pause = 400
    starved = await job({"ar"}, pause)
    assert starved["stalled"] == 0
    late = starved["starved"] - plain["starved"]
    assert pause - 40 < late < pause + 10, f"{late} cycles starved"
    assert abs(starved["cycles"] - plain["cycles"] - late) <= 8
    pause = 2 * plain["cycles"]
    stalled = await job({"aw"}, pause)
    assert 0 < stalled["stalled"] < pause < stalled["cycles"]
    await ClockCycles(processor.ps7.fclk, 200)
    assert await processor.read("cycles") == sum(j["cycles"] for j in (plain, starved, stalled))


@cocotb.test(skip=not selected("rate"))
async def rate(dut: Any) -> None:
    """With a latency of 20 cycles, one job and four in a row are as fast as the accelerator."""
    processor, memory = await power_up(dut, random.Random(SEED), latency=20)
    before = 0
    for sizes in ([20], [5, 5, 5, 5], [1, 9, 1, 9]):
        starts = np.cumsum([0, *sizes])
        done = await processor.read("jobs")
        jobs = [
            Job(memory, 0x20000 * i, 0x80000 + 0x1000 * i, list(range(starts[i], starts[i + 1])))
            for i in range(len(sizes))
        ]
        for job in jobs:
            await job.start(processor)
        await processor.wait(done + len(jobs))
        for job in jobs:
            job.check()
        total = await processor.read("cycles")
        took, alone = total - before, CASE["alone"]
        dut._log.info("%s frames: %d cycles, alone %d", sizes, took, alone)
        assert took <= 1.02 * alone, f"{sizes}: {took} cycles, the accelerator alone {alone}"
        before = total


@cocotb.test(skip=not selected("ram"))
async def ram(dut: Any) -> None:
    """Somebody else's memory, cocotbext-axi's, takes part too."""
    rng = random.Random(SEED)
    processor, memory = await power_up(dut, rng, serve=False)
    other = AxiRam(AxiBus.from_prefix(processor.ps7, "hp0"), processor.ps7.fclk, size=memory.size)
    channels = (
        other.read_if.ar_channel, other.read_if.r_channel, other.write_if.aw_channel,
        other.write_if.w_channel, other.write_if.b_channel,
    )  # fmt: skip
    for channel in channels:
        channel.set_pause_generator(pauses(random.Random(rng.random())))
    memory.base = 0
    job = Job(memory, 0x1238, 0x80FF8, [3, 1, 4, 1, 5])
    other.write(0, bytes(memory.data))
    await job.start(processor)
    await processor.wait(1)
    memory.data[:] = other.read(0, memory.size)
    job.check()
