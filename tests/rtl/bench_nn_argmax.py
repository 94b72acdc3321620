"""Bench of nn_argmax."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from streams import (
    CASE,
    SEED,
    Trace,
    after_resets,
    at_every_stall,
    at_full_rate,
    check,
    pack,
    start,
)
from streams import PARAMETERS as P

from finn_build.network.layers import Argmax

CLASSES = P["CLASSES"]
NUMBERS = {
    name: None if CASE.get(name) is None else np.array(CASE[name], np.int64)
    for name in ("gains", "biases")
}
LAYER = Argmax(
    name="argmax", classes=CLASSES, bits=P["LOGIT_W"], floor=CASE.get("floor"), **NUMBERS
)


def few(most: int) -> int:
    """So many frames, or fewer of many classes."""
    return max(4, min(most, 3000 // CLASSES))


def frames(count: int, rng: random.Random) -> tuple[list[int], list[int]]:
    """Logits as input beats, and the beats expected; many frames hold ties and extremes."""
    high = 1 << P["LOGIT_W"] - 1
    generator = np.random.default_rng(rng.getrandbits(32))
    x = generator.integers(-high, high, (count, CLASSES))
    narrow = generator.integers(max(-high, -2), min(high, 3), (count, CLASSES))
    x[::2] = narrow[::2]
    x[1] = -high
    x[-1] = high - 1
    beats = [pack(beat, P["LOGIT_W"]) for beat in x.reshape(-1, P["IN_ELEMS"])]
    expected = LAYER.compute(x).reshape(-1)
    return beats, [int(value) & 0xFFFF_FFFF for value in expected]


def check_frames(trace: Trace, expected: list[int], what: str) -> None:
    check(trace, expected, what)
    last = [int(i % (CLASSES + 1) == CLASSES) for i in range(len(expected))]
    assert trace.last == last, f"{what}: tlast is wrong, seed={SEED}"


@cocotb.test()
async def values(dut: Any) -> None:
    await start(dut)
    await at_every_stall(dut, frames, few(24), verify=check_frames)


@cocotb.test()
async def rate(dut: Any) -> None:
    await start(dut)
    trace = await at_full_rate(dut, frames, few(12), verify=check_frames)
    taken = trace.out_cycles[-1] - trace.out_cycles[0] + 1
    assert taken == len(trace.beats), f"{taken} cycles for {len(trace.beats)} beats"
    # A width converter has a register.
    late = trace.out_cycles[0] - trace.in_cycles[0] - CLASSES - (P["IN_ELEMS"] > 1) - 1
    assert late == CASE.get("latency", 0), f"the label comes {late} cycles late, {P}"


@cocotb.test()
async def reset_in_frame(dut: Any) -> None:
    await start(dut)
    per_frame = CLASSES // P["IN_ELEMS"]
    cuts = range(1, 3 * per_frame + 1)
    some = sorted(random.Random(SEED).sample(cuts, min(len(cuts), 2 * few(24))))
    await after_resets(
        dut, frames, some, before=4, after=4, linger=lambda cut: min(cut, 40), verify=check_frames
    )
