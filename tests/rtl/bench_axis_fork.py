"""Bench of axis_fork."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, Timer
from streams import PARAMETERS as P
from streams import SEED, Sink, Source, meet, reset, start

OUTPUTS = P["OUTPUTS"]
EVERY = (1 << OUTPUTS) - 1


async def forks(
    dut: Any, count: int, rng: random.Random, stalls: int, holds: tuple[int, ...] = ()
) -> tuple[Source, list[Sink]]:
    """Send random beats and check that every output has them all; stalls: bit 0 is the input's."""
    beats = [rng.getrandbits(P["DATA_W"]) for _ in range(count)]
    source = Source(beats=beats, rng=rng, stalls=bool(stalls & 1))
    sinks = [Sink(rng=rng, stalls=bool(stalls >> 1 + i & 1)) for i in range(OUTPUTS)]
    for sink, hold in zip(sinks, holds, strict=False):
        sink.hold = hold
    await meet(dut, [source], sinks, count, timeout=400 + 60 * count)
    for i, sink in enumerate(sinks):
        assert sink.beats == beats, f"output {i}, stalls {stalls:b}, seed={SEED} {P}"
    return source, sinks


@cocotb.test()
async def values(dut: Any) -> None:
    """Stalls on any of the ports."""
    rng = random.Random(SEED)
    await start(dut)
    for stalls in range(2 << OUTPUTS):
        await forks(dut, 100, rng, stalls)


@cocotb.test()
async def rate(dut: Any) -> None:
    """A beat in every cycle, which leaves a cycle after it came."""
    await start(dut)
    source, sinks = await forks(dut, 60, random.Random(SEED), 0)
    assert source.cycles[-1] - source.cycles[0] == 59
    assert all(sink.cycles == [cycle + 1 for cycle in source.cycles] for sink in sinks)


@cocotb.test()
async def own_time(dut: Any) -> None:
    """While one output waits, each other takes one beat more than it has, and two are inside."""
    await start(dut)
    source, (late, *others) = await forks(dut, 20, random.Random(SEED), 0, holds=(50,))
    assert [len([c for c in sink.cycles if c <= 50]) for sink in others] == [1] * (OUTPUTS - 1)
    assert len([c for c in source.cycles if c <= 50]) == 2
    assert late.cycles[0] == 51


@cocotb.test()
async def no_ready_to_ready(dut: Any) -> None:
    """What the consumers do within a cycle reaches neither the producer nor each other."""
    rng = random.Random(SEED)
    await start(dut)
    dut.s_axis_tvalid.value = 1
    for _ in range(40):
        seen = set()
        for ready in (0, EVERY, rng.randrange(EVERY + 1)):
            dut.m_axis_tready.value = ready
            await Timer(1, "ns")
            seen.add((int(dut.s_axis_tready.value), int(dut.m_axis_tvalid.value)))
        assert len(seen) == 1, f"{seen}, seed={SEED} {P}"
        await RisingEdge(dut.clk)


@cocotb.test()
async def reset_in_stream(dut: Any) -> None:
    rng = random.Random(SEED + 1)
    await start(dut)
    for cut in range(1, 8):
        beats = [rng.getrandbits(P["DATA_W"]) for _ in range(cut)]
        sinks = [Sink(rng=rng, stalls=True) for _ in range(OUTPUTS)]
        await meet(dut, [Source(beats=beats, rng=rng)], sinks, 0, linger=1, timeout=400)
        await reset(dut)
        await forks(dut, 6, rng, EVERY << 1)
