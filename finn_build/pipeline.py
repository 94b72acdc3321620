"""Run the steps of a build in order; a step whose inputs did not change is not done again."""

import ast
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from finn_build.config import Options
from finn_build.errors import ConfigError

STATE = "state.json"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One named step.

    module: the module in finn_build.steps whose `run(build, out)` does it and returns the text for
    its line; needs: earlier steps whose folders it reads; options: what else it depends on.
    """

    name: str
    needs: tuple[str, ...] = ()
    options: Callable[[Options], Any] = lambda options: None

    @property
    def module(self) -> ModuleType:
        """The module that does the step."""
        return import_module(f"finn_build.steps.{self.name}")


@dataclass(kw_only=True)
class Build:
    """A build in progress: its options, where its steps keep their results, its progress bar."""

    options: Options
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
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
) -> Build:
    """Run steps up to `last`, again from `first` on even where nothing changed.

    Every step writes into NAME.partial, which becomes NAME when it is complete, so that an
    interrupted build resumes with the step that it was in.
    """
    names = [s.name for s in steps]
    for wanted in (first, last):
        if wanted is not None and wanted not in names:
            raise ConfigError(f"unknown step {wanted!r}; steps: {', '.join(names)}")
    console = console or Console(highlight=False)
    build = Build(options=options)
    state = _load_state(build.folder)
    forced = False
    for number, step in enumerate(steps, start=1):
        forced = forced or step.name == first
        head = f"[{number}/{len(steps)}] {step.name}"
        key = _key(step, build)
        record = state.get(step.name, {})
        if (
            not forced
            and record.get("key") == key
            and record.get("output") == digest(build.path(step.name))
        ):
            line = f"{head:<20} unchanged  {record['summary']}"
            console.print(line, markup=False, soft_wrap=True)
        else:
            record = _do(step, build, head, console)
            record["key"] = key
            state[step.name] = record
            _save_state(build.folder, state)
        build.records[step.name] = record
        if step.name == last:
            break
    return build


def _do(step: Step, build: Build, head: str, console: Console) -> dict[str, Any]:
    partial = build.folder / f"{step.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    start = time.monotonic()
    with _bar(head, build, console):
        summary = step.module.run(build, partial)
    seconds = time.monotonic() - start
    final = build.path(step.name)
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    console.print(f"{head:<20} {seconds:7.1f} s  {summary}", markup=False, soft_wrap=True)
    return {"seconds": round(seconds, 1), "summary": summary, "output": digest(final)}


@contextmanager
def _bar(head: str, build: Build, console: Console) -> Iterator[None]:
    """Show a progress bar on a terminal while a step runs; `build.tick` moves it."""
    if not console.is_terminal:
        yield
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(head, total=None)
        build.tick = lambda done, total: progress.update(task, completed=done, total=total)
        yield
    build.tick = lambda done, total: None


def digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files of a folder."""
    total = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(f"{file.relative_to(folder)}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _key(step: Step, build: Build) -> str:
    """What a step's result depends on: options, earlier results, and the code that does it."""
    parts = {
        "options": step.options(build.options),
        "needs": {name: build.records[name]["output"] for name in step.needs},
        "code": [
            [p.name, hashlib.sha256(p.read_bytes()).hexdigest()] for p in sources(step.module)
        ],
        "version": metadata.version("headrace"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def sources(module: ModuleType) -> list[Path]:
    """Files that a module is made of: its own, those it imports from finn_build, and its data."""
    found: dict[str, Path] = {}
    waiting = [module.__name__]
    while waiting:
        name = waiting.pop()
        if name in found or name.startswith("finn_build.pipeline"):
            continue
        path = Path(import_module(name).__file__ or "")
        found[name] = path
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("finn_build"):
                waiting.append(node.module or "")
                for alias in node.names:
                    child = f"{node.module}.{alias.name}"
                    if _is_module(child):
                        waiting.append(child)
        found.update({f"{name}:{p}": p for p in getattr(import_module(name), "FILES", ())})
    return [found[name] for name in sorted(found)]


def _is_module(name: str) -> bool:
    root = Path(__file__).parent.parent
    path = root.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def _load_state(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        state: dict[str, dict[str, Any]] = json.loads((folder / STATE).read_text())
    except (OSError, ValueError):
        return {}
    return state


def _save_state(folder: Path, state: dict[str, dict[str, Any]]) -> None:
    temporary = folder / f"{STATE}.partial"
    temporary.write_text(json.dumps(state, indent=2) + "\n")
    temporary.replace(folder / STATE)
