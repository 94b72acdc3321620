"""Vivado, with a fake that checks the scripts it gets and answers with reports in its format."""

import io
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from models import hand_made, lowest_fold
from rich.console import Console

from finn_build.backends import bitfile, doctor, registry, tools
from finn_build.backends.vivado import batch as vivado
from finn_build.config import Options
from finn_build.errors import ConfigError, ToolError
from finn_build.flow.pipeline import Build
from finn_build.flow.steps import bitstream as bitstream_step
from finn_build.flow.steps import route as route_step
from finn_build.folding.folding import make
from finn_build.rtl import accelerator, chip, emit
from finn_build.system.files import load_json, save_json

HERE = Path(__file__).parent
PATH = (
    "conv5_i.sub_q[1] to conv5_i.gen_lane[3].u_heap.sum_q[7]: 9.5 ns, 8.5 of them in wires: "
    "conv5_i.sub_q[1] (5.9 ns, 458 loads), "
    "conv5_i.gen_lane[3].u_heap.sum_q[7]_i_2_n_0 (2.6 ns, 1 loads)"
)


@pytest.fixture
def plan(monkeypatch, tmp_path):
    """A fake Vivado on PATH; returns what writes its plan."""
    folder = tmp_path / "Vivado" / "bin"
    folder.mkdir(parents=True)
    program = folder / "vivado"
    program.write_text(f"#!{sys.executable}\n{(HERE / 'fake_vivado.py').read_text()}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))

    def write(**changes):
        save_json(folder / "plan.json", {"reports": str(HERE)} | changes)

    write()
    return write


def options(tmp_path, **changes):
    changes = {"board": "pynq-z2", "tool": "vivado"} | changes
    return Options(model="arch1_w2a2", data=tmp_path, out=tmp_path / "build", **changes)


@pytest.fixture
def steps(tmp_path, plan):
    """Runs route and bitstream on a small chip; returns the build and the steps' lines."""
    network = hand_made()
    rtl = tmp_path / "build" / "emit"
    made = accelerator.design(
        network, make(network, {m.name: lowest_fold(m) for m in network.mvtus})
    )
    emit.write(made, rtl)
    chip.write(made, network, "0" * 32, rtl)

    def run(**changes):
        build = Build(options=options(tmp_path, **changes))
        lines = []
        for name, step in (("route", route_step), ("bitstream", bitstream_step)):
            build.path(name).mkdir(parents=True, exist_ok=True)
            lines.append(step.run(build, build.path(name)))
        return build, lines

    return run


def test_a_chip_becomes_a_bitstream(steps, plan):
    build, lines = steps()
    result = load_json(build.path("route", "result.json"))
    assert result["resources"] == {
        "lut": 31412,
        "ff": 48770,
        "bram36": 108.5,
        "dsp": 12,
        "lutram": 1524,
        "carry4": 912,
    }
    assert (result["tool"], result["tool_version"]) == ("vivado", "Vivado 2023.2")
    assert result["best"]["mhz"] == 102.438 and result["path"] == PATH
    assert result["best"]["used"]["F7 Muxes"] == [96, 26600]
    assert lines[0] == (
        "102.4 MHz by Vivado's timing analysis, 31,412 LUTs, 48,770 FFs, 108.5 BRAM36; " + PATH
    )
    made = load_json(build.path("bitstream", "result.json"))
    assert made["path"] == "bitstream/arch1_w2a2.bit" and made["tool_version"] == "Vivado 2023.2"
    bit = bitfile.read(build.path("bitstream", "arch1_w2a2.bit"))
    assert (bit.design, bit.part, bit.date) == ("arch1_w2a2", "xc7z020clg400-1", "1970/01/01")
    assert len(bit.data) == 4_045_564
    names = sorted(path.name for path in build.path("bitstream").iterdir())
    assert names == ["arch1_w2a2.bit", "result.json"]
    again = steps()[0]
    assert load_json(again.path("bitstream", "result.json"))["sha256"] == made["sha256"]


@pytest.mark.parametrize(
    ("mhz", "period"), [(100, "10.000"), (1000 / 7, "7.000"), (1066.667 / 9, "8.437"), (62.5, "16")]
)
def test_the_constraint_is_never_longer_than_the_clocks_period(mhz, period):
    made = vivado.constraints(mhz)
    assert f"-name fclk0 -period {period}" in made
    assert f"set_input_jitter [get_clocks fclk0] {float(period) * 0.03:.3f}\n" in made


def test_a_missed_clock_is_an_error_with_the_path_and_keeps_the_route(steps, plan, tmp_path):
    plan(wns=-1.2)
    with pytest.raises(ToolError) as caught:
        steps()
    assert str(caught.value) == (
        "the chip is too slow for 100 MHz: 89.3 MHz by Vivado's timing analysis; use --clock-mhz "
        f"83.33. The critical path is {PATH}"
    )
    assert (tmp_path / "build" / "route" / "chip.dcp").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"whs": -0.051}, "a hold time is missed by 0.051 ns; no slower clock mends it"),
        ({"wpws": -0.2}, "a pulse width is missed by 0.2 ns"),
        ({"no_clock": 17}, "timing.txt: 17 registers have no clock"),
        ({"utilization": [["| DSPs  ", "| XXXX  "]]}, "utilization.txt has no DSPs"),
    ],
)
def test_reports_that_do_not_hold_are_errors(steps, plan, changes, message):
    plan(**changes)
    with pytest.raises(ToolError, match=message):
        steps()


