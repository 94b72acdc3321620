"""nn_window against the NumPy windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiers import every

if TYPE_CHECKING:
    from conftest import Simulate, Synthesise

OTHERS = {"FILL": 0, "PIXELS": 1, "PROMPT": 1, "RAM_STYLE": 1, "GROUPS": 1}


def shaped(
    kernel: tuple[int, int], pad: tuple[int, int, int, int], image: tuple[int, int, int],
    bits: int, stride: tuple[int, int] = (1, 1), **others: int | str,
) -> dict[str, int | str]:  # fmt: skip
    """Parameters of windows over an image of height, width and channels."""
    return {
        **dict(zip(("KERNEL_H", "KERNEL_W"), kernel, strict=True)),
        **dict(zip(("PAD_TOP", "PAD_LEFT", "PAD_BOTTOM", "PAD_RIGHT"), pad, strict=True)),
        **dict(zip(("HEIGHT", "WIDTH", "CHANNELS"), image, strict=True)),
        **dict(zip(("STRIDE_H", "STRIDE_W"), stride, strict=True)),
        "ELEM_W": bits,
        **OTHERS,
        **others,
    }


def square(
    kernel: int, pad: int, image: tuple[int, int, int], bits: int, **others: int | str
) -> dict[str, int | str]:
    return shaped((kernel, kernel), (pad,) * 4, image, bits, **others)  # type: ignore[arg-type]


CASES = {
    "pointwise": square(1, 0, (3, 4, 1), 1),
    "same": square(3, 1, (6, 5, 3), 2),
    "filled": square(3, 1, (4, 5, 3), 3, FILL=5),
    "patient": square(3, 1, (4, 5, 3), 2, PROMPT=0),
    "valid": square(3, 0, (5, 8, 2), 4),
    "five": square(5, 2, (7, 6, 1), 8),
    "strided": square(3, 1, (6, 7, 2), 2, stride=(2, 2)),
    "even": square(4, 1, (5, 6, 1), 3),
    "two_pixels": square(3, 1, (6, 6, 3), 2, PIXELS=2),
    "three_pixels": square(4, 0, (5, 12, 1), 2, PIXELS=3),
    "filled_pixels": square(7, 3, (7, 8, 1), 2, FILL=2, PIXELS=2, PROMPT=0),
    "four_pixels": square(5, 0, (6, 12, 1), 4, PIXELS=4),
    "more_than_a_window": square(3, 1, (3, 8, 2), 1, PIXELS=4),
    "blocks": square(3, 1, (5, 6, 2), 2, RAM_STYLE=2),
    "blocks_of_two": square(5, 0, (6, 8, 1), 3, PIXELS=2, RAM_STYLE=2),
    "smallest": square(3, 1, (2, 2, 1), 1),
    # Of other shapes than squares.
    "row": shaped((1, 3), (0, 1, 0, 1), (4, 6, 2), 2),
    "column": shaped((3, 1), (1, 0, 1, 0), (5, 6, 2), 3, RAM_STYLE=2),
    "wide": shaped((3, 5), (1, 2, 1, 2), (5, 6, 2), 2, FILL=1),
    "some_columns": shaped((3, 3), (1, 1, 1, 1), (5, 6, 2), 2, stride=(1, 2)),
    "some_rows": shaped((3, 3), (1, 1, 1, 1), (6, 6, 2), 2, stride=(2, 1)),
    "some_rows_of_two": shaped((2, 3), (0, 1, 1, 1), (6, 8, 1), 3, stride=(3, 1), PIXELS=2),
    "below_and_right": shaped((3, 3), (0, 0, 1, 1), (6, 8, 2), 2, stride=(2, 2), FILL=2),
    "above_and_below": shaped((3, 3), (1, 0, 1, 0), (5, 6, 2), 2, PROMPT=0),
    "left_alone": shaped((2, 4), (0, 3, 0, 0), (4, 6, 1), 2, stride=(1, 3)),
    "one_window_high": shaped((5, 3), (0, 1, 0, 1), (5, 6, 2), 2),
    "one_window": shaped((4, 4), (0, 0, 0, 0), (4, 4, 1), 4),
    # With more windows than pixels, or the first one ending beyond the image.
    "wide_paddings": shaped((3, 2), (2, 1, 2, 1), (3, 4, 2), 2, FILL=1),
    "wide_paddings_of_two": shaped((2, 4), (1, 3, 1, 3), (3, 5, 1), 2, stride=(2, 2)),
    "wide_paddings_in_pixels": shaped((3, 5), (2, 4, 2, 4), (3, 8, 1), 2, PIXELS=4, FILL=3),
    "low": shaped((3, 3), (0, 1, 2, 1), (1, 5, 2), 2),
    "higher_than_the_image": square(5, 2, (2, 2, 1), 2),
    "further_than_a_row": shaped((2, 5), (0, 0, 0, 4), (5, 2, 1), 2),
    "one_wide": shaped((3, 1), (1, 0, 1, 0), (6, 1, 2), 2, RAM_STYLE=2),
    # Of groups of channels.
    "depthwise": square(3, 1, (4, 5, 3), 2, GROUPS=3, FILL=1),
    "groups_in_pixels": square(3, 1, (4, 6, 4), 2, GROUPS=2, PIXELS=2),
    "one_pixel": square(3, 1, (1, 1, 2), 2),
}


@pytest.mark.parametrize("name", every(3, CASES))
def test_window(simulate: Simulate, name: str) -> None:
    simulate("nn_window", CASES[name], "bench_nn_window", seed=len(name))


@pytest.mark.parametrize("name", ["same", "two_pixels", "wide_paddings"])
def test_window_netlist(simulate: Simulate, name: str) -> None:
    simulate("nn_window", CASES[name], "bench_nn_window", netlist=True)


def test_lines_in_blocks_take_whole_blocks(synthesise: Synthesise) -> None:
    """Two lines of 8 x 40 bits: three 18 kbit blocks, with the register that the read needs."""
    netlist = synthesise("nn_window", square(3, 1, (8, 8, 20), 2, RAM_STYLE=2), {})
    assert netlist.count("RAMB18E1 #") == 3
    assert "RAMB36E1 #" not in netlist and "RAM32M" not in netlist
