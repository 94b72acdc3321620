"""The launcher that keeps what every simulated model has in common."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LAUNCHER = Path(__file__).with_name("object_cache.py")
# A compiler that leaves a line for each call.
COUNTED = '#!/bin/sh\necho "$*" >> "$0.log"\nexec c++ "$@"\n'


class Project:
    """Verilator's folder with a runtime of one function, and a folder with a model."""

    def __init__(self, root):
        self.root, self.compiler = root, root / "compiler"
        self.runtime, self.model = root / "include" / "verilated.cpp", root / "model" / "model.cpp"
        for path in (self.runtime, self.model):
            path.parent.mkdir()
        for name in ("verilated_dpi.h", "verilated_vpi.h"):
            self.runtime.with_name(name).touch()
        self.value(3)
        self.runtime.write_text('#include "verilated.h"\nint runtime() { return VALUE + MORE; }\n')
        self.model.write_text(
            '#include "verilated.h"\nint runtime();\n'
            "int main() { return 10 * value() + runtime(); }\n"
        )
        self.compiler.write_text(COUNTED)
        self.compiler.chmod(0o755)

    def value(self, value):
        self.runtime.with_name("verilated.h").write_text(
            f"#pragma once\n#define VALUE {value}\ninline int value() {{ return VALUE; }}\n"
        )

    def calls(self):
        log = self.compiler.with_name("compiler.log")
        return len(log.read_text().splitlines()) if log.exists() else 0

    def compile(self, source, target, *options):
        return subprocess.run(
            [sys.executable, "-IS", LAUNCHER, self.root / "cache", self.compiler, "-MMD",
             f"-I{self.runtime.parent}", *options, "-c", "-o", target, source],
            cwd=self.model.parent,
            check=False,
        ).returncode  # fmt: skip

    def answer(self, *options):
        """What the program says, made from its sources, and how often the compiler was called."""
        before = self.calls()
        assert self.compile(self.runtime, "runtime.o", *options) == 0
        assert self.compile(self.model.name, "model.o", *options) == 0
        made = self.calls() - before
        folder = self.model.parent
        subprocess.run(["c++", "-o", "program", "model.o", "runtime.o"], cwd=folder, check=True)
        return subprocess.run([folder / "program"], check=False).returncode, made


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_runtime_and_headers_are_compiled_once(project):
    # The runtime, the headers, the model.
    assert project.answer("-DMORE=1") == (34, 3)
    project.model.write_text(project.model.read_text().replace("10 *", "20 *"))
    assert project.answer("-DMORE=1") == (64, 1)
    assert "-include" in project.compiler.with_name("compiler.log").read_text().splitlines()[-1]


def test_other_options_sources_headers_and_compilers_are_other_objects(project):
    assert project.answer("-DMORE=1")[0] == 34
    assert project.answer("-DMORE=2") == (35, 3)
    project.runtime.write_text(project.runtime.read_text().replace("VALUE +", "VALUE -"))
    assert project.answer("-DMORE=1") == (32, 2)
    project.value(5)
    assert project.answer("-DMORE=1") == (54, 3)
    os.utime(project.compiler, (0, 0))
    assert project.answer("-DMORE=1") == (54, 3)


def test_a_failure_is_no_object(project):
    whole = project.runtime.read_text()
    project.runtime.write_text("no program\n")
    assert project.compile(project.runtime, "runtime.o", "-DMORE=1") == 1
    project.runtime.write_text(whole)
    assert project.answer("-DMORE=1")[0] == 34
    shutil.rmtree(project.root / "cache")
    project.runtime.with_name("verilated_vpi.h").unlink()  # no header to compile first
    assert project.answer("-DMORE=1")[0] == 34
