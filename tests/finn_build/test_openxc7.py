"""The open tools for 7 series, with fakes that check what they are asked."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from finn_build.backends import (
    bitfile,
    bitstream,
    fasm,
    floorplan,
    netlist,
    openxc7,
    refine,
    routed,
    yosys,
)
from finn_build.config import Options
from finn_build.errors import ToolError
from finn_build.flow.pipeline import Build
from finn_build.flow.steps import bitstream as bitstream_step
from finn_build.flow.steps import route as route_step
from finn_build.rtl import accelerator, emit
from finn_build.rtl.accelerator import Stream
from finn_build.system.files import load_json, save_json

PART = "xc7z020clg400-1"
FAKE = Path(__file__).with_name("fake_openxc7.py")
COUNTS = yosys.count({"LUT6": 3, "FDRE": 2})


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


@pytest.fixture
def plan(monkeypatch, tmp_path):
    """Fakes of all tools on PATH and a database; returns what writes their plan."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("nextpnr-himbaechel", "fasm2frames", "xc7frames2bit"):
        tool(folder, name)
    monkeypatch.setenv("PATH", str(folder))
    part = tmp_path / "db" / "zynq7" / PART
    part.mkdir(parents=True)
    for name in ("part.json", "part.yaml", "package_pins.csv"):
        (part / name).write_text("")
    (part.parent / "xc7z020").mkdir()
    save_json(part.parent / "xc7z020" / "tilegrid.json", FABRIC)

    def write(**changes):
        save_json(folder / "plan.json", {"mhz": {}, "fasm": ["CLB.X"]} | changes)

    write()
    return write


def tool(folder, name):
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
    path.chmod(0o755)


def options(tmp_path, **changes):
    changes = {"tool": "openxc7", "prjxray_db": tmp_path / "db"} | changes
    return Options(board="pynq-z2", model="arch1_w2a2", data=tmp_path, out=Path("build"), **changes)


@pytest.fixture
def steps(monkeypatch, tmp_path, plan):
    """Runs route and bitstream on the chip above; returns the folder of the latter."""

    def assemble(rtl, parts, out, **settings):
        assert (settings["files"], settings["top"]) == ("chip.f", "chip")
        save_json(out / "chip.json", {"modules": {"chip": chip()}})
        return COUNTS

    def again(placed, grid, script, *, seed, mhz, log):
        """As refine does, every cell to the place that it has."""
        assert (
            grid.name == "tilegrid.json" and mhz == 125 and log.name == f"nextpnr-refine{seed}.log"
        )
        (module,) = load_json(placed)["modules"].values()
        bels = {name: each["attributes"]["NEXTPNR_BEL"] for name, each in module["cells"].items()}
        put = (f'ctx.cells[{name!r}].setAttr("BEL", {bel!r})' for name, bel in bels.items())
        script.write_text("\n".join(put))

    monkeypatch.setattr(netlist, "assemble", assemble)
    monkeypatch.setattr(refine, "run", again)
    monkeypatch.chdir(tmp_path)

    def run(**changes):
        build = Build(options=options(tmp_path, **changes))
        build.path("emit").mkdir(parents=True, exist_ok=True)
        save_json(build.path("emit", "instances.json"), [])
        lines = []
        for name, step in (("route", route_step), ("bitstream", bitstream_step)):
            build.path(name).mkdir(parents=True, exist_ok=True)
            lines.append(step.run(build, build.path(name)))
        return build, lines

    return run


def test_a_routed_chip_becomes_a_bitstream_that_the_driver_reads(steps):
    build, lines = steps()
    result = load_json(build.path("bitstream", "result.json"))
    assert result["path"] == "bitstream/arch1_w2a2.bit" and len(result["sha256"]) == 64
    assert (result["tool"], result["tool_version"]) == ("openxc7", "nextpnr-himbaechel 0.11")
    assert "100.0 MHz by nextpnr's model" in lines[0] and result["sha256"][:8] in lines[1]
    made = build.path("bitstream", "arch1_w2a2.bit")
    assert pynq_header(made.read_bytes()) == {"design": "arch1_w2a2", "part": PART}
    assert load_json(build.path("route", "result.json"))["resources"] == asdict(COUNTS)
    first = made.read_bytes()
    assert steps()[0].path("bitstream", made.name).read_bytes() == first
    assert not [p for p in made.parent.iterdir() if p.suffix in (".frames", ".raw")]


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


