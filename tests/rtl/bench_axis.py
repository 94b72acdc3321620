"""Bench of the stream cells: skid buffer, FIFO and width converter."""

from __future__ import annotations

import math
import random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from streams import CASE, SEED, STALLS, check, exchange, pack, reset, start, unpack
from streams import PARAMETERS as P

ELEM_W = P.get("ELEM_W", P.get("DATA_W"))
IN_ELEMS = P.get("IN_ELEMS", 1)
OUT_ELEMS = P.get("OUT_ELEMS", 1)
WHOLE = math.lcm(IN_ELEMS, OUT_ELEMS)
IS_WIRE = "IN_ELEMS" in P and IN_ELEMS == OUT_ELEMS


def elements(groups: int, rng: random.Random) -> tuple[list[int], list[int]]:
    """Random elements, grouped for the input and for the output."""
    x = [rng.getrandbits(ELEM_W) for _ in range(groups * WHOLE)]
    beats = [pack(x[i : i + IN_ELEMS], ELEM_W) for i in range(0, len(x), IN_ELEMS)]
    expected = [pack(x[i : i + OUT_ELEMS], ELEM_W) for i in range(0, len(x), OUT_ELEMS)]
    assert [e for beat in expected for e in unpack(beat, ELEM_W, OUT_ELEMS)] == x
    return beats, expected


@cocotb.test()
async def values(dut: Any) -> None:
    rng = random.Random(SEED)
    await start(dut)
    for stall in STALLS:
        beats, expected = elements(150, rng)
        trace = await exchange(dut, beats, len(expected), stall=stall, rng=rng)
        check(trace, expected, f"stall {stall}")


@cocotb.test()
async def rate(dut: Any) -> None:
    """The narrower side transfers in every cycle."""
    rng = random.Random(SEED + 1)
    await start(dut)
    beats, expected = elements(100, rng)
    trace = await exchange(dut, beats, len(expected), rng=rng)
    check(trace, expected, "rate")
    cycles = trace.out_cycles if len(expected) >= len(beats) else trace.in_cycles
    assert cycles[-1] - cycles[0] == len(cycles) - 1, "the narrower side had to wait"


@cocotb.test(skip="capacity" not in CASE)
async def capacity(dut: Any) -> None:
    """With a consumer that never takes, exactly so many beats go in, and then come out."""
    await start(dut)
    dut.s_axis_tvalid.value = 1
    sent = 0
    for _ in range(4 * CASE["capacity"] + 10):
        dut.s_axis_tdata.value = sent & (1 << ELEM_W) - 1
        await RisingEdge(dut.clk)
        sent += int(dut.s_axis_tready.value)
    assert sent == CASE["capacity"], f"{sent} beats went in, not {CASE['capacity']}"
    expected = [i & (1 << ELEM_W) - 1 for i in range(sent)]
    dut.s_axis_tvalid.value = 0
    trace = await exchange(dut, [], sent, rng=random.Random(SEED))
    check(trace, expected, "capacity")


@cocotb.test(skip=IS_WIRE)
async def reset_in_stream(dut: Any) -> None:
    rng = random.Random(SEED + 2)
    await start(dut)
    for cut in range(1, 12):
        beats, _ = elements(12, rng)
        await exchange(dut, beats[:cut], None, stall="both", rng=rng, linger=1)
        await reset(dut)
        beats, expected = elements(5, rng)
        trace = await exchange(dut, beats, len(expected), stall="both", rng=rng)
        check(trace, expected, f"after a reset at beat {cut}")
