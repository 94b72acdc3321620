import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models import hand_made

from finn_build.boards import Resources
from finn_build.errors import FoldingError
from finn_build.folding import cost, folding
from finn_build.folding.calibration import random_unit
from finn_build.folding.fold import Fold
from finn_build.folding.folding import Stage, stages
from finn_build.folding.schedule import latency
from finn_build.folding.search import Search, choices, weight
from finn_build.network.graph import Network
from finn_build.network.layers import Lookup, MaxPool, Window

LOGIC = {"memory": "logic", "slice_bits": 0, "pixels": 1}
ALL = {"pe": 4, "simd": 18, "memory": "constant", "slice_bits": 2}
SAME = {"kernel": (3, 3), "stride": (1, 1), "pad": (1, 1, 1, 1)}
ROOMY = Resources(lut=40_000, ff=80_000, bram36=100, dsp=0)


@settings(max_examples=30, deadline=None)
@given(st.integers(900, 20_000), st.integers(0, 20))
def test_a_found_folding_is_legal_and_fits(lut, bram36):
    network = hand_made()
    budget = Resources(lut=lut, ff=80_000, bram36=bram36 or 0.5, dsp=0)
    try:
        made = Search(network, budget).fastest()
    except FoldingError as error:
        assert "does not fit" in str(error)
        return
    assert made.total.lut <= lut and made.total.bram36 <= budget.bram36
    for layer in network.mvtus:
        fold = made.folds[layer.name]
        assert layer.rows % fold.pe == 0 and layer.cols % fold.simd == 0
    assert made.cycles == max(c.cycles for c in made.costs.values())
    assert made.costs[made.bottleneck].cycles == made.cycles


def test_more_room_is_never_slower(network):
    rooms = (600, 800, 3_000, 40_000)
    cycles = [
        Search(network, Resources(lut=lut, ff=80_000, bram36=10, dsp=0)).fastest().cycles
        for lut in rooms
    ]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[-1] == 8, "with room enough two pixels come at once, the most there can be"