def test_a_part_that_is_not_installed_is_said_before_synthesis(steps, plan, tmp_path):
    plan(parts=["xc7a35tcpg236-1"], fail="never reached")
    with pytest.raises(ToolError) as caught:
        steps(board="zedboard")
    assert str(caught.value) == (
        f"Vivado 2023.2 at {tmp_path}/Vivado/bin/vivado has no xc7z020clg484-1: add the devices "
        "Zynq-7000 with Vivado's installer"
    )


def test_a_chip_that_does_not_fit_says_what_ran_out(steps, plan):
    plan(
        fail="ERROR: [DRC UTLZ-1] Resource utilization: LUT as Logic over-utilized in Top Level "
        "Design (This design requires more LUT as Logic cells than are available in the target "
        "device. This design requires 60000 of such cell types but only 53200 compatible sites are "
        "available in the target device."
    )
    with pytest.raises(ToolError, match="the chip is too small: 60,000 LUT as Logic of 53,200"):
        steps()


SAID = """
INFO: [Synth 8-3876] $readmem data file 'a_0000.hex' is read successfully [/b/mem_part.sv:58]
{}
INFO: [Project 1-571] Translating synthesized netlist"""


@pytest.mark.parametrize("way", ["say", "fail"])
@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "WARNING: [Synth 8-2898] ignoring malformed $readmem task: invalid memory name "
            "[/b/mem_part.sv:58]",
            "mem_part: Vivado met a $readmemh that is left out: ignoring malformed $readmem task",
        ),
        (
            "CRITICAL WARNING: [Synth 8-4445] could not open $readmem data file 'a_0000.hex'; "
            "please make sure the file is added to project and has read permission, ignoring "
            "[/b/mem_part.sv:62]",
            "mem_part: Vivado met a memory's file that cannot be read: could not open",
        ),
        (
            "WARNING: [Synth 8-3391] Unable to infer a block/distributed RAM for 'mem_reg' because "
            "the memory pattern used is not supported.",
            "the design: Vivado met a memory that becomes registers, or none: Unable to infer",
        ),
        (
            "ERROR: [Synth 8-4556] size of variable 'mem' is too large to handle; the size of the "
            "variable is 1703936, the limit is 1000000 [C:/b/mem_rom.sv:12]",
            "mem_rom: Vivado met a variable that is too large: size of variable 'mem'",
        ),
        (
            "WARNING: [Synth 8-6896] initial block is ignored [/b/axi_reset.sv:20]",
            "axi_reset: Vivado met an initial block that is left out: initial block",
        ),
        (
            "ERROR: [Synth 8-27] string type not supported [/b/axis_fifo.sv:11]",
            "axis_fifo: Vivado met what synthesis does not know: string type not supported",
        ),
    ],
)
def test_what_vivado_leaves_out_is_an_error_with_the_module(steps, plan, way, said, message):
    """Whatever its exit status."""
    plan(**{way: SAID.format(said)})
    with pytest.raises(ToolError, match=re.escape(message)) as caught:
        steps()
    assert "logs/vivado.log" in str(caught.value)
    assert "8-3876" not in str(caught.value).partition("logs/vivado.log")[0]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "parameter              INIT_FILE",
            "parameter string INIT_FILE",
            "mem_part.sv:.*typed st",
        ),
        ('rom_style = "distributed"', 'rom_style = "logic"', "mem_part.sv:.*unknown attribute"),
        (
            "logic reset_q = 1'b0;",
            "logic reset_q; initial reset_q = 0;",
            "vendor_ps7.sv:.*initial:",
        ),
        ('(* ASYNC_REG = "TRUE" *)', "", "vendor_ps7.sv:.*synchroniser"),
        ("`ifndef SYNTHESIS", "`ifdef SYNTHESIS", "assertion: is not kept from synthesis"),
    ],
)
def test_what_vivado_does_not_take_does_not_pass(steps, plan, old, new, fault):
    """The fake looks at the sources that it gets: a fault put back stops it."""
    plan(sources=[(old, new)])
    with pytest.raises(ToolError, match=f"ERROR: .*{fault}"):
        steps()


