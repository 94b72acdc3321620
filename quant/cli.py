"""The command line: train, export, data, list."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import torch
import typer
from rich.console import Console

from quant.config import Dropout, Quantisation, Training
from quant.data import DEFAULT_CACHE, DEFAULT_DATA, load_cifar10
from quant.errors import ConfigError, QuantError
from quant.export import export as export_model
from quant.files import write_npz
from quant.loop import Images, accuracy
from quant.networks import NETWORKS, get_network
from quant.train import Plan
from quant.train import train as train_model
from quant.zoo import load_trained, zoo_images, zoo_names

app = typer.Typer(
    help="Train small quantised CNNs for CIFAR-10 and export them to QONNX.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_DataOption = Annotated[
    Path, typer.Option("--data", help="Folder with CIFAR-10: parquet, binary or Python version.")
]
_CacheOption = Annotated[Path, typer.Option(help="Folder where decoded images are kept.")]


@app.command()
def train(
    network: Annotated[str, typer.Option(help=f"One of {', '.join(NETWORKS)}.")] = "arch1",
    float_epochs: Annotated[int, typer.Option(help="Epochs before quantisation.")] = 20,
    epochs: Annotated[int, typer.Option(help="Epochs of the quantised network.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Result folder; the model takes its name. [runs/NETWORK]")
    ] = None,
    data: _DataOption = DEFAULT_DATA,
    cache: _CacheOption = DEFAULT_CACHE,
    weight_bits: Annotated[int, typer.Option(help="Bits of hidden weights.")] = 2,
    act_bits: Annotated[int, typer.Option(help="Bits of activations.")] = 2,
    first_weight_bits: Annotated[int, typer.Option(help="Bits of the first weights.")] = 4,
    last_weight_bits: Annotated[int, typer.Option(help="Bits of the last weights.")] = 4,
    batch: Annotated[int, typer.Option(help="Images in a step.")] = 128,
    float_lr: Annotated[float, typer.Option(help="Highest learning rate, float.")] = 3e-3,
    lr: Annotated[float, typer.Option(help="Highest learning rate, quantised.")] = 2e-3,
    pool_dropout: Annotated[float, typer.Option(help="Float dropout after pools.")] = 0.0,
    last_dropout: Annotated[float, typer.Option(help="Float dropout before the last layer.")] = 0.0,
    distill: Annotated[float, typer.Option(help="Share of the loss that imitates float.")] = 0.0,
    cutout_px: Annotated[int, typer.Option(help="Side of the square cut out; 0 for none.")] = 0,
    compiled: Annotated[
        bool, typer.Option("--compile/--no-compile", help="Compile with torch.compile.")
    ] = True,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Drop what OUT holds, do not resume.")
    ] = False,
) -> None:
    """Train float, then quantised; the same command resumes an interrupted training."""
    chosen = replace(get_network(network), dropout=Dropout(pool=pool_dropout, last=last_dropout))
    out = out or Path("runs") / network
    if not out.name:
        raise ConfigError(f"--out {out}: has no name for the model; use for example runs/mine")
    shared = Training(epochs=float_epochs, batch=batch, seed=seed, cutout_px=cutout_px, lr=float_lr)
    plan = Plan(
        network=chosen,
        quantisation=Quantisation(
            weight_bits=weight_bits,
            act_bits=act_bits,
            first_weight_bits=first_weight_bits,
            last_weight_bits=last_weight_bits,
        ),
        float_training=shared,
        quant_training=replace(shared, epochs=epochs, lr=lr, label_smoothing=0.0, distill=distill),
        compiled=compiled,
        device=_device(device),
        command=" ".join(["python -m quant", *sys.argv[1:]]),
    )
    images = load_cifar10(data, "train", cache=cache)
    test = load_cifar10(data, "test", cache=cache)
    if fresh and out.exists():
        for name in ("float-state.safetensors", "quantised-state.safetensors"):
            (out / name).unlink(missing_ok=True)
    try:
        record = train_model(plan, images, test, out)
    except KeyboardInterrupt:
        _fail("interrupted; the same command resumes after the last finished epoch", 130)
    scores = record["accuracy"]
    typer.echo(
        f"{out / out.name}.safetensors  float {100 * scores['float']:.2f} %  "
        f"quantised {100 * scores['quantised']:.2f} %  of {record['test_images']:,} test images"
    )


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
    typer.echo(
        f"{done.folder}: QONNX equals Brevitas on {done.images - done.explained} of "
        f"{done.images} images, {done.explained} more up to rounding; {done.right} classified right"
    )
    if data is not None:
        test = Images.of(load_cifar10(data, "test", cache=cache), torch.device("cpu"))
        typer.echo(
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
    typer.echo(f"{out}: {len(test):,} test images")


@app.command("list")
def list_() -> None:
    """List the models of the zoo and the networks that can be trained."""
    for name in zoo_names():
        record = load_trained(name).record
        typer.echo(
            f"model    {name:<12} {record['network']}, W{record['weight_bits']}"
            f"A{record['act_bits']}, {100 * record['accuracy']['quantised']:.2f} % of "
            f"{record['test_images']:,} test images"
        )
    for network in NETWORKS.values():
        typer.echo(
            f"network  {network.name:<12} {network.parameters:,} parameters, "
            f"{network.macs:,} multiply-accumulates"
        )


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise ConfigError(f"--device {name}: not known; use auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: PyTorch sees no GPU here; use cpu")
    return name


def main() -> None:
    """Run the command line; errors are one message on stderr and exit code 2."""
    try:
        app()
    except QuantError as error:
        _fail(str(error), 2)


def _fail(message: str, code: int) -> NoReturn:
    Console(stderr=True).print(
        f"quant: {message}", style="red", markup=False, highlight=False, soft_wrap=True
    )
    raise SystemExit(code)
