"""Pieces of Markdown that are written into a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from quant.errors import ConfigError
from quant.files import whole_file


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, without a line's end after it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def share(value: float | None, missing: str = "") -> str:
    """A share, `value` from 0 to 1, as percent; `missing` where there is none."""
    return percent(None if value is None else 100 * value, missing)


def percent(value: float | None, missing: str = "") -> str:
    """A `value` in percent with two places; `missing` where there is none."""
    return missing if value is None else f"{value:.2f} %"


def insert(path: Path, texts: Mapping[str, str]) -> None:
    """Put each text between the two marks of its name in a Markdown file.

    Raises:
        ConfigError: if the file or a mark is missing; then nothing is written.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; name a Markdown file with the marks")
    old = new = path.read_text(encoding="utf-8")
    for name, text in texts.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, opened, rest = new.partition(begin)
        _, closed, after = rest.partition(end)
        if not (opened and closed):
            raise ConfigError(f"{path}: the marks {begin} and {end} are missing; put them in")
        new = f"{before}{begin}\n{text}{end}{after}"
    if new != old:
        with whole_file(path) as temporary:
            temporary.write_text(new, encoding="utf-8")
