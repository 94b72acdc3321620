import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiers import every

from finn_build.backends import verilator
from finn_build.folding.fold import Fold
from finn_build.folding.folding import make
from finn_build.folding.schedule import latency
from finn_build.network import golden
from finn_build.network.layers.in_memory import weight_words
from finn_build.rtl import accelerator, emit, emitted
from finn_build.rtl.design import pack

FOLDS = {
    "conv0": Fold(pe=2, simd=6, memory="logic"),
    "dense0": Fold(pe=3, simd=8, memory="block"),
}


def constant(slice_bits):
    """A fold of the first layer with constant weights."""
    return Fold(pe=4, simd=18, memory="constant", slice_bits=slice_bits)


GOLDEN_TOP = """\
  nn_mvtu #(
    .ROWS(4),
    .COLS(18),
    .PE(2),
    .SIMD(6),
    .IN_ELEMS(18),
    .AGAIN(0),
    .W_BITS(2),
    .A_BITS(8),
    .TERNARY(1),
    .CHAIN(0),
    .ACC_W(12),
    .THRESHOLDS(3),
    .OUT_W(2),
    .WEIGHT_FILE("conv0_weights"),
    .THRESHOLD_FILE("conv0_thresholds"),
    .START(0),
    .START_FILE(""),
    .MEMORY(1)
  ) conv0_i (
    .clk(clk),
    .rst_n(rst_n),
    .s_axis_tdata(t3_data),
    .s_axis_tvalid(t3_valid),
    .s_axis_tready(t3_ready),
    .m_axis_tdata(t4_data),
    .m_axis_tvalid(t4_valid),
    .m_axis_tready(t4_ready)
  );
"""


@given(st.lists(st.integers(-8, 7), min_size=1, max_size=40))
def test_packing_inverts(values):
    word = pack(np.array(values), 4)
    back = [((word >> (4 * i)) & 15 ^ 8) - 8 for i in range(len(values))]
    assert back == values and word < 1 << (4 * len(values))


@pytest.mark.parametrize(("layer", "name"), [(0, "conv0"), (1, "dense0")])
def test_weight_words_come_in_the_order_of_use(network, layer, name):
    unit, fold = network.mvtus[layer], FOLDS[name]
    words, bits = weight_words(unit, fold)
    assert bits == unit.weight_bits
    beat = unit.cols if unit.windowed else fold.simd
    groups, pieces = unit.rows // fold.pe, beat // fold.simd
    for index, word in enumerate(words):
        piece = index % pieces
        group = index // pieces % groups
        start = index // pieces // groups * beat + piece * fold.simd
        for p in range(fold.pe):
            row = unit.weights[group * fold.pe + p]
            expected = row[start : start + fold.simd]
            assert word[p * fold.simd : (p + 1) * fold.simd].tolist() == expected.tolist()
    assert words.size == unit.weights.size


def test_top_is_written_as_it_should_be(network, tmp_path):
    files = emit.write(accelerator.design(network, make(network, FOLDS)), tmp_path)
    top = (tmp_path / "top.sv").read_text()
    assert GOLDEN_TOP in top
    assert (tmp_path / "files.f").read_text().splitlines() == ["-f modules.f", "top.sv"]
    assert (
        emitted.read_instances(tmp_path)
        == accelerator.design(network, make(network, FOLDS)).instances
    )
    assert {f.name for f in files} >= {
        "conv0_weights_0000.hex",
        "dense0_start_0000.hex",
        "nn_mvtu.sv",
    }
    weights = (tmp_path / "conv0_weights_0000.hex").read_text().splitlines()
    assert len(weights) == (4 // 2) * (18 // 6) and {len(w) for w in weights} == {6}


def test_the_same_design_gives_the_same_bytes(network, tmp_path):
    for name in ("a", "b"):
        emit.write(accelerator.design(network, make(network, FOLDS)), tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_a_frame_that_is_no_multiple_of_eight_bytes_gets_a_narrower_beat(network):
    assert network.input_bytes == 8
    assert replace(network, height=5, width=5, channels=3).input_bytes == 1
    assert replace(network, height=6, width=6, channels=1).input_bytes == 4


@pytest.mark.parametrize(
    ("conv0", "dense0", "weight_bits"),
    every(
        2,
        [
            (FOLDS["conv0"], FOLDS["dense0"], 2),
            (Fold(pe=4, simd=18, memory="logic"), Fold(pe=6, simd=16, memory="logic"), 2),
            (Fold(pe=1, simd=1, memory="block"), Fold(pe=1, simd=1, memory="logic"), 2),
            (constant(1), FOLDS["dense0"], 2),
            (constant(3), FOLDS["dense0"], 4),
            (constant(8), FOLDS["dense0"], 4),
            (
                replace(constant(8), pixels=2, lines="block"),
                Fold(pe=6, simd=16, memory="logic"),
                2,
            ),
        ],
    ),
    ids=["folded", "parallel", "one by one", "slices of 1", "slices of 3", "slices of 8", "pixels"],
)
def test_the_accelerator_computes_what_the_golden_model_does(
    network, tmp_path, conv0, dense0, weight_bits
):
    if weight_bits != 2:
        first = network.mvtus[0]
        weights = np.random.default_rng(3).integers(-8, 8, first.weights.shape)
        weights[1] = 0
        wide = replace(first, weight_bits=weight_bits, weights=weights)
        network = replace(
            network, layers=tuple(wide if each is first else each for each in network.layers)
        )
    made = make(network, {"conv0": conv0, "dense0": dense0})
    emit.write(accelerator.design(network, made), tmp_path)
    lint = [verilator.binaries() / "verilator", "--lint-only", "-Wall", "-f", "files.f"]
    subprocess.run([*lint, "--top-module", "top"], cwd=tmp_path, check=True, capture_output=True)
    log = tmp_path / "log"
    program = verilator.build(tmp_path, tmp_path / "sim", input_bytes=8, log=log)
    images = np.random.default_rng(6).integers(0, 256, (24, 4, 4, 2)).astype(np.uint8)
    expected = golden.run(network, images)
    for stall in (0, 128):
        ran = verilator.run(
            program,
            tmp_path,
            images,
            end=network.end,
            limit=20_000,
            scratch=tmp_path / "scratch",
            log=log,
            stall=stall,
            seed=11,
        )
        assert np.array_equal(ran.logits, expected.logits), f"stall {stall}, seed 11"
        assert np.array_equal(ran.labels, expected.labels)
        if not stall:
            assert ran.cycles_per_frame <= 1.01 * made.cycles + 1
            assert abs(ran.latency_cycles - latency(network, made)) <= 10
