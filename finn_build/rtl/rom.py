"""How a ROM is cut into arrays with a file each (rtl_templates: mem_rom, mem_part)."""

from collections.abc import Sequence
from math import ceil

# Words of a bank in logic; all banks are read at once, side by side.
BANK = 256
# Most bits of an array, so that every tool accepts it.
MOST_BITS = 1_000_000
# Bits of a word in the widest block RAM.
_BLOCK = 72


def slice_bits(depth: int, memory: str) -> int:
    """Most bits of each word that one array holds, in memory "logic" or "block"."""
    if memory == "logic":
        # As many bits as one address register drives.
        return 256 if depth <= 8 else 64 // ceil(depth / 64) if depth <= 512 else 8
    most = max(1, MOST_BITS // max(2, depth))
    return most // _BLOCK * _BLOCK or most


def parts(
    words: Sequence[int], width: int, memory: str, *, banked: bool = False
) -> list[list[int]]:
    """The words of each array, in order, of a ROM with words of `width` bits.

    banked: split a ROM in logic into banks of BANK words (mem_rom's OUT_REG 2).
    """
    bits = slice_bits(len(words), memory)
    step = BANK if banked and memory == "logic" else len(words)
    return [
        [word >> low & ((1 << min(bits, width - low)) - 1) for word in words[start : start + step]]
        for low in range(0, width, bits)
        for start in range(0, len(words), step)
    ]


def images(name: str, arrays: Sequence[Sequence[int]]) -> dict[str, str]:
    """Files of a ROM's arrays, one word a line, by their names, which begin with `name`.

    The last word of an array is repeated where needed: an array has two words or more, and all
    banks have the same depth.
    """
    depth = max(2, *map(len, arrays))
    return {
        f"{name}_{index:04}.hex": _text([*array, *[array[-1]] * (depth - len(array))])
        for index, array in enumerate(arrays)
    }


def _text(words: Sequence[int]) -> str:
    digits = len(f"{max(words):x}")
    return "".join(f"{word:0{digits}x}\n" for word in words)
