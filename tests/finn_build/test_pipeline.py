"""What a build does again, what it keeps, and what it leaves behind."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from finn_build import pipeline
from finn_build.config import Options
from finn_build.errors import ConfigError
from finn_build.pipeline import Step


class Fake:
    """Two steps, `second` reading what `first` wrote; counts how often each ran."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.ran: list[str] = []
        self.text = "one"
        self.fail: BaseException | None = None
        for name in ("first", "second"):
            source = folder / f"{name}.py"
            source.write_text(f'"""{name}."""\n')
            module = ModuleType(f"finn_build.steps.{name}")
            module.__file__ = str(source)
            module.run = getattr(self, name)
            monkeypatch.setitem(sys.modules, module.__name__, module)
        self.folder = folder
        self.steps = (
            Step(name="first", options=lambda o: o.images),
            Step(name="second", needs=("first",), options=lambda o: o.clock_mhz),
        )

    def first(self, build: pipeline.Build, out: Path) -> str:
        self.ran.append("first")
        (out / "text").write_text(self.text)
        return "wrote"

    def second(self, build: pipeline.Build, out: Path) -> str:
        self.ran.append("second")
        (out / "half").write_text("half")
        if self.fail is not None:
            raise self.fail
        (out / "text").write_text(build.path("first", "text").read_text() * 2)
        return "doubled"

    def run(self, **changes) -> list[str]:
        self.ran.clear()
        ends = {k: changes.pop(k) for k in ("first", "last") if k in changes}
        options = Options(
            board="pynq-z2", model="m", data=Path("none"), out=self.folder / "build", **changes
        )
        console = Console(file=(self.folder / "lines").open("w"))
        pipeline.run(self.steps, options, console=console, **ends)
        return list(self.ran)


@pytest.fixture
def fake(monkeypatch, tmp_path):
    return Fake(monkeypatch, tmp_path)


def test_nothing_is_done_twice(fake):
    assert fake.run() == ["first", "second"]
    assert (fake.folder / "build" / "second" / "text").read_text() == "oneone"
    assert fake.run() == []


def test_only_what_depends_on_a_change_is_redone(fake):
    fake.run()
    assert fake.run(clock_mhz=50.0) == ["second"]
    assert fake.run(clock_mhz=50.0, images=11) == ["first"], "the same output: second stays"
    fake.text = "two"
    assert fake.run(clock_mhz=50.0, images=12) == ["first", "second"]


def test_a_change_of_a_steps_own_code_redoes_it(fake):
    fake.run()
    (fake.folder / "second.py").write_text('"""second, edited."""\n')
    assert fake.run() == ["second"]


def test_lost_or_edited_results_are_made_again(fake):
    fake.run()
    (fake.folder / "build" / "first" / "text").write_text("edited")
    assert fake.run() == ["first"]
    (fake.folder / "build" / "second" / "text").unlink()
    assert fake.run() == ["second"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), ConfigError("no")])
def test_an_interrupted_build_resumes_and_leaves_nothing_half_written(fake, stop):
    fake.fail = stop
    with pytest.raises(type(stop)):
        fake.run()
    assert not (fake.folder / "build" / "second").exists()
    fake.fail = None
    assert fake.run() == ["second"]
    assert not (fake.folder / "build" / "second.partial").exists()
    assert (fake.folder / "build" / "second" / "half").read_text() == "half"


def test_a_failed_step_keeps_its_last_good_result(fake):
    fake.run()
    fake.fail = ConfigError("no")
    with pytest.raises(ConfigError):
        fake.run(clock_mhz=50.0)
    assert (fake.folder / "build" / "second" / "text").read_text() == "oneone"


def test_from_and_to(fake):
    assert fake.run(last="first") == ["first"]
    assert fake.run() == ["second"]
    assert fake.run(first="second") == ["second"]
    with pytest.raises(ConfigError, match="unknown step 'third'; steps: first, second"):
        fake.run(first="third")


def test_one_line_per_step(fake):
    fake.run()
    fake.run()
    lines = (fake.folder / "lines").read_text().splitlines()
    assert lines == [
        "[1/2] first          unchanged  wrote",
        "[2/2] second         unchanged  doubled",
    ]


def test_the_sources_of_a_step_are_those_it_imports():
    from finn_build.steps import emit, fold

    files = pipeline.sources(emit)
    assert len([p for p in files if p.name == "emit.py"]) == 2, "the step and the module it calls"
    names = {p.name for p in files}
    assert {"emit.py", "folding.py", "layers.py", "nn_mvtu.sv", "top.sv.j2"} <= names
    assert "verify.py" not in names
    assert "nn_mvtu.sv" not in {p.name for p in pipeline.sources(fold)}
