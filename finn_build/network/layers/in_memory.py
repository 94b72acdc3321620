"""A matrix-vector-threshold unit with its weights in a memory (rtl_templates: nn_mvtu)."""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from finn_build.folding import compressor_tree, dsp_packing
from finn_build.folding.cost import Cost, bits_for, divisors, lutram, rom
from finn_build.folding.fold import CONSTANT, MEMORIES, Fold
from finn_build.network.layers.hardware import MAX_BLOCK_WORDS, Hardware, thresholds_cost
from finn_build.network.layers.matrix import Matrix
from finn_build.network.layers.numbers import (
    DRIVEN,
    Counting,
    Unit,
    spacing,
    threshold_memory,
    threshold_words,
    unit,
)
from finn_build.rtl.design import STYLES, Design, Parameters, Stream, several
from finn_build.rtl.rom import BANK

# A wider dot product saves hardly a LUT, and Verilator and Yosys process identical narrow ones only
# once. A user's folding may be wider.
MAX_SIMD = 144


def folds(layer: Matrix, *, dsp: bool, cycles: float) -> Iterator[Fold]:
    """Folds of at most `cycles` per frame that a search tries, with DSPs or without."""
    for pe in legal_pe(layer):
        for simd in divisors(layer.cols):
            words = layer.weights.size // (pe * simd)
            if layer.positions * words > cycles or simd > MAX_SIMD:
                continue
            if threshold_words(layer, pe=pe, simd=simd) > MAX_BLOCK_WORDS:
                continue
            for memory in MEMORIES:
                if memory == "block" and words > MAX_BLOCK_WORDS:
                    continue
                rows = min(pe, layer.filters)
                slices = dsp and dsp_packing.fits(layer, rows) and dsp_packing.worth(layer, rows)
                for sliced in (False, True) if slices else (False,):
                    yield Fold(pe=pe, simd=simd, memory=memory, dsp=sliced)


def legal_pe(layer: Matrix) -> tuple[int, ...]:
    """Legal numbers of rows at once: a part of one group, or several whole groups."""
    several = (layer.filters * groups for groups in divisors(layer.groups))
    return tuple(sorted({*divisors(layer.filters), *several}))


