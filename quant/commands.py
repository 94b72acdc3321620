"""Commands that write pages, tables and lists, and what all print; imports all that trains.

`quant.calls` has those that are functions as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from headrace.terminal import say
from quant import distributed
from quant.data import CIFAR10, travelling
from quant.errors import ConfigError
from quant.files import write_npz
from quant.grow import Growing, growing_table, topology
from quant.grow import grow as grow_network
from quant.options import Place
from quant.plots import plot_growing
from quant.record import summary
from quant.results import Pages
from quant.series import Planned, chosen, read_series, run_series
from quant.starting import forget, named, opened, setting
from quant.tasks import suited, suited_training
from quant.topologies import NETWORKS
from quant.zoo import load_trained, zoo_images, zoo_names


def series(file: Path, only: Sequence[str], place: Place, folder: Path) -> None:
    """Do a list of trainings, or some of them."""
    plans = chosen(read_series(file, folder), only)
    ready, console = partial(setting, place), distributed.console(None)
    records = run_series(plans, ready, folder, console, data=named(place))
    for name, record in records.items():
        tell(summary(folder / name, record))


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

    ready = partial(setting, place)
    console = distributed.console(None)
    run_series(plans, ready, folder, console, data=named(place), then=then)
    tell(f"{pages.paper}: {', '.join(by_name)}")


def grow(plan: Growing, place: Place, folder: Path, *, validation: int, fresh: bool) -> None:
    """Grow a network, or resume; validation: images held out to decide."""
    ready = setting(place, validation=validation)
    task = ready.task
    plan = replace(
        plan, start=suited(plan.start, task), training=suited_training(plan.training, task)
    )
    if fresh:
        forget(folder)
        (folder / "growing.json").unlink(missing_ok=True)
    network, rows = grow_network(ready, plan, folder)
    plot_growing(folder / "growing.json", folder / "growing.png")
    Console().print(growing_table(rows))
    tell(f"{folder}: {topology(network)}, {network.flops / 1e6:.1f} MFLOPs")


def write_images(out: Path, place: Place | None, *, sample: bool) -> None:
    """Write test images, labels and the names of the classes as .npz.

    place: of the data set, None for the images that come with the package; sample: only as many as
    travel with a model. Raises ConfigError for a file of another name, and for the data set's own.
    """
    if out.suffix != ".npz":
        raise ConfigError(f"--out {out}: use a name that ends in .npz")
    if place is not None and out.exists() and place.data.exists() and out.samefile(place.data):
        raise ConfigError(f"--out {out}: is the data set itself; use another name")
    if place is None:
        test, task = zoo_images(), CIFAR10
    else:
        data = opened(place)
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


def tell(text: str) -> None:
    """Print a result; of several processes only the first does."""
    if distributed.rank() == 0:
        say(text)
