"""What the benches share on the simulator's side: clock, reset, and both ends of a stream."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer
from numpy.typing import NDArray

CASE: dict[str, Any] = json.loads(Path(os.environ["RTL_CASE"]).read_text())
PARAMETERS: dict[str, Any] = CASE["parameters"]
SEED: int = CASE["seed"]

STALLS = ("none", "input", "output", "both")
# Beats for a unit and those expected of it, and what makes them for so many frames.
Made = Sequence[list[int]]
Make = Callable[[int, random.Random], Made]
# Share of the cycles in which a stalling side is not there.
STALL_SHARE = 0.4


def pack(elements: Sequence[int] | NDArray[np.int64], width: int) -> int:
    """One beat: element 0 in the least significant bits, `width` bits each, two's complement."""
    beat = 0
    for element in reversed([int(e) for e in elements]):
        beat = beat << width | element & (1 << width) - 1
    return beat


def unpack(beat: int, width: int, count: int, *, signed: bool = False) -> list[int]:
    """The `count` elements of a beat, element 0 first."""
    values = [beat >> (i * width) & (1 << width) - 1 for i in range(count)]
    if signed:
        values = [v - (1 << width) if v >> (width - 1) else v for v in values]
    return values


@dataclass
class Trace:
    """What came out of a run, with the cycle of each transfer."""

    beats: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    in_cycles: list[int] = field(default_factory=list)
    out_cycles: list[int] = field(default_factory=list)


async def start(dut: Any, ports: Sequence[str] = ("s_axis",)) -> None:
    """Start the clock and reset the unit, whose inputs are these."""
    # Registers begin with random values: the first edge must find the unit in reset.
    dut.clk.value, dut.rst_n.value = 0, 0
    await Timer(10, "ns")
    Clock(dut.clk, 10, unit="ns").start()
    for port in ports:
        getattr(dut, f"{port}_tdata").value = 0
    dut.m_axis_tready.value = 0
    await reset(dut, ports=ports)


async def reset(dut: Any, cycles: int = 3, ports: Sequence[str] = ("s_axis",)) -> None:
    """Hold reset for some cycles: nothing may come out of it."""
    dut.rst_n.value = 0
    for port in ports:
        getattr(dut, f"{port}_tvalid").value = 0
    await RisingEdge(dut.clk)
    for _ in range(cycles):
        await RisingEdge(dut.clk)
        assert int(dut.m_axis_tvalid.value) == 0, "tvalid is high in reset"
    dut.rst_n.value = 1
    await RisingEdge(dut.clk)


@dataclass(kw_only=True)
class Source:
    """One input: the beats that it sends, and when it pauses.

    port: what the names of its signals begin with. stalls: whether it pauses at random. pauses:
    indices of beats before which it waits `pause_cycles`.
    """

    beats: Sequence[int]
    rng: random.Random
    port: str = "s_axis"
    stalls: bool = False
    pauses: Sequence[int] = ()
    pause_cycles: int = 0
    cycles: list[int] = field(default_factory=list)
    offered: bool = False
    waiting: int = 0
    paused: set[int] = field(default_factory=set)

    @property
    def done(self) -> bool:
        """Whether all beats went in."""
        return len(self.cycles) == len(self.beats)

    def offer(self, dut: Any) -> None:
        """Set what the unit sees at the next edge."""
        sent = len(self.cycles)
        if not self.offered and not self.done:
            if sent in self.pauses and sent not in self.paused:
                self.paused.add(sent)
                self.waiting = self.pause_cycles
            if self.waiting:
                self.waiting -= 1
            elif not self.stalls or self.rng.random() >= STALL_SHARE:
                self.offered = True
                getattr(dut, f"{self.port}_tdata").value = self.beats[sent]
        getattr(dut, f"{self.port}_tvalid").value = int(self.offered)

    def look(self, dut: Any, cycle: int) -> None:
        """Note what the unit did at an edge."""
        if self.offered and int(getattr(dut, f"{self.port}_tready").value):
            self.cycles.append(cycle)
            self.offered = False


@dataclass(kw_only=True)
class Sink:
    """One output, where a unit has several: what it takes, and when.

    stalls: whether it pauses at random. hold: cycles in which it takes nothing at first.
    """

    rng: random.Random
    stalls: bool = False
    hold: int = 0
    ready: bool = False
    beats: list[int] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)

    def ask(self, cycle: int) -> bool:
        """Whether it takes a beat at the next edge."""
        self.ready = cycle >= self.hold and not (self.stalls and self.rng.random() < STALL_SHARE)
        return self.ready


