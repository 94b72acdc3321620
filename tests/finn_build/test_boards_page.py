"""What a model reaches on every board: the table, and the page that holds it."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from finn_build import boards
from finn_build.boards import Resources
from finn_build.errors import ConfigError
from finn_build.folding.search import Search
from finn_build.pages import boards as page

DOCS = Path(__file__).parents[2] / "docs" / "boards.md"
MARKS = "before\n<!-- boards -->\nof before\n<!-- /boards -->\nafter\n"


def quiet():
    return Console(file=io.StringIO())


def reached(network, *names):
    found = map(boards.find_board, names)
    return page.reached(network, found, mhz=100, console=quiet())


def test_the_rate_is_that_of_the_search_at_the_boards_clock(network):
    first, second = reached(network, "minized", "zc706")
    for each in (first, second):
        for tool, budget in each.board.budget.items():
            assert each.cycles[tool] == Search(network, budget).fastest().cycles
            rate = each.board.fclk_mhz(100) * 1e6 / each.cycles[tool]
            assert each.rate(tool) == f"{rate:,.0f}"


def test_boards_with_the_same_budget_share_a_search(network, monkeypatch):
    asked = []

    class Counted(Search):
        def fastest(self):
            asked.append(self.budget)
            return super().fastest()

    monkeypatch.setattr(page, "Search", Counted)
    reached(network, "pynq-z1", "pynq-z2", "zedboard", "zc702")
    assert len(asked) == len(boards.BUDGETS)


def test_where_it_does_not_fit_the_table_says_so(network, monkeypatch):
    nothing = Resources(lut=1, ff=1, bram36=1, dsp=0)
    board = boards.find_board("minized")
    monkeypatch.setitem(board.budget, "openxc7", nothing)
    (made,) = page.reached(network, [board], mhz=100, console=quiet())
    assert made.rate("openxc7") == "does not fit" and made.frame("openxc7") == ""
    text = page.markdown([made], "hand")
    assert f"{made.rate('vivado')} | does not fit |" in text and "Predicted" in text


def test_the_command_shows_all_boards_and_writes_the_page(tmp_path, tiny_onnx, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out, text = tmp_path / "page.md", io.StringIO()
    out.write_text(MARKS)
    page.run(str(tiny_onnx), mhz=100, out=out, console=Console(file=text, width=160))
    written = out.read_text()
    assert written.startswith("before\n<!-- boards -->\n| board |") and "of before" not in written
    assert written.endswith("<!-- /boards -->\nafter\n")
    for name in boards.names():
        assert f"| `{name}`, " in written and f"{name} " in text.getvalue()
    assert "Predicted by the folding search" in text.getvalue()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "page.md: no such file; name a Markdown file with the marks"),
        ("nothing", "page.md: the mark <!-- boards --> is missing"),
        ("<!-- boards -->", "page.md: the mark <!-- /boards --> is missing"),
    ],
)
def test_a_page_without_marks_is_refused_before_the_work(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "page.md"
    if text is not None:
        out.write_text(text)
    with pytest.raises(ConfigError, match=message):
        page.run("arch1_w2a2", mhz=100, out=out, console=quiet())
    assert not (tmp_path / "build").exists()


def test_the_guide_has_every_board_as_its_file_says():
    table = DOCS.read_text().split("<!-- boards -->")[1].split("<!-- /boards -->")[0]
    rows = [line.strip("| ").split(" | ")[:4] for line in table.splitlines() if "| `" in line]
    assert rows == [page.described(boards.find_board(name)) for name in boards.names()]
