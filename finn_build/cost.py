"""Cycles and resources of a layer as pure functions of its shape and folding.

The LUT counts are fitted to Yosys' counts of the modules (finn_build.backends.yosys).
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from finn_build import heap, slices
from finn_build.layers import Argmax, Layer, Lookup, MaxPool, Mvtu, Window
from finn_build.unit import Counting, constants, spacing, unit

# Words of thresholds in logic; more are in block RAM (rtl_templates: nn_threshold).
THRESHOLD_WORDS = 256
# Bits of a ROM of few words in logic beside each other, and words of a bank (mem_rom).
ROM_SLICE = 256
BANK = 256


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cycles per frame and resources of one layer; bram18 counts 18 kbit blocks."""

    cycles: int
    lut: int
    ff: int
    bram18: int = 0
    dsp: int = 0


def together(parts: Collection[Cost]) -> Cost:
    """Cost of layers that work side by side."""
    return Cost(
        cycles=max(part.cycles for part in parts),
        lut=sum(part.lut for part in parts),
        ff=sum(part.ff for part in parts),
        bram18=sum(part.bram18 for part in parts),
        dsp=sum(part.dsp for part in parts),
    )


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
    depth, sums = groups * chunks, pe * numbers.acc_bits
    weight_bits, used = layer.weight_bits, 0
    if dsp:
        plan = slices.plan_of(layer, pe)
        weight_bits, used = plan.weight_bits, plan.slices(pe, simd)
        lut, ff, latency = float(plan.lut(pe, simd)), plan.ff(pe, simd), plan.latency(simd)
    else:
        shape = {"simd": simd, "weight_bits": weight_bits, "in_bits": layer.in_bits}
        kind = {"ternary": numbers.ternary, "sum_bits": numbers.acc_bits}
        lut, ff = float(pe * heap.lut(**shape, **kind)), pe * heap.ff(**shape, **kind)
        latency = heap.latency(**shape)
    bits = pe * simd * weight_bits
    bram18 = 0
    # Registers between the address of a weight and its product.
    registers = 0 if memory == "block" and latency > 2 else 1
    if memory == "block":
        bram18 = bram18_count(depth, bits)
    elif depth > 1:
        lut += rom_lut(depth, bits)
        ff += rom_ff(depth, bits)
        registers = 2 if depth > BANK else 1
    # An accumulator that starts from a constant in every cycle is none.
    varied = numbers.starts_differ
    lut += sums * ((chunks > 1 or bool(numbers.start.any())) + (varied and chunks > 1))
    ff += sums + pe * (1 + (chunks > 1))
    if varied and groups > 1:
        lut += rom_lut(groups, sums)
        ff += rom_ff(groups, sums) + sums
    partial = groups > 1 and chunks > 1 and not layer.windowed
    if partial:
        lut += _lutram(groups, sums) + sums
        ff += sums
    operands = simd * layer.in_bits
    ff += operands * (1 + registers)
    if layer.windowed and chunks > 1 and not sliding:
        lut += operands * ceil((chunks - 1) / 3)
        ff += ceil(operands / 24) * bits_for(chunks)
    levels = thresholds(layer, pe, numbers.acc_bits, groups, spacing(layer, pe=pe, simd=simd))
    told = 2 + (chunks > 1) + partial + bits_for(groups)
    ff += (latency + registers + 2) * told + bits_for(depth) + pe * layer.out_bits
    return Cost(
        cycles=layer.positions * depth,
        lut=ceil(lut + levels.lut + 60),
        ff=ff + levels.ff + 50,
        bram18=bram18 + levels.bram18,
        dsp=used,
    )


def constant(layer: Mvtu, *, slice_bits: int, pixels: int = 1) -> Cost:
    """Cost of a unit built for its weights that takes so many bits of every input at a time.

    pixels: vectors that it works on beside each other, each in LUTs of its own.
    """
    numbers = constants(layer, slice_bits)
    levels = thresholds(layer, layer.rows, numbers.acc_bits, 1, numbers.steps)
    dots = _constant_dots(layer, slice_bits)
    operands = layer.cols * slice_bits
    lut, ff = levels.lut + dots.lut, levels.ff + dots.ff + 3 * operands
    ff += layer.rows * (numbers.acc_bits + 1 + layer.out_bits)
    if numbers.steps > 1:
        lut += layer.rows * numbers.acc_bits + operands * ceil(numbers.steps / 4)
        ff += layer.rows + ceil(operands / 24) * bits_for(numbers.steps)
    lut = pixels * lut + _lutram(32, pixels * layer.rows * layer.out_bits)
    return Cost(
        cycles=layer.positions // pixels * numbers.steps, lut=ceil(lut + 60), ff=pixels * ff + 60
    )


@lru_cache(maxsize=128)
def _constant_dots(layer: Mvtu, slice_bits: int) -> Cost:
    """All rows' dot products with built-in weights."""
    numbers = constants(layer, slice_bits)
    bits = {"in_bits": slice_bits, "sum_bits": numbers.sum_bits}
    places = [numbers.places(row) for row in range(layer.rows)]
    return Cost(
        cycles=numbers.steps,
        lut=sum(heap.constant_lut(places=each, **bits) for each in places),
        ff=sum(heap.constant_ff(places=each, **bits, latency=numbers.latency) for each in places),
    )


