"""Say what was found on this machine, what it makes possible, and what to install for the rest."""

import importlib.util
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

from rich.console import Console

from finn_build.backends import finn, openxc7, tools, verilator, vivado
from finn_build.boards import Board, find_board, names
from finn_build.errors import ToolError
from headrace.terminal import line

_PACKAGES = ("torch", "brevitas", "qonnx", "finn-plus", "onnxruntime", "verilator", "pyosys")


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
    for name in (*openxc7.PLACERS, *openxc7.PROGRAMS, "vivado"):
        _line(console, "bitstream", name, shutil.which(name), needed=False)
    _line(console, "tests", "cocotb", _version("cocotb"), needed=False)
    if needed:
        line(console, "Everything up to the bitstream can be built.")
    else:
        line(
            console,
            "Install what is missing: packages with `pip install .`, programs from your system "
            "(Debian: apt-get install g++ make).",
        )
    boards: dict[str, list[Board]] = {}
    for board in map(find_board, names()):
        boards.setdefault(board.part, []).append(board)
    for part, same in boards.items():
        line(console, f"{part} ({', '.join(board.title for board in same)}):")
        line(console, f"  vivado   {_vivado(part, vivado_folder)}")
        line(console, f"  openxc7  {_openxc7(same[0], chipdb, prjxray_db)}")
    line(console, f"{' and '.join(finn.BOARDS)} by FINN: {_finn(vivado_folder)}")
    return needed


def _openxc7(board: Board, chipdb: Path | None, prjxray_db: Path | None) -> str:
    """What the open tools make possible for a board; they are tried on an empty chip."""
    try:
        setup = openxc7.find(board.part, chipdb=chipdb, prjxray_db=prjxray_db)
        with tempfile.TemporaryDirectory() as scratch:
            openxc7.self_check(setup, Path(scratch), size=board.bitstream_bytes)
    except ToolError as error:
        return f"no bitstream: {error}"
    found = (
        f"bitstreams by openxc7: {openxc7.version(setup)}, {setup.database}; an empty chip went "
        "through all of it"
    )
    if setup.himbaechel and not setup.scripted:
        found += (
            "; it was built without Python, so that it places all by itself and the clock is slower"
        )
    return found


def _vivado(part: str, folder: Path | None) -> str:
    """What Vivado makes possible for a part; it is started and asked for it."""
    try:
        setup = vivado.find(part, folder=folder)
        with tempfile.TemporaryDirectory() as scratch:
            there = vivado.parts(setup, [part], Path(scratch))
    except ToolError as error:
        return f"no bitstream: {error}"
    if not there:
        return f"no bitstream: {vivado.no_part(setup)}"
    return f"bitstreams by vivado: {vivado.version(setup)}, {setup.program}; it starts and has it"


def _finn(folder: Path | None) -> str:
    """What FINN's own build makes possible."""
    try:
        setup = vivado.find("", folder=folder)
        compiler = finn.find_compiler()
    except ToolError as error:
        return f"estimates only: {error}"
    return f"bitstreams by finn: {finn.version(setup)}, {compiler}"


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
