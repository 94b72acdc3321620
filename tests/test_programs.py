"""How the command and its parts end: exit codes, one message, numbers that are none."""

import importlib
import inspect
import os
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import get_type_hints

import pytest
import typer
from tiers import every
from typer.main import get_command

from headrace import cli, program
from headrace.errors import HeadraceError
from headrace.examples import EXAMPLES

ROOT = Path(__file__).parents[1]
# What can be run, and where the commands are.
PROGRAMS = ("headrace", "quant", "sweep")
PARTS = ("finn_build", "quant", "sweep")
# Libraries that take seconds to import.
SLOW = ("torch", "brevitas", "onnx", "scipy", "matplotlib", "pyarrow")
# A program that says "begun" on the pipe beside it and then waits.
WAITS = '#!/bin/sh\necho begun >"$0.pipe"\nexec sleep 60\n'


def run(*words, cwd, environment=None):
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def error_of(done):
    """All that it says."""
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    return line


def build_sh():
    """build.sh, where it finds the environment made; it would make another one."""
    stamp = ROOT / ".venv" / "headrace.stamp"
    if not stamp.is_file() or stamp.read_bytes() != (ROOT / "pyproject.toml").read_bytes():
        pytest.skip("the environment is not of build.sh's making")
    return ROOT / "build.sh"


@pytest.mark.parametrize("name", PROGRAMS)
def test_wrong_words_are_one_message(name, tmp_path):
    done = run(name, "export", "--wrong", cwd=tmp_path)
    assert done.returncode == 2
    assert error_of(done).startswith("error: No such ")
    assert done.stdout == ""


def test_without_words_it_is_help(tmp_path):
    done = run("headrace", cwd=tmp_path)
    assert done.returncode == 0 and "--help" in done.stdout


