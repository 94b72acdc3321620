"""Bench of nn_lookup."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from streams import CASE, SEED, STALLS, check, exchange, pack, reset, start
from streams import PARAMETERS as P

from finn_build.network.layers.lookup import look_up

TABLES = np.array(CASE["tables"])


def pixels(count: int, rng: random.Random) -> tuple[list[int], list[int]]:
    """Random pixels as input beats, and the beats expected for them."""
    shape = (1, 1, count, P["CHANNELS"])
    x = np.random.default_rng(rng.getrandbits(32)).integers(0, 1 << P["IN_W"], shape)
    y = look_up(x, TABLES)
    return [pack(p, P["IN_W"]) for p in x[0, 0]], [pack(p, P["OUT_W"]) for p in y[0, 0]]


@cocotb.test()
async def values(dut: Any) -> None:
    rng = random.Random(SEED)
    await start(dut)
    for stall in STALLS:
        beats, expected = pixels(300, rng)
        trace = await exchange(dut, beats, len(expected), stall=stall, rng=rng)
        check(trace, expected, f"stall {stall}")
        if stall == "none":
            assert trace.out_cycles[-1] - trace.in_cycles[0] == len(beats), "a beat per cycle"


@cocotb.test()
async def reset_with_a_pixel_inside(dut: Any) -> None:
    rng = random.Random(SEED + 1)
    await start(dut)
    beats, _ = pixels(1, rng)
    await exchange(dut, beats, None, stall="output", rng=rng, linger=1)
    await reset(dut)
    beats, expected = pixels(5, rng)
    check(await exchange(dut, beats, len(expected), stall="both", rng=rng), expected, "reset")
