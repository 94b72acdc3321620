"""Hold the FASM of a routed design against its netlist, before frames are made from it.

nextpnr has versions that leave contents of memories or constants of DSPs out without a word. FASM
(FPGA Assembly, F4PGA) names one feature of the chip a line; the names are Project X-Ray's.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finn_build.errors import ToolError

Cells = dict[str, dict[str, Any]]
# Configuration inputs of a DSP48E1 and their bits: tied to constants, they say what it computes.
MODES = {"OPMODE": 7, "ALUMODE": 4, "INMODE": 5}
# Port widths of a RAMB36 that come out wrong.
_BAD_WIDTHS = (1, 9)
_WORDS = {"INIT": 64, "INITP": 8}

_BLOCK = re.compile(
    r"(BRAM_\w+)\.RAMB18_Y([01])\.(?:(IN_USE)|(INITP?)_(\w\w)\[255:0\] = 256'b(\d+))"
)
_LUT = re.compile(r"(CLBLM_\w+\.SLICEM_X0\.[ABCD]LUT)\.(?:(RAM)|INIT\[63:0\] = 64'b(\d+))")
_DSP = re.compile(
    r"(DSP_\w+)\.(?:DSP48\.(DSP_[01])(?:\.ZIS_(\w+MODE)_INVERTED\[(\d+)\])?"
    r"|(DSP_[01])_(\w+MODE)(\d+)\.DSP_(GND|VCC)_\w)"
)


@dataclass
class _Features:
    """What a FASM file has of memories and DSPs.

    blocks: contents of each used half of a block RAM; luts: ones in each LUT; rams: LUTs that are
    memories; straight, tied: of each DSP, mode bits that are not inverted, and their constants.
    """

    lines: int = 0
    blocks: dict[str, int] = field(default_factory=dict)
    luts: dict[str, int] = field(default_factory=dict)
    rams: set[str] = field(default_factory=set)
    straight: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    tied: defaultdict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))


def check(cells: Cells, fasm: Path) -> None:
    """Compare a FASM file with the cells of Yosys' JSON netlist it was made from.

    Raises ToolError that lists everything that is lost or known to come out wrong.
    """
    features = _read(fasm)
    found = [*_widths(cells), *_blocks(cells, features), *_luts(cells, features)]
    found += _modes(cells, features)
    if cells and not features.lines:
        found.append("it is empty")
    if found:
        raise ToolError(
            f"{fasm} is not the design: {'; '.join(found)}. Another version of nextpnr may do "
            "better; a bitstream from it would compute something else"
        )


def _read(fasm: Path) -> _Features:
    features = _Features()
    with fasm.open() as lines:
        for line in lines:
            features.lines += bool(line.strip())
            if line.startswith("BRAM_") and (match := _BLOCK.match(line)):
                tile, half, _, kind, index, bits = match.groups()
                contents = features.blocks.setdefault(f"{tile}.{half}", 0)
                if kind:
                    place = int(index, 16) + (_WORDS["INIT"] if kind == "INITP" else 0)
                    features.blocks[f"{tile}.{half}"] = contents | int(bits, 2) << 256 * place
            elif line.startswith("CLBLM_") and (match := _LUT.match(line)):
                lut, ram, bits = match.groups()
                if ram:
                    features.rams.add(lut)
                else:
                    features.luts[lut] = bits.count("1")
            elif line.startswith("DSP_") and (match := _DSP.match(line)):
                tile, dsp, mode, bit, tied_dsp, pin, pin_bit, level = match.groups()
                straight = features.straight[f"{tile}.{dsp or tied_dsp}"]
                if mode:
                    straight.add(f"{mode}{bit}")
                elif pin:
                    features.tied[f"{tile}.{tied_dsp}"][f"{pin}{pin_bit}"] = int(level == "VCC")
    return features


def _widths(cells: Cells) -> Iterator[str]:
    for name, cell in cells.items():
        for port in ("READ_WIDTH_A", "READ_WIDTH_B", "WRITE_WIDTH_A", "WRITE_WIDTH_B"):
            width = int(cell["parameters"].get(port, "0"), 2)
            if cell["type"] == "RAMB36E1" and width in _BAD_WIDTHS:
                yield f"{name} is a RAMB36 with a port of {width} bits ({port}), whose data move"


def _halves(cell: dict[str, Any]) -> list[int]:
    """Contents of the one or two RAMB18 that a block RAM is made of, INITP above INIT.

    The two of a RAMB36 take turns with its bits (7 Series Memory Resources User Guide, UG473).
    """
    both = cell["type"] == "RAMB36E1"
    halves = [0, 0] if both else [0]
    base = 0
    for kind, words in _WORDS.items():
        texts = [cell["parameters"].get(f"{kind}_{i:02X}", "") for i in range(words * len(halves))]
        bits = "".join(text.rjust(256, "0") for text in reversed(texts)).replace("x", "0")
        for half in range(len(halves)):
            # The last character is bit 0.
            own = bits[::-1][half :: len(halves)][::-1]
            halves[half] |= int(own, 2) << base
        base += 256 * words
    return halves


def _blocks(cells: Cells, features: _Features) -> Iterator[str]:
    wanted: Counter[int] = Counter()
    names: dict[int, str] = {}
    for name, cell in cells.items():
        if cell["type"] in ("RAMB18E1", "RAMB36E1"):
            for contents in _halves(cell):
                wanted[contents] += 1
                names[contents] = name
    lost = wanted - Counter(features.blocks.values())
    if lost:
        some = sorted({names[contents] for contents in lost})
        yield f"contents of {lost.total()} halves of block RAM are lost ({', '.join(some[:4])})"


def _luts(cells: Cells, features: _Features) -> Iterator[str]:
    wanted = {}
    for name, cell in cells.items():
        if cell["type"].startswith("RAM") and not cell["type"].startswith("RAMB"):
            inits = [v for k, v in cell["parameters"].items() if k.startswith("INIT")]
            wanted[name] = sum(value.count("1") for value in inits)
    there = sum(features.luts.get(lut, 0) for lut in features.rams)
    if there < sum(wanted.values()):
        some = sorted(name for name, ones in wanted.items() if ones)
        yield f"contents of LUTRAM are lost ({', '.join(some[:4])})"


def _modes(cells: Cells, features: _Features) -> Iterator[str]:
    """DSPs whose modes are not those of the netlist.

    An input that nothing drives is high, and inverted where its ZIS_INVERTED is missing.
    """
    wanted: Counter[tuple[int, ...]] = Counter()
    for cell in cells.values():
        if cell["type"] == "DSP48E1":
            bits = [cell["connections"].get(mode, []) for mode in MODES]
            if all(isinstance(bit, str) for bus in bits for bit in bus):
                wanted[tuple(sum((b == "1") << i for i, b in enumerate(bus)) for bus in bits)] += 1
    modes: Counter[tuple[int, ...]] = Counter()
    for dsp, straight in features.straight.items():
        values = []
        for mode, width in MODES.items():
            pins = [f"{mode}{i}" for i in range(width)]
            level = [features.tied[dsp].get(pin, 1) ^ (pin not in straight) for pin in pins]
            values.append(sum(bit << i for i, bit in enumerate(level)))
        modes[tuple(values)] += 1
    lost = wanted - modes
    if lost:
        yield f"{lost.total()} DSPs do not have their constants ({', '.join(MODES)})"
