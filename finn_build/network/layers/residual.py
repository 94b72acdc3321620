"""An addition that costs no adder: thresholds on sums that depend on the code that is added.

A sum passes the threshold t of quantise(slope * sum + offset + s * code) if it is at least
ceil((t - offset - s * code) / slope). This bound is an integer for every code, whatever the scales.
"""

from dataclasses import dataclass
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from finn_build.errors import ModelError
from finn_build.folding.beats import FIFO, JOIN, RESULTS, Beats, Timing, in_turn
from finn_build.folding.cost import Cost, bits_for, lutram, rom
from finn_build.network.layers.base import Codes, Integers, Ints, Layer, Place, Shape
from finn_build.network.layers.hardware import MAX_BLOCK_WORDS
from finn_build.network.layers.matrix import threshold
from finn_build.network.layers.numbers import Counting, spacing, threshold_memory
from finn_build.rtl.design import Design, Stream

# LUTs of a bit of thresholds by the number of 64 words; each lane has an address of its own.
_ROM_LUTS = {1: 1.0, 2: 3.7, 3: 4.7, 4: 5.6}


@dataclass(frozen=True, kw_only=True, eq=False)
class Residual(Layer):
    """A skip connection: codes of the sums of a unit and of the codes that are added to them.

    thresholds: (ROWS, 2**skip_bits, T) int64, a set for each row and code of the skip, ascending
    along T; float_thresholds: the float64 numbers that they follow from; slack: (ROWS,) how far
    from these, in sums, float32 arithmetic may err; sum_bits: two's complement width of a sum.
    """

    kind = "residual"
    stage = "after"
    arity = 2
    skip_bits: int
    sum_bits: int
    thresholds: Ints
    float_thresholds: NDArray[np.float64] | None = None
    slack: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Raise ModelError for thresholds that do not ascend, or that do not cover every code."""
        _, codes, _ = self.thresholds.shape
        if codes != 1 << self.skip_bits:
            raise ModelError(
                f"{self.name}: thresholds for {codes} codes of {self.skip_bits} bits; use "
                f"{1 << self.skip_bits}"
            )
        if (falls := np.diff(self.thresholds, axis=2) < 0).any():
            row, code, step = np.argwhere(falls)[0]
            raise ModelError(
                f"{self.name}: threshold {step + 1} of row {row} with code {code} is below the one "
                "before; sort them"
            )

    @property
    def rows(self) -> int:
        """Sums of a vector."""
        return int(self.thresholds.shape[0])

    @property
    def steps(self) -> int:
        """Thresholds of a row for one code."""
        return int(self.thresholds.shape[2])

    @property
    def out_bits(self) -> int:
        """Width of a count of thresholds."""
        return self.steps.bit_length()

    def shape(self, *before: Shape) -> Shape:
        """The shape of the sums. Raises ModelError for a skip of another shape."""
        sums, skip = before
        count = prod(sums.sizes)
        if count != prod(skip.sizes) or count % self.rows:
            raise ModelError(
                f"{self.name}: adds {skip.sizes} codes to {sums.sizes} sums; use as many of both"
            )
        return Shape(sizes=sums.sizes, bits=self.out_bits)

    def compute(self, *x: Integers) -> Integers:
        """How many thresholds of its skip's code each sum (N, ..., ROWS) reaches."""
        sums, skip = (codes.reshape(len(codes), -1, self.rows) for codes in x)
        counts = np.zeros(sums.shape, np.uint8 if self.steps <= 255 else np.uint16)
        for code in range(1 << self.skip_bits):
            here = skip == code
            counts[here] = threshold(sums, self.thresholds[:, code])[here]
        return counts.reshape(x[0].shape)

    def doubt(self, *steps: Codes) -> Codes:
        """A code is unsure if its sum lies beside a bound, or if the sum or the skip is unsure."""
        sums, skip = steps
        codes = skip.codes.reshape(sums.codes.shape)
        unsure = sums.unsure | skip.unsure.reshape(codes.shape)
        if self.float_thresholds is not None and self.slack is not None:
            by_rows = (len(codes), -1, self.rows)
            bounds = self.float_thresholds[np.arange(self.rows), codes.reshape(by_rows)]
            far = np.abs(bounds - sums.codes.reshape(by_rows)[..., None])
            unsure = unsure | (far <= self.slack[:, None]).any(axis=-1).reshape(codes.shape)
        return Codes(codes=self.compute(sums.codes, codes), unsure=unsure, sums=sums.codes)

    def why(self, step: Codes, position: tuple[int, ...]) -> str:
        """The sum that a code follows from."""
        return "" if step.sums is None else f", sum {int(step.sums[position])}"

    def _counting(self, place: Place) -> Counting:
        return Counting.of(self.steps, self._spacing(place))

    def _spacing(self, place: Place) -> int:
        """Cycles from one beat of the unit to the next."""
        return spacing(place.unit, pe=place.fold.pe, simd=place.fold.simd)

    def _words(self, place: Place) -> int:
        """Words of a lane's thresholds: one for each row group, code and pass."""
        return (self.rows // place.fold.pe << self.skip_bits) * self._counting(place).slots

    def fits(self, place: Place) -> bool:
        """Whether a block RAM holds the thresholds of a lane."""
        return self._words(place) <= MAX_BLOCK_WORDS

    def cost(self, place: Place) -> Cost:
        """Cost of comparators and thresholds for every row that the unit gives at once."""
        pe, counting = place.fold.pe, self._counting(place)
        beat = pe * (self.sum_bits + self.skip_bits)
        held = Cost(
            cycles=place.cycles,
            lut=beat + lutram(RESULTS, pe * self.out_bits) + 30,
            ff=2 * beat + 40,
        )
        words, bits = self._words(place), counting.ways * self.sum_bits
        lane = Cost(
            lut=ceil(counting.ways * 0.55 * self.sum_bits) + (10 if counting.passes > 1 else 2),
            ff=2 * self.sum_bits + bits_for(words) + ceil(0.35 * bits) + self.out_bits + 21,
        )
        if threshold_memory(words) == "block":
            lane += rom(words, bits, "block") + Cost(lut=8, ff=0)
        else:
            lane += Cost(lut=ceil(bits * _ROM_LUTS[ceil(words / 64)] * (words > 8 or 0.75)), ff=0)
        return held + Cost(lut=pe * lane.lut, ff=pe * lane.ff, bram18=pe * lane.bram18)

    def times(self, place: Place, timing: Timing, *streams: Beats) -> Beats:
        """A beat's codes come some cycles after both its sums and its skip."""
        sums, skip = streams
        pieces = skip.in_pieces(sums.elems)
        both = np.maximum(sums.times, pieces.times)
        started = in_turn(both, self._spacing(place))
        timing.waits[self.name] = max(0, sums.depth(started, started) - sums.spare)
        timing.waits[f"{self.name}_skip"] = skip.before(pieces, started, started)
        # rtl_templates: nn_residual.
        later = JOIN + FIFO + 3 + self._counting(place).passes
        return Beats(times=started + later, elems=sums.elems, spare=RESULTS // 2)

    def build(self, design: Design, place: Place) -> None:
        """Add the comparison, after FIFOs in which the sums or the skip wait for the other."""
        sums, skip = design.inputs
        design.end = sums
        design.buffer(self.name)
        sums, lanes = design.end, design.stream.elems
        design.end = skip
        design.feed(f"{self.name}_skip", lanes)
        counting, lift = self._counting(place), 1 << (self.sum_bits - 1)
        levels = np.clip(self.thresholds + lift, 0, (1 << self.sum_bits) - 1)
        groups = levels.reshape(-1, lanes, *levels.shape[1:])
        file = f"{self.name}_thresholds"
        for lane in range(lanes):
            words = counting.words(groups[:, lane].reshape(-1, self.steps), 1)
            design.image(f"{file}_{lane:04}", words, self.sum_bits, threshold_memory(len(words)))
        design.join(
            "nn_residual",
            self.name,
            Stream(elems=lanes, bits=self.out_bits),
            {
                "ROWS": self.rows,
                "PE": lanes,
                "ACC_W": self.sum_bits,
                "CODE_W": self.skip_bits,
                "THRESHOLDS": self.steps,
                "OUT_W": self.out_bits,
                "SPACING": self._spacing(place),
                "THRESHOLD_FILE": file,
            },
            (sums, design.end),
        )
