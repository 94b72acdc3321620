"""A unit with constant weights, which are wires in a generated module (nn_constant)."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np

from finn_build.folding import compressor_tree
from finn_build.folding.beats import RESULTS
from finn_build.folding.cost import Cost, bits_for, lutram
from finn_build.folding.fold import CONSTANT, MEMORIES, Fold
from finn_build.network.layers.hardware import MAX_PIXELS, Hardware, thresholds_cost
from finn_build.network.layers.matrix import Matrix
from finn_build.network.layers.numbers import (
    DRIVEN,
    Constants,
    Counting,
    constants,
    threshold_memory,
)
from finn_build.rtl.design import Design, Stream, pack

# More constant weights than these would fill a large part of any chip.
MAX_CONSTANTS = 30_000


def can_be(layer: Matrix) -> bool:
    """Whether a layer's weights can be constant."""
    return layer.windowed and layer.thresholds is not None


def folds(layer: Matrix, legal_pixels: Sequence[int]) -> Iterator[Fold]:
    """Folds that a search tries."""
    if not can_be(layer) or layer.weights.size > MAX_CONSTANTS:
        return
    for bits in range(1, layer.in_bits + 1):
        for pixels in legal_pixels:
            if pixels <= MAX_PIXELS:
                yield Fold(
                    pe=layer.rows,
                    simd=layer.cols,
                    memory=CONSTANT,
                    slice_bits=bits,
                    pixels=pixels,
                )


class ConstantWeights(Hardware):
    """All rows and columns at once, a slice of the inputs' bits per cycle.

    The layer is built once for each pixel of a beat; together they are one unit.
    """

    def check(self) -> None:
        """Raise FoldingError, with what is legal, unless the fold is."""
        layer, fold = self.layer, self.fold
        if fold.dsp:
            raise self.error(f"memory {CONSTANT} has no use for DSPs; use dsp false")
        if not can_be(layer):
            raise self.error(
                f"only a convolution can have memory {CONSTANT}; use {' or '.join(MEMORIES)}"
            )
        if (fold.pe, fold.simd) != (layer.rows, layer.cols):
            raise self.error(
                f"memory {CONSTANT} takes all rows and inputs at once; use PE={layer.rows} and "
                f"SIMD={layer.cols}"
            )
        if not 1 <= fold.slice_bits <= layer.in_bits:
            raise self.error(
                f"slice_bits={fold.slice_bits} of {layer.in_bits} bits of an input; use 1 to "
                f"{layer.in_bits}"
            )

    @property
    def numbers(self) -> Constants:
        """The numbers of the unit."""
        return constants(self.layer, self.fold.slice_bits)

    def cost(self) -> Cost:
        """Cycles per frame and resources; each vector of a beat has LUTs of its own."""
        layer, pixels = self.layer, self.fold.pixels
        vector = _vector_cost(layer, self.fold.slice_bits)
        return Cost(
            cycles=layer.positions // pixels * vector.cycles,
            lut=pixels * vector.lut + lutram(RESULTS, pixels * layer.rows * layer.out_bits) + 60,
            ff=pixels * vector.ff + 60,
        )

    def latency(self) -> int:
        """Cycles from the last piece of a vector to its result."""
        passes = Counting.of(self.layer.steps, self.numbers.steps).passes
        return self.numbers.latency + passes + 6

    def build(self, design: Design) -> None:
        """Add the generated module, and the images of its thresholds."""
        layer, fold, numbers = self.layer, self.fold, self.numbers
        module = f"{layer.name}_unit"
        cols, outputs = fold.pixels * layer.inputs, fold.pixels * layer.rows
        design.feed(layer.name, cols)
        counting = Counting.of(layer.steps, numbers.steps)
        levels = counting.words(np.tile(numbers.thresholds, (fold.pixels, 1)), outputs)
        design.constant[module] = {
            "module": module,
            "name": layer.name,
            "rows": self._rows(),
            "cols": cols,
            "in_bits": layer.in_bits,
            "out_bits": layer.out_bits,
            "slice": fold.slice_bits,
            "copies": 1 + max(numbers.copies),
            "sum_bits": numbers.sum_bits,
            "acc_bits": numbers.acc_bits,
            "latency": numbers.latency,
            "thresholds": layer.steps,
            "threshold_file": design.image(
                f"{layer.name}_thresholds", levels, numbers.acc_bits, threshold_memory(len(levels))
            ),
        }
        design.add(module, layer.name, Stream(elems=outputs, bits=layer.out_bits), {})

    def _rows(self) -> list[dict[str, Any]]:
        """The inputs of each row of each pixel, with their signs and places."""
        numbers, rows = self.numbers, []
        for pixel in range(self.fold.pixels):
            for index, (terms, copy) in enumerate(zip(numbers.terms, numbers.copies, strict=True)):
                signs = np.array([3 if term.negative else 1 for term in terms], np.int64)
                places = np.array(numbers.places(index), np.int64)
                rows.append(
                    {
                        "copy_index": copy,
                        "cols": [pixel * self.layer.inputs + term.col for term in terms],
                        "signs": f"{pack(signs, 2):x}",
                        "places": f"{pack(places, 16):x}",
                    }
                )
        return rows


@lru_cache(maxsize=128)
def _vector_cost(layer: Matrix, slice_bits: int) -> Cost:
    """Cost of all rows for one vector: dot products with constant weights, and thresholds."""
    numbers = constants(layer, slice_bits)
    operands = layer.inputs * slice_bits
    bits = {"in_bits": slice_bits, "sum_bits": numbers.sum_bits}
    places = [numbers.places(row) for row in range(layer.rows)]
    latency = numbers.latency
    cost = Cost(
        cycles=numbers.steps,
        lut=sum(compressor_tree.constant_lut(places=p, **bits) for p in places),
        ff=sum(compressor_tree.constant_ff(places=p, **bits, latency=latency) for p in places),
    )
    cost += thresholds_cost(layer, layer.rows, numbers.acc_bits, 1, numbers.steps)
    taken = {
        (copy, term.col, term.negative)
        for copy, row in zip(numbers.copies, numbers.terms, strict=True)
        for term in row
    }
    inputs = (1 + max(numbers.copies)) * operands + len(taken) * slice_bits
    cost += Cost(lut=0, ff=inputs + layer.rows * (numbers.acc_bits + 1 + layer.out_bits))
    if numbers.steps > 1:
        cost += Cost(
            lut=layer.rows * numbers.acc_bits + operands * ceil(numbers.steps / 4),
            ff=layer.rows + ceil(operands / DRIVEN) * bits_for(numbers.steps),
        )
    return cost
