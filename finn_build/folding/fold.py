"""The parallelism of one unit, as a user reads and edits it."""

from dataclasses import dataclass

MEMORIES = ("logic", "block")
CONSTANT = "constant"


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Parallelism of one layer: PE outputs and SIMD inputs per cycle, and its memories.

    `memory`: the weights are in "logic" (a ROM of LUTs), in "block" RAM, or "constant" (wires).
    Constant weights take all outputs and inputs of `pixels` neighbouring positions at once, with
    `slice_bits` bits of every input per cycle. `dsp`: multiply in DSP slices. `lines`: the memory
    in which the window before the layer keeps its rows.
    """

    pe: int
    simd: int
    memory: str
    slice_bits: int = 0
    dsp: bool = False
    pixels: int = 1
    lines: str = "logic"
