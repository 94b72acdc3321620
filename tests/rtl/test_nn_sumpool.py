"""nn_sumpool against the NumPy sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Simulate

DEFAULTS = {"PIXELS": 1, "PARTS": 1}
CASES = {
    "smallest": {
        "KERNEL_H": 1, "KERNEL_W": 1, "HEIGHT": 1, "WIDTH": 1, "CHANNELS": 1, "ELEM_W": 1,
        "OUT_W": 1,
    },
    "typical": {
        "KERNEL_H": 2, "KERNEL_W": 2, "HEIGHT": 6, "WIDTH": 8, "CHANNELS": 5, "ELEM_W": 2,
        "OUT_W": 4,
    },
    "ragged": {
        "KERNEL_H": 2, "KERNEL_W": 2, "HEIGHT": 5, "WIDTH": 7, "CHANNELS": 4, "ELEM_W": 4,
        "OUT_W": 6, "PARTS": 2,
    },
    "three": {
        "KERNEL_H": 3, "KERNEL_W": 3, "HEIGHT": 7, "WIDTH": 8, "CHANNELS": 6, "ELEM_W": 8,
        "OUT_W": 12, "PARTS": 3,
    },
    "global": {
        "KERNEL_H": 4, "KERNEL_W": 4, "HEIGHT": 4, "WIDTH": 4, "CHANNELS": 3, "ELEM_W": 2,
        "OUT_W": 6,
    },
    "global_parts": {
        "KERNEL_H": 5, "KERNEL_W": 4, "HEIGHT": 5, "WIDTH": 4, "CHANNELS": 6, "ELEM_W": 2,
        "OUT_W": 6, "PARTS": 3,
    },
    "global_pixels": {
        "KERNEL_H": 5, "KERNEL_W": 6, "PIXELS": 2, "HEIGHT": 5, "WIDTH": 6, "CHANNELS": 2,
        "ELEM_W": 4, "OUT_W": 9,
    },
    "squares": {
        "KERNEL_H": 3, "KERNEL_W": 3, "PIXELS": 6, "HEIGHT": 7, "WIDTH": 12,
        "CHANNELS": 2, "ELEM_W": 3, "OUT_W": 6,
    },
    "pairs": {
        "KERNEL_H": 1, "KERNEL_W": 2, "PIXELS": 2, "HEIGHT": 3, "WIDTH": 6, "CHANNELS": 3,
        "ELEM_W": 2, "OUT_W": 3,
    },
    "columns": {
        "KERNEL_H": 3, "KERNEL_W": 1, "HEIGHT": 7, "WIDTH": 6, "CHANNELS": 2,
        "ELEM_W": 3, "OUT_W": 5, "PARTS": 2,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_sumpool(simulate: Simulate, name: str) -> None:
    simulate("nn_sumpool", {**DEFAULTS, **CASES[name]}, "bench_nn_sumpool", seed=len(name))


def test_sumpool_netlist(simulate: Simulate) -> None:
    simulate("nn_sumpool", {**DEFAULTS, **CASES["ragged"]}, "bench_nn_sumpool", netlist=True)
