"""The command line: what each command may be given. What does it is imported when it is called."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from headrace.program import Program, command_line
from headrace.terminal import say
from quant.config import Training, preset
from quant.options import (
    Cache,
    ColourOption,
    Computer,
    ImageSize,
    Place,
    PrecisionOption,
    PruneOptions,
    TrainOptions,
)
from quant.places import (
    DEFAULT_CACHE,
    DEFAULT_DATA,
    PAPER_LIST,
    PAPER_PAGE,
    README,
    RECORDS,
    ZOO,
    result_folder,
)
from quant.recipes import given
from quant.topologies import get_network

app = Program(
    help="Train small quantised CNNs for images and export them to QONNX.",
    interrupted="interrupted; the same command goes on, a training after its last finished epoch",
)
_OutOption = Annotated[
    Path | None, typer.Option(help="Result folder; the model takes its name. [runs/NETWORK]")
]
_FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Drop the checkpoints in OUT, do not resume.")
]
_OnlyArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Trainings to do, and with them what they begin with. [all]"),
]


@app.command()
def train(
    *, options: TrainOptions, out: _OutOption = None, place: Place, fresh: _FreshOption = False
) -> None:
    """Train float, then quantised; the same command resumes an interrupted training."""
    from quant import calls, commands

    made = calls.train(**vars(options), **vars(place), out=out, fresh=fresh, command=command_line())
    commands.tell(str(made))


@app.command()
def series(
    *,
    file: Annotated[Path, typer.Argument(help="TOML file with a table for each training.")],
    only: _OnlyArgument = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the trainings' folders. [runs/NAME of FILE]")
    ] = None,
    place: Place,
) -> None:
    """Do a list of trainings in order; the same command resumes, and skips what is done."""
    from quant import commands

    commands.series(file, only or (), place, result_folder(out, str(file)))


@app.command()
def paper(
    *,
    only: _OnlyArgument = None,
    file: Annotated[
        Path, typer.Option("--list", help="TOML file with the trainings.")
    ] = PAPER_LIST,
    records: Annotated[Path, typer.Option(help="Folder that keeps the records.")] = RECORDS,
    page: Annotated[Path, typer.Option(help="Markdown file for all of it.")] = PAPER_PAGE,
    readme: Annotated[Path, typer.Option(help="Markdown file for the short table.")] = README,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the trainings' folders. [runs/paper]")
    ] = None,
    place: Place,
) -> None:
    """Train what the paper reports and write docs/paper.md; resumes, and skips what is done."""
    from quant import commands
    from quant.results import Pages

    pages = Pages(records=records, readme=readme, paper=page)
    commands.paper(file, only or (), pages, place, result_folder(out, str(file)))


@app.command()
def prune(
    *, options: PruneOptions, out: _OutOption = None, place: Place, fresh: _FreshOption = False
) -> None:
    """Remove filters of a float model step by step; the same command resumes."""
    from quant import calls, commands

    made = calls.prune(**vars(options), **vars(place), out=out, fresh=fresh, command=command_line())
    commands.tell(str(made))


@app.command()
def grow(
    *,
    filters: Annotated[int, typer.Option(help="Filters of the one convolution at the start.")] = 32,
    epochs: Annotated[int, typer.Option(help="Epochs of each proxy training.")] = 4,
    gain: Annotated[
        float, typer.Option(help="Accuracy that a doubling of the operations must bring.")
    ] = 0.01,
    least_gain: Annotated[float, typer.Option(help="Accuracy that any step must bring.")] = 0.002,
    steps: Annotated[int, typer.Option(help="Steps at most.")] = 10,
    macs: Annotated[int, typer.Option(help="Multiply-accumulates at most.")] = 60_000_000,
    validation: Annotated[
        int, typer.Option(help="Training images held out, a tenth at most.")
    ] = 5000,
    precision: PrecisionOption = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 1,
    out: _OutOption = None,
    place: Place,
    fresh: _FreshOption = False,
) -> None:
    """Grow a network from one convolution on short trainings; the same command resumes."""
    from quant import commands
    from quant.grow import Growing, minimal

    training = Training(epochs=epochs, warmup_epochs=0.3, seed=seed, average=0.99)
    plan = Growing(
        start=minimal(filters),
        training=given(training, precision=precision),
        gain_per_doubling=gain,
        least_gain=least_gain,
        most_steps=steps,
        most_macs=macs,
    )
    commands.grow(plan, place, result_folder(out, "grown"), validation=validation, fresh=fresh)


@app.command()
def benchmark(
    network: Annotated[str, typer.Option(help="A network by name, or a .toml file.")] = (
        "arch2_slim"
    ),
    bits: Annotated[str, typer.Option(help="Weights and activations as in w2a2.")] = "w2a2",
    steps: Annotated[int, typer.Option(min=1, help="Steps in a block.")] = 10,
    blocks: Annotated[int, typer.Option(min=1, help="Blocks of either way.")] = 5,
    batch: Annotated[int, typer.Option(help="Images in a step.")] = 128,
    device: Computer = "auto",
) -> None:
    """Compare the speed of quantised training: plain Brevitas against the compiled twin."""
    from quant import benchmark as module
    from quant import distributed

    found = module.benchmark(
        get_network(network),
        preset(bits),
        batch=batch,
        steps=steps,
        blocks=blocks,
        device=distributed.join(device),
    )
    say(str(found))


@app.command()
def download(
    out: Annotated[Path, typer.Option(help="Folder for the archive.")] = DEFAULT_DATA,
) -> None:
    """Fetch CIFAR-10 (170 MB); the same command goes on after a cut."""
    from quant import download as module

    say(f"{module.download(out)}: CIFAR-10, checksum right")


@app.command()
def pack(
    model: Annotated[str, typer.Argument(help="Path of a .safetensors file, or name in the zoo.")],
    name: Annotated[str, typer.Argument(help="Name of the packed model.")],
    out: Annotated[Path, typer.Option(help="Folder for NAME.safetensors and NAME.json.")] = ZOO,
) -> None:
    """Put a trained model into the zoo, its weights packed as integers."""
    from quant import calls

    weights = calls.pack(model, name, out)
    say(f"{weights}: {weights.stat().st_size:,} bytes")


@app.command()
def results(
    records: Annotated[
        list[Path] | None, typer.Argument(help="Records besides those of the package.")
    ] = None,
    readme: Annotated[Path, typer.Option(help="Markdown file for the models.")] = README,
    page: Annotated[Path, typer.Option(help="Markdown file for the paper.")] = PAPER_PAGE,
) -> None:
    """Write the README's tables of models and docs/paper.md, from records."""
    from quant.results import Pages

    say(Pages(readme=readme, paper=page).write(records or ()))


