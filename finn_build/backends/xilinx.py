"""Map a design to the cells of 7 series, in a Yosys process.

These are the passes of Yosys' synth_xilinx, but for three that elaborate a Verilog module of its
library anew for each content of a table, of a block RAM and of a look-up table, which took most of
the time: what they make is made here.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

_SYNTH = "synth_xilinx -family xc7 -nosrl -noiopad -noclkbuf -top {top} -run"
_WIDEST = 6  # inputs of a look-up table
# Memories of this chip, as in synth_xilinx.
_MEMORIES = (
    "memory_libmap -logic-cost-rom 0.015625 -no-auto-huge -lib +/xilinx/lutrams_xc5v.txt "
    "-lib +/xilinx/brams_xc4v.txt -D HAS_SIZE_36 -D HAS_CASCADE -D HAS_CONFLICT_BUG "
    "-D HAS_MIXWIDTH_SDP"
)
_BLOCK_RAMS = ("$__XILINX_BLOCKRAM_SDP_", "$__XILINX_BLOCKRAM_TDP_")
_BLOCK_RAM_MAP = "+/xilinx/brams_xc6v_map.v"


def synthesise(design: Any, top: str, scratch: Path) -> None:
    """Map all of a pyosys design, whose top module is `top`, to the chip's cells.

    scratch: a file that may be written, and is removed.
    """
    synth = _SYNTH.format(top=top)
    _run(
        design,
        # "distributed" means logic to Vivado, but LUT RAM to Yosys, and place and route loses the
        # contents of LUT RAM.
        'setattr -set rom_style "logic" a:rom_style=distributed',
        # Registers are copied so that none drives too much: Yosys must not merge the copies.
        "setattr -set keep 1 a:keep %ci1 t:$*dff* %i",
        "read_verilog -lib -specify +/xilinx/cells_sim.v",
        f"hierarchy -check -top {top}",
        f"{synth} prepare:map_memory",
        _MEMORIES,
        "techmap -map +/xilinx/lutrams_xc5v_map.v",
    )
    _block_rams(design, scratch)
    _run(design, "opt -fast -full")
    tables = _tables(design)
    _run(
        design,
        "memory_map",
        f"{synth} fine:map_luts",
        "opt_expr -mux_undef -noclkinv",
        "read_verilog -icells -lib -specify +/xilinx/abc9_model.v",
        # Every LUT costs the same here; by default Yosys prefers three of five inputs to two of
        # six.
        "setattr -mod -set abc9_lut 1 =LUT1 =LUT2 =LUT3 =LUT4 =LUT5 =LUT6",
        "abc9 -W 300",
        "clean",
    )
    _luts(design)
    _show(design, tables)
    _run(
        design,
        "techmap -map +/xilinx/lut_map.v -map +/xilinx/cells_map.v -D LUT_WIDTH=6",
        "xilinx_dffopt",
        "opt_lut_ins -tech xilinx",
        f"{synth} finalize:check",
        "hierarchy -check",
        "blackbox =A:whitebox",
    )


def _run(design: Any, *passes: str) -> None:
    from pyosys import libyosys  # loads a large native library: only in the synthesis process

    for step in passes:
        libyosys.run_pass(step, design)


# ---------------------------------------------------------------- tables


class _Table(NamedTuple):
    """A black box: its type, the truth table of each output, and the inputs that this reads."""

    kind: str
    functions: list[tuple[str, list[int]]]


def _tables(design: Any) -> list[_Table]:
    """Hide the read-only memories in logic that have no more inputs than a look-up table."""
    for _, cell in _cells(design, "$mem_v2"):
        if _is_table(cell):
            cell.set_bool_attribute(_id("lut_table"), True)
    _run(design, "memory_nordff a:lut_table")  # registers of the reads become cells of their own
    hidden = []
    for module, cell in _cells(design, "$mem_v2"):
        if cell.get_bool_attribute(_id("lut_table")):
            hidden += _hide(design, module, cell)
            module.remove(cell)
    return hidden


def _is_table(cell: Any) -> bool:
    words = _number(cell, "SIZE")
    fits = 1 < words <= 1 << _WIDEST and _number(cell, "OFFSET") == 0
    logic = cell.get_string_attribute(_id("rom_style")) == "logic"
    # Or a constant that is indexed.
    constant = "memory_bmux2rom" in cell.getParam(_id("MEMID")).decode_string()
    return bool(fits and (logic or constant) and _number(cell, "WR_PORTS") == 0)


def _hide(design: Any, module: Any, cell: Any) -> list[_Table]:
    """Put a black box in the place of each read of a memory; bits that are equal are one."""
    from pyosys import libyosys

    words, width, inputs = (_number(cell, name) for name in ("SIZE", "WIDTH", "ABITS"))
    contents = _bits(cell, "INIT").replace("x", "0")
    # What is read behind the last word does not matter: it is a word, as if the address had no
    # first bit, so that this makes no bit depend on more.
    last = 1 << ((words - 1).bit_length() - 1)
    read = [word if word < words else word - last for word in range(2 * last)]
    columns = ["".join(contents[word * width + bit] for word in read) for bit in range(width)]
    hidden = []
    for port in range(_number(cell, "RD_PORTS")):
        address = cell.getPort(_id("RD_ADDR")).extract(port * inputs, inputs)
        data = cell.getPort(_id("RD_DATA")).extract(port * width, width)
        name = f"{cell.name.str()}$table{port}"
        bits = [address.extract(place, 1) for place in range(inputs)]
        fixed = {k: bit.as_string() == "1" for k, bit in enumerate(bits) if bit.is_fully_const()}
        made: dict[str, Any] = {}
        functions = []
        for bit, column in enumerate(columns):
            if column not in made:
                table, places = _reduced(column, fixed)
                if not places:
                    made[column] = libyosys.SigSpec(libyosys.Const.from_string(table))
                elif table == "01":
                    made[column] = address.extract(places[0], 1)
                else:
                    out = libyosys.IdString(f"{name}_{bit}")
                    made[column] = libyosys.SigSpec(module.addWire(out, 1))
                    functions.append((made[column], table, places))
            module.connect(data.extract(bit, 1), made[column])
        if functions:
            hidden.append(_box(design, module, name, address, functions))
    return hidden


def _box(
    design: Any,
    module: Any,
    name: str,
    address: Any,
    functions: list[tuple[Any, str, list[int]]],
) -> _Table:
    """A black box with the functions as outputs."""
    from pyosys import libyosys

    # Boxes of the same functions are one type, of which Yosys may merge cells.
    tables = [(table, places) for _, table, places in functions]
    content = json.dumps([address.size(), tables]).encode()
    kind = libyosys.IdString(f"\\table.{hashlib.sha256(content).hexdigest()[:24]}")
    known = design.module(kind)
    box = known or design.addModule(kind)
    box.set_bool_attribute(_id("blackbox"), True)
    cell = module.addCell(libyosys.IdString(f"{name}$box"), kind)
    joined = libyosys.SigSpec()
    for out, _, _ in functions:
        joined.append(out)
    for port, signal, output in (("A", address, False), ("Y", joined, True)):
        if known is None:
            wire = box.addWire(_id(port), signal.size())
            wire.port_input, wire.port_output = not output, output
        cell.setPort(_id(port), signal)
    box.fixup_ports()
    return _Table(kind.str(), tables)


def _show(design: Any, tables: list[_Table]) -> None:
    """Put look-up tables in the place of the black boxes."""
    from pyosys import libyosys

    functions = dict(tables)
    for module, box in _cells(design, *functions):
        address, outs = box.getPort(_id("A")), box.getPort(_id("Y"))
        for bit, (table, places) in enumerate(functions[box.type.str()]):
            name = libyosys.IdString(f"{box.name.str()}{bit}")
            cell = module.addCell(name, _id("LUT6"))
            _make_lut(cell, table, [address.extract(p, 1) for p in places], outs.extract(bit, 1))
        module.remove(box)
    for kind in functions:
        design.remove(design.module(libyosys.IdString(kind)))


def _reduced(column: str, fixed: Mapping[int, bool]) -> tuple[str, list[int]]:
    """A truth table of only those inputs that it depends on, and their places.

    fixed: inputs that are constants.
    """
    places: list[int] = []
    for place in reversed(range((len(column) - 1).bit_length())):
        low, high = _halves(column, place)
        if place in fixed:
            column = high if fixed[place] else low
        elif low == high:
            column = low
        else:
            places.insert(0, place)
    return column, places


def _halves(column: str, place: int) -> tuple[str, str]:
    """The entries of a table where an input is 0, and those where it is 1."""
    low = [entry for at, entry in enumerate(column) if not at >> place & 1]
    return "".join(low), "".join(entry for at, entry in enumerate(column) if at >> place & 1)


# ---------------------------------------------------------------- look-up tables


def _luts(design: Any) -> None:
    """Make cells of the mapper's look-up tables; inverters and those of more inputs are left."""
    for _, cell in _cells(design, "$lut"):
        width, table = _number(cell, "WIDTH"), _bits(cell, "LUT")
        if width > _WIDEST or table == "10":
            continue
        inputs, out = cell.getPort(_id("A")), cell.getPort(_id("Y"))
        for name in ("A", "Y"):
            cell.unsetPort(_id(name))
        for name in ("WIDTH", "LUT"):
            cell.unsetParam(_id(name))
        _make_lut(cell, table, [inputs.extract(k, 1) for k in range(width)], out)


