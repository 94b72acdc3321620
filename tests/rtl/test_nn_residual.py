"""nn_residual against the NumPy count of the thresholds that the skip's code chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tiers import every

from finn_build.network.layers.numbers import Counting, threshold_memory
from finn_build.rtl import rom
from finn_build.rtl.design import pack

if TYPE_CHECKING:
    from conftest import Simulate

NAMES = ("ROWS", "PE", "ACC_W", "CODE_W", "THRESHOLDS", "OUT_W", "SPACING")
ADDING = ("ACC_GAIN", "SKIP_GAIN", "SKIP_SIGNED", "SUM_W")
CASES = {
    "smallest": (1, 1, 2, 1, 1, 1, 1),
    "every_cycle": (16, 8, 12, 2, 3, 2, 1),
    "one_group": (12, 12, 9, 1, 3, 2, 3),
    "spread": (12, 4, 10, 2, 7, 3, 3),
    "wide_results": (6, 2, 7, 2, 1, 4, 1),
    "more_than_thresholds": (10, 2, 8, 4, 3, 2, 11),
    # 80 groups of four codes, and 3 of 16 with a comparator for two thresholds: block RAM.
    "groups_in_block": (160, 2, 8, 2, 3, 2, 1),
    "passes_in_block": (12, 4, 14, 4, 15, 4, 9),
}
# What is added as whole numbers: wide codes, and the sums of another unit.
SUMS = {
    "codes": ((12, 4, 10, 8, 7, 3, 3), (1, 4, 0, 12)),
    "one_row": ((1, 1, 3, 1, 1, 1, 1), (3, 1, 0, 5)),
    "sums": ((6, 3, 9, 12, 15, 4, 2), (3, -5, 1, 15)),
}


@pytest.mark.parametrize("name", every(2, [*CASES, *SUMS]))
def test_residual(simulate: Simulate, name: str) -> None:
    run(simulate, name)


@pytest.mark.parametrize("name", ["every_cycle", "spread"])
def test_residual_netlist(simulate: Simulate, name: str) -> None:
    """What Yosys makes of the unit, with its thresholds in LUT logic."""
    run(simulate, name, netlist=True)


def run(simulate: Simulate, name: str, *, netlist: bool = False) -> None:
    plain, more = SUMS.get(name) or (CASES[name], (0, 0, 0, CASES[name][2]))
    p = dict(zip((*NAMES, *ADDING), (*plain, *more), strict=True))
    half = 1 << (p["SUM_W"] - 1)
    shape = p["ROWS"], 1 if p["SKIP_GAIN"] else 1 << p["CODE_W"], p["THRESHOLDS"]
    # Some are below every accumulator, some are not reached by any.
    thresholds = np.random.default_rng(len(name)).integers(
        -half - half // 4, half + half // 4, shape
    )
    thresholds.sort(axis=2)
    stored = np.clip(thresholds + half, 0, 2 * half - 1)
    counting = Counting.of(p["THRESHOLDS"], p["SPACING"])
    files = {}
    for lane in range(p["PE"]):
        words = counting.words(stored[lane :: p["PE"]].reshape(-1, p["THRESHOLDS"]), 1)
        width = counting.ways * p["SUM_W"]
        packed = [pack(word, p["SUM_W"]) for word in words]
        arrays = rom.parts(packed, width, threshold_memory(len(words)))
        files |= rom.images(f"levels_{lane:04}", arrays)
    simulate(
        "nn_residual",
        {**p, "THRESHOLD_FILE": "levels"},
        "bench_nn_residual",
        files=files,
        seed=len(name),
        netlist=netlist,
        thresholds=thresholds.tolist(),
    )
