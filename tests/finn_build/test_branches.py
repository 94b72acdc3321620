"""Streams that fork and meet again: what they give, how long they take, what waits for them."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import case_branches
import models
import numpy as np
import onnx
import pytest
from samples import images_of, load
from tiers import every

from finn_build import boards, frontend
from finn_build.backends import verilator
from finn_build.errors import FoldingError, MismatchError, ModelError
from finn_build.flow.steps import report
from finn_build.folding import schedule
from finn_build.folding.calibration import random_unit
from finn_build.folding.fold import Fold
from finn_build.folding.folding import make, stages
from finn_build.folding.search import Search
from finn_build.frontend.join import multiples
from finn_build.network import golden
from finn_build.network.graph import IMAGE, Network
from finn_build.network.layers import Concat, Mvtu, Place, Residual, Shape, SumPool
from finn_build.network.layers.base import Codes
from finn_build.network.verify import compare
from finn_build.rtl import accelerator, emit

# Beats that wait in the FIFOs of each network, for a window's lag and the pipelines of the longer
# branch. Two blocks, one with a projection; three branches of different depths and widths; sums of
# sums; the sums of two products; an image that becomes larger and meets another.
DEPTHS = {
    "resnet_small": {
        "conv1_window": 2,
        "residual0_skip": 48,
        "conv5_window": 1,
        "residual1_skip": 42,
    },
    "concat_deep": {"conv1_window": 6, "concat0_a": 27, "concat1_b": 27, "conv3_window": 23},
    "sum_of_three": {"conv1_window": 2, "concat0_a": 14, "concat1_b": 12, "conv3_window": 18},
    "sum_of_products": {"conv1_window": 2, "residual0_skip": 25},
    "up_and_joined": {"concat0_a": 39, "conv2_window": 37},
}
SEEDS = 50


@pytest.fixture(scope="module", params=every(2, DEPTHS))
def built(request, tmp_path_factory):
    """A network's name, itself, its folding and its simulated accelerator."""
    folder = tmp_path_factory.mktemp(request.param)
    network = load(request.param, folder)[1].network
    folding = make(network, {m.name: models.lowest_fold(m) for m in network.mvtus})
    emit.write(accelerator.design(network, folding), folder / "rtl")
    program = verilator.build(
        folder / "rtl", folder / "sim", input_bytes=network.input_bytes, log=folder / "log"
    )

    def run(images: np.ndarray, **more: int) -> verilator.Simulated:
        return verilator.run(
            program,
            folder / "rtl",
            images,
            end=network.end,
            limit=100_000,
            scratch=folder / "scratch",
            log=folder / "log",
            **more,
        )

    return request.param, network, folding, run


def test_no_stall_stops_a_branch_or_changes_a_logit(built):
    _, network, _, run = built
    assert max(network.readers(name) for name in network.reads) >= 2
    images = images_of(network)[::25]
    expected = golden.run(network, images)
    for seed in range(SEEDS):
        stall = (16, 64, 160)[seed % 3]
        made = run(images, stall=stall, seed=seed)
        assert np.array_equal(made.logits, expected.logits), (stall, seed)
        assert np.array_equal(made.labels, expected.labels)


def test_fifos_hold_what_waits_and_no_beat_more(built):
    """The depths are the schedule's, and enough: no cycle is lost; no FIFO is twice too deep."""
    name, network, folding, run = built
    found = schedule.depths(network, folding)
    assert {at: depth for at, depth in found.items() if depth} == DEPTHS[name]
    made = run(images_of(network)[::12])
    assert made.fifos.keys() == {f"{at}_fifo" for at in DEPTHS[name]}
    assert all(most <= depth <= max(2, 2 * most) for depth, most in made.fifos.values())
    assert made.cycles_per_frame == folding.cycles
    assert made.latency_cycles == pytest.approx(schedule.latency(network, folding), rel=0.03)


def residual(draw, *, rows: int = 3, bits: int = 2, steps: int = 3) -> Residual:
    levels = np.sort(draw.integers(-40, 40, (rows, 1 << bits, steps)), axis=2)
    return Residual(
        name="r",
        skip_bits=bits,
        sum_bits=8,
        thresholds=levels,
        float_thresholds=levels - 0.25,
        slack=np.full(rows, 0.3),
    )


