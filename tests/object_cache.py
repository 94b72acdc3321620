"""Compiler launcher for Verilator's OBJCACHE: what every model has in common is compiled once.

Usage: object_cache.py CACHE_DIR COMPILER ARGUMENTS...
Most of the time of building a small model goes into Verilator's runtime and into the headers that
each source begins with. The runtime's objects are kept, and a precompiled header for all other
sources; both by compiler and options, and as long as all that was read for them is the same.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

RUNTIME = "verilated.h"  # is beside the runtime's sources
# What models, their testbenches and cocotb's main program include.
HEADERS = ("verilated.h", "verilated_dpi.h", "verilated_vpi.h", "random", "memory", "vector")


def main() -> int:
    cache, command = Path(sys.argv[1]), sys.argv[2:]
    cache.mkdir(parents=True, exist_ok=True)
    source = Path(command[-1])
    if source.with_name(RUNTIME).is_file():
        if target := _value(command, "-o"):
            made = kept(cache, command, ".o")
            if made is not None:
                shutil.copyfile(made, target)
            return int(made is None)
    elif not {"-include", "-x"} & set(command):  # has no precompiled header, and is none
        command[1:1] = _precompiled(cache, command)
    return subprocess.run(command, check=False).returncode


def _precompiled(cache: Path, command: Sequence[str]) -> list[str]:
    """Options with which the command takes a precompiled header of the same options."""
    header = cache / "model.h"
    if not header.is_file():
        _put(header, "".join(f"#include <{name}>\n" for name in HEADERS))
    made = kept(cache, [*command[:-1], "-x", "c++-header", str(header)], ".h.gch")
    # The compiler takes NAME.gch where NAME is to be included.
    return [] if made is None else ["-include", str(made.with_suffix(""))]


def kept(cache: Path, command: Sequence[str], suffix: str) -> Path | None:
    """What a command of the compiler makes, wherever it would put it; None where it fails."""
    plain, level, skip = [], [], False
    for word in command:
        if word.startswith("-O"):
            level = [word]  # the last one counts, and makefiles differ in where they have it
        elif not (skip or word in ("-c", "-o", "-MMD")):
            plain.append(word)
        skip = word == "-o"
    plain[1:1] = level
    compiler = Path(shutil.which(plain[0]) or plain[0]).resolve()
    which = [str(compiler), compiler.stat().st_size, compiler.stat().st_mtime_ns, *plain]
    key = hashlib.sha256(json.dumps(which).encode()).hexdigest()[:16]
    made, read = cache / f"{key}{suffix}", cache / f"{key}.json"
    if read.is_file() and all(_hash(name) == now for name, now in json.loads(read.read_text())):
        return made
    part = cache / f"{key}.{os.getpid()}"
    listing = part.with_name(f"{part.name}.d")
    what = [*plain, *([] if suffix.endswith(".gch") else ["-c"]), "-MMD", "-MF", str(listing)]
    if subprocess.run([*what, "-o", str(part)], check=False).returncode != 0:
        return None
    names = listing.read_text().replace("\\\n", " ").partition(":")[2].split()
    listing.unlink()
    part.replace(made)
    _put(read, json.dumps([(name, _hash(name)) for name in names]))
    return made


def _value(command: Sequence[str], option: str) -> str | None:
    return command[command.index(option) + 1] if option in command else None


def _hash(name: str) -> str | None:
    path = Path(name)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _put(path: Path, text: str) -> None:
    """Write a file that others may read at the same time."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
