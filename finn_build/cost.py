"""Cycles and resources of a layer as pure functions of its shape and folding.

The LUT counts are fitted to Yosys' counts of the modules (finn_build.backends.yosys).
"""

from dataclasses import dataclass
from math import ceil, log2

from finn_build import heap, slices
from finn_build.layers import Argmax, Layer, Lookup, MaxPool, Mvtu, Window
from finn_build.unit import constants, unit

# Bits of a ROM in logic beside each other (rtl_templates: mem_rom).
ROM_SLICE = 256


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cycles per frame and resources of one layer; bram18 counts 18 kbit blocks."""

    cycles: int
    lut: int
    bram18: int = 0
    dsp: int = 0


def divisors(n: int) -> list[int]:
    """All divisors of n, ascending."""
    return [d for d in range(1, n + 1) if n % d == 0]


def mvtu(layer: Mvtu, *, pe: int, simd: int, memory: str, dsp: bool, sliding: bool = False) -> Cost:
    """Cost of a matrix-vector-threshold unit with its weights in a memory.

    sliding: its windows come piece by piece.
    """
    numbers = unit(layer, dsp=dsp)
    groups, chunks = layer.rows // pe, layer.cols // simd
    depth = groups * chunks
    weight_bits, used = layer.weight_bits, 0
    if dsp:
        plan = slices.plan_of(layer, pe)
        weight_bits, used = plan.weight_bits, plan.slices(pe, simd)
        dot = plan.lut(pe, simd)
    else:
        dot = pe * heap.lut(
            simd=simd,
            weight_bits=weight_bits,
            in_bits=layer.in_bits,
            ternary=numbers.ternary,
            sum_bits=numbers.acc_bits,
        )
    bits = pe * simd * weight_bits
    varied = numbers.starts_differ
    # An accumulator that starts from a constant in every cycle is none.
    adders = (chunks > 1 or bool(numbers.start.any())) + (varied and chunks > 1)
    spacing = chunks if groups == 1 or layer.windowed else 1
    lut: float = dot + pe * numbers.acc_bits * adders
    lut += _threshold_lut(layer, pe, numbers.acc_bits, groups, spacing)
    if varied and groups > 1:
        lut += rom_lut(groups, pe * numbers.acc_bits)
    if groups > 1 and chunks > 1 and not layer.windowed:
        lut += _lutram(groups, pe * numbers.acc_bits) + pe * numbers.acc_bits
    if layer.windowed and chunks > 1 and not sliding:
        lut += simd * layer.in_bits * ceil((chunks - 1) / 3)
    bram18 = 0
    if memory == "block":
        bram18 = bram18_count(depth, bits)
    elif depth > 1:
        lut += rom_lut(depth, bits)
    return Cost(cycles=layer.positions * depth, lut=ceil(lut + 60), bram18=bram18, dsp=used)


def constant(layer: Mvtu, *, slice_bits: int) -> Cost:
    """Cost of a unit built for its weights that takes so many bits of every input at a time."""
    numbers = constants(layer, slice_bits)
    bits = {"in_bits": slice_bits, "sum_bits": numbers.sum_bits}
    lut = _threshold_lut(layer, layer.rows, numbers.acc_bits, 1, numbers.steps)
    for row in range(layer.rows):
        lut += heap.constant_lut(places=numbers.places(row), **bits)
    if numbers.steps > 1:
        lut += layer.rows * numbers.acc_bits + layer.cols * slice_bits * ceil(numbers.steps / 4)
    lut += _lutram(32, layer.rows * layer.out_bits)
    return Cost(cycles=layer.positions * numbers.steps, lut=ceil(lut + 60))


def _threshold_lut(layer: Mvtu, pe: int, acc_bits: int, groups: int, spacing: int) -> float:
    """LUTs of the comparators of `pe` outputs and their levels.

    The comparisons are spread over the cycles between two results (rtl_templates: nn_threshold).
    """
    if not layer.steps:
        return 0.0
    ways = ceil(layer.steps / spacing)
    passes = ceil(layer.steps / ways)
    lut = pe * (ways * (acc_bits * 0.6 + 1) + layer.out_bits)
    # Group and pass together address the levels.
    levels = 1 << (ceil(log2(groups)) + ceil(log2(passes)))
    return lut + (rom_lut(levels, pe * ways * acc_bits) if levels > 1 else 0.0)


def lookup(layer: Lookup) -> Cost:
    """Cost of a table per channel at one pixel per cycle."""
    lut = 0 if layer.idle else layer.channels * rom_lut(1 << layer.in_bits, layer.out_bits) + 5
    return Cost(cycles=layer.height * layer.width, lut=lut)


def window(layer: Window) -> Cost:
    """Cost of a window generator with its FIFO: one push per pixel, K-1 lines in LUTRAM."""
    memory = layer.kernel * _lutram(layer.width, layer.channels * layer.bits)
    cycles = max(layer.height * layer.width, layer.out_height * layer.out_width)
    return Cost(cycles=cycles, lut=memory + 50)


def sliding_window(layer: Window, *, simd: int) -> Cost:
    """Cost of a sliding window unit with its FIFO: a buffer of K-1 lines in LUTRAM."""
    beats = layer.height * layer.width * layer.channels // simd
    memory = _lutram(sliding_words(layer, simd=simd), simd * layer.bits)
    return Cost(cycles=beats, lut=memory + 75)


def sliding_words(layer: Window, *, simd: int) -> int:
    """Words of SIMD elements that a sliding window unit holds (rtl_templates: nn_swu)."""
    span = (2 * layer.pad * (layer.width + 1) + 3) * (layer.channels // simd)
    return max(32, 1 << (span - 1).bit_length())


def max_pool(layer: MaxPool) -> Cost:
    """Cost of a max-pool at one pixel per cycle."""
    pixel = layer.channels * layer.bits
    row = _lutram(layer.width // layer.kernel, pixel)
    return Cost(cycles=layer.height * layer.width, lut=row + 2 * pixel + 20)


def argmax(layer: Argmax) -> Cost:
    """Cost of the label search."""
    return Cost(cycles=layer.classes + 1, lut=4 * layer.bits + 20)


def fixed(layer: Layer) -> Cost:
    """Cost of a layer that has nothing to fold."""
    if isinstance(layer, Lookup):
        return lookup(layer)
    if isinstance(layer, Window):
        return window(layer)
    if isinstance(layer, MaxPool):
        return max_pool(layer)
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
        slices = min(ceil(width / ROM_SLICE), 1 << ceil(log2(depth)))
        return min(width, slices << max(4, depth))
    return width * ceil(depth / 64)


def _lutram(depth: int, width: int) -> int:
    """LUTs of a simple dual-port LUTRAM: RAM32M holds 32 words of 6 bits in four LUTs."""
    return 4 * ceil(width / 6) * ceil(depth / 32)
