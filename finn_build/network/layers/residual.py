"""A skip connection: what is added to the sums of a unit before they are quantised.

Codes of few bits cost no adder: a sum passes the threshold t of quantise(slope * sum + offset + s *
code) if it is at least ceil((t - offset - s * code) / slope). This bound is an integer for every
code, whatever the scales. Wider codes, and the sums of another unit, are added as integers, where
both are multiples of one scale (FINN's AddStreams).
"""

from dataclasses import dataclass
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from finn_build.errors import ModelError
from finn_build.folding.beats import FIFO, JOIN, RESULTS, Beats, Timing, in_turn
from finn_build.folding.cost import Cost, bits_for, lutram, rom
from finn_build.network.layers.add import Weighted
from finn_build.network.layers.base import Codes, Integers, Ints, Layer, Place, Shape
from finn_build.network.layers.hardware import MAX_BLOCK_WORDS
from finn_build.network.layers.matrix import threshold
from finn_build.network.layers.numbers import Counting, spacing, threshold_memory
from finn_build.rtl.design import Design, Parameters, Stream

# LUTs of a bit of thresholds by the number of 64 words; each lane has an address of its own.
_ROM_LUTS = {1: 1.0, 2: 3.7, 3: 4.7, 4: 5.6}


@dataclass(frozen=True, kw_only=True, eq=False)
class Residual(Layer):
    """A skip connection: codes of the sums of a unit and of what is added to them.

    thresholds: (ROWS, 2**skip_bits, T) int64, a set for each row and code of the skip, ascending
    along T; float_thresholds: the float64 numbers that they follow from; slack: (ROWS,) how far
    from these, in sums, float32 arithmetic may err; sum_bits: two's complement width of a sum.

    gains: factors of the sums and of the skip, where thresholds (ROWS, 1, T) are those of
    gains[0] * sum + gains[1] * skip; None where every code has thresholds of its own.
    skip_signed: whether the skip is sums, in two's complement.
    """

    kind = "residual"
    stage = "after"
    arity = 2
    skip_bits: int
    sum_bits: int
    thresholds: Ints
    float_thresholds: NDArray[np.float64] | None = None
    slack: NDArray[np.float64] | None = None
    gains: tuple[int, int] | None = None
    skip_signed: bool = False

    def __post_init__(self) -> None:
        """Raise ModelError for thresholds that do not ascend, or that do not cover every code."""
        if self.gains is not None:
            object.__setattr__(self, "gains", tuple(self.gains))
            if not all(self.gains):
                raise ModelError(f"{self.name}: gains {self.gains}; use numbers other than 0")
        elif self.skip_signed:
            raise ModelError(f"{self.name}: thresholds for each code of sums; use gains")
        _, sets, _ = self.thresholds.shape
        if sets != self.sets:
            raise ModelError(
                f"{self.name}: {sets} sets of thresholds for a skip of {self.skip_bits} bits; use "
                f"{self.sets}"
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
    def sets(self) -> int:
        """Sets of thresholds of a row: one for each code of the skip, or one for the totals."""
        return 1 << self.skip_bits if self.gains is None else 1

    @property
    def _weighted(self) -> Weighted | None:
        """The addition, if there is one."""
        if self.gains is None:
            return None
        top, half = 1 << (self.sum_bits - 1), 1 << (self.skip_bits - 1)
        skip = (-half, half - 1) if self.skip_signed else (0, 2 * half - 1)
        return Weighted(gains=self.gains, ranges=((-top, top - 1), skip))

    @property
    def total_bits(self) -> int:
        """Two's complement width of a total, and of a threshold that none reaches."""
        if self._weighted is None:
            return self.sum_bits
        low, high = self._weighted.reach
        return max((-low - 1).bit_length(), (high + 1).bit_length()) + 1

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

    def _totals(self, sums: Integers, skip: Integers) -> tuple[Integers, Integers]:
        """What the thresholds are compared with, and the set of each: both (N, positions, ROWS)."""
        sums, skip = (x.reshape(len(x), -1, self.rows) for x in (sums, skip))
        if self.gains is None:
            return sums, skip
        first, second = (
            x.astype(np.int64) * g for x, g in zip((sums, skip), self.gains, strict=True)
        )
        return first + second, np.zeros_like(skip)

    def compute(self, *x: Integers) -> Integers:
        """How many thresholds of its skip's code each sum (N, ..., ROWS) reaches, or its total."""
        totals, chosen = self._totals(*x)
        counts = np.zeros(totals.shape, np.uint8 if self.steps <= 255 else np.uint16)
        for index in range(self.sets):
            here = chosen == index
            counts[here] = threshold(totals, self.thresholds[:, index])[here]
        return counts.reshape(x[0].shape)

    def doubt(self, *steps: Codes) -> Codes:
        """A code is unsure if its sum or skip is, or if its total lies beside a bound."""
        sums, skip = steps
        shape = sums.codes.shape
        totals, chosen = self._totals(sums.codes, skip.codes)
        unsure = sums.unsure | skip.unsure.reshape(shape)
        if self.float_thresholds is not None and self.slack is not None:
            bounds = self.float_thresholds[np.arange(self.rows), chosen]
            far = np.abs(bounds - totals[..., None])
            unsure = unsure | (far <= self.slack[:, None]).any(axis=-1).reshape(shape)
        return Codes(
            codes=self.compute(sums.codes, skip.codes),
            unsure=unsure,
            sums=totals.reshape(shape).astype(np.int64),
        )

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
        return self.rows // place.fold.pe * self.sets * self._counting(place).slots

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
        words, bits = self._words(place), counting.ways * self.total_bits
        adders = 0 if self._weighted is None else self._weighted.adders
        # Few words make only so many different functions of the address.
        shared = min(bits, 1 << words) if words <= 4 else bits
        lane = Cost(
            lut=ceil(counting.ways * 0.55 * self.total_bits)
            + (10 if counting.passes > 1 else 2)
            + adders * self.total_bits,
            ff=2 * self.total_bits
            + bits_for(words)
            + ceil(0.8 * shared)
            + self.out_bits
            + (13 if counting.passes > 1 else 8),
        )
        if threshold_memory(words) == "block":
            lane += rom(words, bits, "block") + Cost(lut=8, ff=0)
        else:
            lane += Cost(lut=ceil(shared * _ROM_LUTS[ceil(words / 64)] * (words > 8 or 0.75)), ff=0)
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

    @property
    def _adding(self) -> Parameters:
        """The module's parameters for an addition."""
        if self.gains is None:
            return {}
        return {
            "ACC_GAIN": self.gains[0],
            "SKIP_GAIN": self.gains[1],
            "SKIP_SIGNED": int(self.skip_signed),
            "SUM_W": self.total_bits,
        }

    def build(self, design: Design, place: Place) -> None:
        """Add the comparison, after FIFOs in which the sums or the skip wait for the other."""
        sums, skip = design.inputs
        design.end = sums
        design.buffer(self.name)
        sums, lanes = design.end, design.stream.elems
        design.end = skip
        design.feed(f"{self.name}_skip", lanes)
        counting, lift = self._counting(place), 1 << (self.total_bits - 1)
        levels = np.clip(self.thresholds + lift, 0, (1 << self.total_bits) - 1)
        groups = levels.reshape(-1, lanes, *levels.shape[1:])
        file = f"{self.name}_thresholds"
        for lane in range(lanes):
            words = counting.words(groups[:, lane].reshape(-1, self.steps), 1)
            design.image(f"{file}_{lane:04}", words, self.total_bits, threshold_memory(len(words)))
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
                **self._adding,
            },
            (sums, design.end),
        )
