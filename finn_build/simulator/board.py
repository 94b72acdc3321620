"""Make a simulated board's bitstream: the whole chip as a shared library that simulator/pynq loads.

A program sees the simulated board instead of a real one when `PYNQ` is first on its Python path.
"""

import hashlib
import os
import shutil
from pathlib import Path

from finn_build.backends import verilator
from finn_build.driver.board import CRYSTAL_MHZ
from finn_build.system.files import load_json, save_json

SOURCE = Path(__file__).with_name("board.cpp")
PYNQ = Path(__file__).parent
STAMP = "sources.sha256"
FOLDER = "rtl_folder.h"  # where the library finds its memory images


def build(rtl: Path, folder: Path, *, log: Path, fast: bool = True) -> Path:
    """Compile the chip that `chip.write` left in `rtl`; returns the library.

    A library of the same sources is not compiled again. fast: as in verilator.build. The library
    reads its memory images from `rtl`. Raises ToolError.
    """
    library, stamp = folder.resolve() / "chip.so", folder / STAMP
    state = hashlib.sha256(f"{rtl.resolve()} {fast}".encode())
    for path in (Path(__file__), SOURCE, *sorted(p for p in rtl.iterdir() if p.is_file())):
        state.update(f"{path.name}\0".encode() + path.read_bytes())
    if library.is_file() and stamp.is_file() and stamp.read_text() == state.hexdigest():
        return library
    what = ["--top-module", "chip", "-o", library.name]
    # Without unique symbols several chips live in one process.
    what += ["-CFLAGS", "-fPIC -fno-gnu-unique", "-LDFLAGS", "-shared -Wl,-z,defs"]
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier failure
    folder.mkdir(parents=True)
    octal = "".join(f"\\{byte:03o}" for byte in os.fsencode(rtl.resolve()))
    (folder / FOLDER).write_text(f'#define RTL_FOLDER "{octal}"\n')
    verilator.compile_model(rtl, folder, "sim.f", SOURCE, what, log=log, fast=fast)
    stamp.write_text(state.hexdigest())
    return library


def furnish(deploy: Path, library: Path, folder: Path) -> None:
    """Copy a deploy folder, with the library as the bitstream that its manifest names."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(deploy, folder)
    manifest = load_json(folder / "manifest.json")
    manifest["bitstream"] = f"{manifest['model']}.so"
    manifest["clock"]["ps_clk_mhz"] = CRYSTAL_MHZ
    shutil.copyfile(library, folder / manifest["bitstream"])
    save_json(folder / "manifest.json", manifest)
