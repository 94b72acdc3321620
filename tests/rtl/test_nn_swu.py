"""nn_swu against the NumPy windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiers import every

if TYPE_CHECKING:
    from conftest import Simulate

DEFAULTS = {"KERNEL": 3, "PAD": 1, "FILL": 0, "REPEAT": 1, "BLOCKS": 1}
CASES = {
    "whole": {"HEIGHT": 6, "WIDTH": 5, "CHANNELS": 3, "SIMD": 3, "ELEM_W": 2},
    "pieces": {"HEIGHT": 4, "WIDTH": 6, "CHANNELS": 6, "SIMD": 2, "ELEM_W": 2, "REPEAT": 2},
    "filled": {"HEIGHT": 4, "WIDTH": 5, "CHANNELS": 3, "SIMD": 1, "ELEM_W": 3, "FILL": 5},
    "often": {"HEIGHT": 3, "WIDTH": 3, "CHANNELS": 2, "SIMD": 2, "ELEM_W": 1, "REPEAT": 5},
    "five": {
        "KERNEL": 5, "PAD": 2, "HEIGHT": 7, "WIDTH": 6, "CHANNELS": 1, "SIMD": 1, "ELEM_W": 8,
    },
    "thin": {"HEIGHT": 5, "WIDTH": 1, "CHANNELS": 2, "SIMD": 1, "ELEM_W": 2},
    "pointwise": {
        "KERNEL": 1, "PAD": 0, "HEIGHT": 3, "WIDTH": 4, "CHANNELS": 2, "SIMD": 1, "ELEM_W": 2,
        "REPEAT": 3,
    },
    # Channels block by block: of one piece, as of depthwise convolutions, and of two, repeated.
    "blocks": {"HEIGHT": 5, "WIDTH": 4, "CHANNELS": 6, "SIMD": 2, "ELEM_W": 2, "BLOCKS": 3},
    "blocks_again": {
        "HEIGHT": 4, "WIDTH": 3, "CHANNELS": 8, "SIMD": 2, "ELEM_W": 2, "BLOCKS": 2, "REPEAT": 3,
        "FILL": 1,
    },
    "wide": {"HEIGHT": 3, "WIDTH": 33, "CHANNELS": 1, "SIMD": 1, "ELEM_W": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", every(2, CASES))
def test_swu(simulate: Simulate, name: str) -> None:
    simulate("nn_swu", {**DEFAULTS, **CASES[name]}, "bench_nn_swu", seed=len(name))


def test_swu_netlist(simulate: Simulate) -> None:
    simulate("nn_swu", {**DEFAULTS, **CASES["pieces"]}, "bench_nn_swu", netlist=True)
