"""The open tools for 7 series, with fakes that check what they are asked."""

import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from open_chip import FABRIC, PART, chip, pynq_header

from finn_build.backends import netlist, registry, yosys
from finn_build.backends.openxc7 import refine
from finn_build.backends.openxc7 import toolchain as openxc7
from finn_build.config import Options
from finn_build.errors import ToolError
from finn_build.flow.pipeline import Build
from finn_build.flow.steps import bitstream as bitstream_step
from finn_build.flow.steps import route as route_step
from finn_build.system.files import load_json, save_json

FAKE = Path(__file__).with_name("fake_openxc7.py")
COUNTS = yosys.count({"LUT6": 3, "FDRE": 2})


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


@pytest.mark.parametrize("lost", [None, 1])
def test_what_nextpnr_loses_of_the_design_is_found_before_the_bitstream(
    monkeypatch, steps, plan, tmp_path, lost
):
    """As some versions of nextpnr write one: the memory is there, its contents are not."""
    made = chip()
    made["cells"]["top_i.conv1_i.mem.0"] = {
        "type": "RAMB18E1",
        "parameters": {"INIT_00": f"{5:0256b}"},
        "port_directions": {},
        "connections": {},
    }
    monkeypatch.setattr(sys.modules[__name__], "chip", lambda: made)
    block = "BRAM_L_X6Y5.RAMB18_Y1"
    plan(fasm=[f"{block}.IN_USE", f"{block}.INIT_00[255:0] = 256'b{5:0256b}"][:lost])
    if lost is None:
        assert "arch1_w2a2.bit" in steps()[1][1]
        return
    with pytest.raises(ToolError) as caught:
        steps()
    assert str(caught.value).endswith(
        "route/chip.fasm is not the design: contents of 1 halves of block RAM are lost "
        "(top_i.conv1_i.mem.0). Another version of nextpnr may do better; a bitstream from it "
        "would compute something else"
    )
    assert not list((tmp_path / "build" / "bitstream").iterdir())


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
    said = "vivado and openxc7 are not here, or not whole; `doctor` says what is missing"
    assert lines[1] == f"none: {said}" and len(said) < 80
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
    choice = registry.choose(options(tmp_path, tool="auto"))
    assert (choice.tool, choice.share, choice.reason) == ("openxc7", "openxc7", "")
    (tmp_path / "bin" / "fasm2frames").unlink()
    choice = registry.choose(options(tmp_path, tool="auto"))
    assert (choice.tool, choice.share) == (None, "vivado")
    assert choice.reason.startswith("vivado and openxc7 are not here, or not whole")


def test_a_nextpnr_without_python_places_block_rams_itself(steps, plan):
    plan(python=False)
    build, _ = steps()
    assert not build.path("route", "floorplan.py").exists()
    plan()
    assert steps()[0].path("route", "floorplan.py").exists()


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
