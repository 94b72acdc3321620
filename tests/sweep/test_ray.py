"""Two processes of a local Ray: workers and drivers that are killed lose nothing."""

import contextlib
import fcntl
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from sweep.cluster import RayWorkers, installed
from sweep.config import Engine
from sweep.errors import EngineError
from sweep.job import Place

pytestmark = pytest.mark.skipif(
    not installed(), reason="Ray is not installed; pip install 'headrace[cluster]'"
)
ROOT = Path(__file__).parents[2]
LIMIT_S = 900
# Long enough to be hit in the middle, a checkpoint every fraction of a second.
LONGER = ("float_epochs = 1", "float_epochs = 80")
COLUMNS = "id, state, why, filters, fps, lut, epochs, validation, accuracy"


def command(file, out, data, workers):
    words = [sys.executable, "-m", "sweep", file, "--out", out, "--data", data]
    words += ["--cache", out.parent / "cache", "--workers", workers]
    return [str(word) for word in words]


def start(file, out, data, workers=2):
    log = (out.parent / f"{out.name}.log").open("a")
    return subprocess.Popen(
        command(file, out, data, workers), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
    )


def finish(process, out):
    assert process.wait(LIMIT_S) == 0, (out.parent / f"{out.name}.log").read_text()[-3000:]


def until(what):
    end = time.monotonic() + LIMIT_S
    while not (found := what()):
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)
    return found


def table(out):
    with sqlite3.connect(out / "trials.sqlite") as base:
        trials = base.execute(f"SELECT {COLUMNS} FROM trials ORDER BY number").fetchall()
        jobs = base.execute("SELECT id, result FROM jobs ORDER BY id").fetchall()
    return trials, jobs


def begun(out):
    """Checkpoints of the float trainings, which are the first."""
    return list(out.glob("runs/float-*/float-state.safetensors"))


def trainers(process):
    """Workers of a driver that train a float network, as their title says."""
    found = []
    for each in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # zombies among them
            if any("ray::float" in word for word in each.cmdline()):
                found.append(each)
    return found


@pytest.fixture(scope="module")
def reference():
    """Keeps the table of a sweep that nobody disturbed, in one process."""
    return {}


@pytest.fixture
def sweep_file(write):
    return write(LONGER)


@pytest.fixture
def undisturbed(reference, sweep_file, data, tmp_path):
    if not reference:
        out = tmp_path / "undisturbed"
        finish(start(sweep_file, out, data, workers=1), out)
        reference["table"] = table(out)
    return reference["table"]


@pytest.mark.slow
def test_a_killed_worker(sweep_file, data, tmp_path, undisturbed):
    out = tmp_path / "out"
    process = start(sweep_file, out, data)
    until(lambda: begun(out))

    victim = until(lambda: trainers(process))[0]
    assert victim.nice() == 0, "it would starve beside other programs"
    assert not list(out.glob("runs/float-*/result.json")), "too late to hit a training"
    victim.kill()
    finish(process, out)
    assert table(out) == undisturbed


@pytest.mark.slow
def test_a_killed_driver(sweep_file, data, tmp_path, undisturbed):
    out = tmp_path / "out"
    process = start(sweep_file, out, data)
    until(lambda: list(out.glob("runs/float-*/result.json")))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: not _held(out))
    done = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/result.json")}
    assert done and len(done) < len(undisturbed[1])
    finish(start(sweep_file, out, data), out)
    assert table(out) == undisturbed
    for path, when in done.items():
        assert path.stat().st_mtime_ns == when, f"{path} was made twice"


def _held(out):
    """Whether a worker of the dead driver still has a run's folder."""
    for path in out.glob("runs/*/lock"):
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
    return False


@pytest.fixture
def join(tmp_path):
    """Ask for workers at an address."""

    def join_(address, **engine):
        place = Place(root=tmp_path, data=tmp_path, cache=tmp_path, command="test")
        RayWorkers(place, Engine(**engine), address, 2).close()

    return join_


def test_an_address_that_does_not_answer(join):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(EngineError) as raised:
        join(f"127.0.0.1:{port}")
    text = str(raised.value)
    assert text.startswith(f"--address 127.0.0.1:{port}: does not answer (")
    assert "start one with `ray start --head`" in text


def test_an_address_of_something_else(join, monkeypatch):
    monkeypatch.setattr("sweep.cluster._JOIN_SECONDS", 5.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepting = threading.Thread(target=server.accept, daemon=True)
        accepting.start()
        port = server.getsockname()[1]
        with pytest.raises(EngineError, match="what answers there is not a Ray cluster"):
            join(f"127.0.0.1:{port}")


def test_an_address_that_is_none(join):
    with pytest.raises(EngineError, match="--address nonsense: not HOST:PORT"):
        join("nonsense")


def test_more_than_any_machine_has(join):
    with pytest.raises(EngineError, match="4 cores and 0 GPUs, which no machine of the cluster"):
        join(None, cpus=4, gpus=0.0)
