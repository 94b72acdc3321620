"""Bench of nn_lookup."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from streams import CASE, after_resets, at_every_stall, at_full_rate, pack, start
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
    await start(dut)
    await at_every_stall(dut, pixels, 300)


@cocotb.test()
async def rate(dut: Any) -> None:
    await start(dut)
    trace = await at_full_rate(dut, pixels, 300)
    assert trace.out_cycles[-1] - trace.in_cycles[0] == len(trace.beats), "a beat per cycle"


@cocotb.test()
async def reset_with_a_pixel_inside(dut: Any) -> None:
    await start(dut)
    await after_resets(dut, pixels, [1], before=1, after=5)
