"""Bench of nn_swu."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import cocotb
import numpy as np
from streams import PARAMETERS as P
from streams import SEED, STALLS, check, exchange, pack, reset, start

from finn_build.network.layers.window import windows

SIZE = (P["HEIGHT"], P["WIDTH"], P["CHANNELS"])
PIECES = P["CHANNELS"] // P["SIMD"]
BEATS_IN = P["HEIGHT"] * P["WIDTH"] * PIECES
WINDOW = P["KERNEL"] ** 2 * PIECES
BEATS_OUT = P["HEIGHT"] * P["WIDTH"] * P["REPEAT"] * WINDOW
# The padding over and left of a frame's first pixel does not wait for it.
AHEAD = P["PAD"] * (P["KERNEL"] + 1) * PIECES
FILL = pack([P["FILL"]] * P["SIMD"], P["ELEM_W"])


def frames(count: int, rng: random.Random, *, first: bool = True) -> tuple[list[int], list[int]]:
    """Random frames as input beats, and the beats expected for them.

    Those ahead of the next frame belong to them; the first frames after a reset have their own too.
    """
    x = np.random.default_rng(rng.getrandbits(32)).integers(0, 1 << P["ELEM_W"], (count, *SIZE))
    shape = {"kernel": (P["KERNEL"],) * 2, "stride": (1, 1), "pad": (P["PAD"],) * 4}
    y = windows(x, **shape, fill=P["FILL"])
    pieces = np.repeat(y.reshape(-1, WINDOW * P["SIMD"]), P["REPEAT"], axis=0)
    beats = [pack(piece, P["ELEM_W"]) for piece in x.reshape(-1, P["SIMD"])]
    made = [pack(piece, P["ELEM_W"]) for piece in pieces.reshape(-1, P["SIMD"])]
    return beats, [*(made if first else made[AHEAD:]), *[FILL] * AHEAD]


@cocotb.test()
async def values(dut: Any) -> None:
    rng = random.Random(SEED)
    await start(dut)
    for stall in STALLS:
        beats, expected = frames(4, rng, first=stall == STALLS[0])
        trace = await exchange(dut, beats, len(expected), stall=stall, rng=rng)
        check(trace, expected, f"stall {stall}")


@cocotb.test()
async def rate(dut: Any) -> None:
    """There is a beat in every cycle, over the ends of windows, rows and frames."""
    rng = random.Random(SEED + 1)
    await start(dut)
    beats, expected = frames(4, rng)
    trace = await exchange(dut, beats, len(expected), rng=rng)
    check(trace, expected, "rate")
    period = trace.out_cycles[3 * BEATS_OUT - 1] - trace.out_cycles[2 * BEATS_OUT - 1]
    assert period == BEATS_OUT, f"{period} cycles per frame"


@cocotb.test()
async def latency(dut: Any) -> None:
    """A beat that is waited for leaves two cycles after it came."""
    rng = random.Random(SEED + 2)
    await start(dut)
    beats, expected = frames(1, rng)
    apart = 2 * P["REPEAT"] * WINDOW + 10
    trace = await exchange(
        dut, beats, len(expected), rng=rng, pauses=range(1, len(beats)), pause_cycles=apart
    )
    check(trace, expected, "slow pixels")
    waited = [b for a, b in pairwise(trace.out_cycles) if b - a > apart // 2]
    assert len(waited) >= P["HEIGHT"] - P["PAD"]
    assert {cycle - 2 for cycle in waited} <= set(trace.in_cycles)


@cocotb.test()
async def reset_in_frame(dut: Any) -> None:
    rng = random.Random(SEED + 3)
    await start(dut)
    for cut in range(1, BEATS_IN, max(1, BEATS_IN // 5)):
        beats, _ = frames(1, rng)
        await exchange(dut, beats[:cut], None, stall="output", rng=rng, linger=1)
        await reset(dut)
        beats, expected = frames(2, rng)
        trace = await exchange(dut, beats, len(expected), stall="both", rng=rng)
        check(trace, expected, f"after a reset at beat {cut}")