def test_the_fastest_seed_is_kept(steps, plan):
    plan(mhz={"1": 101.0, "2": 125.0, "3": 110.0})
    build, lines = steps(seeds=3)
    result = load_json(build.path("route", "result.json"))
    assert result["best"]["seed"] == 2 and "125.0 MHz by nextpnr's model (seed 2 of 3)" in lines[0]
    assert result["seeds"] == {"1": 101.0, "2": 125.0, "3": 110.0}
    assert [p.name for p in build.path("route").glob("*.fasm")] == ["chip.fasm"]


def test_a_missed_clock_is_an_error_with_the_path_and_keeps_the_route(steps, plan, tmp_path):
    plan(mhz={"1": 80.0})
    with pytest.raises(ToolError) as caught:
        steps()
    assert str(caught.value) == (
        "the chip is too slow for 100 MHz: 80.0 MHz by nextpnr's model; use --clock-mhz 76.92, or "
        "more --seeds than 1. The critical path is conv1_i.sum_q[1] to conv1_i.sum_q[1]: 12.5 ns, "
        "11.9 of them in wires: conv1_i.sum_q[1] (11.9 ns, 0 loads)"
    )
    assert (tmp_path / "build" / "route" / "chip.fasm").is_file()
    assert steps(clock_mhz=76.0)[1][1].startswith("arch1_w2a2.bit")


USED = "Info: Device utilisation:\nInfo: \t SLICE_LUTX: 110000/ 106400   103%\n"


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (USED + "ERROR: stop", "the chip is too small: 110,000 SLICE_LUTX of 106,400"),
        (
            "ERROR: Unable to place cell 'x', no BELs remaining to implement cell type 'RAMB18'",
            "placement ran out of RAMB18",
        ),
        (
            "Info: \tSLICE_LUTX: 90/ 100 90%\nInfo: \tCARRY4: 95/ 100 95%\nInfo: \tPS7: 1/ 1 100%\n"
            "ERROR: Unable to find legal placement for all cells, design is probably at",
            "no placement was found; the fullest elements: 95 of 100 CARRY4, 90 of 100 SLICE_LUTX",
        ),
        ("ERROR: Failed to route arc 0.0 of net 'n', from A to B.", "no routing was found: Failed"),
    ],
)
def test_a_chip_that_does_not_fit_says_what_ran_out(steps, plan, log, message):
    plan(nextpnr=log)
    with pytest.raises(ToolError, match=message) as caught:
        steps()
    assert "nextpnr-himbaechel failed (1)" in str(caught.value)
    assert "nextpnr-route1.log" in str(caught.value) and log.splitlines()[-1] in str(caught.value)


def test_a_tool_that_is_killed_says_so_and_shows_its_log(steps, plan):
    plan(nextpnr="Info: Running router2...", signal=signal.SIGKILL)
    with pytest.raises(ToolError, match="failed .SIGKILL, perhaps out of memory.") as caught:
        steps()
    assert str(caught.value).endswith("Info: Running router2...")


def test_a_chip_larger_than_has_been_placed_says_by_what(monkeypatch, steps, plan):
    plan(nextpnr="ERROR: Unable to find legal placement for all cells")
    monkeypatch.setattr(sys.modules[__name__], "COUNTS", yosys.count({"LUT6": 30, "FDRE": 56_000}))
    with pytest.raises(ToolError) as caught:
        steps()
    assert str(caught.value).splitlines()[-1] == (
        "The chip takes 56,000 FFs of 42,000 that these tools are known to place; "
        "--target-fps asks for a smaller one"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": ""}, "has no frame with anything in it"),
        ({"frames": f"0x0 {','.join(['0x00000000'] * 101)}\n"}, "has no frame with anything in it"),
        ({"frames": "0x0 0x00000001,0x0"}, "line 1: 2 words in a frame, not 101"),
        (
            {"frames": f"0x0 {','.join(['0x00000001'] * 101)}\n"},
            "2 words that are not zero, its fr",
        ),
        ({"bytes": 4_000_000}, "has 4,000,000 bytes of configuration, not 4,045,564"),
    ],
)
def test_what_the_frame_tools_leave_is_checked(steps, plan, changes, message):
    plan(**changes)
    with pytest.raises(ToolError, match=message):
        steps()


