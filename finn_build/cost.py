"""Cycles and resources of a layer as pure functions of its shape and folding.

The LUT counts are fitted to Yosys' counts of the modules (synth_xilinx, 7 series).
"""

from dataclasses import dataclass
from math import ceil

from finn_build.layers import Argmax, Layer, MaxPool, Mvtu, Window


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


def mvtu(layer: Mvtu, *, pe: int, simd: int, memory: str) -> Cost:
    """Cost of a matrix-vector-threshold unit."""
    groups, chunks = layer.rows // pe, layer.cols // simd
    depth = groups * chunks
    bits = pe * simd * layer.weight_bits
    lut = pe * simd * _lut_per_mac(layer.weight_bits, layer.in_bits)
    lut += pe * layer.acc_bits * (1.5 if chunks > 1 else 0.5)
    lut += pe * layer.steps * (layer.acc_bits * 0.6 + 1)
    if groups > 1:
        lut += pe * layer.steps * layer.acc_bits * _rom_lut(groups)
        if not layer.windowed:
            lut += pe * layer.acc_bits * 0.8 * ceil(groups / 32)
    if layer.windowed and chunks > 1:
        lut += simd * layer.in_bits * _mux_lut(chunks)
    bram18 = 0
    if memory == "block":
        bram18 = bram18_count(depth, bits)
    elif depth > 1:
        lut += bits * _rom_lut(depth)
    return Cost(cycles=layer.positions * depth, lut=ceil(lut + 80), bram18=bram18)


def window(layer: Window) -> Cost:
    """Cost of a window generator: one push per pixel, K-1 lines in LUTRAM."""
    pixel = layer.channels * layer.bits
    lines = (layer.kernel - 1) * pixel * ceil(layer.width / 32) * 0.75
    masks = layer.kernel**2 * pixel * 0.7
    cycles = max(layer.height * layer.width, layer.out_height * layer.out_width)
    return Cost(cycles=cycles, lut=ceil(lines + masks + 60))


def max_pool(layer: MaxPool) -> Cost:
    """Cost of a max-pool at one pixel per cycle."""
    pixel = layer.channels * layer.bits
    row = pixel * ceil(layer.width / layer.kernel / 32) * 0.75
    return Cost(cycles=layer.height * layer.width, lut=ceil(row + 4 * pixel + 40))


def argmax(layer: Argmax) -> Cost:
    """Cost of the label search."""
    return Cost(cycles=layer.classes + 1, lut=ceil(layer.classes * layer.bits * 1.5 + 80))


def fixed(layer: Layer) -> Cost:
    """Cost of a layer that has nothing to fold."""
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


def _lut_per_mac(weight_bits: int, act_bits: int) -> float:
    if weight_bits == 1:
        return 2.25 * act_bits
    if weight_bits == 2 and act_bits <= 2:
        return 7.0
    return 1.1 * weight_bits * act_bits + 6


def _rom_lut(depth: int) -> float:
    """LUTs per bit of a ROM in logic; two bits share a LUT up to a depth of 32."""
    return 0.5 if depth <= 32 else ceil(depth / 64) * 1.1


def _mux_lut(ways: int) -> float:
    """LUTs per bit of a multiplexer: four ways fit one LUT6."""
    return ceil((ways - 1) / 3)
