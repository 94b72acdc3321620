"""Compiler launcher for Verilator's OBJCACHE: compiles the simulator's own sources only once.

Usage: object_cache.py CACHE_DIR COMPILER ARGUMENTS...
Sources outside the build folder (Verilator's and cocotb's runtime) give the same object in every
build and take most of its time; they are kept by a hash of the command line, unless they include a
header of the build folder, as cocotb's main program does. Everything else is compiled as asked.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def main() -> int:
    cache, command = Path(sys.argv[1]), sys.argv[2:]
    source = Path(command[-1])
    if not source.is_absolute() or "-o" not in command:
        return subprocess.run(command, check=False).returncode
    target = Path(command[command.index("-o") + 1])
    state = hashlib.sha256("\0".join(command).encode())
    state.update(source.read_bytes())
    kept = cache / f"{state.hexdigest()[:16]}.o"
    if not kept.exists():
        code = subprocess.run(command, check=False).returncode
        if code or _depends_on_the_build(target.with_suffix(".d")):
            return code
        cache.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        shutil.copyfile(target, part)
        part.rename(kept)
    shutil.copyfile(kept, target)
    return 0


def _depends_on_the_build(listing: Path) -> bool:
    """Whether a header is named in the compiler's list of dependencies by a relative path."""
    named = listing.read_text().replace("\\\n", " ").partition(":")[2].split()
    return not all(Path(name).is_absolute() for name in named)


if __name__ == "__main__":
    sys.exit(main())