async def meet(
    dut: Any,
    sources: Sequence[Source],
    sinks: Sequence[Sink],
    expected: int,
    *,
    linger: int = 40,
    timeout: int,
) -> list[int]:
    """Run until all is sent and each sink has `expected` beats, then linger to see no more come.

    Several sinks share the unit's output ports, the first has the least significant bits. timeout:
    cycles after which the run fails. Returns tlast of each beat, where the unit has one output.
    """
    where = f"seed={SEED} {PARAMETERS}"
    whole = len(sinks) == 1
    has_last = whole and hasattr(dut, "m_axis_tlast")
    width = 0 if whole else len(dut.m_axis_tdata) // len(sinks)
    last: list[int] = []
    cycle, extra = 0, 0
    while extra < linger:
        # Values set here are seen by the unit at the next edge.
        for source in sources:
            source.offer(dut)
        dut.m_axis_tready.value = sum(sink.ask(cycle) << i for i, sink in enumerate(sinks))
        await RisingEdge(dut.clk)
        cycle += 1
        for source in sources:
            source.look(dut, cycle)
        valid = int(dut.m_axis_tvalid.value)
        for i, sink in enumerate(sinks):
            if sink.ready and valid >> i & 1:
                data = int(dut.m_axis_tdata.value)
                sink.beats.append(data if whole else data >> i * width & (1 << width) - 1)
                sink.cycles.append(cycle)
                if has_last:
                    last.append(int(dut.m_axis_tlast.value))
        if all(source.done for source in sources) and all(len(s.beats) >= expected for s in sinks):
            extra += 1
        assert cycle < timeout + linger, (
            f"time-out after {cycle} cycles: {[len(s.cycles) for s in sources]} beats in, "
            f"{[len(s.beats) for s in sinks]} of {expected} out, {where}"
        )
    for source in sources:
        getattr(dut, f"{source.port}_tvalid").value = 0
    return last


async def exchange(
    dut: Any,
    beats: Sequence[int],
    expected: int | None,
    *,
    stall: str = "none",
    rng: random.Random,
    pauses: Sequence[int] = (),
    pause_cycles: int = 0,
    hold: int = 0,
    linger: int = 40,
    timeout: int = 0,
) -> Trace:
    """Send `beats`, take `expected` beats, then linger to see that no more come.

    expected None: stop once everything is sent, whatever came out (before a reset).

    stall: which sides pause at random. pauses, pause_cycles: as Source says. hold: as Sink says.
    timeout: cycles after which the run fails; 0 derives one from the counts.
    """
    wanted = expected or 0
    limit = timeout or 400 + 60 * (len(beats) + wanted) + pause_cycles * len(pauses) + hold
    source = Source(
        beats=beats, rng=rng, stalls=stall in ("input", "both"),
        pauses=pauses, pause_cycles=pause_cycles,
    )  # fmt: skip
    sink = Sink(rng=rng, stalls=stall in ("output", "both"), hold=hold)
    last = await meet(dut, [source], [sink], wanted, linger=linger, timeout=limit)
    assert expected is None or len(sink.beats) == expected, (
        f"{len(sink.beats)} beats, not {expected}, stall={stall} seed={SEED} {PARAMETERS}"
    )
    return Trace(beats=sink.beats, last=last, in_cycles=source.cycles, out_cycles=sink.cycles)


def check(trace: Trace, expected: Sequence[int], what: str) -> None:
    """Every beat in order; the message names the first that differs."""
    for index, (got, want) in enumerate(zip(trace.beats, expected, strict=True)):
        assert got == want, (
            f"{what}: beat {index} is {got:#x}, not {want:#x}; seed={SEED} {PARAMETERS}"
        )


async def passes(
    dut: Any,
    made: Made,
    what: str,
    *,
    rng: random.Random,
    verify: Callable[[Trace, Sequence[int], str], None] = check,
    **how: Any,
) -> Trace:
    """Exchange beats for what is expected of them, as `how` says, and check every one."""
    beats, expected = made
    trace = await exchange(dut, beats, len(expected), rng=rng, **how)
    verify(trace, expected, what)
    return trace


async def at_every_stall(dut: Any, make: Make, count: int, **how: Any) -> None:
    """So many frames each with stalls on no side, on either side and on both."""
    rng = random.Random(SEED)
    for stall in STALLS:
        await passes(dut, make(count, rng), f"stall {stall}", rng=rng, stall=stall, **how)


async def at_full_rate(dut: Any, make: Make, count: int, **how: Any) -> Trace:
    """So many frames without a stall, whose cycles the caller looks at."""
    rng = random.Random(SEED + 1)
    return await passes(dut, make(count, rng), "rate", rng=rng, **how)


async def after_resets(
    dut: Any,
    make: Make,
    cuts: Iterable[int],
    *,
    before: int,
    after: int,
    stall: str = "output",
    linger: Callable[[int], int] = lambda cut: 1,
    **how: Any,
) -> None:
    """Resets in mid-frame: after each so many whole frames come through as if nothing had been.

    cuts: beats of `before` frames that are sent before each reset; linger: cycles between.
    """
    rng = random.Random(SEED + 2)
    for cut in cuts:
        beats, _ = make(before, rng)
        await exchange(dut, beats[:cut], None, stall=stall, rng=rng, linger=linger(cut))
        await reset(dut)
        made = make(after, rng)
        await passes(dut, made, f"after a reset at beat {cut}", rng=rng, stall="both", **how)
