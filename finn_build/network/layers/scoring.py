"""The numbers of the classes' scores in the label search (rtl_templates: nn_argmax, nn_score)."""

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from finn_build.network.layers.argmax import Argmax


# Bits of a gain that are multiplied in a cycle: in a DSP slice (True), and by an adder.
_PIECES = {True: 17, False: 2}
# Up to so many classes have gains and biases in LUTs, one a bit; more are in block RAM (nn_score).
LOGIC_CLASSES = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Scoring:
    """Numbers of a label search.

    gain_bits, bias_bits: two's complement widths; 0 if every gain is 1, or every bias 0;
    score_bits: width of a score before the floor; words: the table, a word for each class, with
    the gain in the low bits and the bias above it; floor: None if no score is below it. Without
    words and floor, a logit is its own score.
    """

    gain_bits: int
    bias_bits: int
    score_bits: int
    words: list[int]
    floor: int | None

    @classmethod
    def of(cls, layer: "Argmax") -> "Scoring":
        """The numbers of the label search that computes a layer.

        Scores with a floor are shifted so that the floor is zero: the sign then tells which scores
        are below it. All shift alike, so the largest stays the largest. A single class needs no
        scores.
        """
        plain = cls(gain_bits=0, bias_bits=0, score_bits=layer.bits, words=[], floor=None)
        lows, highs = zip(*layer.ranges, strict=True)
        floor = layer.floor if layer.floor is not None and layer.floor > min(lows) else None
        if not layer.scored:
            bits = layer.bits if floor is None else layer.out_bits
            return cls(gain_bits=0, bias_bits=0, score_bits=bits, words=[], floor=floor)
        if layer.classes == 1:
            return plain
        taken = floor or 0
        gains = _listed(layer.gains, 1, layer.classes)
        biases = [bias - taken for bias in _listed(layer.biases, 0, layer.classes)]
        gain_bits, bias_bits = _bits(gains, idle=1), _bits(biases, idle=0)
        if floor is not None and not gain_bits:
            bias_bits = max(2, bias_bits)  # Without a table the output would have the floor.
        words = [
            (gain & ((1 << gain_bits) - 1)) | (bias & ((1 << bias_bits) - 1)) << gain_bits
            for gain, bias in zip(gains, biases, strict=True)
        ]
        reach = signed_bits(min(*lows, taken) - taken, max(*highs, taken) - taken)
        return cls(
            gain_bits=gain_bits,
            bias_bits=bias_bits,
            score_bits=max(reach, layer.bits + gain_bits, bias_bits),
            words=words if gain_bits + bias_bits else [],
            floor=None if floor is None else 0,
        )

    @property
    def idle(self) -> bool:
        """Whether logits are compared as they come."""
        return not self.words and self.floor is None

    def parameters(self, file: str, *, dsp: bool) -> dict[str, int | str]:
        """Parameters of nn_argmax beside its shape; none if it is idle. file: holds the words."""
        if self.idle:
            return {}
        parameters: dict[str, int | str] = {"SCORE_W": self.score_bits}
        if self.words:
            parameters |= {"GAIN_W": self.gain_bits, "BIAS_W": self.bias_bits}
            parameters |= {"GAIN_FILE": file, "DSP": int(dsp)}
        if self.floor is not None:
            parameters |= {"FLOORED": 1, "FLOOR": self.floor}
        return parameters

    def pieces(self, *, dsp: bool) -> int:
        """Multiplications in sequence, each with a part of the gain's bits."""
        return ceil(self.gain_bits / _PIECES[dsp])

    def latency(self, *, dsp: bool) -> int:
        """Cycles from a logit to its score."""
        table = 2 + self.pieces(dsp=dsp) if self.words else 0
        return table + (self.floor is not None)


def _listed(values: NDArray[np.int64] | None, idle: int, classes: int) -> list[int]:
    return [idle] * classes if values is None else np.asarray(values).tolist()


def _bits(values: list[int], *, idle: int) -> int:
    """Width of a table's numbers, at least 2; 0 if all are `idle`, the hardware's default."""
    if all(value == idle for value in values):
        return 0
    return max(2, signed_bits(min(values), max(values)))


def signed_bits(low: int, high: int) -> int:
    """Two's complement width of all numbers from `low` to `high`."""
    return 1 + max((end if end >= 0 else ~end).bit_length() for end in (low, high))
