"""The parallelism of one unit, as a user reads and edits it."""

from dataclasses import dataclass

MEMORIES = ("logic", "block")
CONSTANT = "constant"


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Parallelism of one layer: PE outputs and SIMD inputs per cycle, and where its weights are.

    `memory`: "logic", a ROM of LUTs; "block", block RAM; "constant", wires, where all outputs and
    inputs are taken at once, `slice_bits` bits of every input per cycle, of `pixels` neighbouring
    positions. `dsp`: multiplied in DSP slices. `lines`: where the window before the layer keeps its
    rows.
    """

    pe: int
    simd: int
    memory: str
    slice_bits: int = 0
    dsp: bool = False
    pixels: int = 1
    lines: str = "logic"
