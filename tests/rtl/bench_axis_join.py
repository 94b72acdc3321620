"""Bench of axis_join, and of nn_join, which is one and wires."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, Timer
from streams import PARAMETERS as P
from streams import SEED, Sink, Source, meet, pack, reset, start, unpack

PORTS = ("a_axis", "b_axis")
ELEMS = (P.get("A_ELEMS", 1), P.get("B_ELEMS", 1))
WIDTHS = (P["A_W"], P["B_W"])


def joined(a: int, b: int) -> int:
    """The beat out of a beat of each input."""
    if "OUT_W" not in P:
        return b << P["A_W"] | a
    x, y = (unpack(*each) for each in zip((a, b), WIDTHS, ELEMS, strict=True))
    turns = [e for pair in zip(x, y, strict=True) for e in pair] if P["BY_TURNS"] else x + y
    return pack(turns, P["OUT_W"])


def sources(count: int, rng: random.Random, stalls: int) -> list[Source]:
    """Random beats for both inputs; stalls: bit 0 is a's, bit 1 is b's."""
    return [
        Source(
            port=port,
            beats=[rng.getrandbits(elems * width) for _ in range(count)],
            rng=rng,
            stalls=bool(stalls >> i & 1),
        )
        for i, (port, elems, width) in enumerate(zip(PORTS, ELEMS, WIDTHS, strict=True))
    ]


async def joins(dut: Any, inputs: list[Source], sink: Sink) -> None:
    """Run until all beats are through, and check each."""
    a, b = (source.beats for source in inputs)
    await meet(dut, inputs, [sink], len(a), timeout=400 + 60 * len(a))
    expected = [joined(x, y) for x, y in zip(a, b, strict=True)]
    assert sink.beats == expected, f"seed={SEED} {P}"


@cocotb.test()
async def values(dut: Any) -> None:
    """Stalls on any of the ports."""
    rng = random.Random(SEED)
    await start(dut, PORTS)
    for stalls in range(8):
        await joins(dut, sources(100, rng, stalls), Sink(rng=rng, stalls=stalls > 3))


@cocotb.test()
async def rate(dut: Any) -> None:
    """A beat in every cycle, which leaves a cycle after it came."""
    rng = random.Random(SEED)
    await start(dut, PORTS)
    sink, inputs = Sink(rng=rng), sources(60, rng, 0)
    await joins(dut, inputs, sink)
    assert sink.cycles[-1] - sink.cycles[0] == 59
    assert all(sink.cycles == [cycle + 1 for cycle in source.cycles] for source in inputs)


@cocotb.test()
async def one_is_late(dut: Any) -> None:
    """An input is two beats ahead of the other, and no more."""
    rng = random.Random(SEED)
    await start(dut, PORTS)
    for late in range(2):
        inputs = sources(20, rng, 0)
        inputs[late].pauses, inputs[late].pause_cycles = (0,), 50
        sink = Sink(rng=rng)
        await joins(dut, inputs, sink)
        assert len([c for c in inputs[1 - late].cycles if c <= 50]) == 2, f"{PORTS[late]} is late"
        assert sink.cycles[0] == 52


@cocotb.test()
async def no_ready_to_ready(dut: Any) -> None:
    """What the consumer or an input does within a cycle reaches the producers in the next one."""
    rng = random.Random(SEED)
    await start(dut, PORTS)
    for _ in range(40):
        seen = set()
        for state in (0, 7, rng.randrange(8), rng.randrange(8)):
            dut.m_axis_tready.value = state & 1
            dut.a_axis_tvalid.value, dut.b_axis_tvalid.value = state >> 1 & 1, state >> 2
            await Timer(1, "ns")
            ports = (dut.a_axis_tready, dut.b_axis_tready, dut.m_axis_tvalid)
            seen.add(tuple(int(port.value) for port in ports))
        assert len(seen) == 1, f"{seen}, seed={SEED} {P}"
        await RisingEdge(dut.clk)


@cocotb.test()
async def reset_in_stream(dut: Any) -> None:
    rng = random.Random(SEED + 1)
    await start(dut, PORTS)
    for cut in range(1, 8):
        inputs = sources(cut, rng, 3)
        await meet(dut, inputs, [Sink(rng=rng)], 0, linger=1, timeout=400)
        await reset(dut, ports=PORTS)
        await joins(dut, sources(6, rng, 3), Sink(rng=rng, stalls=True))
