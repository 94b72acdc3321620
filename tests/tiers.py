"""What of many cases runs always; the others are slow, and run with --slow."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def every(n: int, cases: Iterable[Any]) -> list[Any]:
    """Every n-th of cases that are much alike, from the first one on."""
    return [_case(case, i % n == 0) for i, case in enumerate(cases)]


def always(names: Collection[str], cases: Iterable[Any]) -> list[Any]:
    """The cases of these names."""
    made = [_case(case, case in names) for case in cases]
    assert sum(not case.marks for case in made) == len(names), "a name that is no case"
    return made


def _case(case: Any, quick: bool) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=() if quick else pytest.mark.slow)
