"""What a bench plays around a PS7: processor on GP0, memory on HP0, clock and reset."""

from __future__ import annotations

import json
import logging
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiBus, AxiMaster

OKAY, SLVERR, DECERR = 0, 2, 3
WINDOW = 0x4000_0000
PAGE = 4096
# Share of the cycles in which a stalling channel is not there.
STALL_SHARE = 0.4
# Cycles from the end of a reset until the chip answers.
SETTLED = 40


@dataclass(kw_only=True)
class Memory:
    """An AXI3 slave of 64 bits with a latency, stalls and faults, that checks what a master does.

    Bursts are answered in order, each `latency` cycles after its address (reads) or its last data
    (writes), or up to twice that with stalls. blocked: channels that are not there. faults: (first
    address, end, response).
    """

    ps7: Any
    rng: random.Random
    base: int = 0x1000_0000
    size: int = 1 << 20
    latency: int = 20
    stall: bool = False
    blocked: set[str] = field(default_factory=set)
    faults: list[tuple[int, int, int]] = field(default_factory=list)
    outstanding_reads: int = 0
    outstanding_writes: int = 0
    bursts: list[tuple[str, int, int]] = field(default_factory=list)
    cycle: int = 0

    def __post_init__(self) -> None:
        self.data = bytearray(self.rng.randbytes(self.size))
        self.clear()

    def clear(self) -> None:
        """Forget all bursts, as a reset of both sides does."""
        self.reads: deque[tuple[int, int, int, int]] = deque()  # when, address, response, last
        self.addresses: deque[tuple[int, int, int]] = deque()  # address, length, response
        self.beats: deque[tuple[int, int, bool]] = deque()  # data, strobes, last
        self.answers: deque[tuple[int, int]] = deque()  # when, response
        self.held: dict[str, tuple[int, ...]] = {}
        self.reading = self.answering = False

    @property
    def quiet(self) -> bool:
        """Whether no burst waits for anything."""
        return not (self.reads or self.addresses or self.beats or self.answers)

    def _there(self, channel: str) -> bool:
        if channel in self.blocked:
            return False
        return not self.stall or self.rng.random() >= STALL_SHARE

    def _when(self) -> int:
        extra = self.rng.randrange(self.latency + 1) if self.stall else 0
        return self.cycle + self.latency + extra

    def _response(self, address: int, size: int) -> int:
        """For a beat that is read, or a burst that is written."""
        for first, end, response in self.faults:
            if first < address + size and address < end:
                return response
        return OKAY if 0 <= address - self.base <= self.size - size else DECERR

    def _hold(self, channel: str, valid: bool, ready: bool, payload: tuple[int, ...]) -> None:
        """A channel that waited must still be there, unchanged."""
        if channel in self.held:
            assert valid, f"{channel}: valid fell before it was taken, cycle {self.cycle}"
            assert payload == self.held[channel], f"{channel}: payload changed, cycle {self.cycle}"
        self.held.pop(channel, None)
        if valid and not ready:
            self.held[channel] = payload

    def _address(self, channel: str) -> tuple[int, int] | None:
        """The burst that is asked for in this cycle: address and beats."""
        prefix = f"hp0_{channel}"
        valid = bool(getattr(self.ps7, f"{prefix}valid").value)
        ready = bool(getattr(self.ps7, f"{prefix}ready").value)
        names = ("id", "addr", "len", "size", "burst", "cache", "lock", "prot", "qos")
        values = [int(getattr(self.ps7, prefix + n).value) for n in names] if valid else []
        self._hold(channel, valid, ready, tuple(values))
        if not (valid and ready):
            return None
        name, address, length, size, burst, *rest = values
        beats = length + 1
        assert (name, size, burst, rest) == (0, 3, 1, [3, 0, 0, 0]), f"{channel}: {values}"
        assert beats <= 16 and address % 8 == 0, f"{channel}: {beats} beats at {address:#x}"
        assert address // PAGE == (address + 8 * beats - 1) // PAGE, (
            f"{channel}: {beats} beats at {address:#x} cross a page"
        )
        self.bursts.append((channel, address, beats))
        return address, beats

    async def run(self) -> None:
        """Serve for ever."""
        edge = RisingEdge(self.ps7.fclk)
        while True:
            await edge
            self.cycle += 1
            if not self.ps7.fclk_reset_n.value:
                self.clear()
                self.ps7.hp0_rvalid.value = 0
                self.ps7.hp0_bvalid.value = 0
                await ClockCycles(self.ps7.fclk, SETTLED)
                continue
            self._read()
            self._write()
            for channel in ("ar", "aw", "w"):
                getattr(self.ps7, f"hp0_{channel}ready").value = self._there(channel)

    def _read(self) -> None:
        ps7 = self.ps7
        asked = self._address("ar")
        if asked is not None:
            when = self._when()
            for i in range(asked[1]):
                address = asked[0] + 8 * i
                response = self._response(address, 8)
                self.reads.append((when, address, response, i == asked[1] - 1))
            self.outstanding_reads = max(
                self.outstanding_reads, sum(last for *_, last in self.reads)
            )
        if self.reading and ps7.hp0_rready.value:
            self.reads.popleft()
            self.reading = False
        if not self.reading:
            if self.reads and self.reads[0][0] <= self.cycle and self._there("r"):
                _, address, response, last = self.reads[0]
                ps7.hp0_rdata.value = self._word(address) if response == OKAY else 0xBAD
                ps7.hp0_rresp.value = response
                ps7.hp0_rlast.value = last
                self.reading = True
            ps7.hp0_rvalid.value = self.reading

    def _word(self, address: int) -> int:
        start = address - self.base
        return int.from_bytes(self.data[start : start + 8], "little")

    def _write(self) -> None:
        ps7 = self.ps7
        asked = self._address("aw")
        if asked is not None:
            self.addresses.append((*asked, self._response(asked[0], 8 * asked[1])))
        valid, ready = bool(ps7.hp0_wvalid.value), bool(ps7.hp0_wready.value)
        payload: tuple[int, ...] = ()
        if valid:
            names = ("data", "strb", "last", "id")
            payload = tuple(int(getattr(ps7, f"hp0_w{n}").value) for n in names)
        self._hold("w", valid, ready, payload)
        if valid and ready:
            assert payload[3] == 0, "w: ID is not the address's"
            self.beats.append((payload[0], payload[1], bool(payload[2])))
        if self.addresses and any(last for *_, last in self.beats):
            self._store(*self.addresses.popleft())
        pending = len(self.addresses) + len(self.answers)
        self.outstanding_writes = max(self.outstanding_writes, pending)
        if self.answering and ps7.hp0_bready.value:
            self.answers.popleft()
            self.answering = False
        if not self.answering:
            if self.answers and self.answers[0][0] <= self.cycle and self._there("b"):
                ps7.hp0_bresp.value = self.answers[0][1]
                self.answering = True
            ps7.hp0_bvalid.value = self.answering

    def _store(self, address: int, beats: int, response: int) -> None:
        for i in range(beats):
            data, strobes, last = self.beats.popleft()
            assert last == (i == beats - 1), f"w: last is {last} on beat {i} of {beats}"
            for lane in range(8):
                if strobes >> lane & 1 and response == OKAY:
                    self.data[address + 8 * i + lane - self.base] = data >> (8 * lane) & 255
        self.answers.append((self._when(), response))


