"""Compare the cost functions with what Yosys counts, on a grid of units."""

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from finn_build.backends import yosys
from finn_build.folding.fold import CONSTANT, Fold
from finn_build.network.layers import Mvtu
from finn_build.rtl import accelerator, emit


@dataclass(frozen=True, kw_only=True)
class Case:
    """A unit of ROWS x COLS random weights with thresholds for OUT_BITS, and its fold.

    low: the lowest weight, if weights have more than one bit.
    """

    rows: int
    cols: int
    weight_bits: int
    in_bits: int
    out_bits: int
    low: int
    fold: Fold

    @property
    def bits(self) -> str:
        """The widths, as in W2 A2-2; a ternary unit has no weight of -2."""
        ternary = self.weight_bits == 2 and self.low == -1
        return f"W{self.weight_bits}{' ternary' if ternary else ''} A{self.in_bits}-{self.out_bits}"


# Bits of weights, inputs and outputs, and the lowest weight.
_WIDTHS = ((1, 1, 1, -1), (1, 2, 2, -1), (2, 2, 2, -1), (2, 2, 2, -2), (3, 3, 3, -3), (4, 4, 4, -8))
_OTHERS = ((1, 2, 1, -1), (2, 1, 2, -1), (2, 3, 3, -1), (3, 2, 2, -4), (4, 2, 2, -7), (4, 8, 2, -7))


def _folded(rows: int, cols: int, fold: Fold, widths: Sequence[tuple[int, ...]]) -> list[Case]:
    return [
        Case(rows=rows, cols=cols, weight_bits=w, in_bits=i, out_bits=o, low=low, fold=fold)
        for w, i, o, low in widths
    ]


# Units that the functions were fitted to, units that were held out, and constant weights.
GRID = [
    *_folded(16, 144, Fold(pe=4, simd=36, memory="block"), _WIDTHS),
    *_folded(32, 72, Fold(pe=8, simd=24, memory="logic"), _WIDTHS),
]
HELD_OUT = [
    *_folded(40, 90, Fold(pe=5, simd=30, memory="block"), _OTHERS),
    *_folded(12, 216, Fold(pe=3, simd=72, memory="logic"), _OTHERS),
]
CONSTANTS = [
    *_folded(8, 27, Fold(pe=8, simd=27, memory=CONSTANT, slice_bits=3), [(4, 8, 2, -7)]),
    *_folded(8, 27, Fold(pe=8, simd=27, memory=CONSTANT, slice_bits=2), [(4, 8, 4, -7)]),
    *_folded(16, 72, Fold(pe=16, simd=72, memory=CONSTANT, slice_bits=1), _WIDTHS[:4]),
    *_folded(16, 72, Fold(pe=16, simd=72, memory=CONSTANT, slice_bits=2), _WIDTHS[2:5]),
]
_SLICED = ((2, 2, 2, -1), (3, 3, 3, -3), (4, 4, 4, -7), (4, 8, 2, -8), (8, 8, 4, -127))
IN_SLICES = [
    *_folded(16, 144, Fold(pe=4, simd=36, memory="block", dsp=True), _SLICED),
    *_folded(24, 90, Fold(pe=6, simd=18, memory="logic", dsp=True), _SLICED),
]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Estimated and counted LUTs, FFs, 18 kbit blocks and DSP slices of a case."""

    case: Case
    lut: tuple[int, int]
    ff: tuple[int, int]
    bram18: tuple[int, int]
    dsp: tuple[int, int]

    @property
    def errors(self) -> tuple[float, float]:
        """Errors of the estimated LUTs and FFs, relative to those counted."""
        return self.lut[0] / self.lut[1] - 1, self.ff[0] / self.ff[1] - 1


def random_unit(
    draw: np.random.Generator,
    shape: tuple[int, int],
    *,
    weight_bits: int,
    in_bits: int,
    low: int,
    positions: int = 1,
    windowed: bool = False,
) -> Mvtu:
    """A unit of (ROWS, COLS) random weights: -1 and 1 if of one bit, else `low` and more."""
    legal = [-1, 1] if weight_bits == 1 else range(low, 1 << (weight_bits - 1))
    return Mvtu(
        name="unit",
        positions=positions,
        windowed=windowed,
        in_bits=in_bits,
        weight_bits=weight_bits,
        weights=draw.choice(legal, shape),
    )


def build(case: Case, seed: int) -> Mvtu:
    """The unit of a case, with random weights, and random thresholds within each row's reach."""
    draw = np.random.default_rng(seed)
    unit = random_unit(
        draw,
        (case.rows, case.cols),
        weight_bits=case.weight_bits,
        in_bits=case.in_bits,
        low=case.low,
        positions=64,
        windowed=True,
    )
    top = (1 << case.in_bits) - 1
    low, high = (top * part(unit.weights, 0).sum(1) for part in (np.minimum, np.maximum))
    # Synthesis would remove a threshold that every sum reaches, or none.
    shape = (case.rows, (1 << case.out_bits) - 1)
    steps = draw.integers(low[:, None] + 1, high[:, None] + 1, shape)
    return replace(unit, thresholds=np.sort(steps, axis=1))