def test_a_crash_shows_the_end_of_the_log(steps, plan):
    plan(fail="INFO: [Place 30-611] placing\nAbnormal program termination (11)", status=137)
    with pytest.raises(ToolError, match="vivado failed .SIGKILL, perhaps out of memory.") as caught:
        steps()
    assert "logs/vivado.log" in str(caught.value)
    assert str(caught.value).endswith("Abnormal program termination (11)")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bytes": 4_000_000}, "has 4,000,000 bytes of configuration, not 4,045,564"),
        ({"bit_part": "7z010clg400"}, "is for 7z010clg400, not xc7z020clg400-1"),
    ],
)
def test_a_wrong_bitstream_is_refused(steps, plan, tmp_path, changes, message):
    plan(**changes)
    with pytest.raises(ToolError, match=message):
        steps()
    assert not list((tmp_path / "build" / "bitstream").iterdir())


@pytest.mark.parametrize(
    ("version", "old"),
    [("v2020.2 (64-bit)", True), ("v2021.1 (64-bit)", False), ("v2024.1.2", False), ("", False)],
)
def test_a_version_with_known_faults_is_refused(tmp_path, plan, version, old):
    """And --tool auto goes on to the open tools; doctor says why."""
    plan(version=f"vivado {version}\nSW Build 1")
    if not old:
        assert vivado.find("xc7z020clg400-1", folder=None).program.is_file()
        return
    with pytest.raises(ToolError) as caught:
        vivado.find("xc7z020clg400-1", folder=None)
    assert str(caught.value).startswith(
        f"Vivado 2020.2 at {tmp_path}/Vivado/bin/vivado is too old: it must be 2021.1 or later. "
    )
    choice = registry.choose(options(tmp_path, tool="auto"))
    assert choice.tool != "vivado"
    assert choice.tool or "`doctor` says what is missing" in choice.reason
    text = io.StringIO()
    doctor.run(Console(file=text), chipdb=None, prjxray_db=None, vivado_folder=None)
    assert "vivado   no bitstream: Vivado 2020.2" in text.getvalue()


def test_vivado_is_found_on_path_or_in_its_folder(monkeypatch, tmp_path, plan):
    folder = tmp_path / "Vivado"
    assert registry.choose(options(tmp_path, tool="auto")).tool == "vivado"
    monkeypatch.setenv("PATH", os.devnull)
    assert registry.choose(options(tmp_path, tool="auto", vivado=folder)).tool == "vivado"
    assert registry.choose(options(tmp_path, tool="auto")).tool is None
    with pytest.raises(ToolError, match=r"not on PATH, and there is no .*/other/bin/vivado\. Viv"):
        vivado.find("xc7z020clg400-1", folder=tmp_path / "other")


def test_seeds_are_refused_where_the_tool_has_none(tmp_path, plan):
    for tool in ("vivado", "auto"):
        with pytest.raises(ConfigError, match="--seeds 3: vivado has none; use --tool openxc7"):
            registry.choose(options(tmp_path, tool=tool, seeds=3))