def thresholds(layer: Mvtu, pe: int, acc_bits: int, groups: int, spacing: int) -> Cost:
    """Cost of the comparators of `pe` outputs and their levels.

    The comparisons are spread over the cycles between two results (rtl_templates: nn_threshold).
    """
    if not layer.steps:
        return Cost(cycles=0, lut=0, ff=0)
    counting = Counting.of(layer.steps, spacing)
    ways, depth = counting.ways, groups * counting.slots
    lut = pe * (ways * (acc_bits * 0.6 + 1) + layer.out_bits)
    ff = pe * (2 * acc_bits + ways + layer.out_bits)
    bits, bram18 = pe * ways * acc_bits, 0
    if depth > THRESHOLD_WORDS:
        bram18, ff = bram18_count(depth, bits), ff + bits
    elif depth > 1:
        lut += rom_lut(1 << (depth - 1).bit_length(), bits)
        ff += rom_ff(depth, bits)
    return Cost(cycles=counting.passes, lut=ceil(lut), ff=ff, bram18=bram18)


def lookup(layer: Lookup, pixels: int) -> Cost:
    """Cost of a table per channel and pixel of a beat."""
    table = rom_lut(1 << layer.in_bits, layer.out_bits)
    cycles = layer.height * layer.width // pixels
    if layer.idle:
        return Cost(cycles=cycles, lut=0, ff=0)
    values = pixels * layer.channels
    return Cost(cycles=cycles, lut=values * table + 5, ff=values * layer.out_bits + 5)


def window(layer: Window, pixels: int, lines: str) -> Cost:
    """Cost of a window generator with a FIFO of a line: one push per beat, K-1 lines."""
    beats, bits = layer.width // pixels, pixels * layer.channels * layer.bits
    cycles = max(layer.height * layer.width, layer.positions) // pixels
    fifo, width = _lutram(beats, bits) + 50, (layer.kernel - 1) * bits
    span = layer.kernel + pixels - 1
    reach = ceil((layer.kernel - 1 - layer.pad) / pixels) + 1
    if layer.stride > 1:
        reach += ceil(layer.pad / pixels)
    taps = layer.kernel * span * layer.channels * layer.bits
    ff = reach * layer.kernel * bits + taps + bits + 60
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
    span = (2 * layer.pad * (layer.width + 1) + 3) * (layer.channels // simd)
    return max(32, 1 << (span - 1).bit_length())


def max_pool(layer: MaxPool, pixels: int) -> Cost:
    """Cost of a max-pool at so many pixels per cycle."""
    pixel, squares = layer.channels * layer.bits, max(1, pixels // layer.kernel)
    row = _lutram(layer.width // layer.kernel // squares, squares * pixel)
    # Of the pixels of a square beside each other, of its beats, and of its rows.
    maxima = pixels - squares + (pixels < layer.kernel) + squares
    out = squares * pixel
    return Cost(
        cycles=layer.height * layer.width // pixels,
        lut=row + maxima * pixel + 20,
        ff=(2 + (pixels >= layer.kernel)) * out + 25,
    )


def argmax(layer: Argmax) -> Cost:
    """Cost of the label search."""
    return Cost(cycles=layer.classes + 1, lut=4 * layer.bits + 20, ff=2 * layer.bits + 30)


def fixed(layer: Layer, *, pixels: int, lines: str) -> Cost:
    """Cost of a layer that goes by the fold of another; lines: in "logic" or "block"."""
    if isinstance(layer, Lookup):
        return lookup(layer, pixels)
    if isinstance(layer, Window):
        return window(layer, pixels, lines)
    if isinstance(layer, MaxPool):
        return max_pool(layer, pixels)
    if isinstance(layer, Argmax):
        return argmax(layer)
    raise TypeError(f"{layer.name} needs a folding")


def bram18_count(depth: int, width: int) -> int:
    """18 kbit blocks of a ROM in the best of the aspect ratios, each doubled for RAMB36."""
    shapes = [(512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)]
    return min(ceil(depth / d) * ceil(width / w) for d, w in shapes)


def rom_lut(depth: int, width: int) -> int:
    """LUTs of a ROM in logic, in the slices of rtl_templates: mem_rom.

    Six address bits make a LUT. Of few there are but so many functions, which a slice's bits share.
    """
    if depth <= 8:
        return min(width, ceil(width / ROM_SLICE) << max(4, depth))
    return width * ceil(depth / 64)


def rom_ff(depth: int, width: int) -> int:
    """FFs of a ROM in logic: its words, and the address once for each slice of them."""
    address = bits_for(depth)
    if depth <= 8:
        slices = ceil(width / ROM_SLICE)
        return min(width, slices << depth) + slices * address
    slices = ceil(width / (64 // ceil(depth / 64) if depth <= 512 else 8))
    banks = ceil(depth / BANK)
    if banks == 1:
        return width + slices * address
    return width * (banks + 1) + slices * (2 * address - bits_for(BANK))


def bits_for(count: int) -> int:
    """Bits that tell so many apart."""
    return (count - 1).bit_length()


def _lutram(depth: int, width: int) -> int:
    """LUTs of a simple dual-port LUTRAM: RAM32M holds 32 words of 6 bits in four LUTs."""
    return 4 * ceil(width / 6) * ceil(depth / 32)