def test_build_sh_hands_the_exit_code_on(tmp_path):
    for words in (["doctor", "--wrong"], ["train", "--wrong"], ["sweep", "lost.toml"]):
        command = [build_sh(), *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert error_of(done).startswith("error: ")


def test_a_folder_of_our_name_does_not_stand_in_for_the_package(tmp_path):
    """As where the caller stands above a clone."""
    (tmp_path / "headrace").mkdir()
    done = subprocess.run(
        [build_sh(), "pynq-z2", "--to", "export", "--out", "made"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "made" / "export" / "model.onnx").is_file()


def test_it_says_which_version_it_is(tmp_path):
    done = run("headrace", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"headrace {metadata.version('headrace')}\n")


def test_every_command_shows_an_example_that_can_be_given(capsys, monkeypatch):
    """Its words are taken as they are; what they name need not be there."""
    whole = get_command(cli.app)
    words = {
        *(name for name in whole.commands if name != "sweep"),
        *(f"sweep {name}" for name in whole.commands["sweep"].commands),
    }
    assert set(EXAMPLES) == words
    monkeypatch.setenv("COLUMNS", "160")
    for name, example in EXAMPLES.items():
        cli.app.run([*name.split(), "--help"])
        assert f"Example: {example}" in capsys.readouterr().out, name
    done = []
    monkeypatch.setattr(program._Command, "invoke", lambda _, ctx: done.append(ctx.command_path))
    for example in EXAMPLES.values():
        assert example.startswith("headrace ")
        cli.app.run(example.split()[1:])
    start = done[0].removesuffix("build")  # how this process was started
    assert [path.removeprefix(start) for path in done] == list(EXAMPLES)


TALKS = """
import logging, warnings
warnings.warn("an experimental feature", UserWarning)
logging.getLogger("torch.some.module").warning("No CUDA runtime is found")
def main():
    logging.getLogger("torch.some.module").error("broken")
    print("done")
"""


@pytest.mark.parametrize(("flags", "shown"), [((), False), (("-W", "default"), True)])
def test_what_libraries_say_to_programmers_is_not_on_the_terminal(tmp_path, flags, shown):
    (tmp_path / "talks.py").write_text(TALKS)
    start = "from headrace.__main__ import main; main('talks')"
    done = subprocess.run(
        [sys.executable, *flags, "-c", start],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "done\n" and "broken" in done.stderr
    assert ("experimental" in done.stderr) == ("No CUDA" in done.stderr) == shown


def test_an_option_may_come_before_the_board(tmp_path):
    done = run("headrace", "--to", "nowhere", "pynq-z2", cwd=tmp_path)
    assert done.returncode == 2 and "nowhere" in error_of(done)


def test_a_group_without_words_is_its_help(tmp_path):
    done = run("headrace", "sweep", cwd=tmp_path)
    assert done.returncode == 0 and "--help" in done.stdout


def test_a_negative_answer_is_1(tmp_path):
    done = run("headrace", "doctor", cwd=tmp_path, environment={"PATH": str(tmp_path)})
    assert done.returncode == 1, done.stderr
    assert "MISSING  program    g++" in done.stdout


def interrupted(command, pipe, cwd):
    """Exit code and stderr of a program that gets Ctrl-C when somebody writes into the pipe.

    As from a terminal, its tools get it with it: what it waits for ends, so that the signal is
    seen even if it came just before a wait began.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    pipe.read_text()
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    return process.returncode, error.decode()


def test_ctrl_c_in_a_tool_is_130(tmp_path):
    vivado = tmp_path / "bin" / "vivado"
    vivado.parent.mkdir()
    vivado.write_text(WAITS)
    vivado.chmod(0o755)
    pipe = vivado.with_name("vivado.pipe")
    os.mkfifo(pipe)
    for start in ([sys.executable, "-m", "headrace"], [build_sh()]):
        command = [*start, "doctor", "--vivado", str(tmp_path)]
        code, error = interrupted(command, pipe, tmp_path)
        assert (code, error) == (130, "interrupted; the same command resumes\n")


@pytest.mark.parametrize(
    ("words", "message"),
    every(
        3,
        [
            (["headrace", "series"], "goes on, a training after its last finished epoch\n"),
            (["headrace", "sweep"], "interrupted; the same command goes on from here\n"),
            (["sweep", "run"], "interrupted; the same command goes on from here\n"),
        ],
    ),
)
def test_ctrl_c_is_130(tmp_path, words, message):
    pipe = tmp_path / "pipe"  # the program waits for its contents
    os.mkfifo(pipe)
    process = subprocess.Popen(
        [sys.executable, "-m", *words, pipe],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )
    with pipe.open("w"):
        process.send_signal(signal.SIGINT)
    # The pipe's end wakes a reader that got the signal just before it began to wait: Python
    # looks for signals between its instructions, not inside of one.
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.decode().endswith(message) and b"Traceback" not in error


def test_ctrl_c_while_it_is_imported_is_130(tmp_path):
    """Of a package that stands in for a slow one, with the program's own beginning."""
    fake = tmp_path / "headrace"
    fake.mkdir()
    for name in ("__init__", "__main__", "ending", "errors", "names"):
        (fake / f"{name}.py").write_text((ROOT / "headrace" / f"{name}.py").read_text())
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    waits = "import time\nwhile True: time.sleep(0.1)\n"
    (fake / "cli.py").write_text(f"open({str(pipe)!r}, 'w').close()\n{waits}")
    code, error = interrupted([sys.executable, "-m", "headrace"], pipe, tmp_path)
    assert (code, error) == (130, "interrupted\n")


def test_help_waits_for_no_library(tmp_path):
    """Whatever a command needs is imported when it is called; its options need none of it."""
    code = "import sys, headrace.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"typer", "quant.cli"} <= set(done.stdout.split())
    assert set(done.stdout.split()).isdisjoint(SLOW)


def test_a_word_that_is_no_command_is_a_board(tmp_path):
    done = run("headrace", "pynq-z9", "--images", "5", cwd=tmp_path)
    assert done.returncode == 2
    assert error_of(done).startswith("error: unknown board 'pynq-z9'; known boards: arty-z7-10, ")


def test_every_command_is_there_and_results_are_of_both_packages(tmp_path, monkeypatch):
    parts = {name: importlib.import_module(f"{name}.cli").app for name in PARTS}

    def named(app):
        return {each.name or each.callback.__name__ for each in app.registered_commands}

    assert named(cli.app) == named(parts["finn_build"]) | named(parts["quant"]) | {"results"}
    assert [group.typer_instance for group in cli.app.registered_groups] == [parts["sweep"]]
    monkeypatch.setattr("quant.results.Pages.write", lambda _: done.append("models"))
    monkeypatch.setattr("finn_build.pages.results.write", lambda *_: done.append("builds"))
    monkeypatch.setattr("finn_build.pages.results.current", lambda _: done.append("current"))
    monkeypatch.setattr("finn_build.pages.results.check", lambda _: None)
    monkeypatch.setattr("finn_build.pages.overview.write", lambda: done.append("picture"))
    monkeypatch.setattr(cli, "say", lambda _: None)
    done = []
    cli.app.run(["results"])
    assert done == ["models", "picture", "current"]
    cli.app.run(["results", "report.json"])
    assert done[3:] == ["models", "builds", "picture"]


@pytest.mark.parametrize(
    ("started_as", "said"),
    [
        ("/a/bin/headrace", "headrace prune --seed 1"),
        ("/a/headrace/__main__.py", "headrace prune --seed 1"),
        ("/a/quant/__main__.py", "python -m quant prune --seed 1"),
    ],
)
def test_a_record_names_the_command_as_it_can_be_given_again(monkeypatch, started_as, said):
    monkeypatch.setattr(sys, "argv", [started_as, "prune", "--seed", "1"])
    assert program.command_line() == said


@pytest.mark.parametrize("package", PARTS)
def test_all_errors_are_of_one_tree_that_their_file_draws(package):
    module = importlib.import_module(f"{package}.errors")
    own = {n: e for n, e in vars(module).items() if inspect.isclass(e)}
    whole = importlib.import_module("headrace.errors").__doc__
    for name, error in own.items():
        assert issubclass(error, HeadraceError)
        assert name in module.__doc__ and name in whole


def options(function):
    """Names of a command's options that are numbers with a point, and of those that it needs."""
    numbers, needed = [], []
    defaults = inspect.signature(function).parameters
    for name, hint in get_type_hints(function, include_extras=True).items():
        if name == "return":
            continue
        kind, info = hint.__origin__, hint.__metadata__[0]
        words = [f"--{name.replace('_', '-')}"]
        if isinstance(info.default, str) and info.default.startswith("--"):
            words = [info.default]
        if kind in (float, float | None):
            numbers.append(words)
        elif defaults[name].default is inspect.Parameter.empty:
            needed += ["x"] if isinstance(info, typer.models.ArgumentInfo) else [*words, "x"]
    return numbers, needed


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("value", ["nan", "-inf", "1e999"])
def test_every_number_is_a_number(name, value, capsys, tmp_path, monkeypatch):
    """Found by the programs' own signatures, so that an option that joins is tried too."""
    monkeypatch.chdir(tmp_path)
    app, tried = importlib.import_module(f"{name}.cli").app, 0
    for command in app.registered_commands:
        word = command.name or command.callback.__name__
        numbers, needed = options(command.callback)
        for option in numbers:
            with pytest.raises(SystemExit) as stop:
                app.run([word, *needed, *option, value])
            error = capsys.readouterr().err
            assert stop.value.code == 2
            assert f"'{option[0]}': {float(value)} is not a finite number" in error
            tried += 1
    assert (tried > 0) == (name != "sweep")  # which has no option of that kind
    assert not list(tmp_path.iterdir())
