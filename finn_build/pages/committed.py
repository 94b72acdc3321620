"""Which commit has the code that figures come from.

A table stays when its code changes. So reports carry the hash of every file that shaped them, only
reports of committed files become a table, and the table names the commit.
"""

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from finn_build.errors import ConfigError
from finn_build.flow.provenance import ROOT

_SHOWN = 5  # of a list of files
_AGAIN = "build it again with this code"


def require(code: Mapping[str, str] | None, report: Path, *, root: Path = ROOT) -> None:
    """Raise ConfigError unless the report was made by the code in `root`, and that is committed.

    code: the report's files, by their path below `root`, with the SHA-256 of each.
    """
    if not code:
        raise ConfigError(f"{report} does not say by which code it was made; {_AGAIN}")
    if other := [name for name, digest in code.items() if _sha256(root / name) != digest]:
        raise ConfigError(f"{report} was made by other code than this: {_few(other)}; {_AGAIN}")
    changed = _git(root, "status", "--porcelain", "--untracked-files=all", "--", *code)
    if changed:
        names = [line[3:] for line in changed.splitlines()]
        raise ConfigError(f"{report} was made by code that is not committed: {_few(names)}")


def commit(files: Sequence[str], *, root: Path = ROOT) -> str:
    """The commit, in short, that left the files as they are in the newest one."""
    return _git(root, "log", "-1", "--format=%h", "--", *files).strip()


def since(commit: str, files: Sequence[str], *, root: Path = ROOT) -> str:
    """The files, in words, that have changed since a commit; "" if none has."""
    return _few(_git(root, "diff", "--name-only", commit, "HEAD", "--", *files).splitlines())


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(sorted(names)[:_SHOWN]) + more


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ConfigError("git is not on PATH; tables of results name a commit") from error
    if done.returncode:
        raise ConfigError(
            f"{root}: tables of results name a commit, and git says: {done.stderr.strip()}"
        )
    return done.stdout
