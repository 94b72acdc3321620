"""How a ROM is cut into arrays with a file each (rtl_templates: mem_rom, mem_part)."""

from collections.abc import Sequence
from math import ceil

# Words of a bank in logic, whose words are read one bank beside the other.
BANK = 256
# Bits of an array at most, so that every tool takes it.
MOST_BITS = 1_000_000
# Bits of a word in the widest block RAM.
_BLOCK = 72


def slice_bits(depth: int, memory: str) -> int:
    """Bits of each word that are in one array, in "logic" or "block", if the word has so many."""
    if memory == "logic":
        # What one address register reads.
        return 256 if depth <= 8 else 64 // ceil(depth / 64) if depth <= 512 else 8
    most = max(1, MOST_BITS // max(2, depth))
    return most // _BLOCK * _BLOCK or most


def parts(
    words: Sequence[int], width: int, memory: str, *, banked: bool = False
) -> list[list[int]]:
    """Words of each array, in their order, of a ROM with words of so many bits.

    banked: more than a bank of words in logic are read bank by bank (mem_rom's OUT_REG 2).
    """
    bits = slice_bits(len(words), memory)
    step = BANK if banked and memory == "logic" else len(words)
    return [
        [word >> low & ((1 << min(bits, width - low)) - 1) for word in words[start : start + step]]
        for low in range(0, width, bits)
        for start in range(0, len(words), step)
    ]


def images(name: str, arrays: Sequence[Sequence[int]]) -> dict[str, str]:
    """Files of a ROM's arrays, whose names begin with `name`, one word a line.

    A single word is there twice, since an array has two words or more, and banks are all of the
    same depth where there are several.
    """
    depth = max(2, *map(len, arrays))
    return {
        f"{name}_{index:04}.hex": _text([*array, *[array[-1]] * (depth - len(array))])
        for index, array in enumerate(arrays)
    }


def _text(words: Sequence[int]) -> str:
    digits = len(f"{max(words):x}")
    return "".join(f"{word:0{digits}x}\n" for word in words)
