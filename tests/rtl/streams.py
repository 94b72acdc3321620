"""What the benches share on the simulator's side: clock, reset, and both ends of a stream."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from numpy.typing import NDArray

CASE: dict[str, Any] = json.loads(Path(os.environ["RTL_CASE"]).read_text())
PARAMETERS: dict[str, Any] = CASE["parameters"]
SEED: int = CASE["seed"]

STALLS = ("none", "input", "output", "both")
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


async def start(dut: Any) -> None:
    """Start the clock and reset the unit."""
    Clock(dut.clk, 10, unit="ns").start()
    dut.s_axis_tvalid.value = 0
    dut.s_axis_tdata.value = 0
    dut.m_axis_tready.value = 0
    await reset(dut)


async def reset(dut: Any, cycles: int = 3) -> None:
    """Hold reset for some cycles, with an input offered: nothing may come out of it."""
    dut.rst_n.value = 0
    dut.s_axis_tvalid.value = 0
    await RisingEdge(dut.clk)
    for _ in range(cycles):
        await RisingEdge(dut.clk)
        assert int(dut.m_axis_tvalid.value) == 0, "tvalid is high in reset"
    dut.rst_n.value = 1
    await RisingEdge(dut.clk)


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

    stall: which sides pause at random. pauses: indices of beats before which the sender waits
    `pause_cycles`. hold: cycles in which nothing is taken at first. timeout: cycles after which
    the run fails; 0 derives one from the counts.
    """
    stall_in = stall in ("input", "both")
    stall_out = stall in ("output", "both")
    wanted = expected or 0
    limit = timeout or 400 + 60 * (len(beats) + wanted) + pause_cycles * len(pauses) + hold
    trace = Trace()
    sent, offered, waiting, cycle, extra = 0, False, 0, 0, 0
    pause_at = set(pauses)
    ready = False
    has_last = hasattr(dut, "m_axis_tlast")
    where = f"stall={stall} seed={SEED} {PARAMETERS}"
    while extra < linger:
        # Values set here are seen by the unit at the next edge.
        if not offered and sent < len(beats):
            if sent in pause_at:
                pause_at.discard(sent)
                waiting = pause_cycles
            if waiting:
                waiting -= 1
            elif not stall_in or rng.random() >= STALL_SHARE:
                offered = True
                dut.s_axis_tdata.value = beats[sent]
        dut.s_axis_tvalid.value = int(offered)
        ready = cycle >= hold and (not stall_out or rng.random() >= STALL_SHARE)
        dut.m_axis_tready.value = int(ready)
        await RisingEdge(dut.clk)
        cycle += 1
        if offered and int(dut.s_axis_tready.value):
            trace.in_cycles.append(cycle)
            sent += 1
            offered = False
        if ready and int(dut.m_axis_tvalid.value):
            trace.beats.append(int(dut.m_axis_tdata.value))
            trace.out_cycles.append(cycle)
            if has_last:
                trace.last.append(int(dut.m_axis_tlast.value))
        if sent == len(beats) and len(trace.beats) >= wanted:
            extra += 1
        assert cycle < limit + linger, (
            f"time-out after {cycle} cycles: {sent}/{len(beats)} beats in, "
            f"{len(trace.beats)}/{wanted} out, {where}"
        )
    dut.s_axis_tvalid.value = 0
    assert expected is None or len(trace.beats) == expected, (
        f"{len(trace.beats)} beats, not {expected}, {where}"
    )
    return trace


def check(trace: Trace, expected: Sequence[int], what: str) -> None:
    """Every beat in order; the message names the first that differs."""
    for index, (got, want) in enumerate(zip(trace.beats, expected, strict=True)):
        assert got == want, (
            f"{what}: beat {index} is {got:#x}, not {want:#x}; seed={SEED} {PARAMETERS}"
        )
