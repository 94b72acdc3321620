"""Programs that end in the middle of a job: what the chip does, and what the next one finds."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys

import numpy as np
import plain_pynq as plain
import pytest

from finn_build.driver import Accelerator, errors
from finn_build.driver import board as driver_board
from finn_build.driver.command import main

TIMEOUT_S = 2e-3  # of the chip's time; a job of 128 images takes 0.5 ms
RUN = 150_000  # cycles of three jobs
READ, WRITE = 0, 1  # of Device.bursts
KILLS = [int(cycle) for cycle in np.random.default_rng(18).integers(0, RUN, 20)]


class Killed(BaseException):
    """In the place of SIGKILL, which no test survives."""


@pytest.fixture
def board(simulated, tmp_path):
    """A board that outlives the program; the kernel takes its memory back."""
    made = simulated.Device.active_device
    made.record = tmp_path / "record"
    return made


def kill(board, folder, tiny, cycle, monkeypatch):
    """Run three jobs and be killed once so many cycles have passed; the chip goes on."""
    accelerator, access, start = Accelerator(folder), board.access, board.clock()

    def dies(*arguments, **options):
        if (board.clock() - start) * board.mhz * 1e6 >= cycle:
            raise Killed
        return access(*arguments, **options)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(board, "access", dies)
        accelerator.predict(tiny.images[:384])
    atexit.unregister(accelerator._at_exit)
    board.allocated.clear()
    board.run(cycle % 997)


def half_sent(board, kind):
    """Let the chip go on to the middle of a burst."""
    for _ in range(RUN):
        if board.bursts[kind]:
            return board.run(1)
        board.run(1)
    raise AssertionError("no burst")


def works(folder, tiny):
    with Accelerator(folder, timeout_s=TIMEOUT_S) as accelerator:
        labels, logits = accelerator.predict(tiny.images[:100], logits=True)
        assert np.array_equal(labels, tiny.expected.labels[:100])
        assert np.array_equal(logits, tiny.expected.logits[:100])
        assert accelerator.registers.read("errors") == 0
    return True


@pytest.mark.parametrize("cycle", KILLS)
def test_the_next_100_images_after_a_kill_are_right(board, written, tiny, monkeypatch, cycle):
    kill(board, written, tiny, cycle, monkeypatch)
    assert works(written, tiny)
    assert board.cut == 0, "bursts were under way when the bitstream was loaded"


@pytest.mark.parametrize("kind", [READ, WRITE], ids=["read", "write"])
def test_a_burst_under_way_ends_before_the_next_bitstream(board, written, tiny, monkeypatch, kind):
    kill(board, written, tiny, 30_000, monkeypatch)
    half_sent(board, kind)
    board.latency(5000)  # longer than a few accesses take
    assert works(written, tiny)
    assert board.cut == 0


def test_without_the_reset_the_next_images_would_be_wrong(board, written, tiny, monkeypatch):
    """What the processors' port still wants of a burst comes from the next chip's."""
    monkeypatch.setattr(driver_board.Board, "_quiet", lambda board: None)
    kill(board, written, tiny, 30_000, monkeypatch)
    half_sent(board, WRITE)
    with pytest.raises((AssertionError, errors.JobTimeoutError)):
        works(written, tiny)
    assert board.cut > 0


def test_a_chip_of_others_is_left_alone(board, written, tiny, simulated, monkeypatch):
    """An access to registers that are not there would stop the processors."""
    kill(board, written, tiny, 1000, monkeypatch)
    access, load = board.access, board.load
    early = []
    monkeypatch.setattr(simulated.PL.__class__, "bitfile_name", "/home/xilinx/base.bit")
    monkeypatch.setattr(board, "access", lambda *a, **o: early.append(a[0]) or access(*a, **o))

    def loads(path):
        assert not [address for address in early if address >> 28 == 4], "the chip was accessed"
        load(path)

    monkeypatch.setattr(board, "load", loads)
    Accelerator(written).close()


def test_after_a_download_that_failed_no_chip_is_looked_for(board, written, monkeypatch):
    Accelerator(written).close()
    assert board.record.read_text() == board.bitfile

    def fails(path):
        raise OSError("Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(board, "load", fails)
        with pytest.raises(errors.BoardError, match="does not load it"):
            Accelerator(written)
    assert board.record.read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_resets_the_chip_on_the_way_out(
    board, written, tmp_path, monkeypatch, capsys, number
):
    access, count = board.access, 0

    def signals(address, value=None, **options):
        nonlocal count
        count += address == 0x4000_0000 + plain.JOBS
        if count == 20:
            os.kill(os.getpid(), number)
        return access(address, value, **options)

    # A runner under nohup would ignore SIGHUP, and so would the driver.
    before = signal.signal(number, signal.SIG_DFL)
    monkeypatch.setattr(board, "access", signals)
    try:
        with pytest.raises(SystemExit) as caught:
            main(written, ["--results", str(tmp_path / "results.json"), "accuracy"])
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert caught.value.code == 128 + number
    assert f"ended by {number.name}" in capsys.readouterr().err
    assert count == 20, "it was no job that was interrupted"
    assert access(0x4000_0000 + plain.STATUS) & 6 == 0, "the chip works on"
    assert not board.allocated


def test_a_signal_that_is_ignored_stays_so(board, written, tmp_path, monkeypatch):
    """As SIGHUP under nohup."""
    access = board.access

    def signals(*arguments, **options):
        os.kill(os.getpid(), signal.SIGHUP)
        return access(*arguments, **options)

    monkeypatch.setattr(board, "access", signals)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(written, ["--results", str(tmp_path / "results.json"), "accuracy"]) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


ENDS = """
import atexit, sys, numpy, pynq
from headrace_driver import Accelerator
board = pynq.Device.active_device
atexit.register(lambda: print("status", board.access(0x40000030), board.allocated))
accelerator = Accelerator({folder!r})
access = board.access
def stops(address, value=None, **options):
    if address == 0x40000040:
        raise KeyboardInterrupt
    return access(address, value, **options)
board.access = stops
try:
    accelerator.predict(accelerator.manifest.golden()["images"])
except KeyboardInterrupt:
    board.access = access
print("before", board.access(0x40000030))
"""


def test_a_program_that_closes_nothing_leaves_an_idle_chip(written, environment):
    done = subprocess.run(
        [sys.executable, "-c", ENDS.format(folder=str(written))],
        env={**environment, "PYTHONPATH": f"{environment['PYTHONPATH']}:{written}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["before 3", "status 1 {}"]
