"""The wheel in an environment of its own, as `pip install` leaves it.

The environment sees the packages of this one, so that nothing is downloaded. Whatever Python opens
there is written down, since nothing of the checkout may be among it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
WATCH = """
import os, sys
def _watch(event, words, root={root!r}, shared={shared!r}, found={found!r}):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(words[0], (str, bytes)):
        path = os.path.abspath(os.fsdecode(words[0]))
        if path.startswith(root) and not path.startswith(shared):
            with open(found, "a") as file:
                file.write(path + "\\n")
sys.addaudithook(_watch)
"""


def built(source: Path, kind: str, out: Path) -> Path:
    """The wheel or sdist of a source tree, by pyproject.toml's own backend, in this environment."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (made,) = out.iterdir()
    return made


@dataclass(frozen=True)
class Installed:
    """An environment in which the wheel is, and a file with what was read of the checkout."""

    folder: Path

    def run(self, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of it."""
        # Without what leads to the checkout in this process but for the compiler's cache, which
        # changes nothing, and with a cache of its own for all else.
        environment = {k: v for k, v in os.environ.items() if str(ROOT) not in v or k == "OBJCACHE"}
        environment["PATH"] = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        environment["XDG_CACHE_HOME"] = str(self.folder / "cache")
        return subprocess.run(
            words, cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )

    @property
    def read(self) -> list[str]:
        """Files of the checkout that its programs opened."""
        path = self.folder / "read.txt"
        return path.read_text().splitlines() if path.exists() else []


def install(wheel: Path, folder: Path) -> Installed:
    """Make the environment in an empty folder."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    # `--python` tells pip where to; it is this environment's.
    install = ["install", "--ignore-installed", "--no-deps", "--no-index", str(wheel)]
    pip = [sys.executable, "-m", "pip", "--python", str(python), *install]
    subprocess.run(pip, check=True, capture_output=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    shared = {name: sysconfig.get_path(name) for name in ("purelib", "platlib")}
    # A folder that is named in a .pth file comes after the wheel's, and its own .pth files, which
    # lead to the checkout, do not count.
    lines = [*dict.fromkeys(shared.values()), "import headrace_watch"]
    (packages / "shared.pth").write_text("\n".join([*lines, ""]))
    watch = WATCH.format(
        root=f"{ROOT}/", shared=f"{ROOT / '.venv'}/", found=str(folder / "read.txt")
    )
    (packages / "headrace_watch.py").write_text(watch)
    return Installed(folder)
