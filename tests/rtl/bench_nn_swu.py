"""Bench of nn_swu."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import cocotb
import numpy as np
from streams import PARAMETERS as P
from streams import SEED, STALLS, after_resets, at_full_rate, pack, passes, start

from finn_build.network.layers.window import windows

SIZE = (P["HEIGHT"], P["WIDTH"], P["CHANNELS"])
PIECES = P["CHANNELS"] // P["SIMD"]
BEATS_IN = P["HEIGHT"] * P["WIDTH"] * PIECES
WINDOW = P["KERNEL"] ** 2 * PIECES
BEATS_OUT = P["HEIGHT"] * P["WIDTH"] * P["REPEAT"] * WINDOW
# The padding over and left of a frame's first pixel does not wait for it.
AHEAD = P["PAD"] * (P["KERNEL"] + 1) * PIECES // P["BLOCKS"]
FILL = pack([P["FILL"]] * P["SIMD"], P["ELEM_W"])


def frames(count: int, rng: random.Random, *, first: bool = True) -> tuple[list[int], list[int]]:
    """Random frames as input beats, and the beats expected for them.

    Those ahead of the next frame belong to them; the first frames after a reset have their own too.
    """
    x = np.random.default_rng(rng.getrandbits(32)).integers(0, 1 << P["ELEM_W"], (count, *SIZE))
    shape = {"kernel": (P["KERNEL"],) * 2, "stride": (1, 1), "pad": (P["PAD"],) * 4}
    y = windows(x, **shape, fill=P["FILL"], groups=P["BLOCKS"])
    pieces = np.repeat(y.reshape(-1, WINDOW * P["SIMD"] // P["BLOCKS"]), P["REPEAT"], axis=0)
    beats = [pack(piece, P["ELEM_W"]) for piece in x.reshape(-1, P["SIMD"])]
    made = [pack(piece, P["ELEM_W"]) for piece in pieces.reshape(-1, P["SIMD"])]
    return beats, [*(made if first else made[AHEAD:]), *[FILL] * AHEAD]


@cocotb.test()
async def values(dut: Any) -> None:
    rng = random.Random(SEED)
    await start(dut)
    for stall in STALLS:
        made = frames(4, rng, first=stall == STALLS[0])
        await passes(dut, made, f"stall {stall}", stall=stall, rng=rng)


@cocotb.test()
async def rate(dut: Any) -> None:
    """There is a beat in every cycle, over the ends of windows, rows and frames."""
    await start(dut)
    trace = await at_full_rate(dut, frames, 4)
    period = trace.out_cycles[3 * BEATS_OUT - 1] - trace.out_cycles[2 * BEATS_OUT - 1]
    assert period == BEATS_OUT, f"{period} cycles per frame"


@cocotb.test()
async def latency(dut: Any) -> None:
    """A beat that is waited for leaves two cycles after it came."""
    rng = random.Random(SEED + 2)
    await start(dut)
    apart = 2 * P["REPEAT"] * WINDOW + 10
    slow = {"pauses": range(1, BEATS_IN), "pause_cycles": apart}
    trace = await passes(dut, frames(1, rng), "slow pixels", rng=rng, **slow)
    waited = [b for a, b in pairwise(trace.out_cycles) if b - a > apart // 2]
    assert len(waited) >= P["HEIGHT"] - P["PAD"]
    assert {cycle - 2 for cycle in waited} <= set(trace.in_cycles)


@cocotb.test()
async def reset_in_frame(dut: Any) -> None:
    await start(dut)
    cuts = range(1, BEATS_IN, max(1, BEATS_IN // 5))
    await after_resets(dut, frames, cuts, before=1, after=2)
