"""How the three programs end: exit codes, one message, numbers that are none; as processes."""

import importlib
import inspect
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
import typer

import finn_build.system.names
import finn_build.system.program
import quant.program

ROOT = Path(__file__).parents[1]
PROGRAMS = ("finn_build", "quant", "sweep")
# A program that says "begun" on the pipe beside it and then waits.
WAITS = '#!/bin/sh\necho begun >"$0.pipe"\nexec sleep 60\n'


def program(*words, cwd, environment=None):
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def error_of(done):
    """All that it says; torch says at its start that CUDA's folder is there and no GPU."""
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if "No CUDA runtime" not in line]
    assert len(lines) == 1, done.stderr
    return lines[0]


def build_sh():
    """build.sh, where it finds the environment made; it would make another one."""
    stamp = ROOT / ".venv" / "headrace.stamp"
    if not stamp.is_file() or stamp.read_bytes() != (ROOT / "pyproject.toml").read_bytes():
        pytest.skip("the environment is not of build.sh's making")
    return ROOT / "build.sh"


@pytest.mark.parametrize("name", PROGRAMS)
def test_wrong_words_are_one_message(name, tmp_path):
    done = program(name, "export", "--wrong", cwd=tmp_path)
    assert done.returncode == 2
    assert error_of(done).startswith("error: No such ")
    assert done.stdout == ""


def test_without_words_it_is_help(tmp_path):
    done = program("finn_build", cwd=tmp_path)
    assert done.returncode == 0 and "--help" in done.stdout


def test_build_sh_hands_the_exit_code_on(tmp_path):
    for words in (["doctor", "--wrong"], ["train", "--wrong"], ["sweep", "lost.toml"]):
        command = [build_sh(), *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert error_of(done).startswith("error: ")


def test_a_negative_answer_is_1(tmp_path):
    done = program("finn_build", "doctor", cwd=tmp_path, environment={"PATH": str(tmp_path)})
    assert done.returncode == 1, done.stderr
    assert "MISSING  program    g++" in done.stdout


def interrupted(command, pipe, cwd):
    """Exit code and stderr of a process that gets Ctrl-C when somebody writes into the pipe."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    pipe.read_text()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    return process.returncode, error.decode()


def test_ctrl_c_in_a_tool_is_130(tmp_path):
    vivado = tmp_path / "bin" / "vivado"
    vivado.parent.mkdir()
    vivado.write_text(WAITS)
    vivado.chmod(0o755)
    pipe = vivado.with_name("vivado.pipe")
    os.mkfifo(pipe)
    for start in ([sys.executable, "-m", "finn_build"], [build_sh()]):
        command = [*start, "doctor", "--vivado", str(tmp_path)]
        code, error = interrupted(command, pipe, tmp_path)
        assert (code, error) == (130, "interrupted; the same command resumes\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["quant", "results"], "goes on, a training after its last finished epoch\n"),
        (["sweep", "run"], "interrupted; the same command goes on from here\n"),
    ],
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
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.decode().endswith(message) and b"Traceback" not in error


def test_ctrl_c_while_it_is_imported_is_130(tmp_path):
    """Of a package that stands in for a slow one, with the program's own __main__."""
    fake = tmp_path / "finn_build"
    (fake / "system").mkdir(parents=True)
    for name in ("__init__", "__main__", "system/__init__", "system/names", "system/program"):
        (fake / f"{name}.py").write_text((ROOT / "finn_build" / f"{name}.py").read_text())
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (fake / "cli.py").write_text(f"open({str(pipe)!r}, 'w').close()\nimport time\ntime.sleep(60)\n")
    code, error = interrupted([sys.executable, "-m", "finn_build"], pipe, tmp_path)
    assert (code, error) == (130, "interrupted\n")


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


@pytest.mark.parametrize("name", PROGRAMS)
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
                app.run([word, *needed, *option, value], (), interrupted="")
            error = capsys.readouterr().err
            assert stop.value.code == 2
            assert f"'{option[0]}': {float(value)} is not a finite number" in error
            tried += 1
    assert (tried > 0) == (name != "sweep")  # which has no option of that kind
    assert not list(tmp_path.iterdir())


def test_both_packages_end_the_same_way():
    """They do not import each other."""
    for name in ("_Command", "Program", "ending", "fail", "say", "reason"):
        ours, theirs = getattr(finn_build.system.program, name), getattr(quant.program, name)
        assert inspect.getsource(ours) == inspect.getsource(theirs)
    assert inspect.getsource(finn_build.system.names.printable) == inspect.getsource(
        quant.program.printable
    )
