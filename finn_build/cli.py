"""The command line: what each command may be given. What does it is imported when it is called."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from finn_build.boards import names
from finn_build.config import TOOLS, Objective, Options, Output
from finn_build.flow.steps import ORDER
from headrace.program import OneOf, Program

DEFAULT_MODEL = "arch2_slim_w2a2"
Chipdb = Annotated[
    Path | None,
    typer.Option(
        envvar="NEXTPNR_XILINX_DIR", help="nextpnr's database of the chip: a file, or its folder."
    ),
]
PrjxrayDb = Annotated[
    Path | None, typer.Option(envvar="PRJXRAY_DB_DIR", help="Folder of Project X-Ray's database.")
]
Vivado = Annotated[
    Path | None,
    typer.Option(envvar="XILINX_VIVADO", help="Vivado's folder, where it is not on PATH."),
]
app = Program(
    help="Build streaming accelerators of small quantised networks.",
    interrupted="interrupted; the same command resumes",
)


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """What is built, and how; `Options` checks them."""

    board: Annotated[str, typer.Argument(help=f"Known boards: {', '.join(names())}.")]
    model: Annotated[str, typer.Option(help="Zoo model or QONNX file.")] = DEFAULT_MODEL
    pixel_max: Annotated[
        float, typer.Option(help="Brightest pixel for a QONNX file: 255 for bytes, 1 for 0 to 1.")
    ] = 255.0
    output: Annotated[
        Output, typer.Option(help="What a QONNX file gives; auto: a label for a vector of logits.")
    ] = "auto"
    data: Annotated[
        Path | None, typer.Option(help="Data set to score it on, as train takes it.")
    ] = None
    labels: Annotated[
        Path | None, typer.Option(help="Text file with the names of the classes, one a line.")
    ] = None
    out: Annotated[Path | None, typer.Option(help="Instead of build/BOARD/MODEL.")] = None
    tool: Annotated[
        str, typer.Option(help="Places, routes and writes the bitstream."), OneOf(TOOLS)
    ] = "auto"
    clock_mhz: Annotated[float, typer.Option(help="Clock of the accelerator.")] = 100.0
    target_fps: Annotated[
        float | None, typer.Option(help="Cheapest that reaches it, not the fastest that fits.")
    ] = None
    objective: Annotated[
        Objective, typer.Option(help="latency: the shortest time for a single image.")
    ] = "throughput"
    images: Annotated[int, typer.Option(help="Images to simulate at the RTL.")] = 10
    netlist_images: Annotated[
        int, typer.Option(help="Images to simulate in the synthesised netlist; takes minutes.")
    ] = 0
    folding: Annotated[Path | None, typer.Option(help="A folding.json to use.")] = None
    seeds: Annotated[
        int, typer.Option(help="Place and route as often, side by side; the fastest is kept.")
    ] = 1
    chipdb: Chipdb = None
    prjxray_db: PrjxrayDb = None
    vivado: Vivado = None


@app.command()
def build(
    *,
    options: BuildOptions,
    first: Annotated[
        str | None, typer.Option("--from", help=f"Redo from this step: {', '.join(ORDER)}.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Stop after this step.")] = None,
) -> None:
    """Build the accelerator of a model for a board, up to its report."""
    from finn_build.flow import command

    command.run(Options(**vars(options)), first=first, last=last)


@app.command()
def demo(
    board: Annotated[str, typer.Argument(help="Board that it is built for.")] = "pynq-z2",
    model: Annotated[str, typer.Option(help="Zoo model or QONNX file.")] = DEFAULT_MODEL,
    out: Annotated[Path | None, typer.Option(help="Folder of a build that is there.")] = None,
    images: Annotated[int, typer.Option(help="Images to classify.")] = 10,
) -> None:
    """Classify real images on the simulated chip."""
    from finn_build.simulator import demo as demo_module

    options = Options(board=board, model=model, out=out)
    demo_module.run(options, images, Console(highlight=False))


@app.command()
def doctor(chipdb: Chipdb = None, prjxray_db: PrjxrayDb = None, vivado: Vivado = None) -> None:
    """Say which tools were found, what they make possible and what is missing."""
    from finn_build.backends import doctor as doctor_module

    folders = {"chipdb": chipdb, "prjxray_db": prjxray_db, "vivado_folder": vivado}
    if not doctor_module.run(Console(), **folders):
        raise typer.Exit(1)


@app.command()
def boards(
    model: Annotated[str, typer.Option(help="Zoo model or QONNX file.")] = DEFAULT_MODEL,
    clock_mhz: Annotated[float, typer.Option(help="Clock of the accelerator.")] = 100.0,
    out: Annotated[
        Path | None, typer.Option(help="Markdown file with marks for the table: docs/boards.md.")
    ] = None,
) -> None:
    """List the boards with what a model would reach on each, as the folding search predicts."""
    from finn_build.pages import boards as module

    module.run(model, mhz=clock_mhz, out=out, console=Console(highlight=False))


@app.command()
def compare(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Builds, folders of them, results.json of boards.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The page; its data goes beside it.")] = Path(
        "build/compare.html"
    ),
    data: Annotated[Path, typer.Option(help="Data set, if it is there.")] = Path("data/cifar10"),
    baselines: Annotated[bool, typer.Option(help="Time the networks on this CPU.")] = True,
    threads: Annotated[int | None, typer.Option(help="Of the CPU; all that there are.")] = None,
    seconds: Annotated[
        float, typer.Option(help="For each program on the CPU, on one image and on batches.")
    ] = 3.0,
) -> None:
    """Compare builds, boards, this CPU and what was published: a table and a page."""
    from finn_build.pages.compare import command

    command.run(
        paths or [Path("build")],
        out=out,
        data=data,
        cpu=baselines,
        threads=threads,
        seconds=seconds,
        console=Console(),
    )


@app.command()
def costs(
    out: Annotated[Path, typer.Option(help="JSON file to write.")],
) -> None:
    """Write what a multiply-accumulate costs at every bit width, for `prune`."""
    from finn_build.folding import cost_table

    cost_table.write(out)


@app.command()
def fit(
    out: Annotated[Path, typer.Option(help="Markdown file to write.")] = Path("docs/costs.md"),
) -> None:
    """Compare the estimated resources with Yosys' on a grid of units; takes minutes."""
    from finn_build.folding import calibration

    calibration.write(out, Console())


@app.command()
def registers(
    out: Annotated[Path, typer.Option(help="Markdown file to write.")] = Path("docs/registers.md"),
) -> None:
    """Write the register map of the chip as documentation."""
    from finn_build.rtl import registers as module

    out.write_text(module.markdown())


@app.command()
def reference(
    out: Annotated[Path, typer.Option(help="Markdown file to write.")] = Path("docs/rtl.md"),
) -> None:
    """Write the reference of the RTL modules as documentation."""
    from finn_build.rtl import reference as module

    out.write_text(module.markdown())
