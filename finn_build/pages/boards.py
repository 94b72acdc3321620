"""What a model reaches on every board: a table for the terminal and one for docs/boards.md.

Nothing is built: the folding search says how many cycles a frame takes within each board's
budgets, and these cycles at the clock that the board can set give the frames per second.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from finn_build import frontend
from finn_build.boards import BUDGETS, Board, Resources, find_board, names
from finn_build.config import Options
from finn_build.errors import FoldingError
from finn_build.flow import pipeline
from finn_build.flow.steps.plan import STEPS
from finn_build.folding.search import Search
from finn_build.network.graph import Network
from finn_build.pages import marks
from headrace.terminal import line

MARK = "boards"
# Where the model is exported to; it is the same for all boards.
FOLDER = Path("build/boards")
_NO = "does not fit"


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a model reaches on a board; cycles: a frame's, by tool, None where it does not fit."""

    board: Board
    mhz: float
    cycles: dict[str, int | None]

    def rate(self, tool: str) -> str:
        """Frames per second within a tool's budget, in words."""
        cycles = self.cycles[tool]
        return _NO if cycles is None else f"{self.mhz * 1e6 / cycles:,.0f}"

    def frame(self, tool: str) -> str:
        """Cycles of a frame, in words."""
        cycles = self.cycles[tool]
        return "" if cycles is None else f"{cycles:,}"


def run(model: str, *, mhz: float, out: Path | None, console: Console) -> None:
    """Show the table of a model, and put it between the marks of a Markdown file if one is named.

    Raises ConfigError if the file has no marks or there is no such clock, and what the model's
    export raises.
    """
    if out is not None:
        marks.fill(marks.read(out), MARK, "", out)
    network = _network(model, mhz, console)
    found = reached(network, map(find_board, names()), mhz=mhz, console=console)
    show(found, network.name, console)
    if out is not None:
        body = markdown(found, network.name)
        out.write_text(marks.fill(marks.read(out), MARK, body, out))
        line(console, f"{out}: {len(found)} boards")


def reached(
    network: Network, boards: Iterable[Board], *, mhz: float, console: Console
) -> list[Reach]:
    """Fold a network for every board; boards with the same budget share one search."""
    solved: dict[Resources, int | None] = {}
    made = []
    with console.status("") as status:
        for board in boards:
            status.update(f"folding {network.name} for the {board.title}")
            for tool in BUDGETS:
                budget = board.budget[tool]
                if budget not in solved:
                    solved[budget] = _cycles(network, budget)
            cycles = {tool: solved[board.budget[tool]] for tool in BUDGETS}
            made.append(Reach(board=board, mhz=board.fclk_mhz(mhz), cycles=cycles))
    return made


def show(found: Sequence[Reach], model: str, console: Console) -> None:
    """Print the table: boards, their chips' resources, and what is predicted."""
    table = Table(box=None, pad_edge=False, title=_title(model), title_justify="left")
    table.add_column("board", no_wrap=True)
    table.add_column("part", no_wrap=True)
    for head in ("LUTs", "BRAM36", "DSPs", "cycles", *(f"frames/s, {t}" for t in BUDGETS)):
        table.add_column(head, justify="right")
    for each in found:
        chip = each.board.chip
        counts = [f"{value:,g}" for value in (chip.lut, chip.bram36, chip.dsp)]
        rates = [each.rate(tool) for tool in BUDGETS]
        table.add_row(each.board.name, each.board.part, *counts, each.frame("vivado"), *rates)
    wide = console if console.is_terminal else Console(file=console.file, width=160)
    wide.print(table)


def markdown(found: Sequence[Reach], model: str) -> str:
    """The same for docs/boards.md, with what a board's file says of its clock."""
    rows = [
        "| board | part | crystal, PLL | LUT, FF, BRAM36, DSP | cycles | frames/s, Vivado's share "
        "| frames/s, open tools' share |\n|---|---|---|---|---|---|---|"
    ]
    for each in found:
        cells = [*described(each.board), each.frame("vivado")]
        cells += [each.rate("vivado"), each.rate("openxc7")]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, "", _title(model), "Written by `./build.sh boards`."])


def described(board: Board) -> list[str]:
    """Cells of a board's row that need no folding."""
    chip = board.chip
    return [
        f"`{board.name}`, {board.title}",
        board.part,
        f"{board.ps_clk_mhz:.4g} MHz, {board.io_pll_mhz:g} MHz",
        f"{chip.lut:,}, {chip.ff:,}, {chip.bram36:g}, {chip.dsp:,}",
    ]


def _title(model: str) -> str:
    return f"Predicted by the folding search for {model}, not built; cycles: with Vivado's share."


def _cycles(network: Network, budget: Resources) -> int | None:
    try:
        return Search(network, budget).fastest().cycles
    except FoldingError:
        return None


def _network(model: str, mhz: float, console: Console) -> Network:
    """The integer network of a zoo model, a checkpoint or a QONNX file, as a build reads it."""
    options = Options(board=names()[0], model=model, clock_mhz=mhz)
    options = replace(options, out=FOLDER / options.name)
    build = pipeline.run(STEPS, options, last="export", console=console)
    return frontend.read(frontend.load(build.path("export", "model.onnx")), options.name).network