def every_folding(network, budget):
    """Cycles and weight of each of a network's foldings that the budget has room for."""
    # LUTs, FFs, 18 kbit blocks, DSPs, weight; cycles.
    sums, cycles = np.zeros((1, 5)), np.array([network.frame_bytes // network.input_bytes])
    for stage in folding.stages(network):
        spent = [each for _, each in choices(stage, dsp=budget.dsp > 0)]
        ours = np.array([(c.lut, c.ff, c.bram18, c.dsp, weight(c, budget)) for c in spent])
        sums = (sums[:, None] + ours).reshape(-1, 5)
        cycles = np.maximum(cycles[:, None], [c.cycles for c in spent]).ravel()
    room = (budget.lut, budget.ff, 2 * budget.bram36, budget.dsp)
    fitting = (sums[:, :4] <= room).all(axis=1)
    return cycles[fitting], sums[fitting, 4]


@pytest.mark.parametrize(
    ("lut", "bram36", "dsp", "more"),
    [
        (1500, 1, 0, {"bram36": 2}),
        (1500, 0.5, 2, {"dsp": 4}),
        (900, 0.5, 3, {"bram36": 1}),
        (650, 0.5, 11, {"dsp": 12}),
        (650, 0.5, 17, {"dsp": 18}),
    ],
)
def test_where_block_ram_or_dsps_bind_the_search_finds_the_best_there_is(
    network, lut, bram36, dsp, more
):
    """All foldings are gone through, and a little more of that alone makes the network faster."""
    tight = Resources(lut=lut, ff=80_000, bram36=bram36, dsp=dsp)
    found = {}
    for budget in (tight, replace(tight, **more)):
        made = Search(network, budget).fastest()
        cycles, weights = every_folding(network, budget)
        assert folding.fits(made.total, budget)
        assert made.cycles == cycles.min()
        whole = sum(made.costs.values(), cost.NOTHING)
        assert weight(whole, budget) == pytest.approx(weights[cycles == cycles.min()].min())
        found[budget] = made.cycles
    assert found[replace(tight, **more)] < found[tight], "it binds"


def test_a_target_takes_the_cheapest(network):
    fast, slow = (Search(network, ROOMY).within(n) for n in (16, 600))
    assert slow.cycles <= 600 and slow.total.lut < fast.total.lut


def test_the_quickest_spends_the_rest_of_the_chip_on_a_single_image(network):
    budget = Resources(lut=700, ff=80_000, bram36=10, dsp=0)
    search = Search(network, budget)
    fast, quick = search.fastest(), search.quickest()
    assert latency(network, quick) < latency(network, fast)
    assert folding.fits(quick.total, budget)


def test_the_next_step_up_is_what_the_budget_refuses(network):
    small = Resources(lut=800, ff=80_000, bram36=10, dsp=0)
    made = Search(network, small).fastest()
    found = re.fullmatch(
        r"([\d,]+) cycles would take ([\d,]+) LUTs of 800", Search(network, small).step_up(made)
    )
    assert found is not None
    cycles, lut = (int(each.replace(",", "")) for each in found.groups())
    assert cycles < made.cycles and lut > 800
    enough = Resources(lut=lut, ff=80_000, bram36=10, dsp=0)
    assert Search(network, enough).fastest().cycles == cycles


def test_at_the_limit_of_the_stream_there_is_no_step_up(network):
    assert Search(network, ROOMY).step_up(Search(network, ROOMY).fastest()) == ""


def test_an_unreachable_target_names_the_limit(network):
    with pytest.raises(FoldingError, match="7 cycles per frame cannot be reached; .* they are 8"):
        Search(network, ROOMY).within(7)


@pytest.mark.parametrize(
    ("window", "legal"),
    [
        ({}, [1, 2, 4, 8]),
        ({"pad": (0, 0, 0, 0)}, [1, 2]),
        ({"kernel": (5, 5), "pad": (0, 0, 0, 0)}, [1, 2, 4]),
        ({"kernel": (4, 4)}, [1]),
        ({"kernel": (4, 3), "stride": (3, 1)}, [1, 2, 4, 8]),
        ({"stride": (1, 2)}, [1]),
        ({"pad": (0, 2, 0, 2)}, [1, 2]),
        ({"width": 1}, [1]),
        ({"width": 8}, [1, 2, 4]),
        (None, [1, 2, 4, 8, 16, 32, 64]),
    ],
)
def test_pixels_divide_both_sides_of_a_window(window, legal):
    unit = random_unit(
        np.random.default_rng(1), (2, 9), weight_bits=2, in_bits=2, low=-1, positions=64
    )
    values = {"height": 16, "width": 16, "channels": 1, "bits": 2, **SAME}
    before = None if window is None else Window(name="w", **{**values, **window})
    assert list(Stage(unit=unit, layers=(unit,), window=before).legal_pixels) == legal


@pytest.mark.parametrize(
    ("kernel", "width", "pixels", "taken"),
    [(2, 16, 4, 4), (2, 18, 3, 1), (3, 18, 6, 6), (3, 18, 9, 9), (4, 12, 2, 2), (4, 14, 8, 2)],
)
def test_a_pool_takes_whole_squares_or_parts_of_one(kernel, width, pixels, taken):
    pool = MaxPool(
        name="p",
        height=16,
        width=width,
        channels=1,
        bits=2,
        kernel=(kernel, kernel),
        stride=(kernel, kernel),
    )
    assert pool.at_once(pixels) == taken


def test_lines_are_in_blocks_where_there_is_room_for_nothing_else():
    """Deep lines of an image of 224 x 224 in an eighth of their bits as LUTs."""
    unit = random_unit(
        np.random.default_rng(1), (4, 144), weight_bits=2, in_bits=2, low=-1, positions=224 * 224
    )
    unit = replace(unit, windowed=True, thresholds=np.zeros((4, 3), np.int64))
    window = Window(name="w", height=224, width=224, channels=16, bits=2, **SAME)
    network = Network(
        name="n", height=224, width=224, channels=16, scale=1.0, layers=(window, unit)
    )
    plenty = Resources(lut=40_000, ff=80_000, bram36=100, dsp=0)
    logic = folding.make(network, {"unit": Fold(pe=1, simd=16, memory="logic")})
    small = replace(plenty, lut=logic.total.lut - 100)
    made = Search(network, small).within(logic.cycles)
    assert made.folds["unit"].lines == "block"
    assert made.costs["w"].bram18 == 2 and made.costs["w"].lut < logic.costs["w"].lut - 200
    alone = Stage(unit=unit, layers=(unit,))
    assert alone.legal_lines(made.folds["unit"]) == ("logic",)


def test_many_thresholds_are_in_block_ram_as_deep_as_open_tools_fill_it():
    """255 thresholds of 128 rows: one row at a time they are 32,768 words."""
    unit = random_unit(np.random.default_rng(1), (128, 512), weight_bits=8, in_bits=8, low=-127)
    unit = replace(unit, windowed=True, thresholds=np.sort(np.zeros((128, 255), np.int64)))
    folds = {pe: Fold(pe=pe, simd=2, memory="logic") for pe in (1, 16, 128)}
    blocks = {pe: unit.hardware(fold).cost().bram18 for pe, fold in folds.items()}
    assert blocks[1] and blocks[16] and not blocks[128], "256 words are in logic"
    offered = [fold for fold, _ in choices(Stage(unit=unit, layers=(unit,)), dsp=False)]
    assert folds[1] not in offered and folds[16] in offered


def test_the_input_can_be_the_slowest(network):
    wide = replace(network, channels=40)
    made = folding.make(wide, Search(network, ROOMY).fastest().folds)
    assert (made.cycles, made.bottleneck) == (4 * 4 * 40 // 8, "input")


def test_a_target_that_does_not_fit_names_the_nearest(network):
    small = Resources(lut=800, ff=80_000, bram36=10, dsp=0)
    with pytest.raises(FoldingError, match=r"LUTs of 800; the fastest that fits takes \d+"):
        Search(network, small).within(16)


def test_what_cannot_fit_says_by_how_much(network):
    with pytest.raises(FoldingError, match=r"hand does not fit: .* LUTs of 100"):
        Search(network, Resources(lut=100, ff=80_000, bram36=1, dsp=0)).fastest()


def test_a_saved_folding_comes_back(network, tmp_path):
    made = Search(network, ROOMY).fastest()
    made.save(tmp_path / "folding.json")
    assert folding.Folding.load(tmp_path / "folding.json", network).folds == made.folds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (LOGIC | {"pe": 3}, r"conv0: PE=3 does not divide 4 rows; use 1, 2, 4"),
        (LOGIC | {"simd": 0}, r"conv0: SIMD=0 does not divide 18 inputs; use 1, 2, 3, 6, 9, 18"),
        ({"memory": "tape"}, r"conv0: memory 'tape' is unknown; use logic, block or constant"),
        (LOGIC | {"slice_bits": 2}, r"conv0: slice_bits are for memory constant only; use 0"),
        (LOGIC | {"pixels": 2}, r"conv0: pixels are for memory constant only; use 1"),
        (ALL | {"pixels": 4}, r"conv0: pixels=4 cannot be taken at once; use 1, 2"),
        (ALL | {"pixels": 0}, r"conv0: pixels=0 cannot be taken at once; use 1, 2"),
        ({"lines": "tape"}, r"conv0: lines cannot be in 'tape'; use logic or block"),
        (ALL | {"simd": 9}, r"constant takes all rows and inputs at once; use PE=4 and SIMD=18"),
        (ALL | {"slice_bits": 9}, r"conv0: slice_bits=9 of 8 bits of an input; use 1 to 8"),
        ({"speed": 1}, r"not a folding"),
        ({"pe": "x"}, r"not a folding \(conv0: pe is 'x'\)"),
        ({"simd": float("nan")}, r"not a folding \(conv0: simd is nan\)"),
    ],
)
def test_an_illegal_edit_is_refused_with_the_legal_values(network, tmp_path, change, message):
    path = tmp_path / "folding.json"
    Search(network, ROOMY).fastest().save(path)
    edited = json.loads(path.read_text())
    edited["conv0"].update(change)
    path.write_text(json.dumps(edited))
    with pytest.raises(FoldingError, match=message):
        folding.Folding.load(path, network)


def test_only_convolutions_have_constant_weights(network):
    folds = Search(network, ROOMY).fastest().folds
    dense = folding.Fold(pe=6, simd=16, memory="constant", slice_bits=2)
    with pytest.raises(FoldingError, match="dense0: only a convolution can have memory constant"):
        folding.make(network, {**folds, "dense0": dense})


def test_a_folding_of_another_network_is_refused(network, tmp_path):
    path = tmp_path / "folding.json"
    path.write_text("{}")
    with pytest.raises(FoldingError, match="the network has"):
        folding.Folding.load(path, network)


@pytest.mark.parametrize(
    ("depth", "width", "blocks"),
    [(512, 36, 1), (513, 36, 2), (4096, 256, 58), (16384, 1, 1), (1, 1, 1)],
)
def test_block_ram_is_counted_in_its_best_shape(depth, width, blocks):
    assert cost.bram18_count(depth, width) == blocks


def test_a_pool_goes_by_the_unit_before_it_and_a_table_by_the_one_after():
    """As where two branches are added, quantised again and pooled."""
    draw = np.random.default_rng(2)
    first, second = (
        replace(
            random_unit(
                draw, (2, 2), weight_bits=2, in_bits=2, low=-1, positions=positions, windowed=True
            ),
            name=name,
            thresholds=np.sort(draw.integers(-3, 4, (2, 3)), axis=1),
        )
        for name, positions in (("a", 16), ("b", 4))
    )
    table = Lookup(name="t", height=4, width=4, in_bits=2, tables=draw.integers(0, 4, (2, 4)))
    pool = MaxPool(name="p", height=4, width=4, channels=2, bits=2, kernel=(2, 2), stride=(2, 2))
    layers = (first, table, pool, second)
    network = Network(name="n", height=4, width=4, channels=2, scale=1.0, layers=layers)
    made = {stage.unit.name: [layer.name for layer in stage.layers] for stage in stages(network)}
    assert made == {"a": ["a", "p"], "b": ["t", "b"]}


@pytest.mark.parametrize(
    ("weights", "inputs", "fits"), [(4, 8, True), (9, 8, True), (10, 8, False), (4, 9, False)]
)
def test_slices_are_offered_for_operands_that_go_into_them(weights, inputs, fits):
    """Sums of windows have more bits than other activations."""
    unit = random_unit(
        np.random.default_rng(1), (4, 4), weight_bits=weights, in_bits=inputs, low=-3, windowed=True
    )
    offered = {fold.dsp for fold, _ in choices(Stage(unit=unit, layers=(unit,)), dsp=True)}
    assert offered == ({False, True} if fits else {False})
    wide = Fold(pe=4, simd=4, memory="logic", dsp=True)
    if not fits:
        message = f"no room for weights of {weights} bits and inputs of {inputs}; use dsp false"
        with pytest.raises(FoldingError, match=message):
            unit.hardware(wide).check()
