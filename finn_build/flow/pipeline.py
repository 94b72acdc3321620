"""Run the steps of a build in order; a step whose inputs did not change is not done again."""

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from finn_build.config import Options
from finn_build.errors import ConfigError, FileError
from finn_build.flow import provenance
from finn_build.flow.lock import alone
from finn_build.system.files import load_json
from headrace.ending import reason
from headrace.names import printable
from headrace.progress import Listener, NotebookBar, nobody
from headrace.terminal import line

STATE = "state.json"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One named step.

    module: the module in finn_build.flow.steps whose `run(build, out)` does it and returns the text
    for its line; needs: earlier steps whose folders it reads; options: what else it depends on;
    chosen: modules that do a part of it for these options, and are imported by their names alone.
    """

    name: str
    needs: tuple[str, ...] = ()
    options: Callable[[Options], Any] = lambda options: None
    chosen: Callable[[Options], Sequence[ModuleType]] = lambda options: ()

    @property
    def module(self) -> ModuleType:
        """The module that does the step."""
        return import_module(f"finn_build.flow.steps.{self.name}")

    def code(self, options: Options) -> list[tuple[str, str]]:
        """Name and SHA-256 of each file that the step's code is in."""
        return provenance.fingerprint(self.module, *self.chosen(options))


@dataclass(kw_only=True)
class Build:
    """A build in progress: its options, where its steps keep their results, its progress bar.

    code: name and SHA-256 of every file that the code of its steps so far is in; done: the steps
    that were not done already; progress: told of each tick of a step.
    """

    options: Options
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    progress: Listener = nobody
    tick: Callable[[int, int], None] = lambda done, total: None

    @property
    def folder(self) -> Path:
        """Root of the build."""
        return self.options.folder

    def path(self, step: str, name: str = "") -> Path:
        """A file of an earlier step."""
        return self.folder / step / name

    def log(self, name: str) -> Path:
        """Where a tool's own output goes."""
        return self.folder / "logs" / f"{name}.log"


def run(
    steps: Sequence[Step],
    options: Options,
    *,
    first: str | None = None,
    last: str | None = None,
    console: Console | None = None,
    progress: Listener | None = None,
) -> Build:
    """Run steps up to `last`; those from `first` on run even where nothing changed.

    Every step writes into NAME.partial, which becomes NAME when it is complete, so that an
    interrupted build resumes with the step that it was in. Raises ConfigError for the name of no
    step, FileError where the folder cannot be written, and what the steps raise.
    """
    names = [s.name for s in steps]
    for wanted in (first, last):
        if wanted is not None and wanted not in names:
            raise ConfigError(f"unknown step {wanted!r}; steps: {', '.join(names)}")
    console = console or Console(highlight=False)
    build = Build(options=options)
    if progress is not None:
        build.progress = progress
    with _storage(build.folder), alone(build.folder):
        _run(steps, build, first, last, console)
    return build


def _run(
    steps: Sequence[Step], build: Build, first: str | None, last: str | None, console: Console
) -> None:
    state = _load_state(build.folder)
    forced = False
    for number, step in enumerate(steps, start=1):
        forced = forced or step.name == first
        head = f"[{number}/{len(steps)}] {step.name}"
        code = step.code(build.options)
        key = _key(step, build, code)
        record = state.get(step.name, {})
        if (
            not forced
            and record.get("key") == key
            and record.get("output") == digest(build.path(step.name))
        ):
            line(console, f"{head:<20} unchanged  {record['summary']}")
        else:
            record = _do(step, build, head, console)
            build.done.append(step.name)
            record["key"] = key
            state[step.name] = record
            _save_state(build.folder, state)
        build.records[step.name] = record
        build.code |= dict(code)
        if step.name == last:
            break


def _do(step: Step, build: Build, head: str, console: Console) -> dict[str, Any]:
    partial, final = build.folder / f"{step.name}.partial", build.path(step.name)
    for path in (partial, final):
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    _remove(partial)
    partial.mkdir(parents=True)
    start = time.monotonic()
    with _bar(step.name, head, build, console), _storage(partial):
        summary = printable(step.module.run(build, partial))
    seconds = time.monotonic() - start
    _remove(final)
    partial.rename(final)
    line(console, f"{head:<20} {seconds:7.1f} s  {summary}")
    return {"seconds": round(seconds, 1), "summary": summary, "output": digest(final)}


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _storage(place: Path) -> Iterator[None]:
    """Say of an OSError in the block what the system did not do, and where."""
    try:
        yield
    except OSError as error:
        raise FileError(reason(error, place)) from error


@contextmanager
def _bar(step: str, head: str, build: Build, console: Console) -> Iterator[None]:
    """Tell of a step's progress, by a bar too on a terminal or in a notebook."""
    build.tick = partial(build.progress, step)
    if console.is_jupyter:
        shown = NotebookBar(head)

        def note(done: int, total: int) -> None:
            shown.show(done, total)
            build.progress(step, done, total)

        build.tick = note
        try:
            yield
        finally:
            shown.close()
    elif not console.is_terminal:
        yield
    else:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(head, total=None)

            def tick(done: int, total: int) -> None:
                said = f"{head}  {done:,} of {total:,}"
                bar.update(task, completed=done, total=total, description=said)
                build.progress(step, done, total)

            build.tick = tick
            yield
    build.tick = lambda done, total: None


def digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files of a folder."""
    total = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(f"{file.relative_to(folder)}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _key(step: Step, build: Build, code: list[tuple[str, str]]) -> str:
    """What a step's result depends on: options, earlier results, and the code that does it."""
    parts = {
        "options": step.options(build.options),
        "needs": {name: build.records[name]["output"] for name in step.needs},
        "code": code,
        "version": metadata.version("headrace"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _load_state(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        state = load_json(folder / STATE)
    except (OSError, ValueError):
        return {}
    # A file that is not a record counts as no record: the step is done again.
    records = state.items() if isinstance(state, dict) else ()
    return {step: record for step, record in records if _is_record(record)}


def _is_record(record: Any) -> bool:
    kinds = {"key": str, "output": str, "summary": str, "seconds": float}
    return isinstance(record, dict) and all(isinstance(record.get(k), t) for k, t in kinds.items())


def _save_state(folder: Path, state: dict[str, dict[str, Any]]) -> None:
    temporary = folder / f"{STATE}.partial"
    temporary.write_text(json.dumps(state, indent=2) + "\n")
    temporary.replace(folder / STATE)
