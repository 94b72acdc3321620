"""What the RTL and Python must agree on: read out of the RTL, and compared with Python's own.

pyslang elaborates a module with the parameters that a build gives it; its localparams are the
facts. A number that changes on one side alone fails here, in seconds and without a simulation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import constructs
import numpy as np
import pytest
from pyslang import driver

from finn_build.folding import beats, compressor_tree, dsp_packing
from finn_build.folding.calibration import random_unit
from finn_build.folding.dsp_packing import plan_of
from finn_build.folding.fold import CONSTANT, Fold
from finn_build.network.layers import Mvtu, Place, SumPool, Window
from finn_build.network.layers import numbers as units
from finn_build.network.layers.scoring import LOGIC_CLASSES, Scoring
from finn_build.rtl import accelerator, rom
from finn_build.rtl.design import STYLES, Design, Stream

TEMPLATES = Path(__file__).parents[1] / "rtl_templates"
# Cycles of a beat through axis_fifo and axis_reserve: into the memory, into the output register.
FIFO_CYCLES = 2
# Cycles of nn_threshold's first pass: levels, comparators, counts, and the count's own register.
FIRST_PASS = 4


@dataclass(frozen=True, kw_only=True)
class Elaborated:
    """A module with its parameters set: `facts["u_weights.BANK"]` is a localparam in it."""

    compilation: Any
    top: str

    def __getitem__(self, path: str) -> int:
        symbol = self.compilation.getRoot().lookupName(f"{self.top}.{path}")
        assert symbol is not None, f"{self.top} has no {path}"
        return int(symbol.value.convertToInt().value)


def elaborate(top: str, parameters: Mapping[str, int | str]) -> Elaborated:
    """The module of that name; parameters: those that are not at their defaults."""
    return _elaborate(top, tuple(sorted(parameters.items())))


@cache
def _elaborate(top: str, parameters: tuple[tuple[str, int | str], ...]) -> Elaborated:
    compiler = driver.Driver()
    compiler.addStandardArgs()
    values = [f"-G {name}={constructs._literal(value)}" for name, value in parameters]
    sources = [path for area in ("axis", "mem", "nn") for path in (TEMPLATES / area).glob("*.sv")]
    command = ["facts", "--top", top, "--max-generate-steps 100000000", *values]
    assert compiler.parseCommandLine(" ".join([*command, *map(str, sorted(sources))]))
    assert compiler.processOptions() and compiler.parseAllSources()
    return Elaborated(compilation=compiler.createCompilation(), top=top)


def text(path: str) -> str:
    """A module's source."""
    return (TEMPLATES / path).read_text()


# ---------------------------------------------------------------- units with weights in a memory
@dataclass(frozen=True, kw_only=True)
class Shape:
    """A layer and how it is folded."""

    rows: int = 16
    cols: int = 144
    weight_bits: int = 2
    in_bits: int = 2
    low: int = -1
    out_bits: int = 2
    windowed: bool = True
    fold: Fold

    def layer(self) -> Mvtu:
        draw = np.random.default_rng(1)
        made = random_unit(
            draw,
            (self.rows, self.cols),
            weight_bits=self.weight_bits,
            in_bits=self.in_bits,
            low=self.low,
            windowed=self.windowed,
        )
        if not self.out_bits:
            return made
        return replace(made, thresholds=np.zeros((self.rows, (1 << self.out_bits) - 1), np.int64))

    def facts(self) -> Elaborated:
        (instance,) = accelerator.alone(self.layer(), self.fold).instances
        return elaborate(instance.module, instance.parameters)


def logic(pe: int, simd: int, **others: Any) -> Fold:
    return Fold(pe=pe, simd=simd, memory="logic", **others)


def block(pe: int, simd: int, **others: Any) -> Fold:
    return Fold(pe=pe, simd=simd, memory="block", **others)


