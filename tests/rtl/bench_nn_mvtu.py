"""Bench of nn_mvtu."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from streams import CASE, SEED, STALLS, check, exchange, pack, reset, start
from streams import PARAMETERS as P

from finn_build.network.layers.matrix import matvec, threshold

WEIGHTS = np.array(CASE["weights"])
THRESHOLDS, BIAS = (
    None if CASE[key] is None else np.array(CASE[key]) for key in ("thresholds", "bias")
)
GROUPS = P["ROWS"] // P["PE"]
TIMES = GROUPS if P["AGAIN"] else 1
BEATS = TIMES * P["COLS"] // P["IN_ELEMS"]
STEPS = GROUPS * P["COLS"] // P["SIMD"]


def vectors(count: int, rng: random.Random) -> tuple[list[int], list[int]]:
    """Random vectors as input beats, and the beats expected for them; two are extreme."""
    top = (1 << P["A_BITS"]) - 1
    x = np.random.default_rng(rng.getrandbits(32)).integers(0, top + 1, (count, P["COLS"]))
    x[0] = top
    x[-1] = top * (WEIGHTS[0] > 0)
    y = matvec(x, WEIGHTS, BIAS)
    if THRESHOLDS is not None:
        y = threshold(y, THRESHOLDS)
    x = np.repeat(x, TIMES, axis=0)
    beats = [pack(beat, P["A_BITS"]) for beat in x.reshape(-1, P["IN_ELEMS"])]
    return beats, [pack(group, P["OUT_W"]) for group in y.reshape(-1, P["PE"])]


@cocotb.test()
async def values(dut: Any) -> None:
    rng = random.Random(SEED)
    await start(dut)
    for stall in STALLS:
        beats, expected = vectors(20, rng)
        limit = 400 + 4 * 20 * (STEPS + BEATS + GROUPS)
        trace = await exchange(dut, beats, len(expected), stall=stall, rng=rng, timeout=limit)
        check(trace, expected, f"stall {stall}")


@cocotb.test()
async def consumer_waits(dut: Any) -> None:
    """More results than fit into the unit, and nobody takes them: it waits and loses nothing."""
    rng = random.Random(SEED + 3)
    await start(dut)
    count = 60 // GROUPS + 2
    beats, expected = vectors(count, rng)
    hold = 2 * count * STEPS + 100
    trace = await exchange(dut, beats, len(expected), rng=rng, hold=hold, timeout=2 * hold)
    check(trace, expected, "consumer waits")
    assert len([c for c in trace.in_cycles if c < hold]) < len(beats), "no limit was reached"


@cocotb.test()
async def rate(dut: Any) -> None:
    """One weight word per cycle, without a gap between vectors."""
    rng = random.Random(SEED + 1)
    await start(dut)
    beats, expected = vectors(12, rng)
    trace = await exchange(dut, beats, len(expected), rng=rng, timeout=400 + 12 * STEPS)
    check(trace, expected, "rate")
    period = trace.out_cycles[11 * GROUPS] - trace.out_cycles[GROUPS]
    assert period == 10 * STEPS, f"{period} cycles for 10 vectors of {STEPS} steps"


@cocotb.test()
async def reset_in_vector(dut: Any) -> None:
    rng = random.Random(SEED + 2)
    await start(dut)
    for cut in {1, BEATS, BEATS + BEATS // 2 + 1}:
        beats, _ = vectors(3, rng)
        await exchange(dut, beats[:cut], None, stall="output", rng=rng, linger=cut, timeout=2000)
        await reset(dut)
        beats, expected = vectors(3, rng)
        limit = 400 + 12 * (STEPS + BEATS + GROUPS)
        trace = await exchange(dut, beats, len(expected), stall="both", rng=rng, timeout=limit)
        check(trace, expected, f"after a reset at beat {cut}")
