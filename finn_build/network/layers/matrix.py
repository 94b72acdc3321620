"""A matrix-vector product with thresholds: its numbers and its arithmetic."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build.errors import ModelError
from finn_build.folding.cost import divisors
from finn_build.network.layers.base import Codes, Integers, Ints, Layer, Shape

_CHUNK_ELEMENTS = 1 << 24  # bounds the memory of one block of windows


def matvec(
    v: Integers, weights: Integers, bias: Integers | None = None, *, groups: int = 1
) -> Ints:
    """Exact product of vectors with a matrix, or of each group of a vector with its own rows.

    v: (..., groups * COLS) unsigned or signed, weights: (ROWS, COLS), bias: (ROWS,) or None.
    Products run through BLAS in float32 where every partial sum stays below 2**24 and in float64
    below 2**53, both of which are exact for integers. Returns (..., ROWS) int64. Raises
    OverflowError if a sum could leave float64's exact range.
    """
    bound = int(np.abs(weights.astype(np.int64)).sum(axis=1).max(initial=0)) * int(
        np.abs(v).max(initial=0)
    )
    if bound >= 1 << 53:
        raise OverflowError(f"an accumulator may reach {bound}, more than float64 holds exactly")
    carrier: type[np.floating] = np.float32 if bound < 1 << 24 else np.float64
    flat = v.reshape(-1, groups, weights.shape[1])
    out = np.empty((flat.shape[0], groups, weights.shape[0] // groups), np.int64)
    matrices = weights.reshape(groups, -1, weights.shape[1]).transpose(0, 2, 1).astype(carrier)
    vectors = max(1, _CHUNK_ELEMENTS // v.shape[-1])
    for start in range(0, flat.shape[0], vectors):
        part = flat[start : start + vectors].transpose(1, 0, 2).astype(carrier)
        out[start : start + vectors] = (part @ matrices).transpose(1, 0, 2)
    out = out.reshape(-1, weights.shape[0])
    if bias is not None:
        out += bias.astype(np.int64)
    return out.reshape(*v.shape[:-1], weights.shape[0])


def threshold(acc: Integers, thresholds: Integers) -> Integers:
    """Count the thresholds that each accumulator reaches.

    acc: (..., ROWS), thresholds: (ROWS, T). Returns (..., ROWS) uint8 (uint16 if T > 255).
    """
    steps = thresholds.shape[1]
    out = np.zeros(acc.shape, np.uint8 if steps <= 255 else np.uint16)
    for t in range(steps):
        out += acc >= thresholds[:, t]
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix(Layer):
    """Matrix-vector product with a threshold count, or with a bias (the last layer).

    weights: (ROWS, COLS) int64; thresholds: (ROWS, T) int64, ascending along T, or None;
    float_thresholds: the float64 numbers that they follow from, infinite where all accumulators or
    none reach the level; slack: (ROWS,) how far from these, in accumulators, float32 arithmetic may
    err; bias: (ROWS,) int64 in accumulator units, or None; positions: vectors of a frame; windowed:
    whether it works on windows of an image, or gets its vector in SIMD pieces; groups: a vector is
    as many groups of COLS inputs, one after the other, and each group feeds ROWS/groups rows;
    image: if not windowed, the rows and columns of pixels that the outputs make, a pixel's channels
    together.
    """

    kind = "mvtu"
    stage = "unit"
    positions: int
    windowed: bool
    groups: int = 1
    in_bits: int
    weight_bits: int
    weights: Ints
    thresholds: Ints | None = None
    float_thresholds: NDArray[np.float64] | None = None
    slack: NDArray[np.float64] | None = None
    bias: Ints | None = None
    image: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        """Raise ModelError for weights that do not fit and thresholds that do not ascend."""
        legal_groups = divisors(self.rows) if self.windowed else (1,)
        if self.groups not in legal_groups:
            raise ModelError(
                f"{self.name}: {self.rows} rows in {self.groups} groups; use "
                f"{', '.join(map(str, legal_groups))}"
            )
        most = (1 << (self.weight_bits - 1)) - 1
        right, legal = (
            (abs(self.weights) == 1, "-1 and 1")
            if self.weight_bits == 1
            else ((self.weights >= -most - 1) & (self.weights <= most), f"{-most - 1} to {most}")
        )
        if not right.all():
            row, col = np.argwhere(~right)[0]
            raise ModelError(
                f"{self.name}: weight {self.weights[row, col]} of row {row}, input {col} is "
                f"outside its {self.weight_bits} bits; use {legal}"
            )
        if self.thresholds is not None and (falls := np.diff(self.thresholds, axis=1) < 0).any():
            row, step = np.argwhere(falls)[0]
            raise ModelError(
                f"{self.name}: threshold {step + 1} of row {row}, "
                f"{self.thresholds[row, step + 1]}, is below the one before, "
                f"{self.thresholds[row, step]}; sort each row's"
            )

    @property
    def rows(self) -> int:
        """Outputs per vector."""
        return int(self.weights.shape[0])

    @property
    def cols(self) -> int:
        """Inputs per vector, or of each of its groups."""
        return int(self.weights.shape[1])

    @property
    def inputs(self) -> int:
        """Inputs per vector, of all groups."""
        return self.groups * self.cols

    @property
    def filters(self) -> int:
        """Outputs per vector of each group."""
        return self.rows // self.groups

    @property
    def steps(self) -> int:
        """Thresholds per row; 0 where the accumulators themselves are the output."""
        return 0 if self.thresholds is None else int(self.thresholds.shape[1])

    @cached_property
    def reach(self) -> tuple[int, int]:
        """Lowest and highest value that any accumulator can hold, bias included."""
        top = (1 << self.in_bits) - 1
        bias = np.zeros(self.rows, np.int64) if self.bias is None else self.bias
        low = np.minimum(self.weights, 0).sum(axis=1) * top + np.minimum(bias, 0)
        high = np.maximum(self.weights, 0).sum(axis=1) * top + np.maximum(bias, 0)
        return int(low.min()), int(high.max())

    @property
    def acc_bits(self) -> int:
        """Two's complement width of an accumulator, and of a threshold above its reach."""
        low, high = self.reach
        return max((-low - 1).bit_length() if low < 0 else 0, (high + 1).bit_length()) + 1

    @property
    def out_bits(self) -> int:
        """Width of one output: a count of thresholds, or the accumulator."""
        return self.steps.bit_length() if self.steps else self.acc_bits

    @property
    def macs(self) -> int:
        """Multiply-accumulates per frame."""
        return self.positions * self.rows * self.cols

    @property
    def coded(self) -> bool:
        """It gives codes if it has thresholds; accumulators are logits."""
        return self.thresholds is not None

    def shape(self, *before: Shape) -> Shape:
        """An output of each row for every vector."""
        (entered,) = before
        sizes = (*entered.sizes[:2], self.rows) if self.windowed else self._sizes
        return Shape(sizes=sizes, bits=self.out_bits)

    @property
    def _sizes(self) -> tuple[int, ...]:
        """The shape of a product's output if it is not windowed."""
        whole = self.image != (1, 1)
        return (*self.image, self.rows // prod(self.image)) if whole else (self.rows,)

    def _laid(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of all rows in the shape of the output."""
        return values if self.windowed else values.reshape(len(values), *self._sizes)

    def accumulate(self, x: Integers) -> Ints:
        """Accumulators, for windows (N, H, W, INPUTS), or images (N, ...) of INPUTS elements."""
        if not self.windowed:
            x = x.reshape(x.shape[0], self.inputs)
        return matvec(x, self.weights, self.bias, groups=self.groups)

    def compute(self, *x: Integers) -> Integers:
        """Codes (N, H, W, ROWS) or (N, ROWS), or the accumulators if there are no thresholds."""
        sums = self.accumulate(*x)
        return self._laid(sums if self.thresholds is None else threshold(sums, self.thresholds))

    def doubt(self, *steps: Codes) -> Codes:
        """Unsure if the accumulator lies beside a bound, or the vector holds unsure codes."""
        (step,) = steps
        sums = self.accumulate(step.codes)
        codes = sums if self.thresholds is None else threshold(sums, self.thresholds)
        parts = step.unsure.reshape(*sums.shape[:-1], self.groups, self.cols)
        shaky = parts.any(axis=-1).repeat(self.filters, axis=-1)
        unsure = self._beside(sums) | shaky
        return Codes(codes=self._laid(codes), unsure=self._laid(unsure), sums=self._laid(sums))

    def _beside(self, sums: Ints) -> NDArray[np.bool_]:
        """Accumulators within float32 rounding of a bound."""
        found = np.zeros(sums.shape, bool)
        if self.float_thresholds is None or self.slack is None:
            return found
        for level in range(self.float_thresholds.shape[1]):
            found |= np.abs(sums - self.float_thresholds[:, level]) <= self.slack
        return found

    def why(self, step: Codes, position: tuple[int, ...]) -> str:
        """The accumulator, and the bound nearest to it."""
        if step.sums is None or self.float_thresholds is None:
            return ""
        row = int(np.ravel_multi_index(position[1:], step.sums.shape[1:])) % self.rows
        value, bounds = int(step.sums[position]), self.float_thresholds[row]
        nearest = float(bounds[np.abs(bounds - value).argmin()])
        return f", accumulator {value}, threshold {nearest!r}"
