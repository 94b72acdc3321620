"""Bench of nn_values."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from streams import PARAMETERS as P
from streams import SEED, Trace, after_resets, at_every_stall, at_full_rate, check, pack, start

from finn_build.network.layers import Values
from finn_build.network.layers.values import LATENCY

LAYER = Values(
    name="values",
    height=1,
    width=1,
    channels=P["VALUES"],
    bits=P["VALUE_W"],
    signed=bool(P["SIGNED"]),
    sizes=(P["VALUES"],),
)


def frames(count: int, rng: random.Random) -> tuple[list[int], list[int]]:
    """Values as input beats, the extremes among them, and the words expected."""
    low = -(1 << P["VALUE_W"] - 1) if LAYER.signed else 0
    high = low + (1 << P["VALUE_W"]) - 1
    draw = np.random.default_rng(rng.getrandbits(32))
    x = draw.integers(low, high, (count, P["VALUES"]), endpoint=True)
    x[0], x[-1] = low, high
    words = LAYER.compute(x).reshape(-1)
    return [pack([v], P["VALUE_W"]) for v in x.ravel()], [int(v) & 0xFFFF_FFFF for v in words]


def check_frames(trace: Trace, expected: list[int], what: str) -> None:
    check(trace, expected, what)
    last = [int(i % P["VALUES"] == P["VALUES"] - 1) for i in range(len(expected))]
    assert trace.last == last, f"{what}: tlast is wrong, seed={SEED}"


@cocotb.test()
async def values(dut: Any) -> None:
    await start(dut)
    await at_every_stall(dut, frames, 12, verify=check_frames)


@cocotb.test()
async def rate(dut: Any) -> None:
    await start(dut)
    trace = await at_full_rate(dut, frames, 12, verify=check_frames)
    assert trace.out_cycles[-1] - trace.in_cycles[0] == len(trace.beats) - 1 + LATENCY


@cocotb.test()
async def reset_in_frame(dut: Any) -> None:
    await start(dut)
    cuts = range(1, 2 * P["VALUES"] + 1)
    await after_resets(dut, frames, list(cuts), before=3, after=3, verify=check_frames)
