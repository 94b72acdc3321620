"""The README's picture is drawn from its own table, and from what was published."""

from __future__ import annotations

from pathlib import Path

import pytest

from finn_build.errors import ConfigError
from finn_build.pages import overview
from finn_build.pages.compare.points import published

ROOT = Path(__file__).parents[2]
ROWS = """
| model, board | clock, MHz | accuracy, images | frames/s, simulated |
|---|---|---|---|
| net_a, TUL PYNQ-Z2 | 100, not routed | 88.31 %, 10,000 | 32,552 | 64.2 µs |
| net_b, TUL PYNQ-Z2 | 166.7, routed clock by a model | not known | 36,169 | 59.2 µs |
| net_c, TUL PYNQ-Z2 | 166.7, routed clock by a model | 87.00 %, 10,000 | 36,169 | 59.2 µs |
| net_d, TUL PYNQ-Z2 | 100, not routed | 88.31 %, 10,000 | 9,000, estimated | |
"""


def test_the_rows_with_both_figures_are_drawn():
    made = overview.ours(ROWS)
    assert [(p.design, p.accuracy, p.images, p.fps) for p in made] == [
        ("headrace, 100 MHz", 0.8831, 10000, 32552.0),
        ("headrace, 166.7 MHz", 0.87, 10000, 36169.0),
    ]
    with pytest.raises(ConfigError, match="no row of results with an accuracy"):
        overview.svg("| nothing | here |")


def test_every_design_is_in_the_picture_and_named():
    text = overview.svg(ROWS)
    assert text.count('class="mark simulated"') == 2 + 1  # and in the legend
    assert text.count('class="label published"') == len(published(1))
    assert "FINN CNV-max, ZC706" in text and ">FINN CNV-W1A1<" in text


def test_the_picture_is_that_of_the_table(tmp_path):
    """`./build.sh results` draws it."""
    overview.write(ROOT / overview.README, tmp_path / "drawn.svg")
    assert (tmp_path / "drawn.svg").read_text() == (ROOT / overview.PICTURE).read_text()
