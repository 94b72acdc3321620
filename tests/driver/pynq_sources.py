"""pynq's own Python, of every version that the driver supports, from its packages' archives."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

# Of the source archives at the package index.
SHA256 = {
    "2.7.0": "5bca29cbae7db358c84ca3629ff9d0ce24e90573339a880281b166bfd5a06dae",
    "3.0.1": "9c8833212ad91bbb8e95fb0bc76ee4f8deefff0780d02ea90845ea73afd54451",
    "3.1.2": "a4e59470641448a159ac0d40f74cbcc8870eda3285e63041cd83bc61299fd861",
    "4.0.0": "1f974f73b2ec473ab8ddcd2f91c7df975b239c3fd62d62bf21d46d1f91cf3f95",
}
# What of an archive is needed: not the overlays and the libraries of peripherals, 60 MB.
FOLDERS = ("pynq", "pynq/pl_server", "pynq/metadata", "pynq/_3rdparty")
# How pip says that it reaches no index, or one without the package.
UNREACHED = ("No matching distribution found", "ConnectionError", "Read timed out")


def source(version: str, cache: Path) -> Path:
    """The folder with a version's package pynq; skips the test where no index has it."""
    folder = cache / version
    if not folder.is_dir():
        _unpack(_download(version, cache), cache / f"{version}.part")
        (cache / f"{version}.part").rename(folder)
    return folder


def _download(version: str, cache: Path) -> Path:
    into = cache / f"{version}.archive"
    into.mkdir(parents=True, exist_ok=True)
    wanted = into / "wanted.txt"
    wanted.write_text(f"pynq=={version} --hash=sha256:{SHA256[version]}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "pynq"]
    command += ["--require-hashes", "--disable-pip-version-check", "--dest", into, "-r", wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode and any(text in done.stderr for text in UNREACHED):
        pytest.skip(f"no package index in reach has pynq {version}: {done.stderr[-500:]}")
    assert done.returncode == 0, done.stderr
    return into / f"pynq-{version}.tar.gz"


def _unpack(archive: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            path = Path(*Path(member.name).parts[1:])
            if member.isfile() and str(path.parent) in FOLDERS:
                contents = tar.extractfile(member)
                assert contents is not None
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(contents.read())
    shutil.rmtree(archive.parent)
