"""The files that a step's result depends on: its code, what that imports, the data files of both.

Nothing is listed by hand. A data file counts where a module, or a template that counts, names it in
a string: a file or a folder by its path from the module, or a package of nothing but data, as
rtl_templates. A package of code beside the module counts only where it is imported, since its name
may be an ordinary word.
"""

import ast
import hashlib
import os
import re
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).parents[1].name
CODE = (PACKAGE, "headrace")  # packages whose modules are followed
# The module that runs the steps; it imports all of them.
_FRAME = f"{PACKAGE}.flow.pipeline"
_NAME = re.compile(r"(\.\./)*[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_PYTHON = (".py", ".pyc")
_QUOTED = re.compile(r'"([^"\n]+)"')


def fingerprint(*modules: ModuleType) -> list[tuple[str, str]]:
    """Name and SHA-256 of each of the modules' sources; a moved checkout changes none."""
    return hashes(sources(*modules))


def hashes(files: Iterable[Path]) -> list[tuple[str, str]]:
    """Name, below the checkout, and SHA-256 of each file."""
    return [(_label(path), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]


def sources(*modules: ModuleType) -> list[Path]:
    """Files that modules are made of: their own, those of ours that they import, their data."""
    code: dict[str, Path] = {}
    data: set[Path] = set()
    waiting = [module.__name__ for module in modules]
    while waiting:
        name = waiting.pop()
        if name in code or name == _FRAME:
            continue
        path = code[name] = _own(name) or Path(import_module(name).__file__ or "")
        imports, strings = _read(path.read_text())
        waiting += filter(_own, imports)
        for text in strings:
            data.update(_named(text, path.parent))
    return sorted({*code.values(), *_with_included(data)}, key=_label)


@cache
def _read(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a Python source imports of our packages, and its strings that may be names of files."""
    imports: list[str] = []
    strings: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            imports += [module, *(f"{module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.add(node.value)
    ours = tuple(name for name in imports if name.partition(".")[0] in CODE)
    return ours, tuple(text for text in strings if len(text) < 100 and _NAME.fullmatch(text))


def _own(name: str) -> Path | None:
    """The source of a module of the checkout; None where there is none of that name."""
    path = ROOT.joinpath(*name.split("."))
    places = (path.with_suffix(".py"), path / "__init__.py")
    return next((place for place in places if place.exists()), None)


def _named(text: str, folder: Path) -> list[Path]:
    """Data files that a string of a module in `folder` names."""
    path = Path(os.path.normpath(folder / text))
    if path.is_file():
        return [path] if path.suffix != ".py" else []
    if path.parent == folder and (path / "__init__.py").exists():
        return []
    if not set(CODE).isdisjoint(folder.parts) and path.is_dir():
        return _files(path)
    package = ROOT / text
    modules = [p.name for p in package.glob("*.py")] if "/" not in text else []
    return _files(package) if modules == ["__init__.py"] else []


def _files(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc"]


def _with_included(data: Iterable[Path]) -> set[Path]:
    """The files, and those beside them that they name, as a template does what it includes."""
    found: set[Path] = set()
    waiting = list(data)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        others = (p for p in path.parent.iterdir() if p.is_file() and p.suffix not in _PYTHON)
        beside = {p.name: p for p in others}
        text = path.read_text(errors="replace")
        waiting += (beside[name] for name in set(_QUOTED.findall(text)) & beside.keys())
    return found


def _label(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
