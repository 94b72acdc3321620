"""The documentation names what is there."""

import re
from dataclasses import fields
from importlib import metadata
from pathlib import Path

import pytest
from typer.main import get_command

from finn_build import boards
from finn_build.folding.fold import Fold
from headrace.cli import app

REPO = Path(__file__).parents[1]
PAGES = [REPO / "README.md", REPO / "CONTRIBUTING.md", *sorted((REPO / "docs").glob("*.md"))]
SIGNALS = {"tvalid", "tready", "clk", "rst_n", "_q", "_d"}
OURS = ("finn_build/", "quant/", "rtl_templates/", "sweep/", "tests/", "docs/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    for name in re.findall(r"`([\w./]+)`", page.read_text()):
        ours = name.startswith(OURS) or re.fullmatch(r"headrace/\w+\.py", name)
        if ours and "NAME" not in name:
            assert (REPO / name).exists(), f"{page.name}: {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_verbs_that_are_named_exist(page):
    own = re.findall(r"^  (\w+)\) ", (REPO / "build.sh").read_text(), flags=re.M)
    known = {*own, *boards.names(), *get_command(app).commands}
    for verb in re.findall(r"\./build\.sh ([a-z][\w-]*)", page.read_text()):
        assert verb in known, f"{page.name}: {verb}"


def test_modules_and_functions_of_the_guides_exist():
    folders = (REPO / "finn_build", REPO / "headrace", REPO / "sweep")
    code = "".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    guides = [
        (REPO / "docs" / name).read_text()
        for name in ("architecture.md", "folding.md", "layers.md")
    ]
    named = {name for text in guides for name in re.findall(r"`(\w+)`", text)}
    modules = {path.stem for path in (REPO / "rtl_templates").rglob("*.sv")}
    for name in sorted(
        named - {"quant", "nn_NAME", "tvalid", "tready", "clk", "rst_n", "_q", "_d"}
    ):
        assert name in modules or re.search(rf"\b{name}\b", code), name


def test_what_is_cited_is_this_version():
    assert f"\nversion: {metadata.version('headrace')}\n" in (REPO / "CITATION.cff").read_text()


def test_all_of_a_folding_is_explained():
    rows = re.findall(r"^\| `(\w+)` \|", (REPO / "docs" / "folding.md").read_text(), flags=re.M)
    assert sorted(rows) == sorted(field.name for field in fields(Fold))


def test_the_drivers_messages_are_those_of_the_guide():
    """The longest piece between dots of each; PYNQ's own message is not ours."""
    guide = (REPO / "docs" / "board.md").read_text().split("## When something is wrong")[1]
    driver = "".join(p.read_text() for p in (REPO / "finn_build" / "driver").glob("*.py"))
    rows = re.findall(r"^\| (`.+?) \|", guide.split("\n## ")[0], flags=re.M)
    messages = [text for row in rows for text in re.findall(r"`(.+?)`", row)]
    assert len(messages) >= 7
    for message in set(messages) - {"Root permissions required"}:
        assert max(message.split("..."), key=len) in driver, message