def measure(case: Case, seed: int) -> Fit:
    """Synthesise a case."""
    unit = build(case, seed)
    design = accelerator.alone(unit, case.fold)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        emit.write(design, folder / "rtl")
        log = folder / "log"
        whole = yosys.total(yosys.synthesise(folder / "rtl", design.instances, folder, log=log))
    expected = unit.hardware(case.fold).cost()
    return Fit(
        case=case,
        lut=(expected.lut, whole.lut),
        ff=(expected.ff, whole.ff),
        bram18=(expected.bram18, round(2 * whole.bram36)),
        dsp=(expected.dsp, whole.dsp),
    )


def write(out: Path, console: Console) -> None:
    """Measure all cases, in parallel on all cores, and write the page."""
    parts = {
        "Fitted": GRID,
        "Held out": HELD_OUT,
        "Constant weights": CONSTANTS,
        "In DSP slices": IN_SLICES,
    }
    measured = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for title, cases in parts.items():
            fits = pool.map(measure, cases, range(len(cases)))
            shown = track(
                fits,
                title,
                len(cases),
                console=console,
                transient=True,
                disable=not console.is_terminal,
            )
            measured[title] = list(shown)
            console.print(f"{title}: {_errors(measured[title])}")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(measured))


def _errors(fits: Sequence[Fit]) -> str:
    errors = np.abs([fit.errors for fit in fits])
    most, mean = 100 * errors.max(axis=0), 100 * errors.mean(axis=0)
    return (
        f"at most {most[0]:.1f} % of the LUTs and {most[1]:.1f} % of the FFs amiss, "
        f"{mean[0]:.1f} and {mean[1]:.1f} % in the mean"
    )


def page(parts: dict[str, list[Fit]]) -> str:
    """Markdown page with a table for each part, and its largest and mean error."""
    text = [
        "# Estimated and counted resources",
        "",
        "LUTs, FFs, 18 kbit blocks and DSP slices of matrix-vector-threshold units with random "
        "weights and thresholds: what the folding search expects, and what Yosys makes of the "
        "module. Written by `./build.sh fit`.",
    ]
    for title, fits in parts.items():
        text += [
            "",
            f"## {title}",
            "",
            f"{_errors(fits)}.".replace("at", "At", 1),
            "",
            "| unit | bits | PE | SIMD | weights | LUT, estimated | counted | error "
            "| FF, estimated | counted | error | BRAM18 | counted | DSP | counted |",
            f"|{15 * '---|'}",
            *map(_row, fits),
        ]
    return "\n".join(text) + "\n"


def _row(fit: Fit) -> str:
    case, fold = fit.case, fit.case.fold
    memory = f"constant, {fold.slice_bits} bits at a time" if fold.slice_bits else fold.memory
    cells = [f"{case.rows} x {case.cols}", case.bits, fold.pe, fold.simd, memory]
    for (expected, counted), error in zip((fit.lut, fit.ff), fit.errors, strict=True):
        cells += [f"{expected:,}", f"{counted:,}", f"{100 * error:+.1f} %"]
    cells += [*fit.bram18, *fit.dsp]
    return f"| {' | '.join(map(str, cells))} |"
