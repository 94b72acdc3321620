"""The wheel as pip installs it: `headrace` on PATH, in any folder, without the checkout."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from installed import ROOT, built

from finn_build.flow import provenance
from finn_build.flow.steps.plan import STEPS

PACKAGES = ("finn_build", "headrace", "quant", "rtl_templates", "sweep")
CODE = """
import json
from finn_build.flow.steps.plan import STEPS
from finn_build.flow import provenance
print(json.dumps([provenance.fingerprint(step.module) for step in STEPS]))
"""


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


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    return built(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


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


@pytest.mark.slow
def test_the_default_model_is_built_in_any_folder(installed, tmp_path):
    done = installed.run("headrace", "pynq-z2", "--to", "emit", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = tmp_path / "build" / "pynq-z2" / "arch2_slim_w2a2"
    modules = (made / "emit" / "modules.f").read_text().split()
    assert "nn_mvtu.sv" in modules
    assert all((made / "emit" / name).is_file() for name in ("top.sv", *modules))
    assert not installed.read
    shutil.rmtree(tmp_path / "build")
