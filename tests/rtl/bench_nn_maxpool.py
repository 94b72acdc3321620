"""Bench of nn_maxpool."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from streams import PARAMETERS as P
from streams import after_resets, at_every_stall, at_full_rate, pack, start

from finn_build.network.layers.max_pool import maxima

SIZE = (P["HEIGHT"], P["WIDTH"], P["CHANNELS"])
BEATS = P["HEIGHT"] * P["WIDTH"] // P["PIXELS"]
KERNEL = (P["KERNEL_H"], P["KERNEL_W"])
SQUARES = max(1, P["PIXELS"] // P["KERNEL_W"])


def frames(count: int, rng: random.Random) -> list[list[int]]:
    """Random frames as input beats, and the beats expected for them."""
    x = np.random.default_rng(rng.getrandbits(32)).integers(0, 1 << P["ELEM_W"], (count, *SIZE))
    y = maxima(x, kernel=KERNEL, stride=KERNEL)
    return [
        [pack(beat, P["ELEM_W"]) for beat in each.reshape(-1, pixels * P["CHANNELS"])]
        for each, pixels in ((x, P["PIXELS"]), (y, SQUARES))
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
    square = ((P["KERNEL_H"] - 1) * P["WIDTH"] + P["KERNEL_W"] - 1) // P["PIXELS"]
    latency = 2 + (P["PIXELS"] > SQUARES)
    assert trace.out_cycles[0] - trace.in_cycles[square] == latency, "after the last pixel"


@cocotb.test()
async def reset_in_frame(dut: Any) -> None:
    await start(dut)
    cuts = range(1, BEATS + 1, max(1, BEATS // 6))
    await after_resets(dut, frames, cuts, before=1, after=2)