SHAPES = {
    "ternary": Shape(fold=logic(4, 36)),
    "all rows": Shape(fold=block(16, 12)),
    "signs": Shape(weight_bits=1, in_bits=1, out_bits=1, fold=block(2, 72)),
    "two bits": Shape(low=-2, fold=block(16, 3)),
    "four by eight": Shape(weight_bits=4, in_bits=8, low=-8, out_bits=4, fold=logic(16, 9)),
    "one product": Shape(weight_bits=1, in_bits=1, out_bits=1, fold=block(1, 1)),
    "as many words as a bank": Shape(rows=64, fold=logic(1, 36)),
    "a word more": Shape(rows=257, cols=36, fold=logic(1, 36)),
    "many thresholds": Shape(rows=128, cols=36, out_bits=2, fold=block(1, 9)),
    "a whole bank of thresholds": Shape(rows=64, cols=36, out_bits=2, fold=block(1, 9)),
    "two passes": Shape(out_bits=4, fold=logic(4, 18)),
    "accumulators": Shape(out_bits=0, fold=logic(4, 36)),
    "slices": Shape(weight_bits=4, in_bits=4, low=-8, fold=block(4, 36, dsp=True)),
    "wide slices": Shape(weight_bits=8, in_bits=8, low=-127, fold=logic(16, 9, dsp=True)),
}


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Shape:
    return SHAPES[request.param]


def test_a_register_drives_as_many_loads_as_python_counts(shape: Shape) -> None:
    facts = shape.facts()
    assert facts["DRIVEN"] == facts["u_chunk.DRIVEN"] == units.DRIVEN
    # The copies by the definition: a row's bits of an activation, as often as a register drives.
    uses = 1 if units.unit(shape.layer(), dsp=shape.fold.dsp).ternary else 2 * shape.weight_bits
    copies = 1 if shape.fold.dsp else -(-shape.fold.pe // max(1, units.DRIVEN // uses))
    assert facts["COPIES"] == copies


def test_dot_products_take_as_long_as_python_says(shape: Shape) -> None:
    facts, fold = shape.facts(), shape.fold
    if fold.dsp:
        made = plan_of(shape.layer(), fold.pe)
        assert facts["LATENCY"] == made.latency(fold.simd)
        assert facts["gen_dsp.gen_lane[0].u_dsp.K"] == made.spacing
        assert facts["gen_dsp.gen_lane[0].u_dsp.MOST"] == made.most
        assert facts["gen_dsp.gen_lane[0].u_dsp.GROUPS"] == len(made.groups(fold.pe))
    else:
        assert facts["LATENCY"] == compressor_tree.latency(
            simd=fold.simd, weight_bits=shape.weight_bits, in_bits=shape.in_bits
        )


def test_weights_take_another_register_where_python_says(shape: Shape) -> None:
    facts, depth = shape.facts(), shape.rows * shape.cols // (shape.fold.pe * shape.fold.simd)
    assert facts["DEPTH"] == facts["u_weights.DEPTH"] == depth
    assert facts["u_weights.BANK"] == rom.BANK
    if shape.fold.memory == "logic":
        assert facts["OUT_REG"] == (2 if depth > rom.BANK else 1)


def test_results_come_as_many_cycles_later_as_the_schedule_says(shape: Shape) -> None:
    facts = shape.facts()
    passes = facts["gen_thresholds.u_threshold.PASSES"] if shape.out_bits else 1 - FIRST_PASS
    summed = facts["AT_STEP"] + facts["u_accumulate.LATENCY"]
    through = summed + FIRST_PASS + passes - 1 + FIFO_CYCLES
    assert shape.layer().hardware(shape.fold).latency() == through
    assert facts["u_output.DEPTH"] == beats.RESULTS


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if shape.out_bits])
def test_thresholds_are_compared_and_kept_as_python_lays_them_out(name: str) -> None:
    shape = SHAPES[name]
    facts, layer, fold = shape.facts(), shape.layer(), shape.fold
    made = units.Counting.of(layer.steps, units.spacing(layer, pe=fold.pe, simd=fold.simd))
    inside = "gen_thresholds.u_threshold"
    assert facts[f"{inside}.WAYS"] == made.ways
    assert facts[f"{inside}.PASSES"] == made.passes
    assert facts[f"{inside}.SLOTS"] == made.slots
    words = units.threshold_words(layer, pe=fold.pe, simd=fold.simd)
    assert facts[f"{inside}.DEPTH"] == words
    style = STYLES[units.threshold_memory(words)]
    assert facts[f"{inside}.u_levels.STYLE"] == style