def test_a_script_that_is_killed_says_by_what(tmp_path):
    with pytest.raises(ToolError, match=r"failed \(SIGTERM\)"):
        tools.run(["sh", "-c", f"exit {128 + signal.SIGTERM}"], cwd=tmp_path, log=tmp_path / "log")


@pytest.mark.parametrize(
    ("slacks", "again"), [([0.1], 0), ([-0.2, 0.0], 1), ([-0.9, -0.3, -0.2, -0.1], 3)]
)
def test_the_script_is_tcl(steps, slacks, again):
    """A real Tcl interpreter runs the script; Vivado's commands only say that they were called.

    After routing, what is too slow is worked on until it is not, three times at most.
    """
    tkinter = pytest.importorskip("tkinter")
    build, _ = steps()
    called = []
    tcl = tkinter.Tcl()

    def answer(name):
        def record(*arguments):
            called.append(name)
            if name == "get_property":
                return slacks.pop(0)
            return {"get_parts": "part", "get_clocks": "fclk0"}.get(name, "")

        return record

    script = build.path("route", "chip.tcl").read_text()
    xdc = build.path("route", "chip.xdc").read_text()
    commands = {line.split()[0] for line in script.splitlines() if "_" in line.split(" ")[0]}
    asked = {"get_parts", "get_clocks", "get_cells", "get_timing_paths", "get_property"}
    for name in commands | asked:
        tcl.createcommand(name, answer(name))
    tcl.eval(script)
    assert called.count("phys_opt_design") == 1 + again
    called[:] = [name for name in called if name not in ("get_property", "get_timing_paths")]
    assert called[-4 - again :] == [
        "route_design",
        *["phys_opt_design"] * again,
        "report_utilization",
        "report_timing_summary",
        "write_checkpoint",
    ]
    for name in ("create_clock", "get_pins", "set_input_jitter", "set_property"):
        tcl.createcommand(name, answer(name))
    tcl.eval(xdc)
    assert called[-1] == "set_property"


def test_the_parts_are_asked_for_by_name(tmp_path, plan):
    setup = vivado.find("xc7z020clg400-1", folder=None)
    plan(parts=["xc7z020clg400-1"])
    wanted = ["xc7z020clg400-1", "xc7z020clg484-1"]
    assert vivado.parts(setup, wanted, tmp_path) == ["xc7z020clg400-1"]
    tcl = pytest.importorskip("tkinter").Tcl()
    tcl.createcommand("get_parts", lambda quiet, part: part if part == wanted[1] else "")
    printed = []
    tcl.createcommand("puts", printed.append)
    tcl.setvar("argv", " ".join(wanted))
    tcl.eval((tmp_path / "parts.tcl").read_text())
    assert printed == ["headrace: found xc7z020clg484-1"]


def test_doctor_starts_it_and_asks_for_the_parts(plan, tmp_path):
    plan(parts=["xc7z020clg400-1"])
    text = io.StringIO()
    doctor.run(Console(file=text), chipdb=None, prjxray_db=None, vivado_folder=None)
    program = tmp_path / "Vivado" / "bin" / "vivado"
    said = text.getvalue()
    assert f"bitstreams by vivado: Vivado 2023.2, {program}; it starts and has it" in said
    assert f"no bitstream: Vivado 2023.2 at {program} has no xc7z020clg484-1" in said
    assert "Digilent PYNQ-Z1, TUL PYNQ-Z2, Digilent Zybo Z7-20" in said
    assert "pynq-z1 and pynq-z2 by FINN: estimates only: vitis_hls or vitis-run" in said
    program.unlink()
    text = io.StringIO()
    doctor.run(Console(file=text), chipdb=None, prjxray_db=None, vivado_folder=None)
    assert "vivado   no bitstream: vivado is not on PATH. Vivado's free Standard" in text.getvalue()


@pytest.mark.vivado
def test_the_real_vivado_makes_a_bitstream(monkeypatch, steps, tmp_path):
    monkeypatch.undo()
    folder = os.environ.get("XILINX_VIVADO")
    try:
        vivado.find("xc7z020clg400-1", folder=folder and Path(folder))
    except ToolError as error:
        pytest.skip(str(error))
    build, _ = steps(vivado=folder and Path(folder))
    assert len(bitfile.read(build.path("bitstream", "arch1_w2a2.bit")).data) == 4_045_564