def test_a_residual_counts_by_the_code_that_is_added():
    draw = np.random.default_rng(0)
    layer = residual(draw)
    sums, codes = draw.integers(-60, 60, (2, 4, 5, 3)), draw.integers(0, 4, (2, 4, 5, 3))
    made = layer.compute(sums, codes.astype(np.uint8))
    for at in product(*map(range, sums.shape)):
        reached = [t for t in layer.thresholds[at[-1], codes[at]] if t <= sums[at]]
        assert made[at] == len(reached)


def test_a_residual_is_unsure_beside_the_bounds_of_its_code_alone():
    draw = np.random.default_rng(1)
    layer = residual(draw)
    sums, codes = draw.integers(-45, 45, (1, 6, 6, 3)), draw.integers(0, 4, (1, 6, 6, 3))
    sure = np.zeros(sums.shape, bool)
    made = layer.doubt(Codes(codes=sums, unsure=sure), Codes(codes=codes, unsure=sure))
    for at in product(*map(range, sums.shape)):
        assert made.unsure[at] == (sums[at] in layer.thresholds[at[-1], codes[at]])
    shaky = sure.copy()
    shaky[0, 1, 2, 0] = True
    both = layer.doubt(Codes(codes=sums, unsure=sure), Codes(codes=codes, unsure=shaky))
    assert np.array_equal(both.unsure, made.unsure | shaky)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"skip_bits": 3}, "4 sets of thresholds for a skip of 3 bits; use 8"),
        ({"thresholds": np.array([[[2, 1]] * 4])}, "threshold 1 of row 0 with code 0 is below"),
    ],
)
def test_a_residual_that_cannot_be_is_refused(change, message):
    with pytest.raises(ModelError, match=message):
        replace(residual(np.random.default_rng(0)), **change)


def test_streams_of_other_shapes_do_not_meet():
    layer = residual(np.random.default_rng(0))
    with pytest.raises(ModelError, match="use as many of both"):
        layer.shape(Shape(sizes=(4, 4, 3), bits=8), Shape(sizes=(2, 4, 3), bits=2))
    joined = Concat(name="c", positions=16, channels=(3, 2), widths=(2, 3))
    with pytest.raises(ModelError, match="use equal sizes"):
        joined.shape(Shape(sizes=(4, 4, 3), bits=2), Shape(sizes=(2, 4, 2), bits=3))
    assert joined.shape(Shape(sizes=(4, 4, 3), bits=2), Shape(sizes=(4, 4, 2), bits=3)) == Shape(
        sizes=(4, 4, 5), bits=3
    )
    with pytest.raises(ModelError, match="cannot take turns"):
        replace(joined, by_turns=True)


def test_a_layer_that_nothing_reads_is_named():
    draw = np.random.default_rng(0)
    layers = [
        replace(random_unit(draw, (2, 2), weight_bits=2, in_bits=2, low=-1), name=name)
        for name in ("a", "b")
    ]
    with pytest.raises(ModelError, match="nothing reads a; only the last layer is the end"):
        Network(
            name="n",
            height=1,
            width=1,
            channels=2,
            scale=1.0,
            layers=tuple(layers),
            reads={"a": (IMAGE,), "b": (IMAGE,)},
        )


def test_an_explained_difference_excuses_no_other_branch(tmp_path):
    """A code of one branch lies beside a bound; the other branch is wrong, or it is not."""
    network = load("concat_deep", tmp_path)[1].network
    images = images_of(network)[:1]
    exact = golden.run(network, images)
    one, other = (network.reads[name][1] for name in ("concat0", "concat1"))
    unit = next(layer for layer in network.layers if layer.name == one)
    assert isinstance(unit, Mvtu)
    shaky = replace(unit, slack=np.full(unit.rows, 1e9))
    loose = replace(
        network, layers=tuple(shaky if each is unit else each for each in network.layers)
    )
    near = exact.activations[one].copy()
    near.flat[0] ^= 1
    float_stage = replace(exact, activations={**exact.activations, one: near})
    names = {"names": ("float", "golden"), "second": exact}
    made = compare(loose, images, first=float_stage, **names)
    assert made.mismatches == made.explained == 1
    wrong = replace(
        float_stage,
        activations={**float_stage.activations, other: 7 - exact.activations[other]},
    )
    with pytest.raises(MismatchError, match=f"differ on image 0, first in {other}"):
        compare(loose, images, first=wrong, **names)


