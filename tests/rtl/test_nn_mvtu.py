"""nn_mvtu against the NumPy matrix-vector product and threshold count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tiers import every

from finn_build.folding.dsp_packing import code, plan_of
from finn_build.network.layers import Mvtu
from finn_build.network.layers.numbers import Counting, threshold_memory, unit
from finn_build.rtl import rom
from finn_build.rtl.design import STYLES, pack

if TYPE_CHECKING:
    from conftest import Parameter, Simulate

NAMES = ("ROWS", "COLS", "PE", "SIMD", "IN_ELEMS", "W_BITS", "A_BITS", "THRESHOLDS", "OUT_W")
# Values, lowest weight, whether there is a bias, memory.
CASES: dict[str, tuple[tuple[int, ...], int, bool, str]] = {
    "smallest": ((1, 1, 1, 1, 1, 1, 1, 1, 1), -1, False, "logic"),
    "one_step": ((4, 9, 4, 9, 9, 2, 2, 3, 2), -1, False, "logic"),
    "typical": ((8, 36, 2, 12, 36, 2, 2, 3, 2), -1, False, "block"),
    "two_bits": ((4, 36, 2, 12, 36, 2, 2, 3, 2), -2, False, "logic"),
    "beats": ((6, 40, 3, 4, 8, 2, 2, 0, 16), -2, True, "logic"),
    "ternary": ((6, 40, 3, 4, 8, 2, 3, 0, 16), -1, True, "logic"),
    "groups": ((4, 24, 2, 4, 4, 1, 2, 3, 2), -1, True, "logic"),
    "one_group": ((3, 20, 3, 5, 10, 1, 1, 1, 1), -1, True, "logic"),
    "signs": ((4, 24, 2, 4, 4, 1, 4, 0, 16), -1, False, "logic"),
    "passes": ((4, 24, 2, 3, 12, 3, 3, 7, 3), -4, False, "logic"),
    # More rows than an activation's register drives, three times.
    "copies": ((14, 16, 14, 4, 8, 2, 2, 3, 2), -2, False, "logic"),
    # 80 groups of rows in three of four passes: thresholds in block RAM.
    "levels": ((80, 12, 1, 4, 12, 2, 2, 3, 2), -1, False, "block"),
    "pixels": ((4, 27, 2, 27, 27, 4, 8, 15, 4), -7, False, "logic"),
}


def memory(name: str, words: np.ndarray, bits: int, style: str, *, banked: bool) -> dict[str, str]:
    """Files of a ROM: words (DEPTH, ELEMENTS) of `bits` bits each, element 0 lowest."""
    packed = [pack(row, bits) for row in words]
    return rom.images(name, rom.parts(packed, words.shape[1] * bits, style, banked=banked))


@pytest.mark.parametrize("name", every(3, CASES))
def test_mvtu(simulate: Simulate, name: str) -> None:
    run(simulate, name)


# Four, three and two rows in a slice, and one; chains of four slices and of two, and a short one;
# weights that take another bit, and a last group of rows that is not full.
SLICES: dict[str, tuple[tuple[int, ...], int, bool, str]] = {
    "one": ((1, 1, 1, 1, 1, 4, 4, 1, 1), -1, False, "logic"),
    "seven": ((7, 10, 7, 5, 5, 4, 4, 3, 2), -8, False, "logic"),
    "four_rows": ((12, 36, 6, 12, 36, 2, 2, 3, 2), -1, False, "block"),
    "three_rows": ((8, 40, 4, 10, 40, 4, 4, 15, 4), -7, False, "block"),
    "another_bit": ((10, 27, 5, 27, 27, 4, 4, 7, 3), -8, False, "logic"),
    "two_rows": ((6, 36, 3, 9, 18, 8, 8, 0, 24), -127, True, "logic"),
    "one_row": ((4, 18, 2, 6, 6, 8, 8, 255, 8), -128, True, "block"),
    "binary": ((8, 24, 4, 8, 24, 1, 2, 3, 2), -1, False, "logic"),
}


@pytest.mark.parametrize("name", every(3, SLICES))
def test_mvtu_in_slices(simulate: Simulate, name: str) -> None:
    run(simulate, name, dsp=True)


@pytest.mark.parametrize("name", ["typical", "one_step", "pixels"])
def test_mvtu_with_vectors_again(simulate: Simulate, name: str) -> None:
    """The vector comes in pieces, once for every group of rows."""
    run(simulate, name, again=True)


# Of a row each, one and several at once; of several rows, of which one, two or all are at once; and
# the groups that a vector has.
GROUPS: dict[str, tuple[tuple[int, ...], int, int]] = {
    "depthwise": ((8, 9, 4, 3, 72, 2, 2, 3, 2), -1, 8),
    "depthwise_alone": ((6, 9, 1, 9, 54, 4, 4, 7, 3), -7, 6),
    "depthwise_whole": ((4, 9, 4, 9, 36, 2, 2, 3, 2), -2, 4),
    "rows_by_turns": ((12, 18, 2, 6, 54, 2, 2, 3, 2), -1, 3),
    "rows_by_turns_whole": ((12, 8, 1, 8, 16, 3, 2, 3, 2), -3, 2),
    "groups_of_rows": ((12, 8, 6, 4, 32, 2, 3, 0, 12), -2, 4),
    # More rows of each of two groups than an activation's register drives.
    "more_copies": ((28, 6, 28, 3, 12, 2, 2, 3, 2), -2, 2),
}


@pytest.mark.parametrize("again", [False, True], ids=["whole", "again"])
@pytest.mark.parametrize("name", every(2, GROUPS))
def test_mvtu_of_groups(simulate: Simulate, name: str, again: bool) -> None:
    """Each group of a vector goes to its own rows."""
    run(simulate, name, again=again)


@pytest.mark.parametrize("name", ["rows_by_turns", "groups_of_rows"])
def test_mvtu_of_groups_in_slices(simulate: Simulate, name: str) -> None:
    run(simulate, name, dsp=True)


@pytest.mark.parametrize("name", ["typical", "two_bits", "ternary", "groups", "pixels"])
def test_mvtu_by_formula(simulate: Simulate, name: str) -> None:
    """The short form of the dot product for long simulations does the same at the same time."""
    run(simulate, name, defines=("NN_COMPRESSOR_FORMULA",))


@pytest.mark.parametrize("name", ["smallest", "one_step", "beats", "ternary", "groups"])
def test_mvtu_netlist(simulate: Simulate, name: str) -> None:
    """What Yosys makes of the unit, with its weights, thresholds and biases in LUT logic."""
    run(simulate, name, only="logic", netlist=True)


def drawn(name: str, p: dict[str, int], low: int, *, with_bias: bool, groups: int = 1) -> Mvtu:
    """A layer of random weights, with thresholds that its sums reach where it has any."""
    rng = np.random.default_rng(len(name))
    rows, cols, w_bits, steps = (p[key] for key in ("ROWS", "COLS", "W_BITS", "THRESHOLDS"))
    legal = [-1, 1] if w_bits == 1 else range(low, 1 << (w_bits - 1))
    weights = rng.choice(legal, (rows, cols))
    spread = max(2, int(2 * cols**0.5 * (1 << (p["A_BITS"] - 1)) * max(1, -low / 2)))
    return Mvtu(
        name=name,
        positions=1,
        windowed=groups > 1,
        groups=groups,
        in_bits=p["A_BITS"],
        weight_bits=w_bits,
        weights=weights,
        thresholds=np.sort(rng.integers(-spread, spread, (rows, steps)), axis=1) if steps else None,
        bias=rng.integers(-3, 4, rows) if with_bias else None,
    )


def run(
    simulate: Simulate,
    name: str,
    *,
    defines: tuple[str, ...] = (),
    only: str = "",
    netlist: bool = False,
    dsp: bool = False,
    again: bool = False,
) -> None:
    if name in GROUPS:
        values, low, groups = GROUPS[name]
        with_bias, style = not values[7], "logic"
    else:
        values, low, with_bias, style = (SLICES if dsp else CASES)[name]
        groups = 1
    p = dict(zip(NAMES, values, strict=True))
    rows, cols, pe, simd, in_elems = (p[key] for key in ("ROWS", "COLS", "PE", "SIMD", "IN_ELEMS"))
    w_bits, steps = p["W_BITS"], p["THRESHOLDS"]
    layer = drawn(name, p, low, with_bias=with_bias, groups=groups)
    numbers = unit(layer, dsp=dsp)
    assert numbers.ternary == ((w_bits, low, dsp) == (2, -1, False))

    # Word ((beat*RF + group)*SF + sub), element (p*SIMD + s).
    words = layer.weights if w_bits > 1 else (layer.weights > 0).astype(int)
    lane_rows, lanes = min(pe, rows // groups), max(1, pe * groups // rows)
    if dsp:
        words, w_bits = code(layer, lane_rows), plan_of(layer, lane_rows).weight_bits
    beat = in_elems // groups
    words = words.reshape(rows // pe, pe, cols // beat, beat // simd, simd)
    words = words.transpose(2, 0, 3, 1, 4).reshape(-1, pe * simd)
    kind = only or style
    files = memory("weights", words, w_bits, kind, banked=True)
    parameters: dict[str, Parameter] = {
        **p,
        "GROUPS": groups,
        "IN_ELEMS": lanes * simd if again else in_elems,
        "AGAIN": int(again),
        "W_BITS": w_bits,
        "TERNARY": int(numbers.ternary),
        "CHAIN": plan_of(layer, lane_rows).chain if dsp else 0,
        "ACC_W": numbers.acc_bits,
        "START": int(numbers.start[0]),
        "WEIGHT_FILE": "weights",
        "MEMORY": STYLES[kind],
    }
    if numbers.thresholds is not None:
        counting = Counting.of(steps, max(1, cols // simd if pe == rows else beat // simd))
        words = counting.words(numbers.thresholds, pe)
        levels = threshold_memory(len(words))
        files |= memory("thresholds", words, numbers.acc_bits, levels, banked=False)
        parameters["THRESHOLD_FILE"] = "thresholds"
    if np.ptp(numbers.start):
        starts = numbers.start.reshape(rows // pe, pe)
        files |= memory("start", starts, numbers.acc_bits, "logic", banked=False)
        parameters["START_FILE"] = "start"
    simulate(
        "nn_mvtu", parameters, "bench_nn_mvtu", files=files, seed=len(name),
        defines=defines, netlist=netlist,
        weights=layer.weights.tolist(),
        thresholds=None if layer.thresholds is None else layer.thresholds.tolist(),
        bias=None if layer.bias is None else layer.bias.tolist(),
    )  # fmt: skip
