"""nn_lookup against the NumPy lookup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from finn_build.rtl import rom

if TYPE_CHECKING:
    from conftest import Simulate

CASES = {
    "smallest": {"CHANNELS": 1, "IN_W": 1, "OUT_W": 1},
    "pixels": {"CHANNELS": 3, "IN_W": 8, "OUT_W": 8},
    "wider": {"CHANNELS": 5, "IN_W": 3, "OUT_W": 11},
}


@pytest.mark.parametrize(
    ("name", "netlist"),
    [*((name, False) for name in CASES), ("pixels", True)],
)
def test_lookup(simulate: Simulate, name: str, netlist: bool) -> None:
    case = CASES[name]
    shape = case["CHANNELS"], 1 << case["IN_W"]
    tables = np.random.default_rng(len(name)).integers(0, 1 << case["OUT_W"], shape)
    simulate(
        "nn_lookup",
        {**case, "TABLE_FILE": "table"},
        "bench_nn_lookup",
        files=rom.images("table", tables.tolist()),
        netlist=netlist,
        tables=tables.tolist(),
    )
