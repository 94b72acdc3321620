"""The driver over pynq's own code, in every version: what it syncs, frees and leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import builds
import numpy as np
import pynq_sources
import pytest
from tiers import every

from finn_build.backends.bitfile import SYNC, Bitfile
from finn_build.system.files import load_json, save_json

FRAME, WORDS, COUNT = 192, 11, 300  # bytes of an image, words of its results, images
WHOLE = ("3.1.2", "4.0.0")  # sync buffers as a whole, which have 8 KB at least


@pytest.fixture(scope="session", params=every(3, pynq_sources.SHA256))
def pynq(request, locked):
    """A version, and where its code is."""
    cache = builds.BUILDS.with_name("pynq")
    with locked(cache):
        return request.param, pynq_sources.source(request.param, cache)


@pytest.fixture
def deploy(written, tmp_path):
    """The deploy folder with a .bit whose data names the simulated chip."""
    folder = tmp_path / "home" / "headrace"
    folder.parent.mkdir()
    shutil.copytree(written, folder)
    path = os.fsencode(folder / "tiny.so")
    data = b"\xff" * 32 + SYNC + path + bytes(-len(path) % 4)
    texts = {"design": "chip;Version=1", "part": "7z020clg400", "date": "d", "time": "t"}
    Bitfile(**texts, data=data).write(folder / "tiny.bit")
    manifest = load_json(folder / "manifest.json")
    save_json(folder / "manifest.json", {**manifest, "bitstream": "tiny.bit", "files": {}})
    return folder


@pytest.fixture
def board(pynq, deploy, tiny, tmp_path):
    """Run a program on a board with this version of pynq; returns what it did."""
    np.save(tmp_path / "images.npy", tiny.images[:COUNT])
    expected = {"labels": tiny.expected.labels[:COUNT], "logits": tiny.expected.logits[:COUNT]}
    np.savez(tmp_path / "expected.npz", **expected)
    work = tmp_path / "work"
    work.mkdir()
    code = shutil.copytree(pynq[1], tmp_path / "pynq")  # which keeps its state beside itself

    def run(where=work, **changes):
        case = {
            "pynq": str(code), "root": str(tmp_path / "root"), "deploy": str(deploy),
            "images": str(tmp_path / "images.npy"), "expected": str(tmp_path / "expected.npz"),
            "xrt": True, "pyxrt": True, "root_user": True, "readonly": None, "killed_at": None,
            "opens": 1, "before": None, **changes,
        }  # fmt: skip
        save_json(tmp_path / "case.json", case)
        command = [sys.executable, Path(__file__).with_name("pynq_program.py")]
        done = subprocess.run(
            [*command, tmp_path / "case.json"], cwd=where, capture_output=True, text=True,
            check=False, timeout=300, env={k: v for k, v in os.environ.items() if "XRT" not in k},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return {**json.loads(done.stdout.splitlines()[-1]), "stderr": done.stderr}

    return run


def between(log, first, last):
    """What happened from one mark to another."""
    names = [entry[0] for entry in log]
    return log[names.index(first) + 1 : names.index(last)]


def test_all_goes_well(board, pynq):
    made = board()
    assert made["error"] is None and made["right"] is True
    assert made["log"][0] == ["load", 200], "FCLK0 is set after the download, not before"
    assert made["mhz"] == 100
    assert set(made["registers"].values()) == {0}, "HP0 has 64 bits and no reset is held"
    synced = between(made["log"], "many", "one")
    few = [["flush", 8192], ["invalidate", 8192]]
    exact = [["flush", FRAME], ["invalidate", 4 * WORDS]]
    assert synced == (few if pynq[0] in WHOLE else exact)
    many = [size for what, size in between(made["log"], "begin", "many") if what == "flush"]
    assert many == [128 * FRAME] * 2 + [(128 if pynq[0] in WHOLE else COUNT - 256) * FRAME]
    assert made["files"] == [], "left in the working directory"
    kernels = "/sys/class/fpga_manager/fpga0"
    left = {path for path in made["written"] if path.startswith("/") and kernels not in path}
    assert {"/lib/firmware/tiny.bin", "/run/headrace"} <= left


def test_buffers_are_freed_or_used_again(board, pynq):
    made = board(opens=3)
    taken = sum(entry[0] == "allocate" for entry in made["log"])
    freed = sum(entry[0] == "free" for entry in made["log"])
    assert made["right"] is True and made["log"][-1][0] == "closed"
    left = made["log"][-1][1]
    if pynq[0] == "2.7.0":
        assert (taken, freed, left) == (16, 0, 16), "which pynq cannot free"
    else:
        assert (taken, freed, left) == (48, 48, 0)


def says_how_to_set_up(made):
    kind, text = made["error"]
    assert kind == "BoardError" and "run as root after `sudo -i`" in text
    files = ("/etc/profile.d/pynq_venv.sh", "/etc/profile.d/xrt_setup.sh")
    assert all(path in text for path in files), text
    return text


def test_without_xrts_environment(board):
    """As `sudo python3`, a command of ssh and cron have it."""
    assert "finds no board (No Devices Found)" in says_how_to_set_up(board(xrt=False))


def test_without_xrts_python(board, pynq):
    """The environment of another Python than the image's."""
    made = board(pyxrt=False)
    if pynq[0] in WHOLE:
        assert "pynq is not there" in (text := says_how_to_set_up(made)) and "pyxrt" in text
    else:
        assert made["right"] is True, "which have no use for it"


def test_as_another_user_than_root(board):
    assert "Permission denied" in says_how_to_set_up(board(root_user=False))


def test_a_working_directory_that_cannot_be_written_to(board, tmp_path):
    made = board(readonly=str(tmp_path / "work"))
    assert made["error"] is None and made["right"] is True and made["files"] == []


def test_a_relative_folder(board, deploy):
    made = board(where=deploy.parent, deploy=deploy.name)
    assert made["error"] is None and made["right"] is True
    assert made["files"] == [deploy.name]
    assert "multiple possible matches" not in made["stderr"]


def test_the_folder_of_the_last_bitstream_may_be_gone(board, deploy, tmp_path):
    """pynq 3.0 would load no other one."""
    shutil.copytree(deploy, before := tmp_path / "before")
    made = board(before=str(before))
    assert made["error"] is None and made["right"] is True


@pytest.mark.parametrize("killed_at", [150e-6, 700e-6])
def test_a_program_that_was_killed_in_the_middle_of_a_job(board, killed_at):
    made = board(killed_at=killed_at)
    assert made["error"] is None and made["right"] is True and made["cut"] == 0
    assert next(entry[1] for entry in made["log"] if entry[0] == "killed"), "no burst"
    assert [entry[0] for entry in made["log"]].count("load") == 2
    assert made["log"][-1][0] == "closed"
