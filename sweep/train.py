"""The jobs that train: float, pruned, probed and tuned networks, and quantised ones.

Each keeps its checkpoints in its own folder and resumes after its last whole epoch. The accuracies
that the search decides by are of held-out training images; the test images are only reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from rich.console import Console
from torch import Tensor

from quant import distributed
from quant.config import Network, Training
from quant.config_json import network_from_json, quantisation_from_json
from quant.data import DataSet, Labelled, Split, Task, open_data
from quant.float_model import FloatModel, load_float
from quant.images import accuracy
from quant.pruning import Pruning, Scores, choose, keep_filters, rank, shrink, strongest
from quant.recipes import find_recipe
from quant.setting import Setting
from quant.tasks import suited_training
from quant.training import (
    origin,
    train_float,
    train_quantised,
    tune_float,
    tune_longer,
    write_float,
)
from quant.zoo import load_trained
from sweep.counts import between, probed
from sweep.errors import ConfigError
from sweep.job import Place, Request

# As `quant prune` recovers after each iteration.
_TUNE_LR = 1e-3
_WARM_SHARE = 0.2


def run(request: Request, place: Place) -> dict[str, Any]:
    """Do a training, or what is left of it.

    Returns:
        Plain values: weights (path below the sweep's folder), filters, epochs, validation (share of
        the held-out images), accuracy (share of the test images); of a probe, what it found.

    Raises:
        HeadraceError: as the trainings of `quant` do.
    """
    out = place.folder(request.id)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "training.log").open("a") as log:
        common = _setting(place, **request.settings["data"])
        setting = replace(common, console=distributed.console(Console(file=log, width=120)))
        return _KINDS[request.kind](request, setting, place)


@lru_cache(maxsize=1)
def _setting(
    place: Place, *, images: int, held_out: int, test_images: int, files: str = ""
) -> Setting:
    data = _opened(place, whole=False)
    if data.files != files:
        raise ConfigError(
            f"{place.data}: not the files that the sweep began with; use these, or another --out"
        )
    return Setting.of(
        _load(place, "train", images and images + held_out),
        _load(place, "test", test_images),
        task=data.task,
        validation=held_out,
        device=distributed.join(place.device),
        compiled=place.compiled,
        command=place.command,
    )


def _opened(place: Place, *, whole: bool) -> DataSet:
    return open_data(
        place.data, size=place.size, colour=place.colour, cache=place.cache, whole=whole
    )


def _load(place: Place, split: Split, count: int) -> Labelled:
    """The first `count` images of a split, or the whole of it for 0."""
    data = _opened(place, whole=not count).read(split)
    if len(data) < count:
        raise ConfigError(
            f"{place.data}: {len(data):,} {split} images, the sweep wants {count:,} with those "
            "held out; use fewer, or the whole data set"
        )
    return data.part(slice(0, count)) if count else data


def _training(
    task: Task, settings: dict[str, Any], *, quantised: bool = False, **changes: Any
) -> Training:
    """The recipe's training with the job's epochs, and no longer a warm-up than suits them."""
    recipe = find_recipe(settings["recipe"])
    base = (
        recipe.quant_training
        if quantised
        else replace(recipe.float_training, precision=settings["precision"])
    )
    epochs = settings["epochs"]
    return replace(
        suited_training(base, task),
        epochs=epochs,
        batch=settings["batch"] or base.batch,
        seed=settings["seed"],
        warmup_epochs=min(base.warmup_epochs, _WARM_SHARE * epochs),
        **changes,
    )


def _float(request: Request, setting: Setting, place: Place) -> dict[str, Any]:
    network = network_from_json(request.settings["network"], request.id)
    out = place.folder(request.id)
    model = train_float(setting, network, _training(setting.task, request.settings), out)
    return _trained(model, setting, place, out)


def _tune(request: Request, setting: Setting, place: Place) -> dict[str, Any]:
    start = _parent(request, setting, place)
    out = place.folder(request.id)
    model = tune_longer(setting, start, _training(setting.task, request.settings), out)
    return _trained(model, setting, place, out)


def _parent(request: Request, setting: Setting, place: Place) -> FloatModel:
    return load_float(place.root / request.parents[0]["weights"], setting.device)


def _trained(model: FloatModel, setting: Setting, place: Place, out: Path) -> dict[str, Any]:
    return {
        "weights": str((out / "float.safetensors").relative_to(place.root)),
        "filters": model.network.filters,
        "epochs": model.record["epochs"]["float"],
        "validation": accuracy(model.model, setting.held_out),
        "accuracy": model.record["accuracy"]["float"],
    }


def _prune(request: Request, setting: Setting, place: Place) -> dict[str, Any]:
    """Remove filters in one iteration or several, each with its recovery.

    settings: `counts` to keep in each layer; or `share` of all filters to remove; or `iterations`
    to the filters that the second parent found.
    """
    settings, out = request.settings, place.folder(request.id)
    start = _parent(request, setting, place)
    steps: list[list[int] | None] = [settings["counts"]]
    if settings["iterations"]:
        wanted = request.parents[1]["filters"]
        steps = [*between(start.network.filters, wanted, settings["iterations"])]
    tune = _training(setting.task, settings, lr=_TUNE_LR)
    chosen = [partial(_keep, settings=settings, counts=counts) for counts in steps]
    shrunk = shrink(setting, start, chosen, settings["ranking"], tune, out)
    (last,) = deque(shrunk, maxlen=1)  # no more than one network is kept
    model = write_float(
        setting,
        last.model,
        last.network,
        out,
        replace(last.spent, seconds=round(last.spent.seconds, 1)),
        _history(start, settings, steps, tune),
        settings["seed"],
    )
    return _trained(model, setting, place, out)


def _history(
    start: FloatModel, settings: dict[str, Any], steps: list[list[int] | None], tune: Training
) -> dict[str, Any]:
    """The record's training with this pruning joined to those before."""
    before = start.record["training"]
    history = {"ranking": settings["ranking"], "share": settings["share"], "filters": steps}
    pruning = [*before.get("pruning", []), {**history, "tune": asdict(tune)}]
    return {**before, "pruning": pruning, "from": origin(start.record)}


