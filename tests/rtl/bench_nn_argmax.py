"""Bench of nn_argmax."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from streams import CASE, SEED, STALLS, Trace, check, exchange, pack, reset, start
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
    rng = random.Random(SEED)
    await start(dut)
    for stall in STALLS:
        beats, expected = frames(few(24), rng)
        trace = await exchange(dut, beats, len(expected), stall=stall, rng=rng)
        check_frames(trace, expected, f"stall {stall}")


@cocotb.test()
async def rate(dut: Any) -> None:
    rng = random.Random(SEED + 1)
    await start(dut)
    beats, expected = frames(few(12), rng)
    trace = await exchange(dut, beats, len(expected), rng=rng)
    check_frames(trace, expected, "rate")
    taken = trace.out_cycles[-1] - trace.out_cycles[0]
    assert taken == len(expected) - 1, f"{taken + 1} cycles for {len(expected)} beats"
    # A width converter has a register.
    late = trace.out_cycles[0] - trace.in_cycles[0] - CLASSES - (P["IN_ELEMS"] > 1) - 1
    assert late == CASE.get("latency", 0), f"the label comes {late} cycles late, {P}"


@cocotb.test()
async def reset_in_frame(dut: Any) -> None:
    rng = random.Random(SEED + 2)
    await start(dut)
    per_frame = CLASSES // P["IN_ELEMS"]
    cuts = range(1, 3 * per_frame + 1)
    for cut in sorted(rng.sample(cuts, min(len(cuts), 2 * few(24)))):
        beats, _ = frames(4, rng)
        await exchange(dut, beats[:cut], None, stall="output", rng=rng, linger=min(cut, 40))
        await reset(dut)
        beats, expected = frames(4, rng)
        trace = await exchange(dut, beats, len(expected), stall="both", rng=rng)
        check_frames(trace, expected, f"after a reset at beat {cut}")
