"""Which steps are done again when a file changes: the data files of a copy."""

import json
import os
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

from finn_build.backends import BACKENDS
from finn_build.config import Options
from finn_build.flow import provenance
from finn_build.flow.steps.plan import STEPS

ROOT = Path(__file__).parents[2]
# Of steps: those that must be done again, and those that must not; a step's result is in the keys
# of the steps that read it. The last line that fits counts.
EXPECTED = {
    "rtl_templates/*": ("emit", "fold simulate synthesise route report"),
    "finn_build/rtl/*.sv.j2": ("emit", "fold simulate synthesise route report"),
    "finn_build/rtl/ip.*.j2": ("emit", "fold simulate synthesise route report"),
    "finn_build/flow/deploy.md.j2": ("deploy", "emit simulate synthesise route report"),
    "finn_build/pages/report.html.j2": ("report", "emit simulate synthesise route deploy"),
    "finn_build/pages/style.css.j2": ("report", "emit simulate synthesise route deploy"),
    "finn_build/driver/*": ("deploy", "emit simulate synthesise route report"),
    "finn_build/boards/*": ("fold synthesise route deploy report", ""),
    "finn_build/backends/testbench.cpp": (
        "simulate netlist",
        "fold emit synthesise route deploy report",
    ),
    "finn_build/backends/block_ram.sv.j2": (
        "netlist",
        "fold emit simulate synthesise route deploy report",
    ),
    "finn_build/backends/openxc7/refine*.?pp": ("route", "emit simulate synthesise deploy report"),
    "finn_build/backends/vivado/chip.tcl.j2": ("route", "emit simulate synthesise report"),
    # The programs beside a build.
    "finn_build/pages/compare*": ("", "emit simulate synthesise route deploy report"),
    "finn_build/pages/overview*": ("", "emit simulate synthesise route deploy report"),
    "finn_build/simulator/board.cpp": ("", "emit simulate synthesise route deploy report"),
}
EDIT_ALL = """
import json, sys
from pathlib import Path
from finn_build.backends import BACKENDS
from finn_build.config import Options
from finn_build.flow.provenance import fingerprint
from finn_build.flow.steps.plan import STEPS
asked = [Options(board="pynq-z2", model="arch1_w2a2", tool=name) for name in BACKENDS]
chosen = {step: dict.fromkeys(tuple(step.chosen(o)) for o in asked) for step in STEPS}
now = lambda: {s.name: [dict(fingerprint(s.module, *more)) for more in chosen[s]] for s in STEPS}
before, files = now(), sys.stdin.read().split("\\n")
for name in files:
    Path(name).write_bytes(Path(name).read_bytes() + b" ")
after = now()
ways = {name: list(zip(before[name], after[name], strict=True)) for name in before}
changed = {
    file: [step for step in ways if any(a.get(file) != b.get(file) for a, b in ways[step])]
    for file in files
}
print(json.dumps(changed))
"""


def test_every_data_file_is_in_the_keys_of_its_steps_and_no_others(tmp_path):
    files = []
    for package in ("finn_build", "headrace", "rtl_templates"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
        found = (p for p in (tmp_path / package).rglob("*") if p.is_file())
        files += [str(p.relative_to(tmp_path)) for p in found if p.suffix not in (".py", ".pyc")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EDIT_ALL],
        input="\n".join(files),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    changed = json.loads(done.stdout.splitlines()[-1])
    assert len(changed) > 40
    for file, steps in changed.items():
        fitting = [both for pattern, both in EXPECTED.items() if fnmatch(file, pattern)]
        assert fitting, f"{file}: say in this test which steps read it"
        again, kept = (set(names.split()) for names in fitting[-1])
        assert again <= set(steps), f"{file}: {again - set(steps)} would be kept, and be stale"
        assert not kept & set(steps), f"{file}: {kept & set(steps)} would be done for nothing"


def test_the_sources_of_a_step_are_those_it_imports():
    from finn_build.flow.steps import emit, fold

    files = provenance.sources(emit)
    assert len([p for p in files if p.name == "emit.py"]) == 2, "the step and the module it calls"
    names = {p.name for p in files}
    assert {"emit.py", "folding.py", "graph.py", "nn_mvtu.sv", "top.sv.j2"} <= names
    shared = {p.name for p in files if p.parent.name == "headrace"}
    assert "errors.py" in shared, "what the packages share is followed too"
    assert "cli.py" not in shared
    assert "verify.py" not in names and "pipeline.py" not in names
    assert "nn_mvtu.sv" not in {p.name for p in provenance.sources(fold)}


def test_the_key_does_not_depend_on_where_the_checkout_is():
    from finn_build.flow.steps import emit

    assert not any(Path(name).is_absolute() for name, _ in provenance.fingerprint(emit))


def test_only_what_a_tool_makes_has_its_code_in_the_key_and_that_of_no_other_tool():
    """A tool's name is a word in many places; it stands for no file there."""
    folders = {"openxc7": {"openxc7"}, "vivado": {"vivado"}, "finn": {"finn", "vivado"}}
    assert set(folders) == set(BACKENDS)
    for tool in (*BACKENDS, "none"):
        asked = Options(board="pynq-z2", model="arch1_w2a2", tool=tool)
        for step in STEPS:
            paths = [Path(name) for name, _ in step.code(asked)]
            found = {path.parent.name for path in paths if path.parent.parent.name == "backends"}
            made = step.name in ("route", "bitstream")
            assert found == (folders.get(tool, set()) if made else set()), (step.name, tool)
