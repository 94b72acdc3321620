"""What a worker does: one job, once, wherever it runs."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from finn_build.boards import Resources
from finn_build.system.threads import threads
from quant import distributed
from quant.config_json import network_from_json, quantisation_from_json
from quant.files import write_json
from sweep import build, fold, train
from sweep.design import Limits
from sweep.errors import FailedError, HeadraceError
from sweep.fitting import fit, losses
from sweep.hardware import cost
from sweep.job import Outcome, Place, Request

_RESULT = "result.json"
# Errors of one job that do not concern the others; RuntimeError is PyTorch's, for example when a
# GPU has no memory left.
_FAILURES = (HeadraceError, OSError, MemoryError, RuntimeError)


def execute(request: Request, place: Place) -> Outcome:
    """Do a job, or wait for the worker that does it already; errors are part of the outcome."""
    start = time.monotonic()
    result, error = None, None
    try:
        result = _KINDS[request.kind](request, place)
    except _FAILURES as failure:
        error = f"{type(failure).__name__}: {failure}"
    seconds = round(time.monotonic() - start, 3)
    return Outcome(id=request.id, seconds=seconds, result=result, error=error)


def _cost(request: Request, place: Place) -> dict[str, Any]:
    settings = request.settings
    return cost(
        network_from_json(settings["network"], request.id),
        quantisation_from_json(settings["quantisation"], request.id),
        Limits.of(settings),
    )


def _fit(request: Request, place: Place) -> dict[str, Any]:
    settings = request.settings
    network = network_from_json(settings["network"], request.id)
    probe = request.parents[0] if request.parents else None
    result = fit(
        network,
        quantisation_from_json(settings["quantisation"], request.id),
        Resources(**settings["room"]),
        settings["cycles"],
        losses(network, settings["block"], probe),
    )
    return {**asdict(result), "filters": list(result.filters)}


def _kept(run: Callable[[Request, Place], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """`run`, its result kept in the job's folder, so that no other worker does it again.

    A worker whose driver died may still be at it: the next one waits for its lock, which the
    system takes back from a process that ends.
    """

    def once(request: Request, place: Place) -> dict[str, Any]:
        folder = place.folder(request.id)
        with _alone(folder):
            path = folder / _RESULT
            if not path.exists():
                write_json(path, run(request, place))
            found: dict[str, Any] = json.loads(path.read_text())
            return found

    return once


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _train(request: Request, place: Place) -> dict[str, Any]:
    """Train here, or in several processes that torchrun starts."""
    if place.processes == 1:
        with threads(place.cpus):
            return train.run(request, place)
    folder = place.folder(request.id)
    asked = {"request": asdict(request), "place": asdict(place)}
    (folder / "request.json").write_text(json.dumps(asked, default=str))
    launcher = ["torch.distributed.run", "--standalone", f"--nproc-per-node={place.processes}"]
    command = [sys.executable, "-m", *launcher, "-m", "sweep.work", str(folder)]
    with (folder / "torchrun.log").open("w") as log:
        status = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
    if status:
        lines = (folder / "torchrun.log").read_text(errors="replace").splitlines()
        last = next((x for x in reversed(lines) if "Error" in x), "no message")
        raise FailedError(f"torchrun ended with {status} ({last.strip()}); see {log.name}")
    result: dict[str, Any] = json.loads((folder / "trained.json").read_text())
    return result


def _main(folder: Path) -> None:
    """One of torchrun's processes."""
    asked = json.loads((folder / "request.json").read_text())
    paths = {key: Path(asked["place"][key]) for key in ("root", "data", "cache")}
    size = asked["place"]["size"] and tuple(asked["place"]["size"])
    place = Place(**{**asked["place"], **paths, "size": size})
    torch.set_num_threads(max(1, place.cpus // place.processes))
    result = train.run(Request(**asked["request"]), place)
    if distributed.rank() == 0:
        write_json(folder / "trained.json", result)


_KINDS: dict[str, Callable[[Request, Place], dict[str, Any]]] = {
    "cost": _cost,
    "fit": _fit,
    "fold": _kept(fold.run),
    "build": _kept(build.run),
    "nothing": lambda request, place: {},
    **{kind: _kept(_train) for kind in train.KINDS},
}

if __name__ == "__main__":
    _main(Path(sys.argv[1]))
