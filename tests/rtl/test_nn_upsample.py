"""nn_upsample against NumPy's repetition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Simulate

NAMES = ("ELEM_W", "CHANNELS", "WIDTH", "UP_H", "UP_W")
CASES = {
    "smallest": (1, 1, 1, 1, 1),
    "typical": (2, 5, 6, 2, 2),
    "rows": (4, 3, 7, 3, 1),
    "columns": (3, 2, 5, 1, 4),
    "one_column": (2, 3, 1, 4, 2),
}


@pytest.mark.parametrize("name", CASES)
def test_upsample(simulate: Simulate, name: str) -> None:
    simulate("nn_upsample", dict(zip(NAMES, CASES[name], strict=True)), "bench_nn_upsample")
