"""Cycles and resources of a layer as pure functions of its shape and folding.

The LUT counts are fitted to Yosys' counts of the modules (finn_build.backends.yosys).
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil

from finn_build.folding import compressor_tree, dsp_packing
from finn_build.network.layers import Argmax, Layer, Lookup, MaxPool, Mvtu, Window
from finn_build.network.scoring import LOGIC_CLASSES, Scoring, scoring
from finn_build.network.unit import (
    DRIVEN,
    Counting,
    Unit,
    constants,
    spacing,
    threshold_memory,
    unit,
)
from finn_build.rtl.rom import BANK, slice_bits


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cycles per frame and resources of one layer; bram18 counts 18 kbit blocks."""

    lut: int
    ff: int
    cycles: int = 0
    bram18: int = 0
    dsp: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        """Cost of both, side by side: the cycles of the slower one."""
        return Cost(
            cycles=max(self.cycles, other.cycles),
            lut=self.lut + other.lut,
            ff=self.ff + other.ff,
            bram18=self.bram18 + other.bram18,
            dsp=self.dsp + other.dsp,
        )


NOTHING = Cost(lut=0, ff=0)


@lru_cache(maxsize=512)
def divisors(n: int) -> tuple[int, ...]:
    """All divisors of n, ascending."""
    return tuple(d for d in range(1, n + 1) if n % d == 0)


