"""nn_mvtu against the NumPy matrix-vector product and threshold count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from conftest import Parameter, Simulate

# ROWS, COLS, PE, SIMD, IN_ELEMS, W_BITS, A_BITS, ACC_W, THRESHOLDS, OUT_W
NAMES = ("ROWS", "COLS", "PE", "SIMD", "IN_ELEMS", "W_BITS", "A_BITS", "ACC_W", "THRESHOLDS",
         "OUT_W")  # fmt: skip
CASES: dict[str, tuple[tuple[int, ...], bool, str]] = {
    "smallest": ((1, 1, 1, 1, 1, 1, 1, 2, 1, 1), False, "logic"),
    "one_step": ((4, 9, 4, 9, 9, 2, 2, 8, 3, 2), False, "auto"),
    "typical": ((8, 36, 2, 12, 36, 2, 2, 9, 3, 2), False, "block"),
    "beats": ((6, 40, 3, 4, 8, 2, 2, 10, 0, 16), True, "logic"),
    "groups": ((4, 24, 2, 4, 4, 1, 2, 8, 3, 2), True, "auto"),
    "one_group": ((3, 20, 3, 5, 10, 1, 1, 7, 1, 1), True, "logic"),
    "passes": ((4, 24, 2, 3, 12, 3, 3, 11, 7, 3), False, "auto"),
    "pixels": ((4, 27, 2, 27, 27, 4, 8, 17, 15, 4), False, "logic"),
}


def memory_image(words: np.ndarray, width: int) -> str:
    """$readmemh text: words (DEPTH, ELEMENTS) of `width` bits each, element 0 lowest."""
    mask = (1 << width) - 1
    lines = []
    for word in words.tolist():
        value = sum((element & mask) << (i * width) for i, element in enumerate(word))
        lines.append(f"{value:0{-(-len(word) * width // 4)}x}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_mvtu(simulate: Simulate, name: str) -> None:
    run(simulate, name)


@pytest.mark.parametrize("name", ["typical", "groups", "pixels"])
def test_mvtu_by_formula(simulate: Simulate, name: str) -> None:
    """The short form of the dot product for long simulations does the same at the same time."""
    run(simulate, name, defines=("NN_HEAP_FORMULA",))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["smallest", "one_step", "beats", "groups"])
def test_mvtu_netlist(simulate: Simulate, name: str) -> None:
    """What Yosys makes of the unit, with its weights, thresholds and biases in LUT logic."""
    run(simulate, name, memory="logic", netlist=True)


def run(
    simulate: Simulate,
    name: str,
    *,
    defines: tuple[str, ...] = (),
    memory: str = "",
    netlist: bool = False,
) -> None:
    values, with_bias, style = CASES[name]
    p = dict(zip(NAMES, values, strict=True))
    rng = np.random.default_rng(len(name))
    rows, cols, pe, simd, in_elems = (p[key] for key in ("ROWS", "COLS", "PE", "SIMD", "IN_ELEMS"))
    w_bits, acc_w, steps = p["W_BITS"], p["ACC_W"], p["THRESHOLDS"]
    low, high = -(1 << w_bits) >> 1, (1 << w_bits) >> 1
    weights = (
        rng.choice([-1, 1], (rows, cols)) if w_bits == 1 else rng.integers(low, high, (rows, cols))
    )
    bound = 1 << (acc_w - 1)
    spread = max(2, int(2 * cols**0.5 * (1 << (p["A_BITS"] - 1)) * max(1, high / 2)))
    thresholds = np.sort(rng.integers(-spread, spread, (rows, max(steps, 1))), axis=1)
    thresholds = np.clip(thresholds, -bound, bound - 1)
    bias = rng.integers(-3, 4, rows) if with_bias else np.zeros(rows, int)
    assert (abs(weights).sum(axis=1) * ((1 << p["A_BITS"]) - 1) + 3).max() < bound or name in (
        "smallest",
    )

    # Word ((beat*RF + group)*SF + sub), element (p*SIMD + s).
    words = weights if w_bits > 1 else (weights > 0).astype(int)
    words = words.reshape(rows // pe, pe, cols // in_elems, in_elems // simd, simd)
    words = words.transpose(2, 0, 3, 1, 4).reshape(-1, pe * simd)
    files = {"weights.hex": memory_image(words, w_bits)}
    parameters: dict[str, Parameter] = {
        **p,
        "WEIGHT_FILE": "weights.hex",
        "MEMORY": memory or style,
    }
    if steps:
        files["thresholds.hex"] = memory_image(thresholds.reshape(rows // pe, pe * steps), acc_w)
        parameters["THRESHOLD_FILE"] = "thresholds.hex"
    if with_bias:
        files["bias.hex"] = memory_image(bias.reshape(rows // pe, pe), acc_w)
        parameters["BIAS_FILE"] = "bias.hex"
    simulate(
        "nn_mvtu", parameters, "bench_nn_mvtu", files=files, seed=len(name),
        defines=defines, netlist=netlist,
        weights=weights.tolist(), thresholds=thresholds.tolist(), bias=bias.tolist(),
    )  # fmt: skip