def _keep(
    network: Network, scores: Scores, settings: dict[str, Any], counts: list[int] | None
) -> dict[str, Tensor]:
    if counts is not None:
        return strongest(scores, dict(zip(scores, counts, strict=True)))
    plan = Pruning(iterations=1, share=settings["share"], ranking=settings["ranking"])
    return choose(network, scores, plan)


def _probe(request: Request, setting: Setting, place: Place) -> dict[str, Any]:
    """What each layer's filters are worth: prune it alone, recover, and look.

    Returns:
        base: held-out accuracy after the same recovery with all filters; least: the smallest
        difference that there can be; layers: for each
        convolution its scores ascending, the filters it was left with (`count`) and the accuracy
        it `kept`.
    """
    settings, out = request.settings, place.folder(request.id)
    start = _parent(request, setting, place)
    network, tune = start.network, _training(setting.task, settings, lr=_TUNE_LR)
    scores = rank(start.model, network, settings["ranking"], setting.train)

    def recovered(name: str, counts: list[int]) -> float:
        keep = strongest(scores, dict(zip(scores, counts, strict=True)))
        model, smaller = keep_filters(start.model, network, keep)
        tune_float(setting, model, smaller, tune, out / f"probe-{name}-state.safetensors")
        return accuracy(model, setting.held_out)

    found = []
    base = recovered("none", network.filters)
    for number, name in enumerate(scores):
        counts = list(network.filters)
        counts[number] = probed(counts[number], settings["block"])
        found.append(
            {
                "scores": scores[name].sort().values.tolist(),
                "count": counts[number],
                "kept": recovered(name, counts) if counts != network.filters else base,
            }
        )
    return {"base": base, "least": 1.0 / len(setting.held_out.labels), "layers": found}


def _quantise(request: Request, setting: Setting, place: Place) -> dict[str, Any]:
    """Train a quantised network, from a float one or further from a shorter training."""
    settings, out = request.settings, place.folder(request.id)
    start = _parent(request, setting, place)
    earlier = None
    if len(request.parents) > 1:
        earlier = load_trained(str(place.root / request.parents[1]["weights"]))
    quantisation = quantisation_from_json(settings["quantisation"], request.id)
    training = _training(setting.task, settings, quantised=True)
    record = train_quantised(setting, start, quantisation, training, out, earlier=earlier)
    weights = out / f"{out.name}.safetensors"
    model = load_trained(str(weights)).model.to(setting.device)
    return {
        "weights": str(weights.relative_to(place.root)),
        "filters": record["filters"],
        "epochs": record["epochs"]["quantised"],
        "validation": accuracy(model, setting.held_out),
        "accuracy": record["accuracy"]["quantised"],
        "test_images": record["test_images"],
    }


_KINDS: dict[str, Callable[[Request, Setting, Place], dict[str, Any]]] = {
    "float": _float,
    "prune": _prune,
    "probe": _probe,
    "tune": _tune,
    "quantise": _quantise,
}
KINDS = tuple(_KINDS)