@app.command()
def export(
    model: Annotated[str, typer.Option(help="Name in the zoo, or path of a .safetensors file.")],
    out: Annotated[Path, typer.Option(help="Folder for model.onnx, vectors.npz and model.json.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Also recompute the accuracy on this test set.")
    ] = None,
    cache: Cache = DEFAULT_CACHE,
) -> None:
    """Write QONNX and golden vectors of the model's images, compared with each other."""
    from quant import calls

    say(str(calls.export(model, out)))
    if data is not None:
        say(str(calls.score(model, data, cache=cache)))


@app.command("data")
def data_(
    out: Annotated[Path, typer.Option(help="The .npz file to write.")],
    data: Annotated[
        Path | None, typer.Option(help="Data set, as train takes it. [data/cifar10]")
    ] = None,
    image_size: ImageSize = None,
    colour: ColourOption = "auto",
    cache: Cache = DEFAULT_CACHE,
    sample: Annotated[
        bool,
        typer.Option("--sample", help="Only a hundred; without --data those that come with quant."),
    ] = False,
) -> None:
    """Write the test images of a data set, their labels and their classes as one .npz file."""
    from quant import commands

    place = Place(data=data or DEFAULT_DATA, image_size=image_size, colour=colour, cache=cache)
    commands.write_images(out, None if sample and data is None else place, sample=sample)


@app.command("list")
def list_() -> None:
    """List the models of the zoo and the networks that can be trained."""
    from quant import commands

    commands.show()


def main() -> None:
    """Run the command line; errors are one message on stderr and exit code 2."""
    app.run(sys.argv[1:])
