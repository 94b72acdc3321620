"""Bench of nn_argmax."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from streams import PARAMETERS as P
from streams import SEED, STALLS, Trace, check, exchange, pack, reset, start

from finn_build import golden

CLASSES = P["CLASSES"]


def frames(count: int, rng: random.Random) -> tuple[list[int], list[int]]:
    """Logits as input beats, and the beats expected; many frames hold ties and extremes."""
    high = 1 << P["LOGIT_W"] - 1
    generator = np.random.default_rng(rng.getrandbits(32))
    x = generator.integers(-high, high, (count, CLASSES))
    narrow = generator.integers(max(-high, -2), min(high, 3), (count, CLASSES))
    x[::2] = narrow[::2]
    x[1] = -high
    x[-1] = high - 1
    labels = golden.argmax(x)
    beats = [pack(beat, P["LOGIT_W"]) for beat in x.reshape(-1, P["IN_ELEMS"])]
    expected = np.concatenate([labels[:, None], x], axis=1).reshape(-1)
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
        beats, expected = frames(24, rng)
        trace = await exchange(dut, beats, len(expected), stall=stall, rng=rng)
        check_frames(trace, expected, f"stall {stall}")


@cocotb.test()
async def rate(dut: Any) -> None:
    rng = random.Random(SEED + 1)
    await start(dut)
    beats, expected = frames(12, rng)
    trace = await exchange(dut, beats, len(expected), rng=rng)
    check_frames(trace, expected, "rate")
    taken = trace.out_cycles[-1] - trace.out_cycles[0]
    assert taken == len(expected) - 1, f"{taken + 1} cycles for {len(expected)} beats"


@cocotb.test()
async def reset_in_frame(dut: Any) -> None:
    rng = random.Random(SEED + 2)
    await start(dut)
    per_frame = CLASSES // P["IN_ELEMS"]
    for cut in range(1, 3 * per_frame + 1):
        beats, _ = frames(3, rng)
        await exchange(dut, beats[:cut], None, stall="output", rng=rng, linger=cut)
        await reset(dut)
        beats, expected = frames(3, rng)
        trace = await exchange(dut, beats, len(expected), stall="both", rng=rng)
        check_frames(trace, expected, f"after a reset at beat {cut}")
