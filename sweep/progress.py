"""What a sweep is doing: a table that is kept up to date on a terminal, lines elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from headrace.terminal import line
from sweep.job import Job, Outcome

# Jobs between two lines where there is no terminal: for jobs that take seconds, and for the rest.
_QUICK = ("cost", "fit")
_LINE_EVERY = 100


class Progress:
    """Counts jobs by stage; use it as a context."""

    def __init__(self, console: Console, where: str) -> None:
        """Show on `console` what is done `where`."""
        self._console, self._where = console, where
        self._rows: list[list[float]] = []
        self._names: list[str] = []
        self._best: tuple[float, str] | None = None
        self._live = Live(console=console, get_renderable=self._table, transient=True)

    def __enter__(self) -> Progress:
        """Begin to show."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last state as lines."""
        if self._console.is_terminal:
            self._live.stop()
            self._console.print(self._table())

    def begin(self, stage: str, jobs: int) -> None:
        """A stage with so many jobs that are not done yet."""
        self._names.append(stage)
        self._rows.append([jobs, 0, 0, 0.0])
        if jobs and not self._console.is_terminal:
            self._say(f"{stage}: {jobs:,} jobs, {self._where}")

    def ended(self, job: Job, outcome: Outcome) -> None:
        """A job of this stage ended."""
        row = self._rows[-1]
        row[1] += 1
        row[2] += outcome.result is None
        row[3] += outcome.seconds
        found = outcome.result or {}
        if (
            job.kind == "quantise"
            and found
            and (not self._best or found["validation"] > self._best[0])
        ):
            self._best = (found["validation"], job.id)
        if self._console.is_terminal:
            return
        if outcome.error is not None:
            self._say(f"  {job.id} failed: {outcome.error.splitlines()[0]}")
        elif job.kind not in _QUICK:
            share = f", {found['validation']:.2%} held out" if "validation" in found else ""
            self._say(f"  {job.id} {outcome.seconds:,.1f} s{share}")
        elif row[1] % _LINE_EVERY == 0:
            self._say(f"  {row[1]:,.0f} of {row[0]:,.0f}")

    def _say(self, text: str) -> None:
        line(self._console, text)

    def _table(self) -> Table:
        best = f", best {self._best[0]:.2%} held out" if self._best else ""
        table = Table(title=f"{self._where}{best}", title_justify="left", box=None)
        table.add_column("stage")
        for name in ("jobs", "done", "failed", "s each"):
            table.add_column(name, justify="right")
        for name, (jobs, done, failed, seconds) in zip(self._names, self._rows, strict=True):
            seconds_each = f"{seconds / done:,.1f}" if done else ""
            table.add_row(name, f"{jobs:,}", f"{done:,}", f"{failed:,}", seconds_each)
        return table