for _name in ("gp0", "hp0"):
    logging.getLogger(f"cocotb.u_ps7.{_name}").setLevel(logging.WARNING)


class Processor:
    """The driver's side: registers by name, over AXI3 on GP0."""

    def __init__(self, ps7: Any, rng: random.Random, *, stall: bool = False) -> None:
        self.ps7 = ps7
        self.table = json.loads(Path("registers.json").read_text())
        self.bus = AxiMaster(AxiBus.from_prefix(ps7, "gp0"), ps7.fclk, max_burst_len=16)
        if stall:
            read, write = self.bus.read_if, self.bus.write_if
            for channel in (read.ar_channel, read.r_channel, write.aw_channel, write.w_channel,
                            write.b_channel):  # fmt: skip
                channel.set_pause_generator(pauses(random.Random(rng.random())))

    async def read(self, name: str, index: int = 0) -> int:
        """A register's value."""
        address = WINDOW + self.table[name]["offset"] + 4 * index
        response = await self.bus.read(address, 4)
        assert int(response.resp) == OKAY, f"{name}: {response}"
        return int.from_bytes(response.data, "little")

    async def write(self, name: str, value: int) -> None:
        """Write a register."""
        address = WINDOW + self.table[name]["offset"]
        response = await self.bus.write(address, value.to_bytes(4, "little"))
        assert int(response.resp) == OKAY, f"{name}: {response}"

    def bit(self, name: str, bit: str) -> int:
        """The mask of a field of one bit."""
        return 1 << self.table[name]["fields"][bit]["low"]

    async def start(self, source: int, target: int, frames: int) -> None:
        """Queue a job."""
        await self.write("source", source)
        await self.write("target", target)
        await self.write("frames", frames)
        await self.write("control", self.bit("control", "start"))

    async def wait(self, jobs: int, timeout: int = 200_000) -> None:
        """Poll until so many jobs ended since the reset."""
        for _ in range(timeout // 50):
            if await self.read("jobs") >= jobs:
                return
            await ClockCycles(self.ps7.fclk, 50)
        raise AssertionError(f"time-out: {await self.read('jobs')} of {jobs} jobs ended")


def pauses(rng: random.Random) -> Iterator[bool]:
    """When a channel of cocotbext-axi is not there."""
    while True:
        yield rng.random() < STALL_SHARE


async def power_up(
    dut: Any, rng: random.Random, *, stall: bool = False, latency: int = 20, serve: bool = True
) -> tuple[Processor, Memory]:
    """Start clock, memory and processor, and come out of reset. serve: the memory answers."""
    ps7 = dut.zynq_i.u_ps7.u_ps7
    Clock(ps7.fclk, 10, unit="ns").start()
    memory = Memory(ps7=ps7, rng=rng, stall=stall, latency=latency)
    if serve:
        cocotb.start_soon(memory.run())
    processor = Processor(ps7, rng, stall=stall)
    await reset(ps7)
    return processor, memory


async def reset(ps7: Any) -> None:
    """The reset that the processing system drives."""
    ps7.fclk_reset_n.value = 0
    await ClockCycles(ps7.fclk, 10)
    ps7.fclk_reset_n.value = 1
    await ClockCycles(ps7.fclk, SETTLED)
