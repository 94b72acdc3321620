"""Bench of nn_mvtu."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from streams import CASE, SEED, after_resets, at_every_stall, at_full_rate, pack, passes, start
from streams import PARAMETERS as P

from finn_build.network.layers.matrix import matvec, threshold

WEIGHTS = np.array(CASE["weights"])
THRESHOLDS, BIAS = (
    None if CASE[key] is None else np.array(CASE[key]) for key in ("thresholds", "bias")
)
GROUPS = P["ROWS"] // P["PE"]
STEPS = GROUPS * P["COLS"] // P["SIMD"]
BEATS = STEPS if P["AGAIN"] else P["GROUPS"] * P["COLS"] // P["IN_ELEMS"]
# Groups of the vector that are worked on at once, and row groups that see the same ones.
LANES = max(1, P["PE"] * P["GROUPS"] // P["ROWS"])
TURNS = GROUPS * LANES // P["GROUPS"]


def vectors(count: int, rng: random.Random) -> tuple[list[int], list[int]]:
    """Random vectors as input beats, and the beats expected for them; two are extreme."""
    top = (1 << P["A_BITS"]) - 1
    size = (count, P["GROUPS"], P["COLS"])
    x = np.random.default_rng(rng.getrandbits(32)).integers(0, top + 1, size)
    x[0] = top
    x[-1] = top * (WEIGHTS[0] > 0)
    y = matvec(x.reshape(count, -1), WEIGHTS, BIAS, groups=P["GROUPS"])
    if THRESHOLDS is not None:
        y = threshold(y, THRESHOLDS)
    if P["AGAIN"]:
        pieces = x.reshape(count, -1, LANES, P["COLS"] // P["SIMD"], P["SIMD"])
        x = np.repeat(pieces.transpose(0, 1, 3, 2, 4), TURNS, axis=1)
    beats = [pack(beat, P["A_BITS"]) for beat in x.reshape(-1, P["IN_ELEMS"])]
    return beats, [pack(group, P["OUT_W"]) for group in y.reshape(-1, P["PE"])]


@cocotb.test()
async def values(dut: Any) -> None:
    await start(dut)
    await at_every_stall(dut, vectors, 20, timeout=400 + 4 * 20 * (STEPS + BEATS + GROUPS))


@cocotb.test()
async def consumer_waits(dut: Any) -> None:
    """More results than fit into the unit, and nobody takes them: it waits and loses nothing."""
    rng = random.Random(SEED + 3)
    await start(dut)
    count = 60 // GROUPS + 2
    hold = 2 * count * STEPS + 100
    made = vectors(count, rng)
    trace = await passes(dut, made, "consumer waits", rng=rng, hold=hold, timeout=2 * hold)
    assert trace.in_cycles[-1] >= hold, "no limit was reached"


@cocotb.test()
async def rate(dut: Any) -> None:
    """One weight word per cycle, without a gap between vectors."""
    await start(dut)
    trace = await at_full_rate(dut, vectors, 12, timeout=400 + 12 * STEPS)
    period = trace.out_cycles[11 * GROUPS] - trace.out_cycles[GROUPS]
    assert period == 10 * STEPS, f"{period} cycles for 10 vectors of {STEPS} steps"


@cocotb.test()
async def reset_in_vector(dut: Any) -> None:
    await start(dut)
    cuts = sorted({1, BEATS, BEATS + BEATS // 2 + 1})
    limit = 400 + 12 * (STEPS + BEATS + GROUPS)
    await after_resets(dut, vectors, cuts, before=3, after=3, linger=lambda cut: cut, timeout=limit)