def _make_lut(cell: Any, table: str, inputs: list[Any], out: Any) -> None:
    from pyosys import libyosys

    cell.type = _id(f"LUT{len(inputs)}")
    cell.setParam(_id("INIT"), libyosys.Const.from_string(table[::-1]))
    for number, bit in enumerate(inputs):
        cell.setPort(_id(f"I{number}"), bit)
    cell.setPort(_id("O"), out)


# ---------------------------------------------------------------- block RAMs


def _block_rams(design: Any, scratch: Path) -> None:
    """Map block RAMs: their pins by Yosys' rules without contents, their contents here."""
    from pyosys import libyosys

    found = [
        (module, cell.name, _bits(cell, "INIT"))
        for module, cell in _cells(design, *_BLOCK_RAMS)
        if cell.getParam(_id("OPTION_MODE")).decode_string() != "CASCADE"
    ]
    for module, name, _ in found:
        module.cell(name).setParam(_id("INIT"), libyosys.Const(0, 1))
        module.cell(name).set_bool_attribute(_id("filled"), True)
    if found:
        scratch.write_text(_without_contents())
        _run(design, f"techmap -map {scratch} a:filled")
        scratch.unlink()
    for module, name, contents in found:
        _fill(module.cell(name), contents)
    if _cells(design, *_BLOCK_RAMS):
        _run(design, f"techmap -map {_BLOCK_RAM_MAP}")


