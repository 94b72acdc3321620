"""The wheel, as `pip install` leaves it: `headrace` on PATH, in any folder, without the checkout.

It is installed in an environment of its own that sees the packages of this one, so that nothing is
downloaded. Whatever Python opens there is written down: nothing of the checkout may be among it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from finn_build.flow import provenance
from finn_build.flow.steps.plan import STEPS

ROOT = Path(__file__).parents[1]
PACKAGES = ("finn_build", "headrace", "quant", "rtl_templates", "sweep")
# What tells where the checkout is, in this process.
ENVIRONMENT = ("PYTHONPATH", "OBJCACHE")
WATCH = """
import os, sys
def _watch(event, words, root={root!r}, shared={shared!r}, found={found!r}):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(words[0], (str, bytes)):
        path = os.path.abspath(os.fsdecode(words[0]))
        if path.startswith(root) and not path.startswith(shared):
            with open(found, "a") as file:
                file.write(path + "\\n")
sys.addaudithook(_watch)
"""
CODE = """
import json
from finn_build.flow.steps.plan import STEPS
from finn_build.flow import provenance
print(json.dumps([provenance.fingerprint(step.module) for step in STEPS]))
"""


def built(source: Path, kind: str, out: Path) -> Path:
    """The wheel or sdist of a source tree, by pyproject.toml's own backend, in this environment."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (made,) = out.iterdir()
    return made


def tracked(*below: str) -> set[str]:
    """Files of the repository that git does not ignore; a tree that is no checkout lists none."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    done = subprocess.run(
        ["git", "ls-files", "-zco", "--exclude-standard", *below],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return {name for name in done.stdout.split("\0") if (ROOT / name).is_file()}


@dataclass(frozen=True)
class Installed:
    """An environment in which the wheel is, and a file with what was read of the checkout."""

    folder: Path

    def run(self, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of it."""
        environment = {k: v for k, v in os.environ.items() if k not in ENVIRONMENT}
        environment["PATH"] = f"{self.folder / 'bin'}:{environment['PATH']}"
        return subprocess.run(
            words, cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )

    @property
    def read(self) -> list[str]:
        """Files of the checkout that its programs opened."""
        path = self.folder / "read.txt"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return built(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    return built(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    # `--python` tells pip where to; it is this environment's.
    install = ["install", "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)]
    pip = [sys.executable, "-m", "pip", "--python", str(python), *install]
    subprocess.run(pip, check=True, capture_output=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    shared = {name: sysconfig.get_path(name) for name in ("purelib", "platlib")}
    # A folder that is named in a .pth file comes after the wheel's, and its own .pth files, which
    # lead to the checkout, do not count.
    lines = [*dict.fromkeys(shared.values()), "import headrace_watch"]
    (packages / "shared.pth").write_text("\n".join([*lines, ""]))
    watch = WATCH.format(
        root=f"{ROOT}/", shared=f"{ROOT / '.venv'}/", found=str(folder / "read.txt")
    )
    (packages / "headrace_watch.py").write_text(watch)
    return Installed(folder)


def test_a_wheel_has_every_file_of_its_packages(wheel):
    names = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    assert names == tracked(*PACKAGES)


def test_a_source_distribution_has_every_file_of_the_repository(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names - {"PKG-INFO"} == tracked()


def test_a_wheel_of_the_source_distribution_is_the_trees(wheel, sdist, tmp_path):
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    assert built(source, "wheel", tmp_path / "out").read_bytes() == wheel.read_bytes()


def test_it_watches_what_is_read(installed, tmp_path):
    """Or the others would find nothing, whatever was read."""
    installed.run("python", "-c", f"open({str(ROOT / 'README.md')!r})", cwd=tmp_path)
    assert installed.read == [str(ROOT / "README.md")]
    (installed.folder / "read.txt").unlink()


def test_the_command_is_there(installed, tmp_path):
    done = installed.run("headrace", "--version", cwd=tmp_path)
    assert done.stdout == f"headrace {metadata.version('headrace')}\n", done.stderr
    assert "pynq-z2" in installed.run("headrace", "build", "--help", cwd=tmp_path).stdout


def test_its_code_is_the_trees(installed, tmp_path):
    """So a build is the same, and so is what it reads: templates, boards, modules, benches."""
    done = installed.run("python", "-c", CODE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    tree = [provenance.fingerprint(step.module) for step in STEPS]
    assert json.loads(done.stdout) == [list(map(list, files)) for files in tree]
    assert not installed.read


def test_the_default_model_is_built_in_any_folder(installed, tmp_path):
    done = installed.run("headrace", "pynq-z2", "--to", "emit", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = tmp_path / "build" / "pynq-z2" / "arch2_slim_w2a2"
    modules = (made / "emit" / "modules.f").read_text().split()
    assert "nn_mvtu.sv" in modules
    assert all((made / "emit" / name).is_file() for name in ("top.sv", *modules))
    assert not installed.read
    shutil.rmtree(tmp_path / "build")
