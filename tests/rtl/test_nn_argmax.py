"""nn_argmax against NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Simulate

CASES = {
    "smallest": {"CLASSES": 2, "IN_ELEMS": 1, "LOGIT_W": 1},
    "typical": {"CLASSES": 10, "IN_ELEMS": 2, "LOGIT_W": 16},
    "whole": {"CLASSES": 9, "IN_ELEMS": 9, "LOGIT_W": 32},
}


@pytest.mark.parametrize("name", CASES)
def test_argmax(simulate: Simulate, name: str) -> None:
    simulate("nn_argmax", CASES[name], "bench_nn_argmax", seed=len(name))


@pytest.mark.slow
def test_argmax_netlist(simulate: Simulate) -> None:
    simulate("nn_argmax", CASES["typical"], "bench_nn_argmax", netlist=True)
