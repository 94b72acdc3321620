"""Tables between marks in Markdown files: `<!-- NAME -->`, the table, `<!-- /NAME -->`."""

from pathlib import Path

from finn_build.errors import ConfigError


def read(page: Path) -> str:
    """The text of a page that is there. Raises ConfigError otherwise."""
    if not page.is_file():
        raise ConfigError(f"{page}: no such file; name a Markdown file with the marks")
    return page.read_text()


def fill(text: str, name: str, body: str, page: Path) -> str:
    """The text with `body` between the two marks of `name`.

    Raises ConfigError, which names the page, if one of the marks is missing.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, opened, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    for mark, found in ((begin, opened), (end, closed)):
        if not found:
            raise ConfigError(f"{page}: the mark {mark} is missing")
    return f"{before}{begin}\n{body}\n{end}{after}"
