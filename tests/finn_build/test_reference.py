"""docs/rtl.md is made from the modules' heads, and says what they declare."""

import re
from pathlib import Path

import pytest

from finn_build.rtl import reference

REPO = Path(__file__).parents[2]
FILES = sorted((REPO / "rtl_templates").rglob("*.sv"))
MODULES = {module.name: module for module in reference.modules()}


def test_the_documentation_is_up_to_date():
    page = (REPO / "docs" / "rtl.md").read_text()
    assert page == reference.markdown(), "run ./build.sh reference"


def test_every_module_is_in_it():
    assert set(MODULES) == {path.stem for path in FILES}
    assert all(module.summary and module.ports for module in MODULES.values())


@pytest.mark.parametrize(
    "path", sorted((REPO / "rtl_templates").rglob("*.sv")), ids=lambda p: p.stem
)
def test_nothing_that_a_module_declares_is_lost(path):
    declared = re.search(r"^module.*?\n?\);", path.read_text(), re.M | re.S)[0]
    module = MODULES[path.stem]
    assert len(re.findall(r"^\s*parameter\b", declared, re.M)) == len(module.parameters)
    assert len(re.findall(r"^\s*(?:input|output|inout)\b", declared, re.M)) == len(module.ports)


def test_a_head_is_read_as_written():
    fifo = MODULES["axis_fifo"]
    assert fifo.summary == "synchronous FIFO in LUT RAM or block RAM, with a registered output."
    assert fifo.text.splitlines()[0] == "y = x" and fifo.text.splitlines()[-1].startswith("Needs:")
    depth = reference.Parameter(kind="int unsigned", name="DEPTH", default="32")
    assert fifo.parameters[1] == depth
    data = reference.Port(direction="input", name="s_axis_tdata", bits="[DATA_W-1:0]")
    assert data in fifo.ports
    constant = MODULES["nn_constant"]
    assert constant.summary.endswith("then threshold count.") and constant.text.startswith("y[r] =")


def test_a_module_without_a_head_is_a_bug(tmp_path):
    (tmp_path / "axis_x.sv").write_text("`default_nettype none\nmodule axis_x (\n);\n")
    with pytest.raises(AssertionError, match="its first line is not // axis_x - "):
        reference.read(tmp_path / "axis_x.sv")
