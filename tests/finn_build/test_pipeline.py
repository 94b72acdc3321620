"""What a build does again, what it keeps, and what it leaves behind."""

import io
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from finn_build.config import Options
from finn_build.errors import ConfigError, FileError
from finn_build.flow import lock, pipeline
from finn_build.flow.pipeline import Step
from finn_build.flow.steps import ORDER
from finn_build.flow.steps.plan import STEPS


class Fake:
    """Two steps, `second` reading what `first` wrote; counts how often each ran."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.ran: list[str] = []
        self.text = "one"
        self.fail: BaseException | None = None
        for name in ("first", "second"):
            source = folder / f"{name}.py"
            source.write_text(f'"""{name}."""\n')
            module = ModuleType(f"finn_build.flow.steps.{name}")
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


def test_the_steps_that_help_lists_are_those_of_a_build():
    assert tuple(step.name for step in STEPS) == ORDER


def test_one_line_per_step(fake):
    fake.run()
    fake.run()
    lines = (fake.folder / "lines").read_text().splitlines()
    assert lines == [
        "[1/2] first          unchanged  wrote",
        "[2/2] second         unchanged  doubled",
    ]


def test_a_bar_says_how_far_a_step_is(fake, monkeypatch):
    monkeypatch.setattr(fake, "second", lambda build, out: build.tick(7, 1028) or "half")
    sys.modules["finn_build.flow.steps.second"].run = fake.second
    text = io.StringIO()
    options = Options(board="pynq-z2", model="m", data=Path("none"), out=fake.folder / "build")
    console = Console(file=text, force_terminal=True, width=100)
    pipeline.run(fake.steps, options, console=console)
    assert "[2/2] second  7 of 1,028" in text.getvalue()


def test_two_builds_are_not_in_one_folder(fake):
    fake.run()
    folder = fake.folder / "build"
    with (
        lock.alone(folder),
        pytest.raises(ConfigError, match=f"build: process {os.getpid()} is building there; wait"),
    ):
        fake.run(images=11)
    assert fake.run(images=11) == ["first"], "let go"


def test_the_lock_of_a_process_that_was_killed_is_taken_over(fake):
    (fake.folder / "build").mkdir()
    holds = "import sys, time; from pathlib import Path; from finn_build.flow import lock\n"
    holds += "with lock.alone(Path(sys.argv[1])): print('holds', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", holds, str(fake.folder / "build")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"holds\n"
    with pytest.raises(ConfigError, match=f"process {process.pid} is building there"):
        fake.run()
    process.kill()
    process.wait()
    process.stdout.close()
    assert fake.run() == ["first", "second"]


def full(path: Path) -> Path:
    """A file on a device that is always full."""
    path.symlink_to("/dev/full")
    return path


def test_a_full_disk_in_a_step_is_one_message_and_the_build_goes_on(fake, monkeypatch):
    fake.run()

    def second(build: pipeline.Build, out: Path) -> str:
        full(out / "text").write_text("two")
        return "wrote"

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["finn_build.flow.steps.second"], "run", second)
        where = r"build/second.partial: No space left on device; make room, then use the same"
        with pytest.raises(FileError, match=where):
            fake.run(clock_mhz=50.0)
    assert (fake.folder / "build" / "second" / "text").read_text() == "oneone", "the last good one"
    assert fake.run(clock_mhz=50.0) == ["second"]


def test_a_full_disk_at_the_record_is_one_message_and_the_build_goes_on(fake):
    fake.run(last="first")
    partial = full(fake.folder / "build" / "state.json.partial")
    with pytest.raises(FileError, match="build: No space left on device; make room"):
        fake.run()
    partial.unlink()
    assert fake.run() == ["second"]
    assert fake.run() == []


@pytest.mark.parametrize(
    "state",
    [
        "",
        "{",
        "[]",
        "3",
        '{"first": 3}',
        '{"first": {}}',
        '{"first": {"key": 1}}',
        "\x00",
        "\udcff",
        "[" * 100_000,
    ],
    ids=range(10),
)
def test_a_corrupt_record_is_as_good_as_none(fake, state):
    fake.run()
    (fake.folder / "build" / "state.json").write_bytes(state.encode(errors="surrogateescape"))
    assert fake.run() == ["first", "second"]
    assert fake.run() == []


@pytest.mark.parametrize("name", ["build", "build/second", "build/second.partial"])
def test_a_file_where_a_folder_should_be_stays_and_is_named(fake, name):
    path = fake.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    with pytest.raises(FileError, match=rf"/{name}: .*; move what is there out of the way"):
        fake.run()
    assert path.read_text() == "mine" and "second" not in fake.ran
    path.unlink()
    assert fake.run()[-1] == "second"


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="no /sys")
def test_a_folder_that_takes_nothing_is_one_message(fake):
    with pytest.raises(FileError, match=r"/sys/headrace: .*; give access there, or name another"):
        pipeline.run(
            fake.steps,
            Options(board="pynq-z2", model="m", data=Path("n"), out=Path("/sys/headrace")),
        )


def test_a_line_of_a_step_is_text(fake, monkeypatch):
    said = "[red]a\x1b[2J\nb[/red]"
    monkeypatch.setattr(sys.modules["finn_build.flow.steps.first"], "run", lambda build, out: said)
    fake.run(last="first")
    fake.run(last="first")
    for line in (fake.folder / "lines").read_text().splitlines():
        assert line.endswith(r"  [red]a\x1b[2J\nb[/red]")