def test_both_sides_of_every_limit_are_among_the_shapes() -> None:
    """Or a limit that moves a little would not be seen."""
    depths = {s.rows * s.cols // (s.fold.pe * s.fold.simd) for s in SHAPES.values()}
    assert {rom.BANK, rom.BANK + 1} <= depths
    folded = [(s.layer(), {"pe": s.fold.pe, "simd": s.fold.simd}) for s in SHAPES.values()]
    words = {units.threshold_words(layer, **fold) for layer, fold in folded}
    assert {rom.BANK, 2 * rom.BANK} <= words


def test_slices_take_operands_as_wide_as_python_says() -> None:
    limits = re.findall(r"(W|A)_BITS > (\d+)", text("nn/nn_dsp.sv"))
    assert limits == [("W", str(dsp_packing.MOST_WEIGHT)), ("A", str(dsp_packing.MOST_INPUT))]


# ---------------------------------------------------------------- units with constant weights
@pytest.mark.parametrize(("in_bits", "slice_bits", "out_bits"), [(8, 3, 2), (2, 2, 2), (4, 1, 4)])
def test_constant_weights_take_as_long_as_the_schedule_says(
    in_bits: int, slice_bits: int, out_bits: int
) -> None:
    shape = Shape(
        rows=8, cols=27, weight_bits=4, in_bits=in_bits, low=-7, out_bits=out_bits,
        fold=Fold(pe=8, simd=27, memory=CONSTANT, slice_bits=slice_bits),
    )  # fmt: skip
    layer = shape.layer()
    numbers = units.constants(layer, slice_bits)
    facts = elaborate(
        "nn_constant",
        {
            "ROWS": 8,
            "COLS": 27,
            "A_BITS": in_bits,
            "SLICE": slice_bits,
            "SUM_W": numbers.sum_bits,
            "LATENCY": numbers.latency,
            "ACC_W": numbers.acc_bits,
            "THRESHOLDS": layer.steps,
            "OUT_W": out_bits,
        },
    )
    assert facts["STEPS"] == numbers.steps
    # The slice's register, its sum's, and the accumulator's; the schedule begins a cycle later.
    through = 2 + numbers.latency + FIRST_PASS + facts["u_threshold.PASSES"] - 1 + FIFO_CYCLES
    assert layer.hardware(shape.fold).latency() == through - 1
    assert facts["u_output.DEPTH"] == beats.RESULTS


# ---------------------------------------------------------------- windows and labels
@pytest.mark.parametrize("pixels", [1, 2])
@pytest.mark.parametrize(
    ("kernel", "stride", "pad"),
    [
        ((3, 3), (1, 1), (1, 1, 1, 1)),
        ((3, 3), (2, 1), (0, 1, 1, 1)),
        ((1, 5), (1, 1), (0, 4, 0, 0)),
        ((2, 3), (1, 1), (1, 2, 1, 2)),
        ((8, 2), (1, 1), (0, 1, 0, 0)),
    ],
)
def test_windows_have_the_grid_that_the_schedule_walks(
    kernel: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int, int, int], pixels: int
) -> None:
    window = Window(
        name="w", height=8, width=12, channels=3, bits=2, kernel=kernel, stride=stride, pad=pad
    )
    made = Design(name="n", source=Stream(elems=3 * pixels, bits=2), depths={})
    window.whole(made, pixels, "logic", prompt=True)
    (instance,) = made.instances
    facts = elaborate(instance.module, instance.parameters)
    assert (facts["ROWS"], facts["COLS"]) == window.grid(pixels)
    assert facts["LAG"] == window.lag(pixels)
    assert (facts["OH"], facts["OW"]) == (window.out_height, window.out_width)


@pytest.mark.parametrize(("side", "channels", "simd"), [(2, 1, 1), (8, 4, 2), (16, 64, 8)])
def test_sliding_windows_hold_the_words_that_python_counts(
    side: int, channels: int, simd: int
) -> None:
    window = Window(
        name="w", height=side, width=side, channels=channels, bits=2,
        kernel=(3, 3), stride=(1, 1), pad=(1, 1, 1, 1),
    )  # fmt: skip
    shape = {"CHANNELS": channels, "SIMD": simd, "HEIGHT": side, "WIDTH": side}
    facts = elaborate("nn_swu", {**shape, "KERNEL": 3, "PAD": 1})
    assert facts["DEPTH"] == window.sliding_words(simd)


