"""The table of estimated and counted resources."""

from dataclasses import replace

import numpy as np
import pytest

from finn_build.folding import calibration
from finn_build.folding.fold import Fold


def test_every_case_is_legal_and_none_is_held_out_that_was_fitted():
    for index, case in enumerate(
        [
            *calibration.GRID,
            *calibration.HELD_OUT,
            *calibration.CONSTANTS,
            *calibration.IN_SLICES,
        ]
    ):
        unit = calibration.build(case, index)
        assert unit.hardware(case.fold).cost().lut > 0
        assert (np.diff(unit.thresholds, axis=1) >= 0).all()
        top = (1 << case.in_bits) - 1
        reached = unit.weights * np.where(unit.weights > 0, top, 0)
        missed = unit.weights * np.where(unit.weights < 0, top, 0)
        assert (unit.thresholds[:, 0] > missed.sum(1)).all(), "a threshold that every sum reaches"
        assert (unit.thresholds[:, -1] <= reached.sum(1)).all(), "a threshold that none reaches"
    assert not set(calibration.GRID) & set(calibration.HELD_OUT)


def test_a_case_is_measured_and_shown():
    small = replace(calibration.GRID[2], rows=4, cols=12, fold=Fold(pe=2, simd=6, memory="logic"))
    made = calibration.measure(small, 3)
    assert made.lut[0] == calibration.build(small, 3).hardware(small.fold).cost().lut
    assert made.ff[0] == calibration.build(small, 3).hardware(small.fold).cost().ff
    assert max(map(abs, made.errors)) < 0.5 and made.bram18 == made.dsp == (0, 0)
    page = calibration.page({"Some": [made]})
    assert f"| 4 x 12 | W2 ternary A2-2 | 2 | 6 | logic | {made.lut[0]} | {made.lut[1]} |" in page
    lut, ff = (100 * abs(error) for error in made.errors)
    assert f"At most {lut:.1f} % of the LUTs and {ff:.1f} % of the FFs amiss" in page


@pytest.mark.parametrize("case", [calibration.HELD_OUT[1], calibration.HELD_OUT[7]])
def test_a_unit_that_nothing_was_fitted_to(case):
    made = calibration.measure(case, 1)
    assert max(map(abs, made.errors)) <= 0.1
    assert made.bram18[0] == made.bram18[1]
