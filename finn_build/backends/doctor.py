"""Say what was found on this machine, what it makes possible, and what to install for the rest."""

import importlib.util
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from rich.console import Console

from finn_build.backends import AUTOMATIC, BACKENDS, tools, verilator
from finn_build.backends.registry import backend
from finn_build.boards import Board, find_board, names
from finn_build.errors import ToolError
from headrace.terminal import line

_PACKAGES = ("torch", "brevitas", "qonnx", "finn-plus", "onnxruntime", "verilator", "pyosys")


@dataclass(frozen=True, kw_only=True)
class _Places:
    """Where the user says that tools and databases are."""

    chipdb: Path | None
    prjxray_db: Path | None
    vivado: Path | None


def run(
    console: Console, *, chipdb: Path | None, prjxray_db: Path | None, vivado_folder: Path | None
) -> bool:
    """Print one line per tool; returns whether a build without a bitstream can run."""
    lines = [("package", name, _version(name)) for name in _PACKAGES]
    lines += [("program", name, _program(name)) for name in ("g++", "make")]
    try:
        simulator: str | None = str(verilator.binaries() / "verilator")
    except ToolError:
        simulator = None
    lines.append(("program", "verilator", simulator))
    needed = all(found for _, _, found in lines)
    for kind, name, found in lines:
        _line(console, kind, name, found, needed=True)
    for name in BACKENDS:
        for program in backend(name).programs:
            _line(console, "bitstream", program, shutil.which(program), needed=False)
    _line(console, "tests", "cocotb", _version("cocotb"), needed=False)
    if needed:
        line(console, "Everything up to the bitstream can be built.")
    else:
        line(
            console,
            "Install what is missing: packages with `pip install .`, programs from your system "
            "(Debian: apt-get install g++ make).",
        )
    _bitstreams(console, _Places(chipdb=chipdb, prjxray_db=prjxray_db, vivado=vivado_folder))
    return needed


def _bitstreams(console: Console, places: _Places) -> None:
    """Say what each way to a bitstream makes possible, for each part or for the boards it knows."""
    ways = [backend(name) for name in dict.fromkeys([*AUTOMATIC, *BACKENDS])]
    boards: dict[str, list[Board]] = {}
    for board in map(find_board, names()):
        boards.setdefault(board.part, []).append(board)
    for part, same in boards.items():
        line(console, f"{part} ({', '.join(board.title for board in same)}):")
        for way in ways:
            if way.boards is None:
                line(console, f"  {way.name:<8} {way.diagnose(same[0], places)}")
    for way in ways:
        if way.boards is not None:
            said = way.diagnose(find_board(way.boards[0]), places)
            line(console, f"{' and '.join(way.boards)} by {way.title}: {said}")


def _program(name: str) -> str | None:
    """Path of a program with the first line of what it says of its version."""
    path = shutil.which(name)
    return path and f"{path}, {tools.output([path, '--version']).partition(chr(10))[0]}"


def _version(name: str) -> str | None:
    module = {"finn-plus": "finn"}.get(name, name)
    if importlib.util.find_spec(module) is None:
        return None
    return metadata.version(name)


def _line(console: Console, kind: str, name: str, found: str | None, *, needed: bool) -> None:
    mark = "found  " if found else "MISSING" if needed else "absent "
    line(console, f"{mark}  {kind:<10} {name:<20} {found or ''}")
