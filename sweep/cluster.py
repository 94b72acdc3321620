"""Jobs on Ray: on the cores of this machine, or on a cluster."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from typing import Any

from sweep import train
from sweep.config import Engine
from sweep.errors import EngineError
from sweep.job import Outcome, Place, Request
from sweep.work import execute

_ANSWER_SECONDS, _JOIN_SECONDS = 5.0, 45.0
_HINT = "start one with `ray start --head`, give --address HOST:PORT of its head, or leave it out"


def installed() -> bool:
    """Whether Ray is there."""
    return importlib.util.find_spec("ray") is not None


class RayWorkers:
    """Ray's workers; a job whose worker dies is given to another one."""

    def __init__(self, place: Place, engine: Engine, address: str | None, cores: int) -> None:
        """Join the cluster at `address`, or start one of `cores` cores here.

        Raises:
            EngineError: if Ray is not installed, the address does not answer, or no machine of the
                cluster has what a training is to get.
        """
        if not installed():
            raise EngineError(
                "Ray is not installed; `pip install 'headrace[cluster]'`, or leave --workers and "
                "--address out: one process then does all"
            )
        self._ray: Any = importlib.import_module("ray")
        self._engine = engine
        quiet = {"log_to_driver": False, "logging_level": "ERROR", "ignore_reinit_error": False}
        if address is None:
            self._ray.init(
                # Otherwise Ray would join any cluster that happens to run here.
                address="local",
                num_cpus=cores,
                include_dashboard=False,
                # With Ray's default of 15 any other program would starve a training.
                _system_config={"worker_niceness": 0},
                **quiet,
            )
        else:
            _need_answer(address)
            self._ray.init(address=address, **quiet)
        self._gpus = engine.gpus
        if self._gpus is None:
            self._gpus = 1.0 if self._ray.cluster_resources().get("GPU") else 0.0
        try:
            self._need_room()
        except EngineError:
            self.close()
            raise
        self._place = self._ray.put(place)
        self._execute = self._ray.remote(execute)
        self._running: dict[Any, str] = {}
        cpus = self._ray.cluster_resources().get("CPU", 0)
        self.name = f"Ray, {cpus:g} cores, {self._ray.cluster_resources().get('GPU', 0):g} GPUs"

    def _need_room(self) -> None:
        """Ray would wait for ever for a machine that is large enough."""
        wanted = {"CPU": float(self._engine.cpus), "GPU": self._gpus or 0.0}
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(all(node.get(k, 0) >= v for k, v in wanted.items()) for node in nodes):
            raise EngineError(
                f"engine: a training is to get {wanted['CPU']:g} cores and {wanted['GPU']:g} GPUs, "
                f"which no machine of the cluster has; use less in [engine], or more --workers"
            )

    def submit(self, request: Request) -> None:
        """Give a job to Ray, which starts it where there is room."""
        trains = request.kind in train.KINDS
        wants = {
            "num_cpus": self._engine.cpus if trains or request.kind == "build" else 1,
            "num_gpus": self._gpus if trains else 0,
            "max_retries": self._engine.retries,
            "name": request.id,
        }
        self._running[self._execute.options(**wants).remote(request, self._place)] = request.id

    def wait(self) -> list[Outcome]:
        """What ended; a job whose workers died more often than they may counts as ended."""
        ready, _ = self._ray.wait(list(self._running), num_returns=1)
        return [self._outcome(reference, self._running.pop(reference)) for reference in ready]

    def _outcome(self, reference: Any, job_id: str) -> Outcome:
        dead = (
            self._ray.exceptions.WorkerCrashedError,
            self._ray.exceptions.NodeDiedError,
            self._ray.exceptions.OutOfMemoryError,
        )
        try:
            outcome: Outcome = self._ray.get(reference)
        except dead as error:
            times = self._engine.retries + 1
            return Outcome(id=job_id, seconds=0.0, error=f"its worker died {times} times: {error}")
        return outcome

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._ray.shutdown()


def _need_answer(address: str) -> None:
    """Try the address in a process of its own: Ray tries for minutes, and cannot be told not to.

    Raises:
        EngineError: if nothing answers there, or it is not a cluster that lets us in.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address != "auto":
        if not host or not port.isdigit():
            raise EngineError(
                f"--address {address}: not HOST:PORT, ray://HOST:PORT or auto; {_HINT}"
            )
        try:
            socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()
        except OSError as error:
            raise EngineError(f"--address {address}: does not answer ({error}); {_HINT}") from error
    trial = [sys.executable, "-c", "import ray, sys; ray.init(address=sys.argv[1])", address]
    try:
        answer = subprocess.run(
            trial, capture_output=True, text=True, timeout=_JOIN_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"--address {address}: what answers there is not a Ray cluster, or does not let "
            f"this machine in; {_HINT}"
        ) from error
    if answer.returncode:
        if "AuthToken" in answer.stderr:
            raise EngineError(
                f"--address {address}: the cluster asks for a token; set RAY_AUTH_MODE=token and "
                "RAY_AUTH_TOKEN_PATH to the file that its head was started with"
            )
        last = answer.stderr.strip().splitlines()[-1:] or ["no message"]
        raise EngineError(f"--address {address}: no cluster there ({last[0]}); {_HINT}")
