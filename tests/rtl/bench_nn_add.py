"""Bench of nn_add."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from streams import PARAMETERS as P
from streams import after_resets, at_every_stall, at_full_rate, pack, start


def pixels(count: int, rng: random.Random) -> tuple[list[int], list[int]]:
    """Random pixels as input beats, some with the largest and smallest sums, and those expected."""
    some = np.random.default_rng(rng.getrandbits(32))
    sides = []
    for width in (P["A_W"], P["B_W"]):
        x = some.integers(0, 1 << width, (count, P["CHANNELS"]))
        ends = some.random(x.shape) < 0.3
        sides.append(np.where(ends, np.where(x & 1, (1 << width) - 1, 0), x))
    y = P["START"] + P["A_GAIN"] * sides[0] + P["B_GAIN"] * sides[1]
    x = np.stack(sides, axis=-1).reshape(count, -1)
    return [pack(p, P["IN_W"]) for p in x], [pack(p, P["OUT_W"]) for p in y]


@cocotb.test()
async def values(dut: Any) -> None:
    await start(dut)
    await at_every_stall(dut, pixels, 200)


@cocotb.test()
async def rate(dut: Any) -> None:
    await start(dut)
    trace = await at_full_rate(dut, pixels, 200)
    assert trace.out_cycles[-1] - trace.in_cycles[0] == len(trace.beats), "a beat per cycle"


@cocotb.test()
async def reset_with_a_pixel_inside(dut: Any) -> None:
    await start(dut)
    await after_resets(dut, pixels, [1], before=1, after=5)
