"""Boards as data: facts, what a build makes of each, and files that are refused."""

import shutil
import subprocess
from pathlib import Path

import pytest

from finn_build import boards
from finn_build.config import Options
from finn_build.errors import ConfigError
from finn_build.flow import pipeline
from finn_build.flow.steps.plan import STEPS
from finn_build.folding import folding
from finn_build.system.files import load_json

ROOT = Path(__file__).parents[2]
CRYSTALS = {
    "arty-z7-20": 50,
    "pynq-z1": 50,
    "pynq-z2": 50,
    "zedboard": pytest.approx(100 / 3),
    "zybo-z7-20": pytest.approx(100 / 3),
}


def test_the_boards_are_these():
    assert boards.names() == sorted(CRYSTALS)
    found = {name: boards.find_board(name) for name in CRYSTALS}
    assert {name: board.ps_clk_mhz for name, board in found.items()} == CRYSTALS
    parts = {name: board.part for name, board in found.items()}
    assert parts.pop("zedboard") == "xc7z020clg484-1"
    assert set(parts.values()) == {"xc7z020clg400-1"}
    for name, board in found.items():
        assert (board.name, board.bitstream_bytes) == (name, 4_045_564)
        assert all(folding.fits(b, board.chip) for b in board.budget.values())


@pytest.mark.parametrize(
    ("asked", "divisors"),
    [(250, (4, 1)), (142.9, (7, 1)), (1000 / 7, (7, 1)), (120, (9, 1)), (14.93, (34, 2))],
)
def test_a_clock_is_what_two_dividers_make(asked, divisors):
    board = boards.find_board("pynq-z2")
    assert board.divisors(asked) == divisors
    assert board.fclk_mhz(asked) == 1000 / (divisors[0] * divisors[1]) <= asked + 1e-3


def test_a_clock_above_the_ports_limit_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--clock-mhz 300: use 1 to 250"):
        Options(board="zedboard", model="arch1_w2a2", data=tmp_path, clock_mhz=300)


def test_the_help_lists_them():
    done = subprocess.run([ROOT / "build.sh", "--help"], capture_output=True, text=True, check=True)
    assert f"boards: {', '.join(sorted(CRYSTALS))}" in done.stdout


@pytest.mark.parametrize("board", sorted(CRYSTALS))
def test_every_board_builds_up_to_its_rtl(tmp_path, tiny_onnx, board):
    options = Options(board=board, model=str(tiny_onnx), out=tmp_path / "out", target_fps=2e4)
    build = pipeline.run(STEPS, options, last="emit")
    assert "chip.sv" in build.path("emit", "chip.f").read_text()
    assert load_json(build.path("fold", "costs.json"))["estimate"]["lut"] > 0


@pytest.fixture
def folder(tmp_path):
    """A copy of the boards' folder."""
    return Path(shutil.copytree(boards.FOLDER, tmp_path / "boards"))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("pynq-z2", "title =", "titel =", "pynq-z2.toml: unknown key titel; known: title, part,"),
        ("pynq-z2", "title =", "# title =", "pynq-z2.toml: title is missing; use a text"),
        ("pynq-z2", "xc7z020", "xc7z045", "chips/xc7z045.toml: not found; .*one of xc7z020"),
        ("pynq-z2", "title =", 'fan = "none"\ntitle =', "unknown key fan; known: title, part,"),
        (
            "pynq-z2",
            '"xc7z020"',
            '"xc7z045"',
            "use a part of the chip xc7z045",
        ),
        (
            "pynq-z2",
            "xc7z020clg400-1",
            "xc7a35t",
            "part = 'xc7a35t'; use a part of the",
        ),
        ("pynq-z2", "50.0", '"fast"', "ps_clk_mhz = 'fast'; use a number from 30 to 60"),
        ("pynq-z2", "50.0", "37.0", "io_pll_mhz = 1000.0; use a whole multiple of ps_clk_mhz, 37"),
        ("pynq-z2", "1000.0", "2000.0", "io_pll_mhz = 2000.0; use a number from 780 to 1600"),
        ("pynq-z2", "title", "title ==", "pynq-z2.toml: not readable as TOML \\(Invalid value"),
        ("chips/xc7z020", "lut = 53_200", "lut = 53e3", "resources.lut = 53000.0; use a whole num"),
        ("chips/xc7z020", "dsp = 176", "dsp = 221", "budget.vivado.dsp = 221; use at most 220"),
        (
            "chips/xc7z020",
            "dsp = 176",
            "dsp = true",
            "budget.vivado.dsp = True; use a whole numbe",
        ),
        (
            "chips/xc7z020",
            "[budget.vivado]",
            "[budget.ise]",
            "budget: unknown key ise; known: openx",
        ),
        (
            "chips/xc7z020",
            "ff = 106",
            "fv = 106",
            "resources: unknown key fv; known: lut, ff",
        ),
        (
            "chips/xc7z020",
            "lut = 53_200",
            "size = 1\nlut = 53_200",
            "resources: unknown key size; known: lut, ff",
        ),
        ("chips/xc7z020", "250.0", "0", "most_mhz = 0.0; use a number of 1 or more"),
    ],
)
def test_a_bad_file_is_refused_with_file_key_and_what_would_work(folder, file, old, new, message):
    path = folder / f"{file}.toml"
    text = path.read_text()
    assert boards.load(folder / "pynq-z2.toml") == boards.find_board("pynq-z2")
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=message) as caught:
        boards.load(folder / "pynq-z2.toml")
    assert str(path) in str(caught.value)
