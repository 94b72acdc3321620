"""nn_maxpool against the NumPy pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiers import every

if TYPE_CHECKING:
    from conftest import Simulate

DEFAULTS = {"PIXELS": 1}
CASES = {
    "smallest": {"KERNEL_H": 1, "KERNEL_W": 1, "HEIGHT": 1, "WIDTH": 1, "CHANNELS": 1, "ELEM_W": 1},
    "typical": {"KERNEL_H": 2, "KERNEL_W": 2, "HEIGHT": 6, "WIDTH": 8, "CHANNELS": 5, "ELEM_W": 2},
    "ragged": {"KERNEL_H": 2, "KERNEL_W": 2, "HEIGHT": 5, "WIDTH": 7, "CHANNELS": 2, "ELEM_W": 4},
    "three": {"KERNEL_H": 3, "KERNEL_W": 3, "HEIGHT": 7, "WIDTH": 5, "CHANNELS": 1, "ELEM_W": 8},
    "whole_square": {
        "KERNEL_H": 2, "KERNEL_W": 2, "PIXELS": 2, "HEIGHT": 5, "WIDTH": 6,
        "CHANNELS": 3, "ELEM_W": 2,
    },
    "squares": {
        "KERNEL_H": 3, "KERNEL_W": 3, "PIXELS": 6, "HEIGHT": 7, "WIDTH": 12,
        "CHANNELS": 2, "ELEM_W": 3,
    },
    "pairs": {"KERNEL_H": 1, "KERNEL_W": 2, "HEIGHT": 3, "WIDTH": 7, "CHANNELS": 3, "ELEM_W": 2},
    "columns": {
        "KERNEL_H": 3, "KERNEL_W": 1, "PIXELS": 2, "HEIGHT": 7, "WIDTH": 6, "CHANNELS": 2,
        "ELEM_W": 3,
    },
    "whole_image": {
        "KERNEL_H": 5, "KERNEL_W": 6, "PIXELS": 2, "HEIGHT": 5, "WIDTH": 6, "CHANNELS": 2,
        "ELEM_W": 4,
    },
    "half_a_square": {
        "KERNEL_H": 4, "KERNEL_W": 4, "PIXELS": 2, "HEIGHT": 9, "WIDTH": 14,
        "CHANNELS": 1, "ELEM_W": 4,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", every(2, CASES))
def test_maxpool(simulate: Simulate, name: str) -> None:
    simulate("nn_maxpool", {**DEFAULTS, **CASES[name]}, "bench_nn_maxpool", seed=len(name))


def test_maxpool_netlist(simulate: Simulate) -> None:
    simulate("nn_maxpool", {**DEFAULTS, **CASES["ragged"]}, "bench_nn_maxpool", netlist=True)
