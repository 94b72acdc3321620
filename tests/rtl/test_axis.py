"""The stream cells: what goes in comes out, in order, at the full rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiers import every

if TYPE_CHECKING:
    from conftest import Simulate

SKIDS = (1, 23)
FIFOS = ((1, 2, 0), (9, 5, 1), (70, 64, 2))
WIDTHS = ((1, 1, 3), (4, 6, 2), (3, 5, 5), (2, 6, 4), (8, 2, 3))  # ELEM_W, IN_ELEMS, OUT_ELEMS


@pytest.mark.parametrize("data_w", SKIDS)
def test_skid(simulate: Simulate, data_w: int) -> None:
    simulate("axis_skid", {"DATA_W": data_w}, "bench_axis", seed=data_w, capacity=2)


@pytest.mark.parametrize(("data_w", "depth", "style"), every(2, FIFOS))
def test_fifo(simulate: Simulate, data_w: int, depth: int, style: int) -> None:
    parameters = {"DATA_W": data_w, "DEPTH": depth, "RAM_STYLE": style}
    simulate("axis_fifo", parameters, "bench_axis", seed=depth, capacity=depth + 1)


@pytest.mark.parametrize(("elem_w", "in_elems", "out_elems"), every(2, WIDTHS))
def test_width(simulate: Simulate, elem_w: int, in_elems: int, out_elems: int) -> None:
    parameters = {"ELEM_W": elem_w, "IN_ELEMS": in_elems, "OUT_ELEMS": out_elems}
    simulate("axis_width", parameters, "bench_axis", seed=10 * in_elems + out_elems)


@pytest.mark.parametrize(("data_w", "outputs"), [(1, 2), (9, 3)])
def test_fork(simulate: Simulate, data_w: int, outputs: int) -> None:
    parameters = {"DATA_W": data_w, "OUTPUTS": outputs}
    simulate("axis_fork", parameters, "bench_axis_fork", seed=data_w)


@pytest.mark.parametrize(("a_w", "b_w"), [(1, 1), (7, 12)])
def test_join(simulate: Simulate, a_w: int, b_w: int) -> None:
    simulate("axis_join", {"A_W": a_w, "B_W": b_w}, "bench_axis_join", seed=b_w)


@pytest.mark.parametrize("frame", [1, 5])
def test_begun(simulate: Simulate, frame: int) -> None:
    simulate("axis_begun", {"DATA_W": 8, "FRAME": frame}, "bench_axis_begun", seed=frame)


def test_the_checker_lets_a_beat_wait(simulate: Simulate) -> None:
    simulate("axis_checker", {"DATA_W": 4}, "bench_axis_checker", offers=[[1, 5]] * 3 + [[0, 2]])


@pytest.mark.parametrize("then", [[0, 5], [1, 4]], ids=["withdrawn", "changed"])
def test_the_checker_stops_what_does_not_hold(simulate: Simulate, then: list[int]) -> None:
    with pytest.raises(BaseException, match="hold_rule"):
        simulate("axis_checker", {"DATA_W": 4}, "bench_axis_checker", offers=[[1, 5], then, then])
