"""Bench of nn_residual."""

from __future__ import annotations

import random
from math import ceil
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge, Timer
from streams import CASE, SEED, Sink, Source, meet, pack, reset, start
from streams import PARAMETERS as P

PORTS = ("a_axis", "b_axis")
THRESHOLDS = np.array(CASE["thresholds"])  # (ROWS, codes or 1, thresholds)
ADDS = P["SKIP_GAIN"] != 0
GROUPS = P["ROWS"] // P["PE"]
# What the module's head says.
LATENCY = 6 + ceil(P["THRESHOLDS"] / ceil(P["THRESHOLDS"] / P["SPACING"]))
# Beats behind the schedule, and of each input before it.
RESERVED, AHEAD = 32, 2


def vectors(count: int, rng: random.Random, stalls: int = 0) -> tuple[list[Source], list[int]]:
    """Random vectors as beats of both inputs, and the beats expected of them.

    stalls: bit 0 is a's, bit 1 is b's. Half of the accumulators are at a threshold of their row and
    code or just below; the highest is one less than what none reaches.
    """
    some = np.random.default_rng(rng.getrandbits(32))
    half, shape = 1 << (P["ACC_W"] - 1), (count, P["ROWS"])
    rows = np.arange(P["ROWS"])
    lift = P["SKIP_SIGNED"] << (P["CODE_W"] - 1)
    code = some.integers(0, 1 << P["CODE_W"], shape) - lift
    acc = some.integers(-half, half - 1, shape)
    chosen = 0 if ADDS else code
    near = THRESHOLDS[rows, chosen, some.integers(0, P["THRESHOLDS"], shape)]
    if ADDS:
        near = (near - P["SKIP_GAIN"] * code) // P["ACC_GAIN"]
    acc = np.where(some.random(shape) < 0.5, near - some.integers(0, 2, shape), acc)
    acc = np.clip(acc, -half, half - 2)
    total = P["ACC_GAIN"] * acc + P["SKIP_GAIN"] * code if ADDS else acc
    count_of = (THRESHOLDS[rows, chosen] <= total[..., None]).sum(axis=-1)
    a, b, y = (
        [pack(beat, width) for beat in each.reshape(-1, P["PE"])]
        for each, width in ((acc, P["ACC_W"]), (code, P["CODE_W"]), (count_of, P["OUT_W"]))
    )
    inputs = [
        Source(port=port, beats=beats, rng=rng, stalls=bool(stalls >> i & 1))
        for i, (port, beats) in enumerate(zip(PORTS, (a, b), strict=True))
    ]
    return inputs, y


def beats(least: int) -> int:
    """Vectors that have so many beats or some more."""
    return ceil(least / GROUPS)


async def counts(dut: Any, made: tuple[list[Source], list[int]], sink: Sink) -> None:
    """Run until all beats are through, and check each."""
    inputs, expected = made
    limit = 400 + sink.hold + (60 + P["SPACING"]) * len(expected)
    await meet(dut, inputs, [sink], len(expected), timeout=limit)
    assert sink.beats == expected, f"seed={SEED} {P}"


@cocotb.test()
async def values(dut: Any) -> None:
    """Stalls on any of the ports."""
    rng = random.Random(SEED)
    await start(dut, PORTS)
    for stalls in range(8):
        made = vectors(beats(100), rng, stalls)
        await counts(dut, made, Sink(rng=rng, stalls=stalls > 3))


@cocotb.test()
async def rate(dut: Any) -> None:
    """A beat every SPACING cycles, also from a vector to the next, so many cycles after it came."""
    rng = random.Random(SEED)
    await start(dut, PORTS)
    made, sink = vectors(beats(60), rng), Sink(rng=rng)
    await counts(dut, made, sink)
    first = made[0][0].cycles[0] + LATENCY
    assert made[0][1].cycles[0] + LATENCY == first
    assert sink.cycles == [first + i * P["SPACING"] for i in range(len(sink.beats))]


@cocotb.test()
async def latency(dut: Any) -> None:
    """The same for each beat that comes after a pause."""
    rng = random.Random(SEED)
    await start(dut, PORTS)
    made, sink = vectors(beats(12), rng), Sink(rng=rng)
    for source in made[0]:
        source.pauses, source.pause_cycles = range(len(source.beats)), P["SPACING"] + 1
    await counts(dut, made, sink)
    assert all(sink.cycles == [c + LATENCY for c in source.cycles] for source in made[0])


@cocotb.test()
async def consumer_waits(dut: Any) -> None:
    """More results than fit into the unit, and nobody takes them: it waits and loses nothing."""
    rng = random.Random(SEED + 3)
    await start(dut, PORTS)
    made = vectors(beats(60), rng)
    hold = 100 + 60 * P["SPACING"]
    await counts(dut, made, Sink(rng=rng, hold=hold))
    for source in made[0]:
        assert len([c for c in source.cycles if c <= hold]) == RESERVED + AHEAD


@cocotb.test()
async def one_is_late(dut: Any) -> None:
    """An input is two beats ahead of the other, and no more."""
    rng = random.Random(SEED)
    await start(dut, PORTS)
    for late in range(2):
        made = vectors(beats(20), rng)
        made[0][late].pauses, made[0][late].pause_cycles = (0,), 50
        sink = Sink(rng=rng)
        await counts(dut, made, sink)
        ahead = [c for c in made[0][1 - late].cycles if c <= 50]
        assert len(ahead) == AHEAD, f"{PORTS[late]} is late"
        assert sink.cycles[0] == 51 + LATENCY


@cocotb.test()
async def no_ready_to_ready(dut: Any) -> None:
    """What the consumer or an input does within a cycle reaches the producers in the next one."""
    rng = random.Random(SEED)
    await start(dut, PORTS)
    for _ in range(40):
        seen = set()
        for state in (0, 7, rng.randrange(8), rng.randrange(8)):
            dut.m_axis_tready.value = state & 1
            dut.a_axis_tvalid.value, dut.b_axis_tvalid.value = state >> 1 & 1, state >> 2
            await Timer(1, "ns")
            ports = (dut.a_axis_tready, dut.b_axis_tready, dut.m_axis_tvalid)
            seen.add(tuple(int(port.value) for port in ports))
        assert len(seen) == 1, f"{seen}, seed={SEED} {P}"
        await RisingEdge(dut.clk)


@cocotb.test()
async def reset_in_vector(dut: Any) -> None:
    """After a reset the first beat is the first row group's, and may come at once."""
    rng = random.Random(SEED + 1)
    await start(dut, PORTS)
    for cut in range(1, 8):
        inputs, _ = vectors(beats(cut), rng, 3)
        for source in inputs:
            source.beats = source.beats[:cut]
        await meet(dut, inputs, [Sink(rng=rng)], 0, linger=cut, timeout=400 + cut * P["SPACING"])
        await reset(dut, ports=PORTS)
        await counts(dut, vectors(beats(6), rng, 3), Sink(rng=rng, stalls=True))
