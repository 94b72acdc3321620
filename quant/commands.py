"""What the commands do once their options are read; imports all that trains."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from headrace.program import command_line
from headrace.terminal import say
from quant import distributed
from quant.data import load_cifar10
from quant.errors import ConfigError
from quant.exporting import export as export_model
from quant.files import write_npz
from quant.grow import Growing, growing_table, topology
from quant.grow import grow as grow_network
from quant.images import Images, accuracy
from quant.options import Place
from quant.plan import Plan
from quant.plots import plot_growing
from quant.prune_plan import PrunePlan
from quant.results import Pages
from quant.series import Planned, chosen, read_series, run_series
from quant.topologies import NETWORKS
from quant.training import Setting
from quant.zoo import load_trained, zoo_images, zoo_names


def _setting(place: Place, *, validation: int = 1000) -> Setting:
    """Join the other processes, if any, and read the images."""
    device = distributed.join(place.device)
    return Setting.of(
        load_cifar10(place.data, "train", cache=place.cache),
        load_cifar10(place.data, "test", cache=place.cache),
        validation=validation,
        device=device,
        compiled=place.compiled,
        command=command_line(),
    )


def train(plan: Plan | PrunePlan, place: Place, folder: Path, *, fresh: bool) -> None:
    """Do one training or pruning, or resume it; fresh: without the checkpoints that are there."""
    setting = _setting(place)
    if fresh:
        _forget(folder)
    _print_record(folder, plan.run(setting, folder))


def series(file: Path, only: Sequence[str], place: Place, folder: Path) -> None:
    """Do a list of trainings, or some of them."""
    plans = chosen(read_series(file, folder), only)
    records = run_series(plans, partial(_setting, place), folder, distributed.console(None))
    for name, record in records.items():
        _print_record(folder / name, record)


def paper(file: Path, only: Sequence[str], pages: Pages, place: Place, folder: Path) -> None:
    """Do the paper's trainings, or some of them; after each its record is kept, the pages written.

    Raises:
        ConfigError: before anything is trained, if a page has no place for its tables.
    """
    plans = chosen(read_series(file, folder), only)
    pages.write()
    by_name: dict[str, Planned] = {planned.name: planned for planned in plans}

    def then(name: str) -> None:
        pages.keep(name, by_name[name].plan.result(folder / name).with_suffix(".json"))
        pages.write()

    ready = partial(_setting, place)
    run_series(plans, ready, folder, distributed.console(None), then=then)
    _say(f"{pages.paper}: {', '.join(by_name)}")


def grow(plan: Growing, place: Place, folder: Path, *, validation: int, fresh: bool) -> None:
    """Grow a network, or resume; validation: images held out to decide."""
    setting = _setting(place, validation=validation)
    if fresh:
        _forget(folder)
        (folder / "growing.json").unlink(missing_ok=True)
    network, rows = grow_network(setting, plan, folder)
    plot_growing(folder / "growing.json", folder / "growing.png")
    Console().print(growing_table(rows))
    _say(f"{folder}: {topology(network)}, {network.flops / 1e6:.1f} MFLOPs")


def export(model: str, out: Path, data: Path | None, cache: Path) -> None:
    """Export a model; data: images to score it on as well."""
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


def write_images(out: Path, data: Path, cache: Path, *, sample: bool) -> None:
    """Write test images and labels as .npz; sample: those that come with the package."""
    if out.suffix != ".npz":
        raise ConfigError(f"--out {out}: use a name that ends in .npz")
    test = zoo_images() if sample else load_cifar10(data, "test", cache=cache)
    write_npz(out, {"images": test.images, "labels": test.labels})
    say(f"{out}: {len(test):,} test images")


def show() -> None:
    """Print the models of the zoo and the networks."""
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