def _without_contents() -> str:
    """Yosys' rules for block RAMs without those for their contents."""
    from pyosys import libyosys

    rules, macros = (
        (Path(libyosys.proc_share_dirname()) / "xilinx" / name).read_text()
        for name in ("brams_xc6v_map.v", "brams_defs.vh")
    )
    macros = re.sub(r"function \[255:0\] slice_initp?;.*?endfunction", "", macros, flags=re.S)
    macros = re.sub(r"(`define PARAMS_INIT\w+)(.*\\\n)*.*\n", r"\1\n", macros)
    return rules.replace('`include "brams_defs.vh"', macros)


def _fill(cell: Any, contents: str) -> None:
    """Write contents, of nine bits for each byte and its parity, as parameters of a block RAM."""
    from pyosys import libyosys

    lines = 128 if cell.type.str() == "\\RAMB36E1" else 64
    contents = contents.ljust(lines * 32 * 9, "x")
    data = "".join(contents[at : at + 8] for at in range(0, len(contents), 9))
    parity = contents[8::9]
    for name, bits, count in (("INIT", data, lines), ("INITP", parity, lines // 8)):
        for line in range(count):
            value = bits[256 * line : 256 * (line + 1)][::-1]
            cell.setParam(_id(f"{name}_{line:02X}"), libyosys.Const.from_string(value))


# ---------------------------------------------------------------- cells


def _cells(design: Any, *kinds: str) -> list[tuple[Any, Any]]:
    """All cells of some types, with their modules."""
    return [
        (module, cell)
        for module in design.modules_.values()
        if not module.get_blackbox_attribute()
        for cell in module.cells_.values()
        if cell.type.str() in kinds
    ]


def _id(name: str) -> Any:
    from pyosys import libyosys

    return libyosys.IdString(f"\\{name}")


def _number(cell: Any, name: str) -> int:
    return int(cell.getParam(_id(name)).as_int())


def _bits(cell: Any, name: str) -> str:
    """A parameter's bits, the lowest first."""
    return str(cell.getParam(_id(name)).as_string())[::-1]
