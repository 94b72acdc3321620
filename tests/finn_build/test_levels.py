"""How deep the logic of a netlist is."""

import sys

from finn_build.backends import yosys
from finn_build.backends.levels import Levels, levels
from finn_build.rtl import emit, registers
from finn_build.rtl.design import Instance, Stream


def cell(kind, inputs, outputs):
    """A cell with ports I0, I1, ... and O0, O1, ..., or of the names given."""
    named = inputs if isinstance(inputs, dict) else {f"I{i}": [b] for i, b in enumerate(inputs)}
    outs = {f"O{i}": [b] for i, b in enumerate(outputs)}
    directions = dict.fromkeys(named, "input") | dict.fromkeys(outs, "output")
    return {"type": kind, "port_directions": directions, "connections": {**named, **outs}}


def module(cells, inputs=(1,), outputs=()):
    ports = {
        "a": {"direction": "input", "bits": list(inputs)},
        "y": {"direction": "output", "bits": list(outputs)},
    }
    return {"cells": {str(i): c for i, c in enumerate(cells)}, "ports": ports}


def register(data, q):
    return cell("FDRE", {"C": [99], "D": [data]}, [q])


def test_registers_and_ports_end_a_path():
    made = module(
        [
            cell("LUT2", [1, "0"], [2]),
            cell("LUT6", [2], [3]),
            register(3, 4),
            cell("LUT1", [4], [5]),
        ],
        outputs=[5],
    )
    assert levels(made) == Levels(luts=2, chains=0)


def test_a_path_may_be_longer_than_calls_can_be_nested():
    deep = 20_000
    limit = sys.getrecursionlimit()
    cells = [cell("LUT2", [n, max(1, n - 1)], [n + 1]) for n in range(1, deep + 1)]
    assert levels(module(cells, outputs=[deep + 1])) == Levels(luts=deep, chains=0)
    assert sys.getrecursionlimit() == limit


def test_a_loop_through_logic_ends():
    loop = [cell("LUT2", [1, 3], [2]), cell("LUT1", [2], [3])]
    assert levels(module(loop, outputs=[3])).luts == 2


def test_the_longest_of_several_ways_counts():
    made = module(
        [cell("LUT2", [1], [2]), cell("LUT2", [1, 2], [3]), cell("MUXF7", [1, 3], [4])],
        outputs=[2, 4],
    )
    assert levels(made) == Levels(luts=2, chains=0)


def test_a_carry_chain_counts_once():
    def carry(i, o):
        return cell("CARRY4", {"CI": [i], "S": [1], "DI": [1]}, [o])

    chain = [cell("LUT2", [1], [2]), carry(2, 3), carry(3, 4), cell("LUT3", [4], [5])]
    assert levels(module(chain, outputs=[5])) == Levels(luts=2, chains=1)
    assert levels(module([*chain, carry("0", 7)], outputs=[5, 7])) == Levels(luts=2, chains=1)
    second = [*chain, cell("CARRY4", {"CI": ["0"], "S": [5], "DI": [1]}, [6])]
    assert levels(module(second, outputs=[6])) == Levels(luts=2, chains=2)


def test_a_lutram_is_read_within_the_cycle_and_written_at_its_end():
    write = [cell("LUT2", [1], [2]), cell("LUT2", [2], [3])]
    ram = cell("RAM32M", {"ADDRA": [1], "DIA": [3], "WE": ["1"], "WCLK": [99]}, [4])
    assert levels(module([*write, ram], outputs=[4])) == Levels(luts=2, chains=0)
    assert levels(module([ram], outputs=[4])) == Levels(luts=1, chains=0)
    late = cell("RAM32M", {"ADDRA": [3], "DIA": [1], "WCLK": [99]}, [4])
    assert levels(module([*write, late], outputs=[4])) == Levels(luts=3, chains=0)


def test_the_control_of_registers_is_a_path():
    enable = cell("FDRE", {"C": [99], "CE": [2], "D": [1]}, [4])
    assert levels(module([cell("LUT4", [1], [2]), enable])) == Levels(luts=1, chains=0)


def test_the_modules_around_the_accelerator_are_no_deeper_than_it(tmp_path):
    sources = registers.write(tmp_path)
    for each in emit.templates("axis", "mem", "axi"):
        (tmp_path / each.name).write_text(each.read_text())
        sources.append(each.name)
    (tmp_path / "modules.f").write_text("\n".join(sources) + "\n")
    stream = Stream(elems=1, bits=1)
    made = [
        Instance(module=name, name=f"u_{name}", parameters={}, reads="", out=stream, sidebands={})
        for name in ("axi_bridge", "axi_counters", "axi_dma", "axi_regs")
    ]
    counts = yosys.synthesise(tmp_path, made, tmp_path, log=tmp_path / "yosys.log")
    for name, found in counts.items():
        assert 0 < found.lut_levels <= 4 and found.carry_chains <= 1, name
