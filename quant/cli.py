"""The command line: train, series, prune, grow, benchmark, pack, export, data, list and more."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import torch
import typer
from rich.console import Console

from quant import distributed
from quant.benchmark import benchmark_command
from quant.config import Norm, Precision, Training, WeightScale, preset
from quant.costs import Costs
from quant.data import DEFAULT_CACHE, DEFAULT_DATA, load_cifar10
from quant.download import download_command
from quant.errors import ConfigError, QuantError
from quant.export import export as export_model
from quant.files import write_npz
from quant.grow import Growing, growing_table, minimal, topology
from quant.grow import grow as grow_network
from quant.images import Images, accuracy
from quant.networks import NETWORKS
from quant.plan import Plan, given
from quant.plots import plot_growing, plot_pruning
from quant.program import Program, say
from quant.prune import Pruning, Ranking
from quant.prune import prune as prune_model
from quant.recipes import RECIPES, find_recipe
from quant.results import results_command
from quant.series import read_series, run_series
from quant.teacher import TEACHER
from quant.train import Setting, load_float
from quant.zoo import load_trained, pack_command, zoo_images, zoo_names

app = Program(help="Train small quantised CNNs for CIFAR-10 and export them to QONNX.")
INTERRUPTED = "interrupted; the same command goes on, a training after its last finished epoch"
_DataOption = Annotated[
    Path, typer.Option("--data", help="Folder with CIFAR-10, in any of its layouts.")
]
_CacheOption = Annotated[Path, typer.Option(help="Folder where decoded images are kept.")]
_OutOption = Annotated[
    Path | None, typer.Option(help="Result folder; the model takes its name. [runs/NETWORK]")
]
_CompileOption = Annotated[
    bool, typer.Option("--compile/--no-compile", help="Compile with torch.compile.")
]
_DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
_PrecisionOption = Annotated[
    str | None, typer.Option(help="Of float training: float32, or bfloat16, which is faster.")
]
_FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Drop the checkpoints in OUT, do not resume.")
]


@app.command()
def train(
    network: Annotated[
        str, typer.Option(help=f"One of {', '.join(NETWORKS)}, {TEACHER}, or a .toml file.")
    ] = "arch2_slim",
    bits: Annotated[str, typer.Option(help="float, or weights and activations as in w2a2.")] = (
        "w2a2"
    ),
    layer: Annotated[
        list[str] | None, typer.Option(help="Other bits for one layer: conv3=w4a2, last=w8.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--from", help="Float model to start from, a float.safetensors.")
    ] = None,
    earlier: Annotated[
        str | None,
        typer.Option(
            "--tune",
            help="Quantised model to train further, --from its float model, or with --bits float.",
        ),
    ] = None,
    recipe: Annotated[str, typer.Option(help=f"One of {', '.join(RECIPES)}.")] = "ours",
    float_epochs: Annotated[int | None, typer.Option(help="Epochs before quantisation.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of the quantised network.")] = None,
    float_lr: Annotated[float | None, typer.Option(help="Highest learning rate, float.")] = None,
    lr: Annotated[float | None, typer.Option(help="Highest learning rate, quantised.")] = None,
    batch: Annotated[int | None, typer.Option(help="Images in a step.")] = None,
    batch_norm: Annotated[
        str | None, typer.Option(help="all, dense or none, instead of the recipe's.")
    ] = None,
    stage_dropout: Annotated[
        float | None, typer.Option(help="Dropout after each stage of convolutions, float.")
    ] = None,
    dense_dropout: Annotated[
        float | None, typer.Option(help="Dropout after each hidden dense layer, float.")
    ] = None,
    weight_scale: Annotated[str, typer.Option(help="statistics or learned.")] = "statistics",
    distill: Annotated[
        float | None, typer.Option(help="Share of the loss that imitates a float model.")
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(help="Float model to imitate, instead of the one to start from."),
    ] = None,
    views: Annotated[
        int | None,
        typer.Option(
            help="With --teacher: fixed shifts of each image, predicted once and kept beside it; "
            "0 to ask it at every step. [8]"
        ),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="What logits are divided by where they are imitated.")
    ] = None,
    precision: _PrecisionOption = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 1,
    out: _OutOption = None,
    data: _DataOption = DEFAULT_DATA,
    cache: _CacheOption = DEFAULT_CACHE,
    compiled: _CompileOption = True,
    device: _DeviceOption = "auto",
    fresh: _FreshOption = False,
) -> None:
    """Train float, then quantised; the same command resumes an interrupted training."""
    plan = Plan(
        network=network,
        bits=bits,
        layer=tuple(layer or ()),
        start=start,
        tune=earlier,
        recipe=recipe,
        float_epochs=float_epochs,
        epochs=epochs,
        float_lr=float_lr,
        lr=lr,
        batch=batch,
        batch_norm=cast(Norm | None, batch_norm),
        stage_dropout=stage_dropout,
        dense_dropout=dense_dropout,
        weight_scale=cast(WeightScale, weight_scale),
        teacher=teacher,
        views=views,
        distill=distill,
        temperature=temperature,
        precision=cast(Precision | None, precision),
        seed=seed,
    )
    folder = _out(out, network)
    setting = _setting(data, cache, device, compiled)
    if fresh:
        _forget(folder)
    record = plan.run(setting, folder)
    _print_record(folder, record)


@app.command()
def series(
    file: Annotated[Path, typer.Argument(help="TOML file with a table for each training.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the trainings' folders. [runs/NAME of FILE]")
    ] = None,
    data: _DataOption = DEFAULT_DATA,
    cache: _CacheOption = DEFAULT_CACHE,
    compiled: _CompileOption = True,
    device: _DeviceOption = "auto",
) -> None:
    """Do a list of trainings in order; the same command resumes, and skips what is done."""
    folder = _out(out, str(file))
    plans = read_series(file, folder)

    def setting() -> Setting:
        return _setting(data, cache, device, compiled)

    records = run_series(plans, setting, folder, distributed.console(None))
    for name, record in records.items():
        _print_record(folder / name, record)


@app.command()
def prune(
    start: Annotated[Path, typer.Option("--from", help="Float model, a float.safetensors.")],
    iterations: Annotated[int, typer.Option(help="How often filters are removed.")] = 6,
    share: Annotated[float, typer.Option(help="Share of the filters that go each time.")] = 0.05,
    ranking: Annotated[str, typer.Option(help=f"{', '.join(get_args(Ranking))}.")] = "taylor",
    recipe: Annotated[str, typer.Option(help=f"One of {', '.join(RECIPES)}.")] = "ours",
    tune_epochs: Annotated[int, typer.Option(help="Epochs after each iteration.")] = 1,
    epochs: Annotated[int, typer.Option(help="Epochs after the last iteration.")] = 16,
    hardware: Annotated[
        Path | None, typer.Option(help="Table of costs: remove what saves the most logic.")
    ] = None,
    cost_share: Annotated[
        float, typer.Option(help="With --hardware, share of the cost that goes each time.")
    ] = 0.05,
    bits: Annotated[str, typer.Option(help="With --hardware, bits that it will have.")] = "w2a2",
    batch: Annotated[int | None, typer.Option(help="Images in a step.")] = None,
    precision: _PrecisionOption = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 1,
    out: _OutOption = None,
    data: _DataOption = DEFAULT_DATA,
    cache: _CacheOption = DEFAULT_CACHE,
    compiled: _CompileOption = True,
    device: _DeviceOption = "auto",
    fresh: _FreshOption = False,
) -> None:
    """Remove filters of a float model step by step; the same command resumes."""
    chosen = find_recipe(recipe).float_training
    training = given(chosen, batch=batch, seed=seed, precision=precision)
    plan = Pruning(
        iterations=iterations,
        share=share,
        ranking=cast(Ranking, ranking),
        tune=replace(training, epochs=tune_epochs, lr=1e-3, warmup_epochs=0.2),
        costs=Costs.load(hardware, preset(bits)) if hardware else None,
        cost_share=cost_share,
    )
    final = replace(training, epochs=epochs)
    folder = _out(out, f"{start.parent.name}_pruned")
    setting = _setting(data, cache, device, compiled)
    if fresh:
        _forget(folder)
    model = prune_model(setting, load_float(start, setting.device), plan, final, folder)
    plot_pruning(folder / "pruning.json", folder / "pruning.png")
    _print_record(folder, model.record)


@app.command()
def grow(
    filters: Annotated[int, typer.Option(help="Filters of the one convolution at the start.")] = 32,
    epochs: Annotated[int, typer.Option(help="Epochs of each proxy training.")] = 4,
    gain: Annotated[
        float, typer.Option(help="Accuracy that a doubling of the operations must bring.")
    ] = 0.01,
    least_gain: Annotated[float, typer.Option(help="Accuracy that any step must bring.")] = 0.002,
    steps: Annotated[int, typer.Option(help="Steps at most.")] = 10,
    macs: Annotated[int, typer.Option(help="Multiply-accumulates at most.")] = 60_000_000,
    validation: Annotated[int, typer.Option(help="Training images held out to decide.")] = 5000,
    precision: _PrecisionOption = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 1,
    out: _OutOption = None,
    data: _DataOption = DEFAULT_DATA,
    cache: _CacheOption = DEFAULT_CACHE,
    compiled: _CompileOption = True,
    device: _DeviceOption = "auto",
    fresh: _FreshOption = False,
) -> None:
    """Grow a network from one convolution on short trainings; the same command resumes."""
    plan = Growing(
        start=minimal(filters),
        training=given(
            Training(epochs=epochs, warmup_epochs=0.3, seed=seed, average=0.99), precision=precision
        ),
        gain_per_doubling=gain,
        least_gain=least_gain,
        most_steps=steps,
        most_macs=macs,
    )
    folder = _out(out, "grown")
    setting = _setting(data, cache, device, compiled, validation=validation)
    if fresh:
        _forget(folder)
        (folder / "growing.json").unlink(missing_ok=True)
    network, rows = grow_network(setting, plan, folder)
    plot_growing(folder / "growing.json", folder / "growing.png")
    Console().print(growing_table(rows))
    _say(f"{folder}: {topology(network)}, {network.flops / 1e6:.1f} MFLOPs")


app.command("benchmark")(benchmark_command)
app.command("download")(download_command)
app.command("pack")(pack_command)
app.command("results")(results_command)


def _out(out: Path | None, name: str) -> Path:
    folder = out or Path("runs") / Path(name).stem
    if not folder.name:
        raise ConfigError(f"--out {folder}: has no name for the model; use for example runs/mine")
    return folder


def _setting(
    data: Path, cache: Path, device: str, compiled: bool, *, validation: int = 1000
) -> Setting:
    place = distributed.join(device)
    return Setting.of(
        load_cifar10(data, "train", cache=cache),
        load_cifar10(data, "test", cache=cache),
        validation=validation,
        device=place,
        compiled=compiled,
        command=" ".join(["python -m quant", *sys.argv[1:]]),
    )


def _forget(folder: Path) -> None:
    """Drop the checkpoints of an earlier training; results stay until new ones replace them."""
    for path in folder.glob("*-state.safetensors"):
        path.unlink(missing_ok=True)  # several processes do this at once


def _print_record(folder: Path, record: dict[str, Any]) -> None:
    scores = ", ".join(
        f"{name} {100 * value:.2f} %" for name, value in record["accuracy"].items() if value
    )
    _say(f"{folder}: {scores} of {record['test_images']:,} test images")


def _say(text: str) -> None:
    """Print a result; of several processes only the first does."""
    if distributed.rank() == 0:
        say(text)


@app.command()
def export(
    model: Annotated[str, typer.Option(help="Name in the zoo, or path of a .safetensors file.")],
    out: Annotated[Path, typer.Option(help="Folder for model.onnx, vectors.npz and model.json.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Also recompute the accuracy on this test set.")
    ] = None,
    cache: _CacheOption = DEFAULT_CACHE,
) -> None:
    """Write QONNX and golden vectors of the zoo's hundred images, compared with each other."""
    trained = load_trained(model)
    done = export_model(trained, zoo_images(), out)
    say(
        f"{done.folder}: QONNX equals Brevitas on {done.images - done.explained} of "
        f"{done.images} images, {done.explained} more up to rounding; {done.right} classified right"
    )
    if data is not None:
        test = Images.of(load_cifar10(data, "test", cache=cache), torch.device("cpu"))
        say(
            f"{100 * accuracy(trained.model, test):.2f} % of {len(test.labels):,} test images, "
            f"{100 * trained.record['accuracy']['quantised']:.2f} % in the record"
        )


