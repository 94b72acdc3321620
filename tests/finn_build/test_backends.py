"""Ways to a bitstream: what each says of itself, and that a new one is a folder and a line."""

import ast
import io
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pages
import pytest
from rich.console import Console

from finn_build.backends import AUTOMATIC, BACKENDS, doctor, registry
from finn_build.boards import BUDGETS
from finn_build.config import Options
from finn_build.errors import ConfigError, ToolError
from finn_build.flow import pipeline
from finn_build.flow.steps.plan import STEPS
from finn_build.pages import report

ROOT = Path(__file__).parents[2]
FAKE = Path(__file__).with_name("fake_backend.py")


@pytest.mark.parametrize("name", BACKENDS)
def test_each_is_called_as_it_is_registered_and_keeps_to_a_budget_that_boards_have(name):
    made = registry.backend(name)
    assert made.name == name and made.share in BUDGETS
    assert registry.title(name) == made.title and set(AUTOMATIC) <= set(BACKENDS)


def test_no_code_outside_of_their_folders_tells_them_apart():
    """Nothing is compared with one's name, and no table but the registry has a row for it."""
    folder = ROOT / "finn_build"
    own = {folder / "backends" / name for name in BACKENDS}
    found = []
    for file in folder.rglob("*.py"):
        if not own & set(file.parents):
            tree = ast.walk(ast.parse(file.read_text()))
            nodes = [node for node in tree if isinstance(node, ast.Compare | ast.Dict)]
            parts = [each for node in nodes for each in (getattr(node, "keys", None) or [node])]
            words = [
                c.value for p in parts if p for c in ast.walk(p) if isinstance(c, ast.Constant)
            ]
            found += [(file.relative_to(folder), word) for word in words if word in BACKENDS]
    assert found == [(Path("backends/__init__.py"), name) for name in BACKENDS]


@pytest.fixture
def program(monkeypatch, tmp_path):
    """The program of the fake way, on PATH."""
    (tmp_path / "bin").mkdir()
    path = tmp_path / "bin" / "fake-pnr"
    path.write_text("fake 1")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent))
    return path


@pytest.fixture
def fake(monkeypatch, program):
    """The registry with a line more."""
    monkeypatch.setitem(BACKENDS, "fake", "fake_backend:Fake")
    monkeypatch.setattr("finn_build.config.TOOLS", ("auto", *BACKENDS, "none"))


def options(tmp_path, **changes):
    changes = {"tool": "fake", "board": "pynq-z2"} | changes
    return Options(model="arch1_w2a2", data=tmp_path, out=tmp_path / "build", **changes)


def steps(tmp_path, **changes):
    """Runs the last steps of a build, of which the first ones are there; returns what it says."""
    made, said = options(tmp_path, **changes), io.StringIO()
    (made.folder / "emit").mkdir(parents=True, exist_ok=True)
    (made.folder / "emit" / "chip.f").write_text("chip.sv\n")
    last = [replace(step, needs=()) for step in STEPS if step.name in ("route", "bitstream")]
    pipeline.run(last, made, console=Console(file=said, width=200))
    return said.getvalue()


def test_a_new_one_is_run_by_the_steps(fake, tmp_path):
    said = steps(tmp_path)
    assert "200.0 MHz by a guess, 7 LUTs, 8 FFs, 0.5 BRAM36; a to b: 5.0 ns" in said
    assert (tmp_path / "build/bitstream/arch1_w2a2.bit").read_text() == "bits of chip.sv\n"
    assert registry.choose(options(tmp_path)).share == "openxc7"
    with pytest.raises(ToolError, match=r"too slow for 250 MHz: .*; use --clock-mhz 200\. The"):
        steps(tmp_path, clock_mhz=250)
    with pytest.raises(ConfigError, match="--seeds 2: fake has none; use --tool openxc7, or leave"):
        steps(tmp_path, seeds=2)


def test_it_is_run_again_when_its_tool_or_its_code_changes(fake, monkeypatch, program, tmp_path):
    monkeypatch.setattr(sys.modules["fake_backend"], "__file__", str(tmp_path / "fake_backend.py"))
    (tmp_path / "fake_backend.py").write_text(FAKE.read_text())
    assert "unchanged" not in steps(tmp_path)
    assert steps(tmp_path).count("unchanged") == 2
    program.write_text("fake 2.0")
    assert "unchanged" not in steps(tmp_path).splitlines()[0]
    (tmp_path / "fake_backend.py").write_text(FAKE.read_text() + "# Edited.\n")
    assert "unchanged" not in steps(tmp_path)
    assert steps(tmp_path).count("unchanged") == 2


def test_one_that_is_not_there_is_an_error_or_the_reason_for_none(fake, monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "AUTOMATIC", (*AUTOMATIC, "fake"))
    assert registry.choose(options(tmp_path, tool="auto")).tool == "fake"
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(ToolError, match="fake-pnr is not on PATH; install fake-pnr"):
        steps(tmp_path)
    assert "none: vivado and openxc7 and fake are not here, or not" in steps(tmp_path, tool="auto")


def test_it_is_in_the_report_and_in_what_the_doctor_says(fake, program):
    made = pages.report()
    made["resources"]["source"] = "fake"
    assert "by Fake Place &amp; Route" in report.html(made)
    text = io.StringIO()
    doctor.run(Console(file=text, width=200), chipdb=None, prjxray_db=None, vivado_folder=None)
    assert f"bitstream  fake-pnr             {program}" in text.getvalue()
    assert f"  fake     bitstreams by fake: {program} for xc7z020clg484-1" in text.getvalue()


def test_a_folder_and_a_line_are_enough_for_the_command_line(tmp_path):
    shutil.copytree(ROOT / "finn_build", tmp_path / "finn_build")
    shutil.copytree(ROOT / "rtl_templates", tmp_path / "rtl_templates")
    folder = tmp_path / "finn_build" / "backends"
    (folder / "fake").mkdir()
    shutil.copyfile(FAKE, folder / "fake" / "backend.py")
    (folder / "fake" / "__init__.py").write_text("")
    registered = (folder / "__init__.py").read_text()
    line = '    "fake": "finn_build.backends.fake.backend:Fake",\n'
    (folder / "__init__.py").write_text(registered.replace("}\n", f"{line}}}\n", 1))

    def headrace(*arguments):
        command = [sys.executable, "-m", "headrace", *arguments]
        folders = os.pathsep.join([str(tmp_path), str(ROOT)])
        wide = {**os.environ, "PYTHONPATH": folders, "COLUMNS": "200"}
        place = {"cwd": tmp_path, "env": wide}
        done = subprocess.run(command, capture_output=True, text=True, check=False, **place)
        return " ".join((done.stdout + done.stderr).split())

    assert "--tool <auto|openxc7|vivado|finn|fake|none>" in headrace("build", "--help")
    assert "'auto', 'openxc7', 'vivado', 'finn', 'fake', 'none'" in headrace(
        "pynq-z2", "--tool", "quartus"
    )
