"""nn_join: the elements of two streams, in the order that is said, and otherwise an axis_join."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Simulate

NAMES = ("A_ELEMS", "B_ELEMS", "A_W", "B_W", "OUT_W", "BY_TURNS")
CASES = {
    "smallest": (1, 1, 1, 1, 1, 0),
    "one_after_the_other": (5, 2, 2, 4, 4, 0),
    "wider_than_both": (1, 3, 3, 1, 5, 0),
    "by_turns": (3, 3, 4, 2, 4, 1),
}


@pytest.mark.parametrize("name", CASES)
def test_join(simulate: Simulate, name: str) -> None:
    parameters = dict(zip(NAMES, CASES[name], strict=True))
    simulate("nn_join", parameters, "bench_axis_join", seed=len(name))
