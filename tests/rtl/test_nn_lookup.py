"""nn_lookup against the NumPy lookup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from conftest import Simulate

CASES = {
    "smallest": {"CHANNELS": 1, "IN_W": 1, "OUT_W": 1},
    "pixels": {"CHANNELS": 3, "IN_W": 8, "OUT_W": 8},
    "wider": {"CHANNELS": 5, "IN_W": 3, "OUT_W": 11},
}


@pytest.mark.parametrize(
    ("name", "netlist"),
    [*((name, False) for name in CASES), pytest.param("pixels", True, marks=pytest.mark.slow)],
)
def test_lookup(simulate: Simulate, name: str, netlist: bool) -> None:
    case = CASES[name]
    shape = case["CHANNELS"], 1 << case["IN_W"]
    tables = np.random.default_rng(len(name)).integers(0, 1 << case["OUT_W"], shape)
    words = [
        sum(int(entry) << (i * case["OUT_W"]) for i, entry in enumerate(column))
        for column in tables.T
    ]
    simulate(
        "nn_lookup",
        {**case, "TABLE_FILE": "table.hex"},
        "bench_nn_lookup",
        files={"table.hex": "".join(f"{word:x}\n" for word in words)},
        netlist=netlist,
        tables=tables.tolist(),
    )
