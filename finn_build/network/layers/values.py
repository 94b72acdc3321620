"""Values as they are: the codes or accumulators of a frame, without a label."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build.errors import ModelError
from finn_build.folding.beats import FIFO, WIDTH, Beats, Timing, in_turn
from finn_build.folding.cost import Cost, bits_for
from finn_build.network.layers.base import Integers, Ints, Place, Shape
from finn_build.network.layers.end import OUTPUT_BITS, End
from finn_build.rtl.design import Design, Stream

# Cycles from a value to its word (rtl_templates: nn_values).
LATENCY = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Values(End):
    """Every integer of HEIGHT x WIDTH x CHANNELS as a word, in the order of the stream.

    bits, signed: of an integer: codes are unsigned, accumulators are signed. axes: the axes of the
    file's output from the slowest to the fastest, 0 for rows, 1 for columns, 2 for channels; sizes:
    of the output's dimensions, which may merge some of them.
    """

    kind = "values"
    stage = "after"
    labelled = False
    integer = "value"
    summary = "values"
    stream = "the values, row-major, channels last"
    height: int
    width: int
    channels: int
    bits: int
    signed: bool
    axes: tuple[int, ...] = (0, 1, 2)
    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raise ModelError for values that are wider than a word, and for dimensions of others."""
        if not 1 <= self.word_bits <= OUTPUT_BITS:
            raise ModelError(
                f"{self.name}: values of {self.bits} bits take more than the {OUTPUT_BITS} of an "
                "output word; use fewer bits"
            )
        if sorted(self.axes) != [0, 1, 2] or prod(self.sizes) != self.integers:
            raise ModelError(
                f"{self.name}: an output of {self.sizes} in the order {self.axes} does not hold "
                f"{self.height} x {self.width} x {self.channels} values"
            )

    @property
    def word_bits(self) -> int:
        """Two's complement width of a value."""
        return self.bits + (not self.signed)

    @property
    def integers(self) -> int:
        """Values of a frame."""
        return self.height * self.width * self.channels

    @property
    def period(self) -> int:
        """Channels have scales of their own."""
        return self.channels

    def shape(self, *before: Shape) -> Shape:
        """A word for each value."""
        return Shape(sizes=(self.height, self.width, self.channels), bits=OUTPUT_BITS)

    def compute(self, *x: Integers) -> Integers:
        """The words (N, INTEGERS) int64, for codes or accumulators (N, ...)."""
        (values,) = x
        return values.reshape(len(values), self.integers).astype(np.int64)

    def ordered(self, values: NDArray[Any]) -> NDArray[Any]:
        """The file's output (N, ...), as (N, INTEGERS) in the order of the words."""
        stream = (self.height, self.width, self.channels)
        spread = values.reshape(len(values), *(stream[axis] for axis in self.axes))
        back = [1 + self.axes.index(axis) for axis in range(3)]
        return spread.transpose(0, *back).reshape(len(values), self.integers)

    def manifest(self, meaning: dict[str, Any]) -> dict[str, Any]:
        """Words, and how they become the file's output."""
        output = {
            "kind": self.kind,
            "words": self.names,
            "dtype": "int32",
            "stream": [self.height, self.width, self.channels],
            "axes": list(self.axes),
            "shape": list(self.sizes),
        }
        return {"output": output | meaning}

    def vectors(self, labels: Ints, integers: Ints) -> dict[str, Ints]:
        """The integers alone."""
        return {"integers": integers}

    def cost(self, place: Place) -> Cost:
        """Cost of the registers of two words and the count of a frame's words."""
        wide, count = self.bits + 1, bits_for(self.integers)
        return Cost(cycles=self.integers, lut=wide + count + 3, ff=2 * wide + count + 3)

    def times(self, place: Place, timing: Timing, *streams: Beats) -> Beats:
        """A word for each value, one in a cycle."""
        (beats,) = streams
        pieces = beats.in_pieces(1)
        taken = in_turn(pieces.times, 1)
        waits = beats.before(pieces, np.maximum(pieces.times, taken - 1), taken)
        timing.waits[self.name] = waits
        later = LATENCY + WIDTH * (beats.elems > 1) + FIFO * (waits > 0)
        return Beats(times=taken + later, elems=1)

    def build(self, design: Design, place: Place) -> None:
        """Add a FIFO for what comes at once, and the module that makes words."""
        design.feed(self.name, 1)
        design.add(
            "nn_values",
            self.name,
            Stream(elems=1, bits=OUTPUT_BITS),
            {"VALUES": self.integers, "VALUE_W": self.bits, "SIGNED": int(self.signed)},
            m_axis_tlast="m_axis_tlast",
        )
