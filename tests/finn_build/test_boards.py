"""Boards as data: facts, what a build makes of each, and files that are refused."""

import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from finn_build import boards
from finn_build.backends import verilator
from finn_build.backends.openxc7.toolchain import _device
from finn_build.boards import Resources
from finn_build.config import Options
from finn_build.errors import ConfigError
from finn_build.flow import pipeline
from finn_build.flow.steps.plan import STEPS
from finn_build.folding import folding
from finn_build.folding.search import Search
from finn_build.rtl import accelerator, chip, emit
from finn_build.system.files import load_json

ROOT = Path(__file__).parents[2]
THIRD = pytest.approx(100 / 3)
# Part, crystal and IO PLL in MHz: docs/boards.md says from where.
BOARDS = {
    "arty-z7-10": ("xc7z010clg400-1", 50, 1000),
    "arty-z7-20": ("xc7z020clg400-1", 50, 1000),
    "cora-z7-07s": ("xc7z007sclg400-1", 50, 1000),
    "cora-z7-10": ("xc7z010clg400-1", 50, 1000),
    "ebaz4205": ("xc7z010clg400-1", THIRD, 1200),
    "microzed-7010": ("xc7z010clg400-1", THIRD, 1000),
    "microzed-7020": ("xc7z020clg400-1", THIRD, 1000),
    "minized": ("xc7z007sclg225-1", THIRD, 1400),
    "picozed-7030": ("xc7z030sbg485-1", THIRD, 1000),
    "pynq-z1": ("xc7z020clg400-1", 50, 1000),
    "pynq-z2": ("xc7z020clg400-1", 50, 1000),
    "red-pitaya-125-14": ("xc7z010clg400-1", THIRD, 1000),
    "zc702": ("xc7z020clg484-1", THIRD, 1000),
    "zc706": ("xc7z045ffg900-2", THIRD, 1000),
    "zedboard": ("xc7z020clg484-1", THIRD, 1000),
    "zybo-z7-10": ("xc7z010clg400-1", THIRD, 1000),
    "zybo-z7-20": ("xc7z020clg400-1", THIRD, 1000),
}
# LUTs, flip-flops, BRAM36, DSPs: Xilinx DS190, table 1; bits of a bitstream: U-Boot's zynqpl.h.
CHIPS = {
    "xc7z007s": (14_400, 28_800, 50, 66, 16_669_920),
    "xc7z010": (17_600, 35_200, 60, 80, 16_669_920),
    "xc7z012s": (34_400, 68_800, 72, 120, 28_085_344),
    "xc7z014s": (40_600, 81_200, 107, 170, 32_364_512),
    "xc7z015": (46_200, 92_400, 95, 160, 28_085_344),
    "xc7z020": (53_200, 106_400, 140, 220, 32_364_512),
    "xc7z030": (78_600, 157_200, 265, 400, 47_839_328),
    "xc7z045": (218_600, 437_200, 545, 900, 106_571_232),
    "xc7z100": (277_400, 554_800, 755, 2_020, 139_330_784),
}


def test_the_boards_are_these():
    assert boards.names() == sorted(BOARDS)
    found = {name: boards.find_board(name) for name in BOARDS}
    assert {n: (b.part, b.ps_clk_mhz, b.io_pll_mhz) for n, b in found.items()} == BOARDS
    for name, board in found.items():
        lut, ff, bram36, dsp, bits = CHIPS[_device(board.part)]
        assert board.name == name and board.chip == Resources(
            lut=lut, ff=ff, bram36=bram36, dsp=dsp
        )
        assert 8 * board.bitstream_bytes == bits
        assert all(folding.fits(b, board.chip) for b in board.budget.values())
        assert board.fclk_mhz(100) == pytest.approx(100), "the clock that all builds begin with"


