"""What the tests of the open tools have in common: a fabric, a chip, a reader of bitstreams."""

PART = "xc7z020clg400-1"
# Processors at the left of logic, with a column of block RAMs on either side of its middle.
FABRIC = {
    f"{kind}_{x}_{y}": {"type": kind, "grid_x": x, "grid_y": y, "sites": {}}
    for kind, columns, step in (
        ("PSS0", (0,), 5),
        ("CLBLL_L", range(2, 40), 1),
        ("BRAM_L", (10, 32), 5),
        ("BRAM_INT_INTERFACE_L", (9, 31), 5),
    )
    for x in columns
    for y in range(0, 40, step)
    if kind != "CLBLL_L" or x not in (9, 10, 31, 32)
}


def flop(q):
    directions = {"C": "input", "D": "input", "Q": "output"}
    connections = {"C": [2], "D": [3], "Q": [q]}
    return {"type": "FDRE", "parameters": {}, "port_directions": directions} | {
        "connections": connections
    }


def chip():
    """A module of a flat netlist: a clock buffer and two registers that drive each other."""
    names = {"clk": [2], "top_i.conv1_i.sum_q": [4, 5], "$flatten\\top_i.\\conv1_i.$abc$1$x": [3]}
    return {
        "attributes": {"top": "1"},
        "ports": {},
        "cells": {
            "clock": {
                "type": "BUFG",
                "parameters": {},
                "port_directions": {"I": "input", "O": "output"},
                "connections": {"I": [9], "O": [2]},
            },
            "$flatten\\top_i.\\conv1_i.$auto$ff.cc:337:slice$7": flop(5),
            "$flatten\\top_i.\\conv1_i.$auto$ff.cc:337:slice$8": flop(4),
        },
        "netnames": {
            name: {"hide_name": int("$" in name), "bits": bits} for name, bits in names.items()
        },
    }


def pynq_header(contents):
    """What pynq's parser finds in a .bit file: fields by letter, the length of the last exact."""
    place = 2 + int.from_bytes(contents[:2]) + 2
    found = {}
    while (key := contents[place : place + 1]) != b"e":
        length = int.from_bytes(contents[place + 1 : place + 3])
        found[key] = contents[place + 3 : place + 3 + length].decode()[:-1]
        place += 3 + length
    assert int.from_bytes(contents[place + 1 : place + 5]) == len(contents) - place - 5 == 4_045_564
    return {"design": found[b"a"], "part": found[b"b"]}
