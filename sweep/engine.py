"""Do jobs on the workers there are, each after those whose results it needs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from sweep.job import Job, Outcome, Place, Request, in_order
from sweep.work import execute


class Workers(Protocol):
    """Who does the jobs."""

    name: str

    def submit(self, request: Request) -> None:
        """Take a job; it may begin now or later."""

    def wait(self) -> list[Outcome]:
        """Outcomes of jobs that ended, one or more; called only while there are jobs."""

    def close(self) -> None:
        """Leave."""


class OneProcess:
    """This process, one job after the other."""

    name = "one process"

    def __init__(self, place: Place) -> None:
        """Work in `place`."""
        self._place = place
        self._taken: deque[Request] = deque()

    def submit(self, request: Request) -> None:
        """Take a job."""
        self._taken.append(request)

    def wait(self) -> list[Outcome]:
        """Do the next job."""
        return [execute(self._taken.popleft(), self._place)]

    def close(self) -> None:
        """Nothing to leave."""


def run(
    jobs: Iterable[Job],
    done: dict[str, dict[str, Any]],
    workers: Workers,
    ended: Callable[[Job, Outcome], None],
) -> dict[str, str]:
    """Do jobs and all that they need, except those that are done.

    Args:
        jobs: what is wanted.
        done: results by job id; those of the jobs that are done now join them.
        workers: who does them.
        ended: called for each job as it ends, before any other begins that needs it.

    Returns:
        For each job that has no result, why, by its id.
    """
    left = {job.id: job for job in in_order(jobs) if job.id not in done}
    needs = {job.id: {p.id for p in job.parents if p.id in left} for job in left.values()}
    children: dict[str, list[Job]] = {job_id: [] for job_id in left}
    for job in left.values():
        for need in needs[job.id]:
            children[need].append(job)
    failed: dict[str, str] = {}
    ready = [job for job in left.values() if not needs[job.id]]
    begun = 0
    while ready or begun:
        for job in ready:
            workers.submit(_request(job, done))
        begun += len(ready)
        ready = []
        for outcome in workers.wait():
            job = left[outcome.id]
            begun -= 1
            ended(job, outcome)
            if outcome.result is None:
                failed[job.id] = outcome.error or "no result"
                _drop(job, children, failed)
                continue
            done[job.id] = outcome.result
            for child in children[job.id]:
                needs[child.id].discard(job.id)
                if not needs[child.id] and child.id not in failed:
                    ready.append(child)
    return failed


def _request(job: Job, done: dict[str, dict[str, Any]]) -> Request:
    parents = [done[parent.id] for parent in job.parents]
    return Request(id=job.id, kind=job.kind, settings=job.settings, parents=parents)


def _drop(lost: Job, children: dict[str, list[Job]], failed: dict[str, str]) -> None:
    """Mark all jobs that need a lost one, and those that need these."""
    for child in children[lost.id]:
        failed.setdefault(child.id, f"{lost.id}: {failed[lost.id]}")
        _drop(child, children, failed)