def test_the_command_lines_are_these(tmp_path, plan):
    device = tmp_path / "chipdb-xc7z020.bin"
    device.write_text("")
    setup = openxc7.find(PART, chipdb=tmp_path, prjxray_db=tmp_path / "db" / "zynq7")
    assert setup == openxc7.find(PART, chipdb=device, prjxray_db=tmp_path / "db")
    common = [
        str(tmp_path / "bin" / "nextpnr-himbaechel"),
        *("--device", PART, "-o", "xdc=f/chip.xdc", "--placer", "static"),
        *("--chipdb", str(device), "--json", "f/chip.json"),
        *("--freq", "125", "--seed", "3", "--timing-allow-fail"),
    ]
    assert list(map(str, openxc7.place_command(setup, Path("f"), 3, 125))) == [
        *common,
        *("--pre-place", "f/floorplan.py", "--no-route", "--write", "f/seed3.placed.json"),
    ]
    assert list(map(str, openxc7.route_command(setup, Path("f"), 3, 125))) == [
        *common,
        *("-o", "fasm=f/seed3.fasm", "--pre-place", "f/seed3.py", "--report", "f/seed3.json"),
    ]
    assert openxc7.constraints(["clk", "slow"], 125) == (
        "create_clock -period 8.000 [get_nets clk]\ncreate_clock -period 8.000 [get_nets slow]\n"
    )
    assert (openxc7.asked_mhz(50), openxc7.asked_mhz(1000 / 7)) == (125, 1250 / 7)


def test_the_older_nextpnr_takes_other_options(steps, tmp_path, plan):
    (tmp_path / "bin" / "nextpnr-himbaechel").rename(tmp_path / "bin" / "nextpnr-xilinx")
    (tmp_path / "xc7z020clg400.bin").write_text("")
    build, _ = steps(chipdb=tmp_path)
    result = load_json(build.path("bitstream", "result.json"))
    assert result["tool_version"] == "nextpnr-xilinx 0.11"


def test_all_that_is_missing_is_said_at_once(monkeypatch, tmp_path, steps):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError) as caught:
        steps(prjxray_db=None)
    assert str(caught.value).startswith(
        "openxc7 lacks nextpnr-himbaechel or nextpnr-xilinx on PATH; fasm2frames on PATH; "
        "xc7frames2bit on PATH; Project X-Ray's database of xc7z020clg400-1 (--prjxray-db DIR). "
        "openXC7 packages all of them"
    )
    build, lines = steps(tool="auto", prjxray_db=None)
    assert lines[1].startswith("none: no tool for it: vivado is not on PATH. Vivado's free")
    assert "; openxc7 lacks nextpnr" in lines[1]
    assert load_json(build.path("bitstream", "result.json"))["path"] is None


def test_a_wrong_database_is_said_before_anything_runs(steps, tmp_path, plan):
    plan(nextpnr="never reached")
    other = tmp_path / "other" / "artix7" / "xc7a35tcpg236-1"
    other.mkdir(parents=True)
    (other / "part.json").write_text("")
    with pytest.raises(ToolError, match=f"--prjxray-db with {PART}: .*other has xc7a35tcpg236-1"):
        steps(prjxray_db=tmp_path / "other")
    with pytest.raises(ToolError, match="no chipdb-xc7z020.bin or .* in .*other"):
        steps(chipdb=tmp_path / "other")
    (tmp_path / "chipdb-xc7a35t.bin").write_text("")
    with pytest.raises(ToolError, match="should be called chipdb-xc7z020.bin"):
        steps(chipdb=tmp_path / "chipdb-xc7a35t.bin")
    (tmp_path / "db" / "zynq7" / PART / "part.yaml").unlink()
    with pytest.raises(ToolError, match=f"a whole --prjxray-db: .*{PART} has no part.yaml"):
        steps()


def test_the_tools_that_are_there_set_the_budget(monkeypatch, tmp_path, plan):
    choice = bitstream.choose(options(tmp_path, tool="auto"))
    assert (choice.tool, choice.share, choice.reason) == ("openxc7", "openxc7", "")
    (tmp_path / "bin" / "fasm2frames").unlink()
    choice = bitstream.choose(options(tmp_path, tool="auto"))
    assert (choice.tool, choice.share) == (None, "vivado")
    assert "openxc7 lacks fasm2frames on PATH. openXC7" in choice.reason


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: whole[1:], "does not begin as a .bit file"),
        (lambda whole: whole[:-1], "bytes of data where the header has"),
        (lambda whole: whole.replace(b"\xaa\x99\x55\x66", b"\0" * 4), "no synchronisation word"),
        (lambda whole: whole[:40], "unpack_from requires a buffer"),
    ],
)
def test_a_damaged_bitstream_is_refused(tmp_path, damage, message):
    path = tmp_path / "a.bit"
    data = bitfile.SYNC + bytes(4_000)
    bitfile.Bitfile(design="d", part=PART, date="a", time="b", data=data).write(path)
    assert bitfile.read(path).data == data
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ToolError, match=message):
        bitfile.read(path)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (0, 4000, None),
        (124, 4000, None),
        (2, 4002, "no synchronisation word in the first 128 bytes of its data, at a multiple of 4"),
        (128, 4000, "no synchronisation word in the first 128 bytes of its data"),
        (0, 4001, "4,005 bytes of data are no whole 32-bit words"),
    ],
)
def test_the_synchronisation_word_is_where_linux_looks_for_it(tmp_path, before, after, message):
    path, data = tmp_path / "a.bit", b"\xff" * before + bitfile.SYNC + bytes(after)
    bitfile.Bitfile(design="d", part=PART, date="a", time="b", data=data).write(path)
    if message is None:
        assert bitfile.read(path).data == data
    else:
        with pytest.raises(ToolError, match=message):
            bitfile.read(path)


