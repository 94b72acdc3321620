"""Bench of axis_begun."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from streams import PARAMETERS as P
from streams import SEED, STALLS, passes, reset, start


@cocotb.test()
async def counts(dut: Any) -> None:
    """Beats pass as they are, and a frame counts from its first beat on, beyond 256 as well."""
    rng = random.Random(SEED)
    await start(dut)
    sent = 0
    for stall in STALLS:
        for count in (1, 3, 70 * P["FRAME"]):
            beats = [rng.getrandbits(P["DATA_W"]) for _ in range(count)]
            await passes(dut, (beats, beats), stall, stall=stall, rng=rng)
            sent += count
            assert int(dut.begun.value) == -(-sent // P["FRAME"]) % 256, f"after {sent} beats"
    await reset(dut)
    assert int(dut.begun.value) == 0
