"""The label: the class with the largest score, and the logits beside it."""

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build.errors import ModelError
from finn_build.folding.beats import Beats, Timing
from finn_build.folding.cost import Cost, bits_for, lutram, rom
from finn_build.network.layers.base import Integers, Ints, Place, Shape
from finn_build.network.layers.end import OUTPUT_BITS, End
from finn_build.network.layers.scoring import LOGIC_CLASSES, Scoring, signed_bits
from finn_build.rtl.design import Design, Stream

# Bits of a score: int64 less one bit to spare.
SCORE_BITS = 63


def first_largest(logits: Integers) -> Ints:
    """Index of the largest logit, the lowest among equals. logits: (N, CLASSES); returns (N,)."""
    return np.asarray(np.argmax(logits, axis=-1), dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Argmax(End):
    """Label (lowest index of the largest score) and the logits themselves.

    gains, biases: (CLASSES,) int64; the score of class k is gains[k] * logit[k] + biases[k], but at
    least `floor`. None is a gain of 1, or a bias of 0. With neither gains nor biases the output has
    the scores in place of the logits.
    """

    kind = "argmax"
    stage = "after"
    labelled = True
    integer = "logit"
    summary = "label and logits"
    stream = "label, then the logits"
    classes: int
    bits: int
    gains: Ints | None = None
    biases: Ints | None = None
    floor: int | None = None

    def __post_init__(self) -> None:
        """Raise ModelError unless there is a gain and bias for each class, and for wide scores."""
        if self.classes < 1:
            raise ModelError(f"{self.name}: {self.classes} classes; use 1 or more")
        for what, values in (("gains", self.gains), ("biases", self.biases)):
            if values is not None and values.shape != (self.classes,):
                raise ModelError(
                    f"{self.name}: {what} of shape {values.shape}; use one for each of the "
                    f"{self.classes} classes"
                )
        if self.score_bits > SCORE_BITS:
            low, high = self.reach
            raise ModelError(
                f"{self.name}: scores of {low} to {high} take {self.score_bits} bits, more than "
                f"{SCORE_BITS}; use smaller gains and biases"
            )
        if self.out_bits > OUTPUT_BITS:
            raise ModelError(
                f"{self.name}: logits of {self.out_bits} bits, more than the {OUTPUT_BITS} of an "
                "output word; use fewer bits, or a floor within them"
            )

    @property
    def integers(self) -> int:
        """A logit for each class."""
        return self.classes

    @property
    def period(self) -> int:
        """Each class may have a scale of its own."""
        return self.classes

    def ordered(self, values: NDArray[Any]) -> NDArray[Any]:
        """The file's output as it lies there: the classes are in its order."""
        return values.reshape(len(values), -1)

    def manifest(self, meaning: dict[str, Any]) -> dict[str, Any]:
        """Words, and what logits mean."""
        output = {"kind": "label", "words": self.names, "dtype": "int32"}
        return {"output": output, **{f"logit_{name}": number for name, number in meaning.items()}}

    def vectors(self, labels: Ints, integers: Ints) -> dict[str, Ints]:
        """Labels and logits."""
        return {"labels": labels, "logits": integers}

    @property
    def scored(self) -> bool:
        """Whether scores differ from the logits in the output."""
        return self.gains is not None or self.biases is not None

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Lowest and highest score of each class for any logits, before the floor."""
        ends = -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        gains = [1] * self.classes if self.gains is None else self.gains.tolist()
        biases = [0] * self.classes if self.biases is None else self.biases.tolist()
        found = []
        for gain, bias in zip(gains, biases, strict=True):
            one, other = (gain * end + bias for end in ends)
            found.append((min(one, other), max(one, other)))
        return found

    @property
    def reach(self) -> tuple[int, int]:
        """Lowest and highest number among all scores and the floor."""
        lows, highs = zip(*self.ranges, strict=True)
        floor = () if self.floor is None else (self.floor,)
        return min((*lows, *floor)), max((*highs, *floor))

    @property
    def score_bits(self) -> int:
        """Two's complement width of a score, before the floor and after it."""
        return signed_bits(*self.reach)

    @property
    def out_bits(self) -> int:
        """Two's complement width of a logit in the output."""
        return self.bits if self.scored else self.score_bits

    def scores(self, logits: Integers) -> Ints:
        """The scores that decide the label, int64 of the logits' shape."""
        scores = logits.astype(np.int64)
        if self.gains is not None:
            scores = scores * self.gains
        if self.biases is not None:
            scores = scores + self.biases
        return scores if self.floor is None else np.maximum(scores, self.floor)

    def shape(self, *before: Shape) -> Shape:
        """Words: the label, then the logits."""
        return Shape(sizes=(self.words,), bits=OUTPUT_BITS)

    def compute(self, *x: Integers) -> Integers:
        """The output, label and logits (N, 1 + CLASSES) int64, for logits (N, CLASSES)."""
        (logits,) = x
        scored = self.scores(logits)
        put_out = logits.astype(np.int64) if self.scored else scored
        return np.concatenate([first_largest(scored)[:, None], put_out], axis=1)

    @property
    def scoring(self) -> Scoring:
        """The numbers of its hardware."""
        return Scoring.of(self)

    def cost(self, place: Place) -> Cost:
        """Cost of the label search; the gains' pieces are multiplied in DSP slices or in LUTs."""
        numbers = self.scoring
        out, compared = self.out_bits, numbers.score_bits
        # It holds two frames of logits; the sum below includes those of few classes.
        words = 2 * self.classes
        kept = lutram(words, out) - lutram(32, out) + out * ceil(words / 256) if words > 32 else 0
        search = Cost(
            cycles=self.classes + 1,
            lut=2 * (out + compared) + 20 + kept,
            ff=out + compared + 30,
        )
        return search if numbers.idle else search + self._scores_cost(numbers, dsp=place.fold.dsp)

    def _scores_cost(self, numbers: Scoring, *, dsp: bool) -> Cost:
        """Cost of the classes' scores, one logit per cycle (rtl_templates: nn_score)."""
        pieces, latency = numbers.pieces(dsp=dsp), numbers.latency(dsp=dsp)
        wide, word = numbers.score_bits, numbers.gain_bits + numbers.bias_bits
        cost = Cost(lut=0, ff=latency * (self.bits + 1))
        if numbers.floor is not None:
            cost += Cost(lut=wide, ff=wide)
        if numbers.words:
            memory = "block" if self.classes > LOGIC_CLASSES else "logic"
            cost += rom(self.classes, word, memory) + Cost(lut=5, ff=bits_for(self.classes))
        if not pieces:
            return cost + (Cost(lut=wide, ff=wide) if numbers.words else Cost(lut=0, ff=0))
        # Registers for the parts of the gain that later pieces need.
        cost += Cost(lut=0, ff=numbers.gain_bits * (pieces - 1) // 2 + numbers.bias_bits)
        if dsp:
            return cost + Cost(lut=0, ff=0, dsp=pieces * (1 + (self.bits > 25)))
        product = self.bits + 2
        return cost + Cost(lut=pieces * (product + wide), ff=pieces * (product + wide))

    def times(self, place: Place, timing: Timing, *streams: Beats) -> Beats:
        """The label and the logits come after the last logit's score."""
        (beats,) = streams
        later, words = self.scoring.latency(dsp=place.fold.dsp), self.classes + 1
        return Beats(times=beats.times[-1:] + later + words, elems=words)

    def build(self, design: Design, place: Place) -> None:
        """Add the label search."""
        numbers, file = self.scoring, f"{self.name}_gains"
        if numbers.words:
            design.listing(file, [numbers.words])
        shape = {"CLASSES": self.classes, "IN_ELEMS": design.stream.elems, "LOGIT_W": self.bits}
        design.add(
            "nn_argmax",
            self.name,
            Stream(elems=1, bits=OUTPUT_BITS),
            {**shape, **numbers.parameters(file, dsp=place.fold.dsp)},
            m_axis_tlast="m_axis_tlast",
        )