CHIP = """
module chip;
  wire [3:0] clocks, resets_n;
  wire clk, ready, valid;
  wire [31:0] address, data;
  wire [63:0] words;
  logic [63:0] pixels_q;
  logic [31:0] data_q;
  logic rst_n_q;
  (* rom_style = "block" *) logic [71:0] rom [512];
  logic [71:0] word_q;
  initial for (int i = 0; i < 512; i++) rom[i] = {3{24'(i * 40503)}};
  BUFG u_clock (.I(clocks[0]), .O(clk));
  PS7 u_ps7 (
    .FCLKCLK(clocks), .FCLKRESETN(resets_n), .MAXIGP0ACLK(clk), .MAXIGP0WDATA(data),
    .MAXIGP0AWADDR(address), .MAXIGP0RDATA(data_q), .MAXIGP0RVALID(valid), .MAXIGP0WREADY(ready)
  );
  always_ff @(posedge clk) begin
    rst_n_q  <= resets_n[0];
    word_q   <= rom[address[8:0]];
    pixels_q <= {address, data};
    data_q   <= words[31:0] ^ words[63:32] ^ word_q[31:0] ^ word_q[63:32] ^ 32'(word_q[71:64]);
  end
  top top_i (
    .clk(clk), .rst_n(rst_n_q), .s_axis_tdata(pixels_q), .s_axis_tvalid(address[9]),
    .s_axis_tready(ready), .m_axis_tdata(words), .m_axis_tvalid(valid), .m_axis_tready(address[10]),
    .m_axis_tlast()
  );
endmodule
"""


@pytest.fixture(scope="module")
def assembled(tmp_path_factory):
    """Netlist of a chip around two FIFOs, its folder and its counts, and those of the FIFOs."""
    folder = tmp_path_factory.mktemp("chip")
    made = accelerator.Design(name="two", source=Stream(elems=8, bits=8), depths={})
    for name, style in (("a", 1), ("b", 2)):
        parameters = {"DATA_W": 64, "DEPTH": 32, "RAM_STYLE": style}
        made.add("axis_fifo", name, made.stream, parameters)
    rtl = folder / "rtl"
    emit.write(made, rtl)
    (rtl / "chip.sv").write_text(CHIP)
    (rtl / "chip.f").write_text("-f files.f\nchip.sv\n")
    parts = folder / "parts"
    parts.mkdir()
    counted = yosys.synthesise(rtl, made.instances, parts, log=folder / "yosys.log")
    out = folder / "out"
    out.mkdir()
    whole = netlist.assemble(rtl, parts, out, files="chip.f", top="chip", log=folder / "log")
    return out, whole, yosys.total(counted)


def test_the_chip_is_made_of_what_was_counted(assembled):
    out, whole, parts = assembled
    assert (whole.lut - parts.lut, whole.lutram - parts.lutram) == (32, 0)
    assert whole.ff - parts.ff == 64 + 32 + 1 and whole.bram36 - parts.bram36 == 1
    module = load_json(out / "chip.json")["modules"]["chip"]
    assert routed.clocks(module) == ["clk"]
    names = [name for name in module["netnames"] if name.startswith("top_i.b_i.")]
    assert "top_i.b_i.count_q" in names and sorted(p.name for p in out.iterdir()) == ["chip.json"]


