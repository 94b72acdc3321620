"""The one command: those of `finn_build` and `quant`, `sweep` with its own, and `results` of all.

A first word that is no command is meant as a board: `headrace pynq-z2` builds.
"""

import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

import finn_build.cli
import quant.cli
import sweep.cli
from headrace.examples import EXAMPLES
from headrace.program import Program
from headrace.terminal import say

app = Program(
    help="Small quantised CNNs as bit-exact streaming accelerators for Zynq boards.",
    default="build",
)
app.include(finn_build.cli.app)
app.include(quant.cli.app)
app.add_typer(sweep.cli.app, name="sweep")


def _version(asked: bool) -> None:
    if asked:
        say(f"headrace {metadata.version('headrace')}")
        raise typer.Exit


@app.callback()
def _common(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say which, and stop."),
    ] = False,
) -> None:
    """What goes before a command."""


@app.command()
def results(
    reports: Annotated[
        list[Path] | None, typer.Argument(help="report.json files, of all rows together.")
    ] = None,
    into: Annotated[
        list[Path] | None,
        typer.Option(help="Markdown file with marks, instead of the README and docs."),
    ] = None,
) -> None:
    """Write the tables of results from records and reports, or say which are of older code."""
    import finn_build.pages.results as builds
    from finn_build.pages import overview
    from quant import results as models

    pages = into or list(builds.PAGES)
    builds.check(pages)
    if not into:
        say(models.Pages().write())
    if reports:
        say(builds.write(pages, reports))
    if not into:
        say(overview.write())
    if not reports:
        builds.current(pages)


app.show(EXAMPLES)


def main() -> None:
    """Run the command line; errors are one message on stderr and exit code 2."""
    app.run(sys.argv[1:])