@pytest.mark.parametrize("chip", sorted(CHIPS))
def test_each_chip_can_be_a_boards(tmp_path, chip):
    """Those as well that no board here has."""
    shutil.copytree(boards.FOLDER / "chips", tmp_path / "chips")
    names = {path.stem for path in (tmp_path / "chips").glob("*.toml")}
    assert names == set(CHIPS)
    text = (boards.FOLDER / "pynq-z2.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace("xc7z020", chip))
    made = boards.load(tmp_path / "mine.toml")
    lut, ff, bram36, dsp, bits = CHIPS[chip]
    assert made.chip == Resources(lut=lut, ff=ff, bram36=bram36, dsp=dsp)
    assert 8 * made.bitstream_bytes == bits and made.part == f"{chip}clg400-1"


def test_what_was_tried_is_kept_and_other_chips_have_the_usual_shares():
    tried, other = (boards.find_board(name).budget for name in ("pynq-z2", "ebaz4205"))
    assert tried["vivado"] == Resources(lut=40_500, ff=85_000, bram36=110, dsp=176)
    assert tried["openxc7"] == Resources(lut=29_000, ff=42_000, bram36=110, dsp=0)
    assert other["vivado"] == Resources(lut=12_080, ff=28_160, bram36=55, dsp=64)
    assert other["openxc7"] == Resources(lut=8_053, ff=14_080, bram36=55, dsp=0)


def test_an_unknown_board_is_refused_with_all_names():
    with pytest.raises(ConfigError, match="unknown board 'pynq-z9'; known boards: ") as caught:
        boards.find_board("pynq-z9")
    assert str(caught.value).endswith(", ".join(sorted(BOARDS)))


@pytest.mark.parametrize(
    ("part", "device"),
    [
        ("xc7z020clg484-1", "xc7z020"),
        ("xc7z007sclg225-1", "xc7z007s"),
        ("xc7z030sbg485-1", "xc7z030"),
        ("xc7z045ffg900-2", "xc7z045"),
    ],
)
def test_the_device_of_a_part_is_without_its_package(part, device):
    assert _device(part) == device


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
    assert f"boards: {', '.join(sorted(BOARDS))}" in done.stdout


def test_a_build_folds_within_the_boards_budget(tmp_path, tiny_onnx):
    options = Options(board="ebaz4205", model=str(tiny_onnx), out=tmp_path / "out", target_fps=2e4)
    build = pipeline.run(STEPS, options, last="emit")
    costs = load_json(build.path("fold", "costs.json"))
    assert costs["budget"] == asdict(options.target.budget["vivado"])
    assert costs["estimate"]["lut"] > 0
    assert "chip.sv" in build.path("emit", "chip.f").read_text()


@pytest.fixture(scope="module")
def chips():
    """Budgets whose chips Verilator took: folding and RTL depend on nothing else of a board."""
    return set()


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_every_board_has_a_chip(tmp_path, network, chips, name):
    for tool, budget in boards.find_board(name).budget.items():
        if budget in chips:
            continue
        made = Search(network, budget).within(64)
        assert folding.fits(made.total, budget)
        rtl = tmp_path / tool
        rtl.mkdir()
        design = accelerator.design(network, made)
        emit.write(design, rtl)
        chip.write(design, network, "00" * 16, rtl)
        program = shutil.which("verilator", path=verilator.binaries())
        command = [program, "--lint-only", "--quiet", "-Wno-fatal", "--top-module", "chip"]
        command += ["-f", "sim.f"]
        done = subprocess.run(command, cwd=rtl, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        chips.add(budget)


@pytest.fixture
def folder(tmp_path):
    """A copy of the boards' folder."""
    return Path(shutil.copytree(boards.FOLDER, tmp_path / "boards"))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("pynq-z2", "title =", "titel =", "pynq-z2.toml: unknown key titel; known: title, part,"),
        ("pynq-z2", "title =", "# title =", "pynq-z2.toml: title is missing; use a text"),
        ("pynq-z2", "xc7z020", "xc7z035", "chips/xc7z035.toml: not found; .*one of xc7z007s, "),
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
