"""mem_rom: every word of the file at its address, after one cycle or two."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest
from tiers import every

from finn_build.rtl import rom
from finn_build.rtl.design import STYLES

if TYPE_CHECKING:
    from conftest import Simulate, Synthesise

# Width, depth, memory, registers after the first: constant, slices of logic, banks of it, block RAM
# in one array and in two.
CASES = (
    (1, 1, "logic", 1),
    (300, 1, "block", 0),
    (150, 13, "logic", 1),
    (600, 5, "logic", 1),
    (21, 600, "logic", 2),
    (9, 257, "logic", 2),
    (40, 300, "logic", 1),
    (72, 64, "block", 1),
    (500, 2048, "block", 0),
)


def words_of(width: int, depth: int) -> list[int]:
    rng = random.Random(width)
    return [rng.getrandbits(width) | (depth == 1) for _ in range(depth)]


def parameters_of(width: int, depth: int, memory: str, out_reg: int) -> dict[str, int | str]:
    shape: dict[str, int | str] = {"WIDTH": width, "DEPTH": depth, "INIT_FILE": "rom"}
    return {**shape, "STYLE": STYLES[memory], "OUT_REG": out_reg}


def files_of(words: list[int], width: int, memory: str, out_reg: int) -> dict[str, str]:
    return rom.images("rom", rom.parts(words, width, memory, banked=out_reg == 2))


def test_block_rom_keeps_its_contents(synthesise: Synthesise) -> None:
    """As many ones in the block RAMs of the netlist as in the file."""
    words = words_of(72, 400)
    files = files_of(words, 72, "block", 1)
    netlist = synthesise("mem_rom", parameters_of(72, 400, "block", 1), files=files)
    assert "RAMB36E1" in netlist and not re.search(r"\bRAM\d+M\b", netlist)
    values = re.findall(r"\.INITP?_\w\w\(\d+'h([0-9a-fx]+)\)", netlist)
    ones = sum(int(value.replace("x", "0"), 16).bit_count() for value in values)
    assert ones == sum(word.bit_count() for word in words)


def test_every_slice_keeps_its_address_register(synthesise: Synthesise) -> None:
    """150 bits of 60 words in three slices: their address registers, equal as they are, stay."""
    files = files_of(words_of(150, 60), 150, "logic", 1)
    netlist = synthesise("mem_rom", parameters_of(150, 60, "logic", 1), files=files)
    assert len(re.findall(r"\bFDRE\b", netlist)) == 150 + 3 * 6
    assert len(re.findall(r"\bLUT6\b", netlist)) == 150


@pytest.mark.parametrize("width", [9, 600])
def test_a_single_word_is_no_logic(synthesise: Synthesise, width: int) -> None:
    files = files_of(words_of(width, 1), width, "logic", 1)
    netlist = synthesise("mem_rom", parameters_of(width, 1, "logic", 1), files=files)
    assert not re.search(r"\b(LUT\d|FD\w+|RAM\w+) ", netlist)


@pytest.mark.parametrize(("width", "depth", "memory", "out_reg"), every(2, CASES))
def test_rom(simulate: Simulate, width: int, depth: int, memory: str, out_reg: int) -> None:
    words = words_of(width, depth)
    files = files_of(words, width, memory, out_reg)
    parameters = parameters_of(width, depth, memory, out_reg)
    simulate("mem_rom", parameters, "bench_mem_rom", files=files, words=words)
