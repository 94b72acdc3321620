"""Keep what synthesis made of a module for later builds, known by all that it depends on.

An entry is one file, put in its place when it is complete, so that builds side by side can use the
same folder. What cannot be read or written there counts as not there.
"""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from finn_build.rtl.design import Instance
from finn_build.rtl.emitted import sources

LIMIT = 256 << 20  # bytes of all entries
_WORD = re.compile(r"\w+")
_QUOTED = re.compile(r'"([^"\n]+)"')
_RTL = (".sv", ".v")


def keys(rtl: Path, instances: Iterable[Instance], code: Iterable[Path]) -> dict[str, str]:
    """What the result of each instance depends on, as a hash; its own name is not part of it.

    code: the files of the program that synthesises.
    """
    texts = {Path(name).stem: (rtl / name).read_text() for name in sources(rtl, "modules.f")}
    tool = [metadata.version("pyosys"), *(_hash(path.read_bytes()) for path in code)]
    return {i.name: _hash(json.dumps([tool, *_content(rtl, texts, i)]).encode()) for i in instances}


def _content(rtl: Path, texts: Mapping[str, str], instance: Instance) -> list[object]:
    """Sources that an instance's module is made of, parameters, and files that they name.

    A source counts that is named after a word of one that counts. Where a parameter names files,
    their contents stand for its value.
    """
    used: dict[str, str] = {}
    waiting = [instance.module]
    while waiting:
        name = waiting.pop()
        if name not in used and name in texts:
            used[name] = texts[name]
            waiting += _WORD.findall(texts[name])
    quoted = sorted({text for source in used.values() for text in _QUOTED.findall(source)})
    parameters = {
        name: (_files(rtl, value) or value) if isinstance(value, str) else value
        for name, value in sorted(instance.parameters.items())
    }
    return [instance.module, sorted(used.items()), parameters, [_files(rtl, q) for q in quoted]]


def _files(rtl: Path, named: str) -> list[tuple[str, str]]:
    """The rest of the name, and the hash, of each file whose name begins as a string does."""
    data = [p for p in rtl.iterdir() if named and p.suffix not in _RTL]
    found = [p for p in data if p.name.startswith(named)]
    return sorted((p.name.removeprefix(named), _hash(p.read_bytes())) for p in found)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Kept:
    """Entries in a folder; the ones that were not used for longest go first."""

    folder: Path
    limit: int = LIMIT

    def load(self, key: str) -> dict[str, str] | None:
        """Texts of an entry by their names; None where there is none."""
        path = self._path(key)
        try:
            with zipfile.ZipFile(path) as archive:
                texts = {name: archive.read(name).decode() for name in archive.namelist()}
            os.utime(path)
        # Whatever zipfile or zlib stumble over in a file that is not whole.
        except Exception:
            return None
        return texts

    def save(self, key: str, texts: Mapping[str, str]) -> None:
        """Store texts as an entry."""
        partial = self._path(key).with_suffix(f".{os.getpid()}.partial")
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for name, text in texts.items():
                    archive.writestr(name, text)
            partial.replace(self._path(key))
            self._shrink()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.zip"

    def _shrink(self) -> None:
        entries = [(p.stat(), p) for p in self.folder.iterdir()]
        over = sum(stat.st_size for stat, _ in entries) - self.limit
        for stat, path in sorted(entries, key=lambda entry: entry[0].st_mtime):
            if over <= 0:
                break
            path.unlink(missing_ok=True)
            over -= stat.st_size
