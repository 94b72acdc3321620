"""The command line: a sweep.toml searches, `export` makes a model of a trial, `compare` a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from headrace.program import Program
from quant.options import ColourOption, Data, ImageSize
from quant.places import DEFAULT_CACHE, DEFAULT_DATA, ZOO

app = Program(
    help="Search bits, filters and folding of a network together.",
    default="run",
    interrupted="interrupted; the same command goes on from here",
)
_File = Annotated[Path, typer.Argument(help="A sweep.toml; docs/sweep.md has its keys.")]
_OutOption = Annotated[
    Path | None,
    typer.Option(help="Folder of the sweep, the same on all machines. [runs/sweep-NAME]"),
]


@app.command()
def run(
    file: _File,
    out: _OutOption = None,
    workers: Annotated[
        int | None, typer.Option(help="Cores, with Ray; 1: one process without it. [all]")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="HOST:PORT of a Ray cluster, or auto.")
    ] = None,
    hardware: Annotated[
        bool, typer.Option("--hardware", help="Stop before the first training.")
    ] = False,
    data: Data = DEFAULT_DATA,
    image_size: ImageSize = None,
    colour: ColourOption = "auto",
    cache: Annotated[Path, typer.Option(help="Where decoded images are kept.")] = DEFAULT_CACHE,
) -> None:
    """Search; the same command goes on where an interrupted one stopped."""
    from sweep import commands

    commands.run(
        file,
        out,
        workers=workers,
        address=address,
        hardware=hardware,
        data=data,
        image_size=image_size,
        colour=colour,
        cache=cache,
    )


@app.command()
def export(
    file: _File,
    trial: Annotated[str, typer.Argument(help="Of the table, as the front names it.")],
    name: Annotated[str, typer.Argument(help="Of the model.")],
    out: _OutOption = None,
    into: Annotated[Path, typer.Option(help="Folder for NAME.safetensors.")] = ZOO,
) -> None:
    """Make a trial's model an entry of the zoo, or of another folder."""
    from sweep import commands

    commands.export(file, trial, name, out, into)


@app.command()
def compare(
    results: Annotated[list[Path], typer.Argument(help="front.json of each sweep.")],
    picture: Annotated[Path | None, typer.Option(help="PNG to draw them in.")] = None,
) -> None:
    """Print a table of what several sweeps found, in Markdown."""
    from sweep import commands

    commands.compare(results, picture)


def main() -> None:
    """Run the command line; errors are one message on stderr and exit code 2."""
    app.run(sys.argv[1:])
