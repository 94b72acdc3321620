"""mem_rom: every word of the file at its address, after one cycle or two."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Simulate

CASES = ((1, 1, "auto", 0), (7, 13, "logic", 1), (72, 64, "block", 1), (40, 3, "auto", 0))


@pytest.mark.parametrize(("width", "depth", "style", "out_reg"), CASES)
def test_rom(simulate: Simulate, width: int, depth: int, style: str, out_reg: int) -> None:
    rng = random.Random(width)
    words = [rng.getrandbits(width) | (depth == 1) for _ in range(depth)]
    parameters = {
        "WIDTH": width, "DEPTH": depth, "INIT_FILE": "rom.hex", "STYLE": style, "OUT_REG": out_reg,
    }  # fmt: skip
    text = "".join(f"{word:0{-(-width // 4)}x}\n" for word in words)
    simulate("mem_rom", parameters, "bench_mem_rom", files={"rom.hex": text}, words=words)
