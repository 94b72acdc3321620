"""The cost of a layer, and the costs of memories, from which layers make up their own.

The LUT counts are fitted to Yosys' counts of the modules (finn_build.backends.yosys).
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

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


def rom(depth: int, width: int, memory: str) -> Cost:
    """Cost of a ROM with its registers (rtl_templates: mem_rom), in "block" or "logic"."""
    if memory == "block":
        return Cost(lut=0, ff=0, bram18=bram18_count(depth, width))
    if depth == 1:
        return NOTHING
    address, copies = bits_for(depth), ceil(width / slice_bits(depth, memory))
    if depth <= 8:
        # Few words make only so many different functions of the address; a slice's bits share them.
        return Cost(
            lut=min(width, copies << max(4, depth)),
            ff=min(width, copies << depth) + copies * address,
        )
    # A LUT takes six address bits, so it holds a bit of 64 words.
    lut, banks = width * ceil(depth / 64), ceil(depth / BANK)
    if banks == 1:
        return Cost(lut=lut, ff=width + copies * address)
    return Cost(lut=lut, ff=width * (banks + 1) + copies * (2 * address - bits_for(BANK)))


def bram18_count(depth: int, width: int) -> int:
    """18 kbit blocks of a ROM in the best aspect ratio; a RAMB36 is two of them."""
    shapes = [(512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)]
    return min(ceil(depth / d) * ceil(width / w) for d, w in shapes)


def bits_for(count: int) -> int:
    """Bits that number `count` things."""
    return (count - 1).bit_length()


def lutram(depth: int, width: int) -> int:
    """LUTs of a simple dual-port LUTRAM: RAM32M holds 32 words of 6 bits in four LUTs."""
    return 4 * ceil(width / 6) * ceil(depth / 32)