def test_thresholds_of_a_skip_fit_into_a_block_ram(tmp_path):
    path = tmp_path / "m.onnx"
    onnx.save(case_branches.residual_network((16, 32, 64), size=16, bits=3), path)
    network = frontend.read(frontend.load(path), "m").network
    search = Search(network, boards.find_board("pynq-z2").budget["vivado"])
    made = search.cheapest(search.targets[-1])
    assert made is not None
    added = [layer for layer in network.layers if isinstance(layer, Residual)]
    assert all(layer.fits(made.place(layer)) for layer in added)
    unit = network.reads[added[-1].name][0]
    few = replace(made.folds[unit], pe=1, simd=4)
    with pytest.raises(
        FoldingError, match=f"{unit}: with PE=1 the thresholds after it are too many"
    ):
        make(network, {**made.folds, unit: few})


def test_a_forked_image_waits_before_the_first_window_too(tmp_path):
    network = load("concat_deep", tmp_path)[1].network
    image = load("fork_of_the_image", tmp_path)[1].network
    folding = make(image, {m.name: models.lowest_fold(m) for m in image.mvtus})
    assert {"conv0", "conv1_window"} <= schedule.depths(image, folding).keys()
    alone = make(network, {m.name: models.lowest_fold(m) for m in network.mvtus})
    assert "conv0_window" not in schedule.depths(network, alone)


@pytest.mark.parametrize("keep", [0, 100, 2000])
def test_half_a_stored_network_is_named(keep, tmp_path):
    network = load("skip", tmp_path)[1].network
    network.save(tmp_path / "network.npz")
    again = Network.load(tmp_path / "network.npz")
    assert again.reads == network.reads
    (tmp_path / "half.npz").write_bytes((tmp_path / "network.npz").read_bytes()[:keep])
    with pytest.raises(ModelError, match="not a network that headrace stored"):
        Network.load(tmp_path / "half.npz")


def test_the_report_counts_what_is_between_branches():
    rows = ("lut", "ff", "bram36", "dsp")
    names = (
        "residual0",
        "residual0_skip_fifo",
        "residual0_skip_width",
        "residual0_fork",
        "concat0_a",
    )
    modules = {name: dict.fromkeys(rows, 1.0) for name in (*names, "residual01", "concat0_b_fifo")}
    assert report._counted("residual0", modules)["lut"] == 4
    assert report._counted("concat0", modules)["lut"] == 2


def test_codes_after_an_addition_are_among_the_reports_bits(tmp_path):
    network = load("resnet_small", tmp_path)[1].network
    assert report._act_bits(network) == [2] * (len(network.mvtus) - 1)


def test_what_meets_goes_by_the_unit_whose_sums_it_takes(tmp_path):
    network = load("skip_signed", tmp_path)[1].network
    where = {layer.name: stage.unit.name for stage in stages(network) for layer in stage.layers}
    (added,) = [layer for layer in network.layers if isinstance(layer, Residual)]
    sums, skip = network.reads[added.name]
    assert where[added.name] == sums != where[skip]


