"""Measure the overhead of a job: the engine, the table, and the way to a worker and back.

python -m sweep.overhead [JOBS] [CORES]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from sweep.cluster import RayWorkers, installed
from sweep.config import Engine
from sweep.engine import OneProcess, Workers, run
from sweep.job import Job, Place
from sweep.table import Table


def measure(workers: Workers, jobs: int, folder: Path) -> float:
    """Seconds of `jobs` jobs that do nothing, their results stored in a table in `folder`."""
    asked = [Job.of("nothing", {"n": number}) for number in range(jobs)]
    # The first job of a worker waits for its imports.
    run([Job.of("nothing", {"warm": n}) for n in range(16)], {}, workers, lambda job, outcome: None)
    with Table(folder, {}) as table:
        start = time.perf_counter()
        run(asked, {}, workers, lambda job, outcome: table.keep(job.kind, outcome))
        return time.perf_counter() - start


def main(jobs: int = 2000, cores: int = 2) -> None:
    """Measure one process, and Ray on `cores` cores where it is installed."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        place = Place(root=root, data=root, cache=root, command="overhead")
        teams: list[Workers] = [OneProcess(place)]
        if installed():
            teams.append(RayWorkers(place, Engine(), None, cores))
        for number, team in enumerate(teams):
            seconds = measure(team, jobs, root / str(number))
            print(f"{team.name}: {jobs:,} jobs, {1e3 * seconds / jobs:.2f} ms each")
            team.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
