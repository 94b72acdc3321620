"""mem_rom: every word of the file at its address, after one cycle or two."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Simulate, Synthesise

CASES = (
    (1, 1, "auto", 0),
    (150, 13, "logic", 1),
    (21, 600, "logic", 2),
    (72, 64, "block", 1),
    (40, 3, "auto", 0),
)


def words_of(width: int, depth: int) -> list[int]:
    rng = random.Random(width)
    return [rng.getrandbits(width) | (depth == 1) for _ in range(depth)]


@pytest.mark.slow
def test_block_rom_keeps_its_contents(synthesise: Synthesise) -> None:
    """As many ones in the block RAMs of the netlist as in the file."""
    words = words_of(72, 400)
    parameters = {"WIDTH": 72, "DEPTH": 400, "INIT_FILE": "rom.hex", "STYLE": "block"}
    text = "".join(f"{word:018x}\n" for word in words)
    netlist = synthesise("mem_rom", parameters, files={"rom.hex": text})
    assert "RAMB36E1" in netlist and not re.search(r"\bRAM\d+M\b", netlist)
    values = re.findall(r"\.INITP?_\w\w\(\d+'h([0-9a-fx]+)\)", netlist)
    ones = sum(int(value.replace("x", "0"), 16).bit_count() for value in values)
    assert ones == sum(word.bit_count() for word in words)


@pytest.mark.slow
def test_every_slice_keeps_its_address_register(synthesise: Synthesise) -> None:
    """150 bits of 60 words in three slices: their address registers, equal as they are, stay."""
    text = "".join(f"{word:038x}\n" for word in words_of(150, 60))
    parameters = {"WIDTH": 150, "DEPTH": 60, "INIT_FILE": "rom.hex", "STYLE": "logic", "OUT_REG": 1}
    netlist = synthesise("mem_rom", parameters, files={"rom.hex": text})
    assert len(re.findall(r"\bFDRE\b", netlist)) == 150 + 3 * 6
    assert len(re.findall(r"\bLUT6\b", netlist)) == 150


@pytest.mark.parametrize(("width", "depth", "style", "out_reg"), CASES)
def test_rom(simulate: Simulate, width: int, depth: int, style: str, out_reg: int) -> None:
    words = words_of(width, depth)
    parameters = {
        "WIDTH": width, "DEPTH": depth, "INIT_FILE": "rom.hex", "STYLE": style, "OUT_REG": out_reg,
    }  # fmt: skip
    text = "".join(f"{word:0{-(-width // 4)}x}\n" for word in words)
    simulate("mem_rom", parameters, "bench_mem_rom", files={"rom.hex": text}, words=words)
