"""Bench of nn_sumpool."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from streams import PARAMETERS as P
from streams import after_resets, at_every_stall, at_full_rate, pack, start

from finn_build.network.layers.sum_pool import LATENCY, sums

SIZE = (P["HEIGHT"], P["WIDTH"], P["CHANNELS"])
BEATS = P["HEIGHT"] * P["WIDTH"] // P["PIXELS"] * P["PARTS"]
KERNEL = (P["KERNEL_H"], P["KERNEL_W"])
SQUARES = max(1, P["PIXELS"] // P["KERNEL_W"])
LANES = P["CHANNELS"] // P["PARTS"]


def frames(count: int, rng: random.Random) -> list[list[int]]:
    """Random frames as input beats, one with the largest sums, and the beats expected for them."""
    x = np.random.default_rng(rng.getrandbits(32)).integers(0, 1 << P["ELEM_W"], (count, *SIZE))
    x[count // 2] = (1 << P["ELEM_W"]) - 1
    y = sums(x, kernel=KERNEL)
    return [
        [pack(beat, width) for beat in each.reshape(-1, pixels * LANES)]
        for each, width, pixels in ((x, P["ELEM_W"], P["PIXELS"]), (y, P["OUT_W"], SQUARES))
    ]


@cocotb.test()
async def values(dut: Any) -> None:
    await start(dut)
    await at_every_stall(dut, frames, 8)


@cocotb.test()
async def rate(dut: Any) -> None:
    await start(dut)
    trace = await at_full_rate(dut, frames, 6)
    taken = trace.in_cycles[-1] - trace.in_cycles[0] + 1
    assert taken == 6 * BEATS, f"{taken} cycles for {6 * BEATS} beats"
    pixel = (P["KERNEL_H"] - 1) * P["WIDTH"] + P["KERNEL_W"] - 1
    beat = pixel // P["PIXELS"] * P["PARTS"]
    assert trace.out_cycles[0] - trace.in_cycles[beat] == LATENCY, "after the last pixel"


@cocotb.test()
async def reset_in_frame(dut: Any) -> None:
    await start(dut)
    cuts = range(1, BEATS + 1, max(1, BEATS // 6))
    await after_resets(dut, frames, cuts, before=1, after=2)
