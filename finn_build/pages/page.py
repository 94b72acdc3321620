"""Render the pages for people: one environment and one style for all of them."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2

FOLDER = Path(__file__).parent
STYLE = FOLDER / "style.css.j2"


def render(template: Path, **values: Any) -> str:
    """HTML of a template beside the style; an undefined value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([FOLDER, template.parent]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    environment.filters["percent"] = lambda value, digits=1: f"{100 * value:.{digits}f} %"
    environment.filters["count"] = lambda value: f"{value:,.0f}"
    environment.filters["exact"] = lambda value: f"{value:,g}" if value < 1e6 else f"{value:,.0f}"
    environment.filters["runs"] = runs
    return environment.get_template(template.name).render(**values)


def runs(values: Sequence[int]) -> str:
    """Numbers in order, equal ones beside each other once: "4-2-4"."""
    return "-".join(str(value) for value, _ in groupby(values))


def named(names: Sequence[str] | None, count: int) -> list[str]:
    """Names of classes: numbers where there are none."""
    return list(names) if names else [str(i) for i in range(count)]
