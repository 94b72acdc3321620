"""Bench of axis_checker."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from streams import CASE


@cocotb.test()
async def offers(dut: Any) -> None:
    """A beat that is offered as the case says, valid and data in each cycle, and taken last."""
    Clock(dut.clk, 10, unit="ns").start()
    dut.m_axis_tready.value = 0
    dut.m_axis_tvalid.value = 0
    dut.rst_n.value = 0
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst_n.value = 1
    *waiting, last = CASE["offers"]
    for valid, data in waiting:
        dut.m_axis_tvalid.value, dut.m_axis_tdata.value = valid, data
        await RisingEdge(dut.clk)
    dut.m_axis_tready.value = 1
    await RisingEdge(dut.clk)
    dut.m_axis_tvalid.value, dut.m_axis_tdata.value = last
    for _ in range(3):
        await RisingEdge(dut.clk)
