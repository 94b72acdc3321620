from itertools import product

import pytest

from finn_build.boards import Resources, find_board
from quant.config import preset
from quant.pruning import resized
from quant.topologies import get_network
from sweep.design import Limits
from sweep.fitting import fit, give_back, losses
from sweep.hardware import cost

NETWORK = resized(get_network("tiny"), [8, 12])
QUANT = preset("w2a2")
CYCLES = 1024


def lut_of(filters, cycles=CYCLES):
    """LUTs of the cheapest folding within the cycles."""
    limits = Limits(
        share=find_board("pynq-z2").budget["openxc7"],
        max_lut=None,
        fclk_mhz=100.0,
        target_fps=1e8 / cycles,
    )
    found = cost(resized(NETWORK, list(filters)), QUANT, limits)
    return found["lut"] if found["fits"] else None


def budget(lut):
    return Resources(lut=lut, ff=80_000, bram36=110, dsp=0)


def test_all_filters_stay_where_they_fit():
    made = fit(NETWORK, QUANT, budget(lut_of((8, 12))), CYCLES, losses(NETWORK, 2))
    assert made.filters == (8, 12) and made.fits and made.loss == 0.0


@pytest.mark.parametrize("share", [0.95, 0.85, 0.7])
def test_no_choice_that_fits_loses_less(share):
    lost = losses(NETWORK, 2)
    room = int(share * lut_of((8, 12)))
    made = fit(NETWORK, QUANT, budget(room), CYCLES, lost)
    assert made.fits and made.filters != (8, 12)
    fitting = {
        each: lost[0][each[0]] + lost[1][each[1]]
        for each in product(lost[0], lost[1])
        if (lut := lut_of(each)) is not None and lut <= room
    }
    # With so few LUTs a folding may take BRAM where `lut_of` takes none, never the other way.
    assert made.loss <= min(fitting.values()) + 1e-9


def test_what_can_not_fit_says_so():
    made = fit(NETWORK, QUANT, budget(500), CYCLES, losses(NETWORK, 2))
    assert not made.fits
    # So fast, nothing is.
    assert not fit(NETWORK, QUANT, budget(40_000), 8, losses(NETWORK, 2)).fits


def test_a_layer_that_is_worth_more_keeps_more():
    room = int(0.9 * lut_of((8, 12)))

    def probe(first, second):
        layers = [
            {"scores": [1.0] * n, "count": count, "kept": 0.8 - drop}
            for n, count, drop in ((8, 6, first), (12, 8, second))
        ]
        return {"base": 0.8, "least": 0.001, "layers": layers}

    kept = [
        fit(NETWORK, QUANT, budget(room), CYCLES, losses(NETWORK, 2, probe(*drops))).filters
        for drops in ((0.3, 0.001), (0.001, 0.3))
    ]
    assert kept[0][0] > kept[1][0]
    assert kept[0][1] < kept[1][1]


def test_losses_follow_the_probe():
    layers = [
        {"scores": [1, 1, 1, 1, 2, 2, 3, 4], "count": 6, "kept": 0.70},
        {"scores": [1] * 12, "count": 8, "kept": 0.85},
    ]
    first, second = losses(NETWORK, 2, {"base": 0.8, "least": 0.01, "layers": layers})
    assert first == pytest.approx({2: 0.1 * 8 / 2, 4: 0.1 * 4 / 2, 6: 0.1, 8: 0.0})
    # A layer that did better without them still loses something.
    assert second[8] == pytest.approx(0.01) and second[12] == 0.0


def test_room_that_is_left_is_given_back_to_the_most_valuable():
    lost = [{2: 3.0, 4: 1.0, 6: 0.0}, {2: 2.5, 4: 0.5, 6: 0.4}]

    def in_all(most):
        return lambda filters: sum(filters) <= most

    # Of equal gains the larger first layer; then 2.0, 1.0 and 0.1.
    assert give_back((2, 2), lost, in_all(6)) == (4, 2)
    assert give_back((2, 2), lost, in_all(8)) == (4, 4)
    assert give_back((2, 2), lost, in_all(10)) == (6, 4)
    assert give_back((2, 2), lost, in_all(99)) == (6, 6)
    # What does not fit in one layer may still fit in the other.
    assert give_back((2, 2), lost, lambda filters: filters[0] == 2) == (2, 6)