@pytest.mark.parametrize(
    ("shape", "counted"),
    [
        ((8, 2, 3, 1, 16), (561, 764)),
        ((8, 2, 3, 1, 64), (648, 827)),
        ((8, 2, 3, 9, 16), (378, 697)),
        ((8, 2, 3, 9, 64), (675, 715)),
        ((4, 4, 15, 9, 8), (754, 508)),
        ((4, 4, 15, 9, 64), (246, 479)),
    ],
)
def test_a_residual_costs_what_yosys_counts(shape, counted):
    """LUTs and FFs of PE lanes of 12 bits: codes' bits, thresholds, cycles of a beat, rows."""
    pe, bits, steps, spacing, rows = shape
    draw = np.random.default_rng(0)
    unit = random_unit(
        draw, (rows, 4 * spacing), weight_bits=2, in_bits=2, low=-1, positions=4, windowed=True
    )
    layer = replace(residual(draw, rows=rows, bits=bits, steps=steps), sum_bits=12)
    fold = Fold(pe=pe, simd=4, memory="logic")
    made = layer.cost(Place(fold=fold, unit=unit, window=None, cycles=1, brought=0))
    assert (made.lut, made.ff) == (
        pytest.approx(counted[0], rel=0.06),
        pytest.approx(counted[1], rel=0.16),
    )
    assert (made.bram18 > 0) == (rows // pe << bits > 128)


@pytest.mark.parametrize(
    ("shape", "added", "counted"),
    [
        ((8, 3, 1, 16), {"gains": (1, 4), "skip_bits": 8}, (480, 645)),
        ((8, 15, 9, 64), {"gains": (1, 16), "skip_bits": 8}, (711, 994)),
        (
            (4, 15, 9, 64),
            {"gains": (1, 1), "skip_bits": 12, "skip_signed": True},
            (742, 547),
        ),
        ((8, 3, 9, 64), {"gains": (3, 1), "skip_bits": 8}, (634, 828)),
    ],
)
def test_the_sums_of_a_skip_cost_what_yosys_counts(shape, added, counted):
    """LUTs and FFs of PE lanes of 12 bits: thresholds, cycles of a beat, rows; what is added."""
    pe, steps, spacing, rows = shape
    draw = np.random.default_rng(0)
    unit = random_unit(
        draw, (rows, 4 * spacing), weight_bits=2, in_bits=2, low=-1, positions=4, windowed=True
    )
    levels = np.sort(draw.integers(-1000, 1000, (rows, 1, steps)), axis=2)
    layer = Residual(name="r", sum_bits=12, thresholds=levels, **added)
    fold = Fold(pe=pe, simd=4, memory="logic")
    made = layer.cost(Place(fold=fold, unit=unit, window=None, cycles=1, brought=0))
    assert (made.lut, made.ff) == pytest.approx(counted, rel=0.1)


@pytest.mark.parametrize("signed", [False, True], ids=["codes", "sums"])
def test_what_has_a_scale_in_common_is_added(signed):
    draw = np.random.default_rng(2)
    levels = np.sort(draw.integers(-300, 300, (3, 1, 7)), axis=2)
    layer = Residual(
        name="r",
        skip_bits=6,
        sum_bits=7,
        thresholds=levels,
        float_thresholds=levels - 0.25,
        slack=np.full(3, 0.3),
        gains=(2, -5),
        skip_signed=signed,
    )
    low = -32 if signed else 0
    sums, skip = draw.integers(-64, 64, (2, 5, 3)), draw.integers(low, low + 64, (2, 5, 3))
    totals = 2 * sums - 5 * skip
    made = layer.compute(sums, skip)
    assert np.array_equal(made, (totals[..., None] >= levels[:, 0]).sum(axis=-1))
    assert layer.total_bits == 10
    sure = np.zeros(sums.shape, bool)
    doubted = layer.doubt(Codes(codes=sums, unsure=sure), Codes(codes=skip, unsure=sure))
    assert np.array_equal(doubted.unsure, (totals[..., None] == levels[:, 0]).any(axis=-1))
    assert np.array_equal(doubted.sums, totals)


def test_what_no_total_reaches_has_room_beside_the_totals():
    """The least of nine bits, negated, and the largest code: 256 + 255 are 511, and 512 is more."""
    levels = np.array([[[0, 512]]])
    layer = Residual(name="r", skip_bits=8, sum_bits=9, thresholds=levels, gains=(-1, 1))
    assert layer.total_bits == 11


@pytest.mark.parametrize(
    ("scales", "gains"),
    [
        ([(Fraction(1, 8), Fraction(3, 8))], (1, 3)),
        ([(Fraction(3, 4), Fraction(1, 2)), (Fraction(-3), Fraction(-2))], (3, 2)),
        ([(Fraction(-1), Fraction(2))], (-1, 2)),
        ([(Fraction(1), Fraction(-2))], (1, -2)),
        ([(Fraction(1), Fraction(2)), (Fraction(1), Fraction(3))], None),
        ([(Fraction(1), Fraction(0))], None),
        ([(Fraction(1), Fraction(4097))], None),
    ],
)
def test_scales_are_whole_multiples_of_one_number_or_not(scales, gains):
    assert multiples(scales) == gains


def test_branches_that_flatten_the_same_means_share_their_sums(tmp_path):
    network = load("gap_twice", tmp_path)[1].network
    (pool,) = (layer for layer in network.layers if isinstance(layer, SumPool))
    readers = [layer.name for layer, sources in network.walk() if pool.name in sources]
    assert len(readers) == 2
