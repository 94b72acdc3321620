"""Bench of mem_rom."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from streams import CASE, SEED
from streams import PARAMETERS as P


@cocotb.test()
async def words(dut: Any) -> None:
    rng = random.Random(SEED)
    Clock(dut.clk, 10, unit="ns").start()
    latency = 1 + P["OUT_REG"]
    addresses = [*range(P["DEPTH"]), *(rng.randrange(P["DEPTH"]) for _ in range(50))]
    asked: list[int] = []
    for address in [*addresses, *[0] * (latency + 1)]:
        dut.addr.value = address
        await RisingEdge(dut.clk)
        # Sampled before the edge takes effect: what was asked `latency` edges ago.
        if len(asked) >= latency:
            at = asked[-latency]
            got, want = int(dut.dout.value), CASE["words"][at]
            assert got == want, f"word {at} is {got:#x}, not {want:#x}; seed={SEED} {P}"
        asked.append(address)
