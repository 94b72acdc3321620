"""Find and run external tools; their output goes to a log file."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from finn_build.errors import ToolError


def find(name: str, hint: str) -> Path:
    """Path of a program. Raises ToolError with a hint where it is missing."""
    found = shutil.which(name)
    if found is None:
        raise ToolError(f"{name} was not found on PATH; {hint}")
    return Path(found)


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    log: Path,
    path: Path | None = None,
    name: str | None = None,
    extra: Mapping[str, str] | None = None,
    limit_s: float | None = None,
) -> str:
    """Run a program, keep its output in `log` and return its stdout.

    path: a folder put in front of PATH; name: what to call the program in messages; extra: more
    environment variables; limit_s: how long it may take. Raises ToolError with the log's last 20
    lines if the program fails.
    """
    environment = {**os.environ, **(extra or {})}
    if path is not None:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    log.parent.mkdir(parents=True, exist_ok=True)
    name = name or Path(command[0]).name
    with log.open("w") as errors:
        try:
            done = subprocess.run(
                [str(c) for c in command],
                cwd=cwd,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                check=False,
                timeout=limit_s,
            )
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"{name} took longer than {limit_s:g} s; {log}") from error
        errors.write(done.stdout)
    if done.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise ToolError(f"{name} failed ({_why(done.returncode)}); {log}:\n{tail}")
    return done.stdout


def output(command: Sequence[str | Path]) -> str:
    """What a program that ends soon prints on stdout and stderr, whatever its exit status."""
    done = subprocess.run(
        [str(c) for c in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def _why(status: int) -> str:
    """An exit status in words: a number, or the signal that ended the program.

    A shell script around the program, as Vivado's, gives 128 more than the signal.
    """
    number = -status if status < 0 else status - 128
    if number not in set(signal.Signals):
        return str(status)
    name = signal.Signals(number).name
    return f"{name}, perhaps out of memory" if name == "SIGKILL" else name


def run_module(
    module: str,
    *arguments: str | Path,
    cwd: Path | None = None,
    log: Path,
    limit_s: float | None = None,
) -> str:
    """Run a Python module in a process of its own, with the interpreter that runs this program.

    limit_s: seconds after which it is ended.
    """
    command = [sys.executable, "-P", "-W", "ignore", "-m", module, *arguments]
    return run(command, cwd=cwd or Path.cwd(), log=log, name=module, limit_s=limit_s)
