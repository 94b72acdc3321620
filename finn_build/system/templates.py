"""Render templates of sources and scripts; `page` renders those for people."""

from pathlib import Path

import jinja2


def environment(folder: Path) -> jinja2.Environment:
    """What renders the templates of a folder."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
