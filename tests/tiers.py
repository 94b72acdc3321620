"""What of many cases runs always; the others are slow, and run with --slow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def every(n: int, cases: Iterable[Any]) -> list[Any]:
    """Every n-th of cases that are much alike, from the first one on.

    cases: a value each, or a tuple of them where the test has several parameters.
    """
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=[pytest.mark.slow] * (i % n > 0),
        )
        for i, case in enumerate(cases)
    ]
