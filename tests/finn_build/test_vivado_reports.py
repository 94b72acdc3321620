"""Vivado's reports, as it writes them: of one clock, of many, of none."""

from pathlib import Path

import pytest

from finn_build.backends.vivado import reports as vivado_reports
from finn_build.errors import ToolError

HERE = Path(__file__).parent


def test_older_reports_have_a_column_less(tmp_path):
    text = (HERE / "vivado_utilization.txt").read_text()
    rows = [line.split("|") for line in text.splitlines() if line.count("|") == 7]
    older = "\n".join("|".join(row[:4] + row[5:]) for row in rows)
    assert vivado_reports.table(older)["Slice LUTs"] == (31412, 53200)
    assert vivado_reports.table(text)["LUT as Shift Register"] == (1786, None)


def test_the_worst_path_of_all_clocks_counts():
    """It is in the second pair's table, begins at a block RAM, and one of its rows is broken."""
    made = vivado_reports.timing(HERE / "vivado_timing_clocks.txt")
    assert made.mhz == round(1000 / 8.613, 3) and made.logic_ns == 3.14
    assert made.start == "dense0_i.u_weights.gen_slice[0].gen_whole.u_part.gen_block.dout_reg_1"
    assert made.end == "dense0_i.gen_lut.gen_dot[2].u_heap.made_q[1]"
    assert [(hop.loads, hop.ns) for hop in made.hops] == [(3, 2.911), (1, 0.571), (1, 1.504)]
    assert made.hops[0].net == "dense0_i.weights[84]"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("na", "vivado_timing_na.txt: nothing is constrained: a slack is NA"),
        ("no_clock", "vivado_timing_no_clock.txt: 28 registers have no clock"),
    ],
)
def test_a_report_without_constraints_is_an_error(name, message):
    with pytest.raises(ToolError, match=message):
        vivado_reports.timing(HERE / f"vivado_timing_{name}.txt")


def test_a_table_of_another_kind_is_not_taken_for_one_of_use():
    hierarchical = (HERE / "vivado_utilization_hierarchical.txt").read_text()
    assert vivado_reports.table(hierarchical) == {}
    flat = (HERE / "vivado_utilization.txt").read_text()
    both = vivado_reports.table(flat + hierarchical)
    assert both == vivado_reports.table(flat) and both["DSPs"] == (12, 220)


def test_a_timing_report_that_ends_early_is_an_error(tmp_path):
    (tmp_path / "t").write_text("There are 0 register/latch pins with no clock.\n")
    with pytest.raises(ToolError, match="t has no timing summary with a path"):
        vivado_reports.read(tmp_path / "t", HERE / "vivado_utilization.txt")
