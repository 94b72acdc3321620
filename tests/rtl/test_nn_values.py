"""nn_values against NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Simulate

CASES = {
    "single": {"VALUES": 1, "VALUE_W": 13, "SIGNED": 1},
    "smallest": {"VALUES": 2, "VALUE_W": 1, "SIGNED": 0},
    "codes": {"VALUES": 24, "VALUE_W": 4, "SIGNED": 0},
    "sums": {"VALUES": 30, "VALUE_W": 17, "SIGNED": 1},
    "widest": {"VALUES": 5, "VALUE_W": 32, "SIGNED": 1},
}


@pytest.mark.parametrize(
    ("name", "netlist"),
    [*((name, False) for name in CASES), pytest.param("sums", True, marks=pytest.mark.slow)],
)
def test_values(simulate: Simulate, name: str, netlist: bool) -> None:
    simulate("nn_values", CASES[name], "bench_nn_values", seed=len(name), netlist=netlist)
