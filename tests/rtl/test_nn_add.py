"""nn_add against NumPy's weighted sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Simulate

NAMES = ("CHANNELS", "IN_W", "A_W", "B_W", "OUT_W", "A_GAIN", "B_GAIN", "START")
CASES = {
    "smallest": (1, 1, 1, 1, 2, 1, 1, 0),
    "uneven": (5, 6, 4, 6, 9, 10, 3, 0),
    "difference": (3, 4, 4, 3, 5, 1, -1, 7),
    "negative": (2, 8, 8, 8, 13, -7, -12, 4845),
    "largest": (2, 8, 8, 5, 21, 4095, 4094, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_add(simulate: Simulate, name: str) -> None:
    simulate("nn_add", dict(zip(NAMES, CASES[name], strict=True)), "bench_nn_add")