def mvtu(layer: Mvtu, *, pe: int, simd: int, memory: str, dsp: bool, sliding: bool = False) -> Cost:
    """Cost of a matrix-vector-threshold unit with its weights in a memory.

    sliding: its windows come piece by piece.
    """
    numbers = unit(layer, dsp=dsp)
    groups, chunks = layer.rows // pe, layer.cols // simd
    depth, operands = groups * chunks, simd * layer.in_bits
    if dsp:
        plan = dsp_packing.plan_of(layer, pe)
        weight_bits, latency = plan.weight_bits, plan.latency(simd)
        copies = 1
        dots = Cost(lut=plan.lut(pe, simd), ff=plan.ff(pe, simd), dsp=plan.slices(pe, simd))
    else:
        shape = {"simd": simd, "weight_bits": layer.weight_bits, "in_bits": layer.in_bits}
        kind = {"ternary": numbers.ternary, "sum_bits": numbers.acc_bits}
        weight_bits, latency = layer.weight_bits, compressor_tree.latency(**shape)
        dots = Cost(
            lut=pe * compressor_tree.lut(**shape, **kind),
            ff=pe * compressor_tree.ff(**shape, **kind),
        )
        uses = 1 if numbers.ternary else 2 * weight_bits
        copies = ceil(pe / max(1, DRIVEN // uses))
    weights = rom(depth, pe * simd * weight_bits, memory)
    # Registers between the address of a weight and its product.
    waits = int(latency <= 2) if memory == "block" else 1 + (depth > BANK)
    partial = groups > 1 and chunks > 1 and not layer.windowed
    told = 2 + (chunks > 1) + partial + bits_for(groups)
    control = Cost(
        lut=60,
        ff=50 + operands * (copies + waits) + (latency + waits + 2) * told + bits_for(depth),
    )
    if layer.windowed and chunks > 1 and not sliding:
        control += Cost(
            lut=operands * ceil((chunks - 1) / 3), ff=ceil(operands / DRIVEN) * bits_for(chunks)
        )
    sums = _accumulators(numbers, pe, groups, chunks, partial=partial)
    results = spacing(layer, pe=pe, simd=simd)
    levels = thresholds(layer, pe, numbers.acc_bits, groups, results)
    outputs = Cost(lut=0, ff=pe * layer.out_bits)
    made = dots + weights + sums + levels + control + outputs
    return replace(made, cycles=layer.positions * depth)


def _accumulators(numbers: Unit, pe: int, groups: int, chunks: int, *, partial: bool) -> Cost:
    """Cost of the accumulators of `pe` rows, and of what they start from.

    partial: sums of all row groups are kept from one beat of inputs to the next.
    """
    sums, varied = pe * numbers.acc_bits, numbers.starts_differ
    # An accumulator that starts from a constant in every cycle is none.
    adders = (chunks > 1 or bool(numbers.start.any())) + (varied and chunks > 1)
    made = Cost(lut=sums * adders, ff=sums + pe * (1 + (chunks > 1)))
    if varied and groups > 1:
        made += rom(groups, sums, "logic") + Cost(lut=0, ff=sums)
    if partial:
        made += Cost(lut=_lutram(groups, sums) + sums, ff=sums)
    return made


def constant(layer: Mvtu, *, slice_bits: int, pixels: int = 1) -> Cost:
    """Cost of a unit built for its weights that takes so many bits of every input at a time.

    pixels: vectors that it works on beside each other, each in LUTs of its own.
    """
    made = _constant_vector(layer, slice_bits)
    return Cost(
        cycles=layer.positions // pixels * made.cycles,
        lut=pixels * made.lut + _lutram(32, pixels * layer.rows * layer.out_bits) + 60,
        ff=pixels * made.ff + 60,
    )


@lru_cache(maxsize=128)
def _constant_vector(layer: Mvtu, slice_bits: int) -> Cost:
    """One vector at a time of all rows: dot products with built-in weights and thresholds."""
    numbers = constants(layer, slice_bits)
    operands = layer.cols * slice_bits
    bits = {"in_bits": slice_bits, "sum_bits": numbers.sum_bits}
    places = [numbers.places(row) for row in range(layer.rows)]
    made = Cost(
        cycles=numbers.steps,
        lut=sum(compressor_tree.constant_lut(places=each, **bits) for each in places),
        ff=sum(
            compressor_tree.constant_ff(places=each, **bits, latency=numbers.latency)
            for each in places
        ),
    )
    made += thresholds(layer, layer.rows, numbers.acc_bits, 1, numbers.steps)
    taken = {
        (copy, term.col, term.negative)
        for copy, row in zip(numbers.copies, numbers.terms, strict=True)
        for term in row
    }
    inputs = (1 + max(numbers.copies)) * operands + len(taken) * slice_bits
    made += Cost(lut=0, ff=inputs + layer.rows * (numbers.acc_bits + 1 + layer.out_bits))
    if numbers.steps > 1:
        made += Cost(
            lut=layer.rows * numbers.acc_bits + operands * ceil(numbers.steps / 4),
            ff=layer.rows + ceil(operands / DRIVEN) * bits_for(numbers.steps),
        )
    return made


def thresholds(layer: Mvtu, pe: int, acc_bits: int, groups: int, spacing: int) -> Cost:
    """Cost of the comparators of `pe` outputs and their levels.

    The comparisons are spread over the cycles between two results (rtl_templates: nn_threshold).
    """
    if not layer.steps:
        return NOTHING
    counting = Counting.of(layer.steps, spacing)
    ways, depth = counting.ways, groups * counting.slots
    made = Cost(
        lut=ceil(pe * (ways * (acc_bits * 0.6 + 1) + layer.out_bits)),
        ff=pe * (2 * acc_bits + ways + layer.out_bits),
    )
    bits, memory = pe * ways * acc_bits, threshold_memory(depth)
    return made + rom(depth, bits, memory) + Cost(lut=0, ff=bits if memory == "block" else 0)


def lookup(layer: Lookup, pixels: int) -> Cost:
    """Cost of a table per channel and pixel of a beat."""
    table = rom(1 << layer.in_bits, layer.out_bits, "logic").lut
    cycles = layer.height * layer.width // pixels
    if layer.idle:
        return Cost(cycles=cycles, lut=0, ff=0)
    values = pixels * layer.channels
    return Cost(cycles=cycles, lut=values * table + 5, ff=values * layer.out_bits + 5)


def window(layer: Window, pixels: int, lines: str) -> Cost:
    """Cost of a window generator with a FIFO of a line: one push per beat, KH-1 lines."""
    (high, wide), left = layer.kernel, layer.pad[1]
    rows, beats = layer.grid(pixels)
    cycles, bits = rows * beats, pixels * layer.channels * layer.bits
    fifo, width = _lutram(beats, bits) + 50, (high - 1) * bits
    span = wide + pixels - 1
    reach = ceil((wide - 1 - left) / pixels) + 1
    if layer.stride[1] > 1:
        reach += ceil(left / pixels)
    taps = high * span * layer.channels * layer.bits
    ff = reach * high * bits + taps + bits + 60
    if lines == "block":
        return Cost(cycles=cycles, lut=fifo, ff=ff, bram18=bram18_count(beats, width))
    return Cost(cycles=cycles, lut=fifo + _lutram(beats, width), ff=ff)


def sliding_window(layer: Window, *, simd: int) -> Cost:
    """Cost of a sliding window unit with its FIFO: a buffer of K-1 lines in LUTRAM."""
    beats = layer.height * layer.width * layer.channels // simd
    memory = _lutram(sliding_words(layer, simd=simd), simd * layer.bits)
    return Cost(cycles=beats, lut=memory + 75, ff=2 * simd * layer.bits + 110)


def sliding_words(layer: Window, *, simd: int) -> int:
    """Words of SIMD elements that a sliding window unit holds (rtl_templates: nn_swu)."""
    span = (2 * layer.pad[0] * (layer.width + 1) + 3) * (layer.channels // simd)
    return max(32, 1 << (span - 1).bit_length())


def max_pool(layer: MaxPool, pixels: int) -> Cost:
    """Cost of a max-pool at so many pixels per cycle."""
    if layer.window is not None:
        return window(layer.window, pixels, "logic") + _maxima(layer, pixels)
    across = layer.kernel[1]
    pixel, squares = layer.channels * layer.bits, max(1, pixels // across)
    row = _lutram(layer.width // across // squares, squares * pixel)
    # Of the pixels of a square beside each other, of its beats, and of its rows.
    maxima = pixels - squares + (pixels < across) + squares
    out = squares * pixel
    return Cost(
        cycles=layer.height * layer.width // pixels,
        lut=row + maxima * pixel + 20,
        ff=(2 + (pixels >= across)) * out + 25,
    )


def _maxima(layer: MaxPool, windows: int) -> Cost:
    """Cost of the largest of whole windows: of their rows, then of what these leave."""
    (high, wide), pixel = layer.kernel, layer.channels * layer.bits
    made = NOTHING
    for rows, across in ((high, wide), (1, high)):
        squares = windows * rows
        made += Cost(lut=squares * (across - 1) * pixel + 20, ff=3 * squares * pixel + 25)
    return made


def argmax(layer: Argmax, *, dsp: bool) -> Cost:
    """Cost of the label search; dsp: the gains' pieces are multiplied in DSP slices."""
    numbers = scoring(layer)
    out, compared = layer.out_bits, numbers.score_bits
    # Two frames of logits; those of few classes are in the sum below.
    words = 2 * layer.classes
    kept = _lutram(words, out) - _lutram(32, out) + out * ceil(words / 256) if words > 32 else 0
    search = Cost(
        cycles=layer.classes + 1,
        lut=2 * (out + compared) + 20 + kept,
        ff=out + compared + 30,
    )
    return search if numbers.idle else search + _scores(layer, numbers, dsp=dsp)


def _scores(layer: Argmax, numbers: Scoring, *, dsp: bool) -> Cost:
    """Cost of the classes' scores, one logit per cycle (rtl_templates: nn_score)."""
    pieces, latency = numbers.pieces(dsp=dsp), numbers.latency(dsp=dsp)
    wide, word = numbers.score_bits, numbers.gain_bits + numbers.bias_bits
    made = Cost(lut=0, ff=latency * (layer.bits + 1))
    if numbers.floor is not None:
        made += Cost(lut=wide, ff=wide)
    if numbers.words:
        memory = "block" if layer.classes > LOGIC_CLASSES else "logic"
        made += rom(layer.classes, word, memory) + Cost(lut=5, ff=bits_for(layer.classes))
    if not pieces:
        return made + (Cost(lut=wide, ff=wide) if numbers.words else NOTHING)
    # Of the gain, what later pieces need.
    made += Cost(lut=0, ff=numbers.gain_bits * (pieces - 1) // 2 + numbers.bias_bits)
    if dsp:
        return made + Cost(lut=0, ff=0, dsp=pieces * (1 + (layer.bits > 25)))
    each = layer.bits + 2
    return made + Cost(lut=pieces * (each + wide), ff=pieces * (each + wide))


def fixed(layer: Layer, *, pixels: int, lines: str, dsp: bool) -> Cost:
    """Cost of a layer that goes by the fold of another; lines: in "logic" or "block"."""
    if isinstance(layer, Lookup):
        return lookup(layer, pixels)
    if isinstance(layer, Window):
        return window(layer, pixels, lines)
    if isinstance(layer, MaxPool):
        return max_pool(layer, pixels)
    if isinstance(layer, Argmax):
        return argmax(layer, dsp=dsp)
    raise TypeError(f"{layer.name} needs a folding")


def rom(depth: int, width: int, memory: str) -> Cost:
    """Cost of a ROM with its registers (rtl_templates: mem_rom), in "block" or "logic"."""
    if memory == "block":
        return Cost(lut=0, ff=0, bram18=bram18_count(depth, width))
    if depth == 1:
        return NOTHING
    address, copies = bits_for(depth), ceil(width / slice_bits(depth, memory))
    if depth <= 8:
        # Of few words there are but so many functions, which a slice's bits share.
        return Cost(
            lut=min(width, copies << max(4, depth)),
            ff=min(width, copies << depth) + copies * address,
        )
    # Six address bits make a LUT.
    lut, banks = width * ceil(depth / 64), ceil(depth / BANK)
    if banks == 1:
        return Cost(lut=lut, ff=width + copies * address)
    return Cost(lut=lut, ff=width * (banks + 1) + copies * (2 * address - bits_for(BANK)))


def bram18_count(depth: int, width: int) -> int:
    """18 kbit blocks of a ROM in the best of the aspect ratios, each doubled for RAMB36."""
    shapes = [(512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)]
    return min(ceil(depth / d) * ceil(width / w) for d, w in shapes)


def bits_for(count: int) -> int:
    """Bits that tell so many apart."""
    return (count - 1).bit_length()


def _lutram(depth: int, width: int) -> int:
    """LUTs of a simple dual-port LUTRAM: RAM32M holds 32 words of 6 bits in four LUTs."""
    return 4 * ceil(width / 6) * ceil(depth / 32)
