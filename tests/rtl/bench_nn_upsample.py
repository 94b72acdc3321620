"""Bench of nn_upsample."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from streams import PARAMETERS as P
from streams import after_resets, at_every_stall, at_full_rate, pack, start

UP = P["UP_H"] * P["UP_W"]


def rows(count: int, rng: random.Random) -> tuple[list[int], list[int]]:
    """Random rows as input beats, and the beats expected for them."""
    shape = (count, P["WIDTH"], P["CHANNELS"])
    x = np.random.default_rng(rng.getrandbits(32)).integers(0, 1 << P["ELEM_W"], shape)
    y = np.kron(x, np.ones((P["UP_H"], P["UP_W"], 1), np.int64))
    x, y = (pixels.reshape(-1, P["CHANNELS"]) for pixels in (x, y))
    return [pack(p, P["ELEM_W"]) for p in x], [pack(p, P["ELEM_W"]) for p in y]


@cocotb.test()
async def values(dut: Any) -> None:
    await start(dut)
    await at_every_stall(dut, rows, 12)


@cocotb.test()
async def rate(dut: Any) -> None:
    """A beat out per cycle; a row's pixels are taken one by one before the row is repeated."""
    await start(dut)
    trace = await at_full_rate(dut, rows, 9)
    first, across = trace.in_cycles[0], P["WIDTH"] * P["UP_W"]
    assert trace.out_cycles == [first + 1 + i for i in range(9 * P["WIDTH"] * UP)]
    assert trace.in_cycles == [
        first + row * across * P["UP_H"] + col * P["UP_W"]
        for row in range(9)
        for col in range(P["WIDTH"])
    ]


@cocotb.test()
async def reset_in_a_row(dut: Any) -> None:
    """After a reset the first pixel is a row's first, and is not a repetition."""
    await start(dut)
    await after_resets(dut, rows, [1, P["WIDTH"]], before=2, after=3)
