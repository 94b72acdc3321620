"""nn_window against the NumPy windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Simulate, Synthesise

DEFAULTS = {
    "STRIDE": 1, "FILL": 0, "PIXELS": 1, "PROMPT": 1, "RAM_STYLE": "distributed",
}  # fmt: skip
CASES = {
    "pointwise": {"KERNEL": 1, "PAD": 0, "HEIGHT": 3, "WIDTH": 4, "CHANNELS": 1, "ELEM_W": 1},
    "same": {"KERNEL": 3, "PAD": 1, "HEIGHT": 6, "WIDTH": 5, "CHANNELS": 3, "ELEM_W": 2},
    "filled": {
        "KERNEL": 3, "PAD": 1, "FILL": 5, "HEIGHT": 4, "WIDTH": 5, "CHANNELS": 3, "ELEM_W": 3,
    },
    "patient": {
        "KERNEL": 3, "PAD": 1, "PROMPT": 0, "HEIGHT": 4, "WIDTH": 5, "CHANNELS": 3, "ELEM_W": 2,
    },
    "valid": {"KERNEL": 3, "PAD": 0, "HEIGHT": 5, "WIDTH": 8, "CHANNELS": 2, "ELEM_W": 4},
    "five": {"KERNEL": 5, "PAD": 2, "HEIGHT": 7, "WIDTH": 6, "CHANNELS": 1, "ELEM_W": 8},
    "strided": {
        "KERNEL": 3, "PAD": 1, "STRIDE": 2, "HEIGHT": 6, "WIDTH": 7, "CHANNELS": 2, "ELEM_W": 2,
    },
    "even": {"KERNEL": 4, "PAD": 1, "HEIGHT": 5, "WIDTH": 6, "CHANNELS": 1, "ELEM_W": 3},
    "two_pixels": {
        "KERNEL": 3, "PAD": 1, "PIXELS": 2, "HEIGHT": 6, "WIDTH": 6, "CHANNELS": 3, "ELEM_W": 2,
    },
    "three_pixels": {
        "KERNEL": 4, "PAD": 0, "PIXELS": 3, "HEIGHT": 5, "WIDTH": 12, "CHANNELS": 1, "ELEM_W": 2,
    },
    "filled_pixels": {
        "KERNEL": 7, "PAD": 3, "FILL": 2, "PIXELS": 2, "PROMPT": 0, "HEIGHT": 7, "WIDTH": 8,
        "CHANNELS": 1, "ELEM_W": 2,
    },
    "four_pixels": {
        "KERNEL": 5, "PAD": 0, "PIXELS": 4, "HEIGHT": 6, "WIDTH": 12, "CHANNELS": 1, "ELEM_W": 4,
    },
    "more_than_a_window": {
        "KERNEL": 3, "PAD": 1, "PIXELS": 4, "HEIGHT": 3, "WIDTH": 8, "CHANNELS": 2, "ELEM_W": 1,
    },
    "blocks": {
        "KERNEL": 3, "PAD": 1, "RAM_STYLE": "block", "HEIGHT": 5, "WIDTH": 6, "CHANNELS": 2,
        "ELEM_W": 2,
    },
    "blocks_of_two": {
        "KERNEL": 5, "PAD": 0, "PIXELS": 2, "RAM_STYLE": "block", "HEIGHT": 6, "WIDTH": 8,
        "CHANNELS": 1, "ELEM_W": 3,
    },
    "smallest": {"KERNEL": 3, "PAD": 1, "HEIGHT": 2, "WIDTH": 2, "CHANNELS": 1, "ELEM_W": 1},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_window(simulate: Simulate, name: str) -> None:
    simulate("nn_window", {**DEFAULTS, **CASES[name]}, "bench_nn_window", seed=len(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["same", "two_pixels"])
def test_window_netlist(simulate: Simulate, name: str) -> None:
    simulate("nn_window", {**DEFAULTS, **CASES[name]}, "bench_nn_window", netlist=True)


def test_lines_in_blocks_take_whole_blocks(synthesise: Synthesise) -> None:
    """Two lines of 8 x 40 bits: three 18 kbit blocks, with the register that the read needs."""
    sizes = {"ELEM_W": 2, "CHANNELS": 20, "KERNEL": 3, "PAD": 1, "HEIGHT": 8, "WIDTH": 8}
    netlist = synthesise("nn_window", {**DEFAULTS, **sizes, "RAM_STYLE": "block"}, {})
    assert netlist.count("RAMB18E1 #") == 3
    assert "RAMB36E1 #" not in netlist and "RAM32M" not in netlist