def test_block_rams_stand_where_their_layers_do(tmp_path):
    kinds = {"conv0": ("LUT6", 500), "conv1": ("RAMB36E1", 4), "pool0": ("LUT3", 250)}
    kinds |= {"conv2": ("RAMB18E1", 5), "dense0": ("RAMB36E1", 5)}
    cells = {
        f"$flatten\\top_i.\\{layer}_i.mem.{n}": {"type": kind}
        for layer, (kind, count) in kinds.items()
        for n in range(count)
    } | {"zynq_i.u_dma.mem.0": {"type": "RAMB36E1"}}
    save_json(tmp_path / "tilegrid.json", FABRIC)
    bound = []

    context = SimpleNamespace(
        cells={
            name: SimpleNamespace(
                setAttr=lambda key, bel, cell=name: bound.append((bel, cell, key))
            )
            for name in cells
        }
    )
    made = floorplan.script(cells, list(kinds), tmp_path / "tilegrid.json")
    exec(made, {"ctx": context})
    tiles = {}
    for bel, cell, key in bound:
        assert key == "BEL"
        x, y, site, kind = re.fullmatch(r"X(\d+)Y(\d+)/(\w+)\.(\w+)", bel).groups()
        assert kind == cells[cell]["type"] and f"BRAM_L_{x}_{y}" in FABRIC
        tiles.setdefault((int(x), int(y)), []).append((site, cell))
    rams = [name for name, cell in cells.items() if cell["type"].startswith("RAMB")]
    assert sorted(cell for _, cell, _ in bound) == sorted(rams) and len(tiles) == 13
    for inside in tiles.values():
        sites = [site for site, _ in inside]
        assert sites == ["RAMB36_X0Y0"] or sites == ["RAMB18_X0Y0", "RAMB18_X0Y1"][: len(sites)]
    # A turn from the processors at the left: over the top, the right, and back below.
    place = {cell: tile for tile, inside in tiles.items() for _, cell in inside}
    rows = {layer: [place[c] for c in rams if f"{layer}_i" in c] for layer in kinds}
    assert all(y < 20 for _, y in rows["conv1"]) and all(x == 32 for x, _ in rows["conv2"])
    assert all(y > 15 for _, y in rows["dense0"])


def test_more_block_rams_than_the_fabric_has_are_left_to_nextpnr(tmp_path):
    save_json(tmp_path / "tilegrid.json", FABRIC)
    cells = {f"top_i.conv0_i.mem.{n}": {"type": "RAMB36E1"} for n in range(17)}
    assert floorplan.script(cells, ["conv0"], tmp_path / "tilegrid.json") == ""
    assert floorplan.script({}, [], tmp_path / "tilegrid.json") == ""


def test_a_nextpnr_without_python_places_block_rams_itself(steps, plan):
    plan(python=False)
    build, _ = steps()
    assert not build.path("route", "floorplan.py").exists()
    plan()
    assert steps()[0].path("route", "floorplan.py").exists()


@pytest.mark.openxc7
def test_the_real_tools_make_a_bitstream(assembled, tmp_path):
    folders = (os.environ.get(name) for name in ("NEXTPNR_XILINX_DIR", "PRJXRAY_DB_DIR"))
    chipdb, database = (each and Path(each) for each in folders)
    try:
        setup = openxc7.find(PART, chipdb=chipdb, prjxray_db=database)
    except ToolError as error:
        pytest.skip(str(error))
    (tmp_path / "chip.json").write_bytes((assembled[0] / "chip.json").read_bytes())
    module = load_json(tmp_path / "chip.json")["modules"]["chip"]
    made = openxc7.place_and_route(
        setup, tmp_path, module, layers=["a", "b"], mhz=125, seeds=1, log=tmp_path / "nextpnr.log"
    )
    assert made[0].mhz > 100 and made[0].used["RAMB36E1_RAMB36E1"][0] == 2
    source = tmp_path / "seed1.fasm"
    fasm.check(module["cells"], source)
    path = tmp_path / "chip.bit"
    openxc7.bitstream(
        setup, source, path, design="chip", size=4_045_564, log=tmp_path / "frames.log"
    )
    assert pynq_header(path.read_bytes()) == {"design": "chip", "part": PART}


def test_doctor_tries_the_tools_on_an_empty_chip(tmp_path, plan):
    command = [sys.executable, "-m", "headrace", "doctor", "--prjxray-db", str(tmp_path / "db")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "bitstreams by openxc7: nextpnr-himbaechel 0.11" in done.stdout
    assert "Python" not in done.stdout
    plan(python=False)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "it was built without Python" in " ".join(done.stdout.split())
    plan(frames="")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "no bitstream: " in done.stdout and "has no frame with anything in it" in done.stdout
