"""The table of estimated and counted resources."""

from dataclasses import replace

import numpy as np

from finn_build import fit
from finn_build.folding import Fold, price


def test_every_case_is_legal_and_none_is_held_out_that_was_fitted():
    for index, case in enumerate([*fit.GRID, *fit.HELD_OUT, *fit.BUILT_IN, *fit.IN_SLICES]):
        unit = fit.build(case, index)
        assert price(unit, case.fold).lut > 0
        low, high = unit.reach
        assert (np.diff(unit.thresholds, axis=1) >= 0).all()
        assert low <= unit.thresholds.min() and unit.thresholds.max() <= high
    assert not set(fit.GRID) & set(fit.HELD_OUT)


def test_a_case_is_measured_and_shown():
    small = replace(fit.GRID[2], rows=4, cols=12, fold=Fold(pe=2, simd=6, memory="logic"))
    made = fit.measure(small, 3)
    assert made.lut[0] == price(fit.build(small, 3), small.fold).lut
    assert abs(made.error) < 0.5 and made.bram18 == made.dsp == (0, 0)
    page = fit.page({"Some": [made]})
    assert f"| 4 x 12 | W2 ternary A2-2 | 2 | 6 | logic | {made.lut[0]} | {made.lut[1]} |" in page
    assert f"Error at most {100 * abs(made.error):.1f} %" in page