@app.command("data")
def data_(
    out: Annotated[Path, typer.Option(help="The .npz file to write.")],
    data: _DataOption = DEFAULT_DATA,
    cache: _CacheOption = DEFAULT_CACHE,
    sample: Annotated[
        bool, typer.Option("--sample", help="Only the hundred images that come with quant.")
    ] = False,
) -> None:
    """Write the 10,000 test images and their labels as one .npz file."""
    if out.suffix != ".npz":
        raise ConfigError(f"--out {out}: use a name that ends in .npz")
    test = zoo_images() if sample else load_cifar10(data, "test", cache=cache)
    write_npz(out, {"images": test.images, "labels": test.labels})
    say(f"{out}: {len(test):,} test images")


@app.command("list")
def list_() -> None:
    """List the models of the zoo and the networks that can be trained."""
    for name in zoo_names():
        record = load_trained(name).record
        say(
            f"model    {name:<12} {record['network']}, W{record['weight_bits']}"
            f"A{record['act_bits']}, {100 * record['accuracy']['quantised']:.2f} % of "
            f"{record['test_images']:,} test images"
        )
    for network in NETWORKS.values():
        say(
            f"network  {network.name:<12} {network.parameters:,} parameters, "
            f"{network.macs:,} multiply-accumulates"
        )


def main() -> None:
    """Run the command line; errors are one message on stderr and exit code 2."""
    app.run(sys.argv[1:], (QuantError,), interrupted=INTERRUPTED)