def weight_words(layer: Matrix, fold: Fold) -> tuple[NDArray[np.int64], int]:
    """Weights as coded, in the order of use, and their bits.

    (DEPTH, PE*SIMD), element p*SIMD + s of row r*PE + p: the unit walks over input beats, then row
    groups, then SIMD pieces of the beat.
    """
    weights, bits = layer.weights, layer.weight_bits
    if fold.dsp:
        pe = min(fold.pe, layer.filters)
        weights = dsp_packing.code(layer, pe)
        bits = dsp_packing.plan_of(layer, pe).weight_bits
    elif bits == 1:
        weights = (weights + 1) // 2
    beat = layer.cols if layer.windowed else fold.simd
    shape = (layer.rows // fold.pe, fold.pe, layer.cols // beat, beat // fold.simd, fold.simd)
    words = weights.reshape(shape).transpose(2, 0, 3, 1, 4).reshape(-1, fold.pe * fold.simd)
    return words, bits


class InMemory(Hardware):
    """PE rows times SIMD columns per cycle, in LUTs or in DSP slices.

    Rows of a group share their columns; they are a lane of the unit. Several groups at once are
    lanes side by side.
    """

    @property
    def lanes(self) -> int:
        """Groups at once."""
        return max(1, self.fold.pe // self.layer.filters)

    @property
    def lane_rows(self) -> int:
        """Rows of a group at once."""
        return self.fold.pe // self.lanes

    def check(self) -> None:
        """Raise FoldingError, with what is legal, unless the fold is."""
        layer, fold = self.layer, self.fold
        if fold.memory not in MEMORIES:
            raise self.error(
                f"memory {fold.memory!r} is unknown; use {', '.join(MEMORIES)} or {CONSTANT}"
            )
        self.divides("PE", fold.pe, layer.rows, "rows")
        if fold.pe not in (legal := legal_pe(layer)):
            raise self.error(
                f"PE={fold.pe} takes parts of several groups of {layer.filters} rows; use "
                f"{', '.join(map(str, legal))}"
            )
        self.divides("SIMD", fold.simd, layer.cols, "inputs")
        if fold.dsp and not dsp_packing.fits(layer, self.lane_rows):
            raise self.error(
                f"a DSP has no room for weights of {layer.weight_bits} bits and inputs of "
                f"{layer.in_bits}; use dsp false"
            )
        if fold.dsp and not dsp_packing.worth(layer, self.lane_rows):
            raise self.error(
                f"synthesis gives no DSP to one product of {layer.weight_bits} by "
                f"{layer.in_bits} bits; use a larger PE or dsp false"
            )
        if fold.slice_bits:
            raise self.error(f"slice_bits are for memory {CONSTANT} only; use 0")
        if fold.pixels != 1:
            raise self.error(f"pixels are for memory {CONSTANT} only; use 1")

    def cost(self) -> Cost:
        """Cycles per frame and resources."""
        layer, fold = self.layer, self.fold
        pe, simd = fold.pe, fold.simd
        numbers = unit(layer, dsp=fold.dsp)
        groups, chunks = layer.rows // pe, layer.cols // simd
        depth, operands = groups * chunks, self.lanes * simd * layer.in_bits
        pieces = layer.inputs // (self.lanes * simd)
        weight_bits, copies, dots = self._products(numbers)
        latency = self._dot_latency
        weights = rom(depth, pe * simd * weight_bits, fold.memory)
        # Registers between the address of a weight and its product.
        waits = int(latency <= 2) if fold.memory == "block" else 1 + (depth > BANK)
        partial = groups > 1 and chunks > 1 and not layer.windowed
        told = 2 + (chunks > 1) + partial + bits_for(groups)
        control = Cost(
            lut=60,
            ff=50 + operands * (copies + waits) + (latency + waits + 2) * told + bits_for(depth),
        )
        if layer.windowed and pieces > 1 and not self.sliding:
            control += Cost(
                lut=operands * ceil((pieces - 1) / 3), ff=ceil(operands / DRIVEN) * bits_for(pieces)
            )
        sums = _accumulators(numbers, pe, groups, chunks, partial=partial)
        results = spacing(layer, pe=pe, simd=simd)
        levels = thresholds_cost(layer, pe, numbers.acc_bits, groups, results)
        outputs = Cost(lut=0, ff=pe * layer.out_bits)
        whole = dots + weights + sums + levels + control + outputs
        return replace(whole, cycles=layer.positions * depth)

    def _products(self, numbers: Unit) -> tuple[int, int, Cost]:
        """Bits of a weight, copies of the inputs, and the cost of the dot products."""
        layer, pe, simd = self.layer, self.fold.pe, self.fold.simd
        if self.fold.dsp:
            lanes, rows = self.lanes, self.lane_rows
            plan = dsp_packing.plan_of(layer, rows)
            dots = Cost(
                lut=lanes * plan.lut(rows, simd),
                ff=lanes * plan.ff(rows, simd),
                dsp=lanes * plan.slices(rows, simd),
            )
            return plan.weight_bits, 1, dots
        shape = {"simd": simd, "weight_bits": layer.weight_bits, "in_bits": layer.in_bits}
        kind = {"ternary": numbers.ternary, "sum_bits": numbers.acc_bits}
        dots = Cost(
            lut=pe * compressor_tree.lut(**shape, **kind),
            ff=pe * compressor_tree.ff(**shape, **kind),
        )
        uses = 1 if numbers.ternary else 2 * layer.weight_bits
        copies = ceil(self.lane_rows / max(1, DRIVEN // uses))
        return layer.weight_bits, copies, dots

    @property
    def _dot_latency(self) -> int:
        """Cycles of a dot product."""
        layer, fold = self.layer, self.fold
        if fold.dsp:
            return dsp_packing.plan_of(layer, self.lane_rows).latency(fold.simd)
        return compressor_tree.latency(
            simd=fold.simd, weight_bits=layer.weight_bits, in_bits=layer.in_bits
        )

    def latency(self) -> int:
        """Cycles from the last piece of a vector to its result."""
        layer, fold = self.layer, self.fold
        dot = self._dot_latency
        pieces = layer.cols // fold.simd
        passes = Counting.of(layer.steps, pieces).passes if layer.steps else -3
        # Registers of the weights' memory.
        deep = fold.memory == "logic" and layer.rows // fold.pe * pieces > BANK
        memory = deep - (fold.memory == "block" and dot > 2)
        return dot + passes + 8 + memory

    def build(self, design: Design) -> None:
        """Add the unit. Windows come whole or piece by piece; all other vectors come in pieces."""
        layer, fold = self.layer, self.fold
        whole = layer.windowed and not self.sliding
        elems = layer.inputs if whole else self.lanes * fold.simd
        if layer.windowed:
            design.feed(layer.name, elems)
        else:
            design.buffer(layer.name)
            design.resize(layer.name, elems)
        numbers = unit(layer, dsp=fold.dsp)
        weight_bits, memories = self._memories(design, numbers)
        design.add(
            "nn_mvtu",
            layer.name,
            Stream(elems=fold.pe, bits=layer.out_bits),
            {
                "ROWS": layer.rows,
                "COLS": layer.cols,
                "PE": fold.pe,
                "SIMD": fold.simd,
                "IN_ELEMS": elems,
                "AGAIN": int(self.sliding),
                "W_BITS": weight_bits,
                "A_BITS": layer.in_bits,
                "TERNARY": int(numbers.ternary),
                "CHAIN": dsp_packing.plan_of(layer, self.lane_rows).chain if fold.dsp else 0,
                "ACC_W": numbers.acc_bits,
                "THRESHOLDS": layer.steps,
                "OUT_W": layer.out_bits,
                **memories,
                "MEMORY": STYLES[fold.memory],
                **several("GROUPS", layer.groups),
            },
        )

    def _memories(self, design: Design, numbers: Unit) -> tuple[int, Parameters]:
        """Bits of a weight as stored, and the parameters that name the images of its memories."""
        layer, fold, name = self.layer, self.fold, self.layer.name
        weights, weight_bits = weight_words(layer, fold)
        memories: Parameters = {
            "WEIGHT_FILE": design.image(
                f"{name}_weights", weights, weight_bits, fold.memory, banked=True
            ),
            "THRESHOLD_FILE": "",
            "START": int(numbers.start[0]),
            "START_FILE": "",
        }
        if numbers.thresholds is not None:
            counting = Counting.of(layer.steps, spacing(layer, pe=fold.pe, simd=fold.simd))
            words = counting.words(numbers.thresholds, fold.pe)
            memories["THRESHOLD_FILE"] = design.image(
                f"{name}_thresholds", words, numbers.acc_bits, threshold_memory(len(words))
            )
        if numbers.starts_differ:
            words = numbers.start.reshape(-1, fold.pe)
            memories["START_FILE"] = design.image(f"{name}_start", words, numbers.acc_bits, "logic")
        return weight_bits, memories


def _accumulators(numbers: Unit, pe: int, groups: int, chunks: int, *, partial: bool) -> Cost:
    """Cost of the accumulators of `pe` rows, and of the values that they start from.

    partial: whether the sums of all row groups are kept from one beat of inputs to the next.
    """
    sums, varied = pe * numbers.acc_bits, numbers.starts_differ
    # An accumulator that starts again from zero in every cycle needs no adder.
    adders = (chunks > 1 or bool(numbers.start.any())) + (varied and chunks > 1)
    cost = Cost(lut=sums * adders, ff=sums + pe * (1 + (chunks > 1)))
    if varied and groups > 1:
        cost += rom(groups, sums, "logic") + Cost(lut=0, ff=sums)
    if partial:
        cost += Cost(lut=lutram(groups, sums) + sums, ff=sums)
    return cost
