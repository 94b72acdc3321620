"""A build of a file with a hostile name, in a folder with one: what it runs, writes and shows."""

import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from finn_build.backends.yosys import Counts
from finn_build.config import Options
from finn_build.flow import pipeline
from finn_build.flow.steps import report
from finn_build.flow.steps.plan import STEPS
from finn_build.rtl.emitted import read_instances
from finn_build.system.files import save_json

FOLDER = "my ü \"work'; touch RAN; $(touch RAN) [red] {b}"
MODEL = "x;touch RAN;\n`touch RAN`\x1b[31m\u202e[bold]<script>|.onnx"
# Synthesis takes a minute and gets names of ours alone.
WITHOUT = ("synthesise", "report")


@pytest.fixture(scope="module")
def built(tiny_onnx: Path, tmp_path_factory: pytest.TempPathFactory):
    """The folder of the command, the build in it, and what it said."""
    place = tmp_path_factory.mktemp("hostile") / FOLDER
    place.mkdir()
    shutil.copyfile(tiny_onnx, place / MODEL)
    said = place.parent / "said"
    with pytest.MonkeyPatch.context() as patch, said.open("w") as file:
        patch.chdir(place)
        options = Options(board="pynq-z2", model=MODEL, tool="none", images=2)
        steps = [
            replace(step, needs=tuple(name for name in step.needs if name not in WITHOUT))
            for step in STEPS
            if step.name not in WITHOUT
        ]
        build = pipeline.run(steps, options, console=Console(file=file))
        _report(build)
    return place, place / build.folder, said.read_text()


def _report(build: pipeline.Build) -> None:
    """The last step, after a synthesis that counted nothing."""
    none = asdict(Counts(**dict.fromkeys(Counts.__dataclass_fields__, 0)))
    modules = {instance.name: none for instance in read_instances(build.path("emit"))}
    for name in WITHOUT:
        build.path(name).mkdir()
    save_json(build.path("synthesise", "result.json"), {"whole": none, "modules": modules})
    report.run(build, build.path("report"))


def test_nothing_was_run_and_nothing_is_outside(built):
    place, build, _ = built
    assert not list(place.parent.rglob("RAN*"))
    assert {path.name for path in place.iterdir()} == {MODEL, "build"}
    assert build.parent == place / "build" / "pynq-z2"


def test_every_file_has_a_safe_name(built):
    _, build, _ = built
    assert re.fullmatch(r"x_touch_RAN_touch_RAN_31m_bold_script-[0-9a-f]{8}", build.name)
    names = [path.name for path in build.rglob("*")]
    assert f"{build.name}-pynq-z2.tar.gz" in names
    assert [name for name in names if not re.fullmatch(r"[A-Za-z0-9_.+-]+", name)] == []


def test_no_text_has_the_name_or_a_control_character(built):
    _, build, _ = built
    found = 0
    for path in build.rglob("*"):
        if path.suffix in (".sv", ".f", ".md", ".html", ".py", ".ipynb"):
            text, found = path.read_text(), found + 1
            assert "RAN`" not in text and "<script" not in text, path
            shown = (c for line in text.split("\n") for c in line if c != "\t")
            assert all(map(str.isprintable, shown)), path
    assert found > 40


def test_the_terminal_shows_the_name_as_text(built):
    *_, said = built
    assert all(map(str.isprintable, said.replace("\n", "")))
    assert r"export" in said and r"x;touch RAN;\n`touch RAN`\x1b[31m\u202e[bold]<script>|" in said
    assert re.search(r"simulate +[0-9.]+ s  2 images, 0 mismatches", said)
