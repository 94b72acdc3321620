"""The trial table on disk: SQLite, written by the driver alone, one transaction a change."""

from __future__ import annotations

import fcntl
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from sweep.design import Trial
from sweep.errors import TableError
from sweep.job import Outcome

NAME = "trials.sqlite"
FORMAT = 1
# A commit survives the driver's death without waiting for the disk; a machine that loses its power
# may lose the last ones, never the table. Others may read it meanwhile.
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS sweep (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, seconds REAL NOT NULL, result TEXT, error TEXT);
CREATE TABLE IF NOT EXISTS trials (
  id TEXT PRIMARY KEY, number INTEGER NOT NULL, design TEXT NOT NULL, seed INTEGER NOT NULL,
  settings TEXT NOT NULL, label TEXT NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL,
  filters TEXT, fps REAL, cycles INTEGER, latency_us REAL, lut INTEGER, bram36 REAL, dsp INTEGER,
  epochs INTEGER, validation REAL, accuracy REAL, test_images INTEGER, model TEXT,
  simulated_fps REAL, report TEXT);
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A trial as the table has it: its state, why it is in it, and its figures (docs/sweep.md)."""

    id: str
    state: str
    why: str
    label: str
    values: dict[str, Any]


def stored(folder: Path, key: str) -> Any:
    """What the table in a folder is bound to by a key; None where there is no such table or key."""
    if not (folder / NAME).is_file():
        return None
    base = sqlite3.connect(folder / NAME)
    try:
        found = base.execute("SELECT value FROM sweep WHERE key = ?", (key,)).fetchone()
    except sqlite3.DatabaseError:  # whoever opens it as a table says so
        return None
    finally:
        base.close()
    return json.loads(found[0]) if found else None


class Table:
    """The table of one sweep; `with` closes it. Only one process may have it open."""

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        """Open or make it; `identity` is what its rows depend on, plain JSON values.

        Raises:
            TableError: if it is of another sweep, is in use, or is not a trial table.
        """
        self.path = folder / NAME
        self.identity = {"format": FORMAT, **identity}
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / f"{NAME}.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise TableError(
                f"{self.path}: another sweep is at work on it; wait for it, or use another --out"
            ) from error
        self._base = sqlite3.connect(self.path)
        try:
            self._base.executescript(_SCHEMA)
            self._check()
        except sqlite3.DatabaseError as error:
            self.close()
            raise TableError(
                f"{self.path}: not a trial table ({error}); remove it, or use another --out"
            ) from error
        except TableError:
            self.close()
            raise

    def _check(self) -> None:
        stored = dict(self._base.execute("SELECT key, value FROM sweep"))
        wanted = {key: json.dumps(value, sort_keys=True) for key, value in self.identity.items()}
        if not stored:
            with self._base:
                self._base.executemany("INSERT INTO sweep VALUES (?, ?)", wanted.items())
            return
        for key in sorted(wanted.keys() | stored.keys()):
            if stored.get(key) != wanted.get(key):
                raise TableError(
                    f"{self.path}: of another sweep: its {key} is {stored.get(key, 'missing')}, "
                    f"here it is {wanted.get(key, 'missing')}; use another --out, or the "
                    "sweep.toml that it was made with"
                )

    def __enter__(self) -> Table:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close it, so that others may open it."""
        self._base.close()
        self._lock.close()

    def results(self) -> dict[str, dict[str, Any]]:
        """Result of each job that is done, by its id."""
        rows = self._base.execute("SELECT id, result FROM jobs WHERE result IS NOT NULL")
        return {job: json.loads(result) for job, result in rows}

    def seconds(self) -> dict[str, tuple[int, float]]:
        """Jobs that are done, and their seconds in all, by kind."""
        rows = self._base.execute(
            "SELECT kind, count(*), sum(seconds) FROM jobs WHERE result IS NOT NULL GROUP BY kind"
        )
        return {kind: (count, total) for kind, count, total in rows}

    def keep(self, kind: str, outcome: Outcome) -> None:
        """Store a job's outcome, in place of an earlier one."""
        result = None if outcome.result is None else json.dumps(outcome.result)
        row = (outcome.id, kind, outcome.seconds, result, outcome.error)
        with self._base:
            self._base.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?)", row)

    def add(self, trials: Iterable[Trial]) -> None:
        """Give every trial a row, all of them or none; those that have one keep it."""
        rows = [
            (t.id, n, t.design.id, t.seed, json.dumps(t.settings()), t.design.label)
            for n, t in enumerate(trials, 1)
        ]
        columns = "(id, number, design, seed, settings, label, state, why)"
        with self._base:
            self._base.executemany(
                f"INSERT OR IGNORE INTO trials {columns} VALUES (?, ?, ?, ?, ?, ?, 'waiting', '')",
                rows,
            )

    def update(self, rows: Iterable[tuple[Trial, dict[str, Any]]]) -> None:
        """Change columns of trials, all of them or none."""
        with self._base:
            for trial, values in rows:
                columns = ", ".join(f"{name} = ?" for name in values)
                self._base.execute(
                    f"UPDATE trials SET {columns} WHERE id = ?", (*values.values(), trial.id)
                )

    def rows(self) -> list[Row]:
        """All trials in the order of the space."""
        cursor = self._base.execute("SELECT * FROM trials ORDER BY number")
        names = [column[0] for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor]
        return [
            Row(**{key: row[key] for key in ("id", "state", "why", "label")}, values=row)
            for row in found
        ]
