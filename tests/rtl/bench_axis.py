"""Bench of the stream cells: skid buffer, FIFO and width converter."""

from __future__ import annotations

import math
import random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from streams import (
    CASE,
    SEED,
    after_resets,
    at_every_stall,
    at_full_rate,
    pack,
    passes,
    start,
    unpack,
)
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
    await start(dut)
    await at_every_stall(dut, elements, 150)


@cocotb.test()
async def rate(dut: Any) -> None:
    """The narrower side transfers in every cycle."""
    await start(dut)
    trace = await at_full_rate(dut, elements, 100)
    cycles = max(trace.out_cycles, trace.in_cycles, key=len)
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
    await passes(dut, ([], expected), "capacity", rng=random.Random(SEED))


@cocotb.test(skip=IS_WIRE)
async def reset_in_stream(dut: Any) -> None:
    await start(dut)
    await after_resets(dut, elements, range(1, 12), before=12, after=5, stall="both")
