"""What the commands do once their options are read; imports all that trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from headrace.program import command_line
from headrace.terminal import say
from quant import distributed
from quant.config import Colour
from quant.data import CIFAR10, DataSet, Labelled, image_size, open_data, travelling
from quant.errors import ConfigError
from quant.export import export as export_model
from quant.files import write_npz
from quant.grow import Growing, growing_table, topology
from quant.grow import grow as grow_network
from quant.images import Images, accuracy
from quant.networks import NETWORKS
from quant.options import Place
from quant.plan import Plan
from quant.plots import plot_growing
from quant.prune_plan import PrunePlan
from quant.results import Pages
from quant.series import Planned, chosen, read_series, run_series
from quant.tasks import relabelled, suited, suited_training
from quant.train import Setting
from quant.zoo import Trained, load_trained, model_images, zoo_images, zoo_names


def _setting(place: Place, *, validation: int = 1000) -> Setting:
    """Join the other processes, if any, and read the images.

    validation: training images held out, but at most a tenth of a small set; a set's own validation
    images go before that.
    """
    device = distributed.join(place.device)
    data = _opened(place)
    train = data.train
    held_out = min(validation, len(train) // 10) if data.held_out is None else data.held_out
    return Setting.of(
        train,
        data.test,
        task=data.task,
        validation=held_out,
        device=device,
        compiled=place.compiled,
        command=command_line(),
    )


def _opened(place: Place) -> DataSet:
    size = None if place.image_size is None else image_size(place.image_size)
    return open_data(place.data, size=size, colour=place.colour, cache=place.cache)


def _named(place: Place) -> dict[str, str]:
    """The options that name the data set, as far as they are not the default."""
    given = {"data": place.data, "image_size": place.image_size, "colour": place.colour}
    usual = {field.name: field.default for field in fields(Place)}
    return {name: str(value) for name, value in given.items() if value != usual[name]}


def train(plan: Plan | PrunePlan, place: Place, folder: Path, *, fresh: bool) -> None:
    """Do one training or pruning, or resume it; fresh: without the checkpoints that are there."""
    setting = _setting(place)
    if fresh:
        _forget(folder)
    _print_record(folder, plan.run(setting, folder))


def series(file: Path, only: Sequence[str], place: Place, folder: Path) -> None:
    """Do a list of trainings, or some of them."""
    plans = chosen(read_series(file, folder), only)
    ready, console = partial(_setting, place), distributed.console(None)
    records = run_series(plans, ready, folder, console, data=_named(place))
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
    console = distributed.console(None)
    run_series(plans, ready, folder, console, data=_named(place), then=then)
    _say(f"{pages.paper}: {', '.join(by_name)}")


def grow(plan: Growing, place: Place, folder: Path, *, validation: int, fresh: bool) -> None:
    """Grow a network, or resume; validation: images held out to decide."""
    setting = _setting(place, validation=validation)
    task = setting.task
    plan = replace(
        plan, start=suited(plan.start, task), training=suited_training(plan.training, task)
    )
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
    done = export_model(trained, model_images(model, trained.task), out)
    say(
        f"{done.folder}: QONNX equals Brevitas on {done.images - done.explained} of "
        f"{done.images} images, {done.explained} more up to rounding; {done.right} classified right"
    )
    if data is not None:
        test = Images.of(_judges(trained, data, cache), torch.device("cpu"))
        say(
            f"{100 * accuracy(trained.model, test):.2f} % of {len(test.labels):,} test images, "
            f"{100 * trained.record['accuracy']['quantised']:.2f} % in the record"
        )


def _judges(trained: Trained, data: Path, cache: Path) -> Labelled:
    """The test images of a data set as a model takes them, with the labels that it gives."""
    height, width, channels = trained.network.input_shape
    colour: Colour = "grey" if channels == 1 else "rgb"
    found = open_data(data, size=(height, width), colour=colour, cache=cache)
    classes = found.task.classes if trained.task is None else trained.task.classes
    return relabelled(found.test, found.task, classes)


def write_images(out: Path, place: Place | None, *, sample: bool) -> None:
    """Write test images, labels and the names of the classes as .npz.

    place: of the data set, None for the images that come with the package; sample: only as many as
    travel with a model.
    """
    if out.suffix != ".npz":
        raise ConfigError(f"--out {out}: use a name that ends in .npz")
    if place is None:
        test, task = zoo_images(), CIFAR10
    else:
        data = _opened(place)
        test, task = data.test, data.task
        if sample:
            test = travelling(test, len(task.classes))
    names = np.array(task.classes)
    write_npz(out, {"images": test.images, "labels": test.labels, "classes": names})
    say(f"{out}: {len(test):,} test images of {task}")


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
