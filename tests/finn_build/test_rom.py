"""Images of ROMs: cut so that every tool takes the arrays, and whole again when put together."""

import random

import pytest

from finn_build.rtl import rom

SHAPES = [
    (1, 1),
    (1, 40_000),
    (2, 300),
    (48, 3120),
    (300, 40),
    (600, 21),
    (2048, 832),
    (20_000, 60),
]


@pytest.mark.parametrize("memory", ["logic", "block"])
@pytest.mark.parametrize(("depth", "width"), SHAPES)
def test_no_array_has_more_bits_than_tools_take(depth, width, memory):
    bits = min(width, rom.slice_bits(depth, memory))
    assert 0 < bits * max(2, depth) <= rom.MOST_BITS
    # No more arrays of block RAM than there must be, and no more blocks for it.
    arrays = -(-width // bits)
    assert memory == "logic" or arrays == 1 or (bits % 72 == 0 or depth > rom.MOST_BITS // 72)


@pytest.mark.parametrize(
    ("memory", "banked"), [("logic", False), ("logic", True), ("block", False)]
)
@pytest.mark.parametrize(("depth", "width"), [(1, 300), (5, 600), (300, 100), (2048, 500)])
def test_words_are_cut_into_arrays_and_nothing_is_lost(depth, width, memory, banked):
    rng = random.Random(depth)
    words = [rng.getrandbits(width) for _ in range(depth)]
    arrays = rom.parts(words, width, memory, banked=banked)
    bits = rom.slice_bits(depth, memory)
    step = rom.BANK if banked else depth
    banks = -(-depth // step)
    whole = [0] * depth
    for index, array in enumerate(arrays):
        low, start = index // banks * bits, index % banks * step
        for place, value in enumerate(array):
            assert value < 1 << min(bits, width - low)
            whole[start + place] |= value << low
    assert whole == words


def test_files_have_two_words_or_more_and_banks_are_alike():
    assert rom.images("one", [[5]]) == {"one_0000.hex": "5\n5\n"}
    made = rom.images("two", [[1, 2, 30], [4]])
    assert made == {"two_0000.hex": "01\n02\n1e\n", "two_0001.hex": "4\n4\n4\n"}