@pytest.mark.parametrize(
    ("kernel", "pe", "pixels"), [((8, 8), 2, 1), ((2, 2), 8, 4), ((3, 2), 1, 1), ((2, 4), 8, 2)]
)
def test_sums_go_in_the_beats_that_the_schedule_counts(
    kernel: tuple[int, int], pe: int, pixels: int
) -> None:
    layer = SumPool(name="sum", height=8, width=8, channels=8, bits=2, kernel=kernel)
    fold = Fold(pe=pe, simd=8, memory="logic", pixels=pixels)
    unit = random_unit(np.random.default_rng(1), (8, 8), weight_bits=2, in_bits=2, low=-1)
    place = Place(fold=fold, unit=unit, window=None, cycles=64, brought=0)
    made = Design(name="n", source=Stream(elems=pe * pixels, bits=2), depths={})
    layer.build(made, place)
    (instance,) = made.instances
    facts = elaborate(instance.module, instance.parameters)
    assert layer.cost(place).cycles == 8 * facts["COLS"] * 8 // pe
    source = beats.Beats(times=np.arange(8 * 8 * 8 // (pe * pixels)) * 1.0, elems=pe * pixels)
    timed = layer.times(place, beats.Timing(frames=1, cycles=64), source)
    assert timed.elems == instance.out.elems == facts["ELEMS"]
    assert len(timed.times) == layer.out_height * layer.out_width * 8 // facts["ELEMS"]


@pytest.mark.parametrize("dsp", [False, True])
@pytest.mark.parametrize(
    ("gain", "bias", "floor"),
    [(0, 0, 0), (0, 9, None), (2, 0, None), (3, 9, 0), (17, 20, 0), (18, 0, 0), (31, 60, None)],
)
def test_scores_take_the_pieces_and_cycles_that_python_says(
    gain: int, bias: int, floor: int | None, dsp: bool
) -> None:
    made = Scoring(
        gain_bits=gain, bias_bits=bias, score_bits=70, words=[0] * bool(gain + bias), floor=floor
    )
    if made.words:
        facts = elaborate("nn_score", {"LOGIT_W": 20, **made.parameters("gains", dsp=dsp)})
    else:
        facts = elaborate("nn_score", {"LOGIT_W": 20, "GAIN_W": 0, "BIAS_W": 0, "SCORE_W": 30,
                                       "FLOORED": 1})  # fmt: skip
    assert facts["PIECES"] == made.pieces(dsp=dsp)
    assert facts["LATENCY"] == made.latency(dsp=dsp)


# ---------------------------------------------------------------- memories
@pytest.mark.parametrize("depth", [1, 2, 8, 9, 64, 65, 256, 257, 512, 513, 2048, 20_000, 70_000])
@pytest.mark.parametrize("memory", ["logic", "block"])
def test_roms_are_cut_where_the_module_reads_them(depth: int, memory: str) -> None:
    facts = elaborate("mem_rom", {"DEPTH": depth, "STYLE": STYLES[memory]})
    assert facts["SLICE"] == rom.slice_bits(depth, memory)
    assert facts["BANK"] == rom.BANK


def test_a_part_has_as_many_bits_and_digits_as_its_files() -> None:
    part = text("mem/mem_part.sv")
    assert [int(n) for n in re.findall(r"WORDS \* WIDTH > (\d+)", part)] == [rom.MOST_BITS]
    most = int(re.search(r"PART > (\d+)", part)[1])
    name = next(reversed(rom.images("w", [[1]] * 11)))
    assert len(re.search(r"_(\d+)\.hex", name)[1]) == len(str(most))


def test_a_bank_is_the_limit_of_the_modules_too() -> None:
    """Words from which mem_rom takes a second register, and thresholds are in block RAM."""
    for path in ("mem/mem_rom.sv", "nn/nn_mvtu.sv", "nn/nn_threshold.sv"):
        limits = re.findall(r"DEPTH\s*(?:<=|>)\s*(\d{2,})\)", text(path))
        assert set(map(int, limits)) - {512} == {rom.BANK}, path


def test_gains_are_in_block_ram_where_python_says() -> None:
    limits = re.findall(r"CLASSES > (\d{2,})\)", text("nn/nn_score.sv"))
    assert set(map(int, limits)) == {LOGIC_CLASSES}


def test_a_fifo_holds_what_the_schedule_counts_on() -> None:
    """A FIFO of two beats at least, and two cycles through it."""
    fifo, reserve = text("axis/axis_fifo.sv"), text("axis/axis_reserve.sv")
    assert "latency two cycles; holds DEPTH beats and one in the output" in fifo
    assert "latency two cycles" in reserve and beats.FIFO == FIFO_CYCLES
    for module in (fifo, reserve):
        assert re.findall(r"DEPTH < (\d+)\)", module) == ["2"]
