"""Docstrings say what the annotations cannot: shapes of arrays, units of numbers, errors.

That each public function has one is ruff's to check (D1).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("finn_build", "headrace", "quant", "sweep")
FILES = sorted(path for name in FOLDERS for path in (ROOT / name).rglob("*.py"))
ARRAYS = ("NDArray", "Integers", "Tensor", "ndarray")
# (N, H, W, C), (rows,), or that any shape will do, or that none changes; or so many bytes.
SHAPE = re.compile(
    r"\([A-Z][^()]*\)|\(\w+,[^()]*\)|\bshape(s|d)?\b|\b[0-3]-d\b|\bflattened\b|bytes"
)
# A number with a point is in these units by its name, or has none.
NAMED = re.compile(
    r"(^|_)(ns|us|s|mhz|fps|seconds|hours|percent|share|scale|epsilon|factor|ratio|rate)(_|$)"
)
# What torch calls, and what it computes is said by its class.
MODULES = ("forward", "backward")


@dataclass(frozen=True)
class Function:
    """A public function, or a method of a public class, with the docstrings that tell of it."""

    node: ast.FunctionDef
    said: str

    def raised(self) -> set[str]:
        """The kinds of error that its own lines raise and do not handle."""
        kinds, handled = set(), "AssertionError"  # which is a fault of ours
        for each in ast.walk(self.node):
            if isinstance(each, ast.Raise) and isinstance(each.exc, ast.Call):
                kinds.add(ast.unparse(each.exc.func))
            if isinstance(each, ast.ExceptHandler) and each.type:
                handled += ast.unparse(each.type)
        return {kind for kind in kinds if kind.endswith("Error") and kind not in handled}

    def arrays(self) -> bool:
        """Whether it takes or gives an array that is not one of several, by their names."""
        arguments = self.node.args
        hints = [a.annotation for a in (*arguments.args, *arguments.kwonlyargs)]
        return any(map(_array, [*hints, self.node.returns]))

    def numbers(self) -> list[str]:
        """Its arguments with a point."""
        arguments = (*self.node.args.args, *self.node.args.kwonlyargs)
        hints = {a.arg: ast.unparse(a.annotation) for a in arguments if a.annotation}
        return [name for name, hint in hints.items() if hint in ("float", "float | None")]


def _array(hint: ast.expr | None) -> bool:
    if hint is None or re.match(r"(dict|Mapping|Callable|Iterator|Iterable)\[", ast.unparse(hint)):
        return False
    return any(name in ast.unparse(hint) for name in ARRAYS)


def functions(body: list[ast.stmt], said: str = "") -> Iterator[Function]:
    """Those of a module or a class."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from functions(node.body, ast.get_docstring(node) or "")
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith(("_", *MODULES)):
            yield Function(node, f"{said}\n{ast.get_docstring(node) or ''}")


@cache
def public(path: Path) -> list[Function]:
    tree = ast.parse(path.read_text())
    return list(functions(tree.body, ast.get_docstring(tree) or ""))


def each() -> Iterator[tuple[str, Function]]:
    for path in FILES:
        for found in public(path):
            yield f"{path.relative_to(ROOT)}:{found.node.lineno} {found.node.name}", found


def test_errors_are_named():
    lacking = [
        f"{place}: {', '.join(sorted(missing))}"
        for place, found in each()
        if (missing := {kind for kind in found.raised() if kind not in found.said})
    ]
    assert not lacking, "\n".join(lacking)


def test_arrays_have_shapes():
    lacking = [place for place, found in each() if found.arrays() and not SHAPE.search(found.said)]
    assert not lacking, "\n".join(lacking)


def test_numbers_have_units():
    lacking = [
        f"{place}: {name}"
        for place, found in each()
        for name in found.numbers()
        if not NAMED.search(name) and not re.search(rf"\b{name}\b", found.said)
    ]
    assert not lacking, "\n".join(lacking)
