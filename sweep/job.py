"""Jobs: what a sweep computes, each with an id that follows from its settings and its parents'.

A job that is needed by many trials is one job. What it computes is a plain JSON table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from quant.config import Colour
from sweep.design import digest


@dataclass(frozen=True)
class Job:
    """One job: its kind, its settings as JSON text, and the jobs whose results it needs."""

    kind: str
    text: str
    parents: tuple[Job, ...] = ()

    @classmethod
    def of(cls, kind: str, settings: dict[str, Any], *parents: Job) -> Job:
        """A job of plain JSON settings."""
        return cls(kind, json.dumps(settings, sort_keys=True), parents)

    @cached_property
    def id(self) -> str:
        """KIND-DIGEST; equal jobs have equal ids."""
        return f"{self.kind}-{digest([self.text, [parent.id for parent in self.parents]])}"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings."""
        read: dict[str, Any] = json.loads(self.text)
        return read


def in_order(jobs: Iterable[Job]) -> list[Job]:
    """All jobs and their parents, each once, parents first."""
    found: dict[str, Job] = {}

    def add(job: Job) -> None:
        if job.id not in found:
            for parent in job.parents:
                add(parent)
            found[job.id] = job

    for job in jobs:
        add(job)
    return list(found.values())


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where and on what jobs run; changes no result.

    root: the sweep's folder, which every machine sees; data, size, colour, cache: the data set, as
    `quant.data.open_data` takes it; command: for the records of trained models; the rest as in
    `config.Engine`.
    """

    root: Path
    data: Path
    cache: Path
    command: str
    device: str = "auto"
    compiled: bool = True
    cpus: int = 1
    processes: int = 1
    size: tuple[int, int] | None = None
    colour: Colour = "auto"

    def folder(self, job_id: str) -> Path:
        """Where a job keeps its files."""
        return self.root / "runs" / job_id


@dataclass(frozen=True, kw_only=True)
class Request:
    """A job as it goes to a worker: with the results of its parents, in their order."""

    id: str
    kind: str
    settings: dict[str, Any]
    parents: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What comes back: the result, or why there is none."""

    id: str
    seconds: float
    result: dict[str, Any] | None = None
    error: str | None = None
