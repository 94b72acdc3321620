"""Bench of nn_window."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from streams import PARAMETERS as P
from streams import SEED, Trace, after_resets, at_every_stall, at_full_rate, pack, passes, start

from finn_build.network.layers import Window

SIZE = (P["HEIGHT"], P["WIDTH"], P["CHANNELS"])
PIXELS = P["PIXELS"]
LINE = P["WIDTH"] // PIXELS
BEATS = P["HEIGHT"] * LINE
WINDOW = Window(
    name="w", height=SIZE[0], width=SIZE[1], channels=SIZE[2], bits=P["ELEM_W"],
    kernel=(P["KERNEL_H"], P["KERNEL_W"]), stride=(P["STRIDE_H"], P["STRIDE_W"]),
    pad=(P["PAD_TOP"], P["PAD_LEFT"], P["PAD_BOTTOM"], P["PAD_RIGHT"]), fill=P["FILL"],
    groups=P["GROUPS"],
)  # fmt: skip
# Beats that the first windows need before the one that they begin in, and cycles of a frame.
LAG = WINDOW.lag(PIXELS)
ROWS, COLS = WINDOW.grid(PIXELS)
CYCLES = ROWS * COLS


def reached(trace: Trace, place: int) -> int:
    """The cycle, at the earliest, in which a place of the frames' grid is pushed.

    One without a pixel is pushed so many cycles after the last one that has a pixel.
    """
    frame, (row, col) = place // CYCLES, divmod(place % CYCLES, COLS)
    last = (min(row, P["HEIGHT"] - 1), LINE - 1 if row >= P["HEIGHT"] else min(col, LINE - 1))
    after = (row - last[0]) * COLS + col - last[1]
    return trace.in_cycles[frame * BEATS + last[0] * LINE + last[1]] + after


def frames(count: int, rng: random.Random) -> list[list[int]]:
    """Random frames as input beats, and the beats expected for them."""
    x = np.random.default_rng(rng.getrandbits(32)).integers(0, 1 << P["ELEM_W"], (count, *SIZE))
    y = WINDOW.compute(x)
    return [
        [pack(beat, P["ELEM_W"]) for beat in each.reshape(-1, PIXELS * each.shape[-1])]
        for each in (x, y)
    ]


async def begin(dut: Any, *, frames: int = 0) -> None:
    """Start; of `frames` that follow each other closely, one more has begun than has come."""
    dut.begun.value = 0
    await start(dut)
    cocotb.start_soon(count_frames(dut, frames))


async def count_frames(dut: Any, frames: int) -> None:
    taken = 0
    while True:
        await RisingEdge(dut.clk)
        if not int(dut.rst_n.value):
            taken = 0
        elif int(dut.s_axis_tvalid.value) and int(dut.s_axis_tready.value):
            taken += 1
        come = -(-taken // BEATS)
        dut.begun.value = max(come, min(frames, come + 1)) % 256


@cocotb.test()
async def values(dut: Any) -> None:
    await begin(dut)
    await at_every_stall(dut, frames, 5)


@cocotb.test()
async def rate(dut: Any) -> None:
    await begin(dut)
    trace = await at_full_rate(dut, frames, 4)
    per_frame = len(trace.beats) // 4
    period = trace.out_cycles[2 * per_frame] - trace.out_cycles[per_frame]
    if P["PROMPT"]:
        taken = trace.in_cycles[-1] - trace.in_cycles[0] + 1
        beyond = (ROWS - P["HEIGHT"]) * COLS + COLS - LINE
        assert taken == 4 * CYCLES - beyond, f"{taken} cycles for 4 frames"
        assert period == CYCLES, f"{period} cycles per frame of {CYCLES}"
    assert period <= 2 * CYCLES, f"{period} cycles per frame of {CYCLES}"
    assert trace.out_cycles[0] - reached(trace, LAG) == 2, "latency after the last pixel needed"


@cocotb.test()
async def pause_between_frames(dut: Any) -> None:
    """A frame leaves the unit even if no other follows; one that comes while it drains waits."""
    rng = random.Random(SEED + 2)
    await begin(dut)
    for pause in range(1, 2 * P["WIDTH"] + 4):
        await passes(
            dut, frames(3, rng), f"pause {pause}", rng=rng, stall="output" if pause % 2 else "none",
            pauses=(BEATS, 2 * BEATS), pause_cycles=pause, linger=5,
        )  # fmt: skip


@cocotb.test()
async def slow_frames_that_follow(dut: Any) -> None:
    """The tail waits for the next frame's pixels instead of being drained and leaving a gap."""
    rng = random.Random(SEED + 4)
    await begin(dut, frames=3)
    slow = {"pauses": range(3 * BEATS), "pause_cycles": 3}
    trace = await passes(dut, frames(3, rng), "slow", rng=rng, **slow)
    down, right = WINDOW.out_height - 1, WINDOW.out_width // PIXELS - 1
    last = down * P["STRIDE_H"] * COLS + right * P["STRIDE_W"] + LAG
    for frame in range(2):
        left = trace.out_cycles[(frame + 1) * len(trace.beats) // 3 - 1]
        assert left == reached(trace, frame * CYCLES + last) + 2, f"tail of frame {frame}"


@cocotb.test()
async def reset_in_frame(dut: Any) -> None:
    await begin(dut)
    cuts = range(1, BEATS, max(1, BEATS // 5))
    await after_resets(dut, frames, cuts, before=1, after=2)
