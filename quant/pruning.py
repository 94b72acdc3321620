"""Iterative filter pruning: rank, remove, fine-tune, again; filters really go.

The schedule is that of Table 5 of "Optimization of CNN model for image classification" (Dhouibi,
Ben Salem, Ben Saoud): a share of the remaining filters of all convolutions together. With a table
of hardware costs whole blocks of filters go, those first that cost the least accuracy for the
logic that they save.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from quant import distributed
from quant.checkpoint import Status
from quant.config import Conv, Dense, Depthwise, Layer, Network, Ranking, Residual, Training
from quant.costs import Costs
from quant.errors import ConfigError
from quant.files import write_json
from quant.float_model import FloatModel
from quant.images import Images, accuracy
from quant.models import Model, build_float, load_state
from quant.record import ROWS
from quant.setting import Setting
from quant.training import origin, tune_float, write_float

Scores = dict[str, Tensor]

# Images and batches over which the Taylor ranking takes its gradients.
_TAYLOR_IMAGES, _TAYLOR_BATCH = 2560, 128


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """How filters are chosen and how the network recovers after each iteration.

    `share` of the remaining filters go in an iteration, to the nearest whole filter. With `costs`,
    at least `share` of the filters and `cost_share` of the cost go, in whole blocks.
    """

    iterations: int = 6
    share: float = 0.05
    ranking: Ranking = "taylor"
    tune: Training = field(default=Training(epochs=1, lr=1e-3, warmup_epochs=0.2))
    costs: Costs | None = None
    cost_share: float = 0.05

    def __post_init__(self) -> None:
        """Check every value."""
        if self.iterations < 1:
            raise ConfigError(f"pruning: iterations={self.iterations} is too small; use 1 or more")
        for name in ("share", "cost_share"):
            value = getattr(self, name)
            if not 0.0 < value < 1.0:
                raise ConfigError(f"pruning: {name}={value}; use more than 0.0 and less than 1.0")
        if self.ranking not in get_args(Ranking):
            raise ConfigError(
                f"pruning: ranking={self.ranking!r} is not known; use "
                f"{', '.join(get_args(Ranking))}"
            )

    def to_json(self, network: Network) -> dict[str, Any]:
        """Plain JSON values for the record of `network`."""
        return {**asdict(self), "costs": self.costs.to_json(network) if self.costs else None}


def prune(
    setting: Setting, start: FloatModel, plan: Pruning, final: Training, out: Path
) -> FloatModel:
    """Prune a float model step by step, then train what is left.

    Writes `out`/pruning.json, a row for each iteration as it ends, and `out`/float.safetensors
    with its record. The same arguments resume: finished iterations are read from checkpoints.

    Args:
        setting: images; the held-out ones and the test images give the accuracies of the rows.
        start: the trained network.
        plan: what goes and how the network recovers between.
        final: training of the pruned network.
        out: result folder.

    Raises:
        ConfigError: if the ranking needs what the network does not have, or too little is left.
        CheckpointError: if `out` holds another training's checkpoints.
    """
    looked = partial(accuracy, data=setting.held_out)
    model, network, spent = start.model, start.network, Status.of(start.record, "float")
    rows = [_row(0, network, plan, None, looked(model))]
    rows[0]["test"] = start.record["accuracy"]["float"]
    chosen = [partial(choose, plan=plan)] * plan.iterations
    for shrunk in shrink(setting, start, chosen, plan.ranking, plan.tune, out, look=looked):
        model, network, spent = shrunk.model, shrunk.network, shrunk.spent
        rows.append(_row(len(rows), network, plan, shrunk.before, looked(model)))
        if distributed.rank() == 0:
            # Nothing is chosen by the test images.
            rows[-1]["test"] = accuracy(model, setting.test)
            write_json(out / ROWS, {"ranking": plan.ranking, "rows": rows})
        setting.console.print(_line(rows[-1]), markup=False, highlight=False, soft_wrap=True)
    status = tune_float(setting, model, network, final, out / "float-state.safetensors")
    training = {
        **start.record["training"],
        "pruning": plan.to_json(network),
        "final": asdict(final),
        "from": origin(start.record),
    }
    return write_float(setting, model, network, out, spent + status, training, final.seed)


@dataclass(frozen=True, kw_only=True)
class Shrunk:
    """A pruned network after its recovery.

    before: what `shrink` looked at before the recovery, None where it did not; spent: epochs and
    seconds of its training so far, those of the network that it began as included.
    """

    model: Model
    network: Network
    before: float | None
    spent: Status


def shrink(
    setting: Setting,
    start: FloatModel,
    chosen: Iterable[Callable[[Network, Scores], dict[str, Tensor]]],
    ranking: Ranking,
    tune: Training,
    out: Path,
    *,
    look: Callable[[Model], float] | None = None,
) -> Iterator[Shrunk]:
    """Rank the filters, remove some and let the network recover, again and again.

    The same arguments resume: finished iterations are read from `out`/pruneN-state.safetensors.

    Args:
        setting: images to rank by and to train on.
        start: the trained network.
        chosen: for each iteration, what gives the filters to keep by their scores.
        ranking: of the filters.
        tune: training after each removal.
        out: folder of the checkpoints.
        look: at the network between the removal and the recovery.

    Raises:
        ConfigError: if the ranking needs what the network does not have, or too little is left.
        CheckpointError: if `out` holds another training's checkpoints.
    """
    model, network, spent = start.model, start.network, Status.of(start.record, "float")
    for number, kept in enumerate(chosen, 1):
        scores = rank(model, network, ranking, setting.train)
        keep = distributed.once(partial(kept, network, scores))
        model, network = keep_filters(model, network, keep)
        before = None if look is None else look(model)
        path = out / f"prune{number}-state.safetensors"
        spent += tune_float(setting, model, network, tune, path)
        yield Shrunk(model=model, network=network, before=before, spent=spent)


def _row(
    iteration: int, network: Network, plan: Pruning, before: float | None, after: float
) -> dict[str, Any]:
    return {
        "iteration": iteration,
        "filters": network.filters,
        "total": sum(network.filters),
        "parameters": network.parameters,
        "macs": network.macs,
        "cost": round(plan.costs.of(network)) if plan.costs else None,
        "pruned": before,
        "validation": after,
    }


def _line(row: dict[str, Any]) -> str:
    return (
        f"iteration {row['iteration']}  {row['total']} filters {row['filters']}  "
        f"{row['parameters']:,} parameters  {row['macs'] / 1e6:.1f} M MACs  "
        f"held out {100 * row['pruned']:.2f} -> {100 * row['validation']:.2f} %"
    )


def rank(model: Model, network: Network, ranking: Ranking, images: Images) -> Scores:
    """Importance of each filter, (filters,) by name of its convolution; the least goes first.

    l1: mean magnitude of the weights, relative to that of the layer (Li et al., 2017).
    bn: magnitude of the batch norm's scale (Liu et al., 2017).
    taylor: squared change of the loss, to first order, without the filter (Molchanov et al., 2019).

    Filters that are tied together are one: l1 and bn are the mean over them, taylor the loss
    without all of them. They have the name of the first convolution.

    Raises:
        ConfigError: for `bn` in a network without batch norm after its convolutions.
    """
    if ranking == "taylor":
        return _taylor(model, network, images)
    scores: Scores = {}
    for name, normalised in _convolutions(network):
        if ranking == "l1":
            size = model.body.get_submodule(name).get_parameter("weight").detach().abs()
            scores[name] = size.mean((1, 2, 3)) / size.mean()
        elif normalised:
            norm = model.body.get_submodule(f"{name}_norm")
            scores[name] = norm.get_parameter("weight").detach().abs()
        else:
            raise ConfigError(
                f"pruning: {name} has no batch norm to rank by; use the ranking l1 or taylor"
            )
    return {
        first: torch.stack([scores[name] for name in names]).mean(0)
        for first, names in network.tied().items()
    }


def _convolutions(network: Network) -> list[tuple[str, bool]]:
    """Name and whether batch norm follows, for each convolution."""
    return [(p.name, p.norm) for p in network.products() if not isinstance(p.layer, Dense)]


def _taylor(model: Model, network: Network, images: Images) -> Scores:
    """A filter's gate is what scales its output: batch norm's scale and shift, or weight and bias.

    The sum of parameter times gradient over the gate is the first-order change of the loss.
    """
    model.eval()
    names, tied = dict(_convolutions(network)), network.tied()
    scores = {name: torch.zeros(n) for name, n in zip(tied, network.filters, strict=True)}
    for start in range(0, min(_TAYLOR_IMAGES, len(images.labels)), _TAYLOR_BATCH):
        part = slice(start, start + _TAYLOR_BATCH)
        model.zero_grad()
        logits = model(images.pixels[part].float())
        loss = nn.functional.cross_entropy(logits, images.labels[part])
        loss.backward()  # type: ignore[no-untyped-call]
        for first, group in tied.items():
            change = sum(
                (p.detach() * p.grad).flatten(1).sum(1) if p.ndim > 1 else p.detach() * p.grad
                for name in group
                for p in _gate(model, name, names[name]).parameters()
                if p.grad is not None
            )
            assert isinstance(change, Tensor)
            scores[first] += change.square().cpu()
    model.zero_grad()
    return scores


def _gate(model: Model, name: str, normalised: bool) -> nn.Module:
    return model.body.get_submodule(f"{name}_norm" if normalised else name)


def choose(network: Network, scores: Scores, plan: Pruning) -> dict[str, Tensor]:
    """Indices of the filters to keep, ascending, by name of the convolution.

    Args:
        network: as it is now.
        scores: of `rank`.
        plan: how many go, and in which order.
    """
    left = sum(network.filters)
    target = round(left * (1.0 - plan.share))
    if plan.costs is None:
        counts = _smallest(scores, left - target)
    else:
        counts = _blocks(network, scores, plan.costs, target, 1.0 - plan.cost_share)
    return strongest(scores, counts)


def strongest(scores: Scores, counts: dict[str, int]) -> dict[str, Tensor]:
    """Indices of each convolution's filters with the highest scores, so many, ascending."""
    return {
        name: score.argsort(stable=True)[len(score) - counts[name] :].sort().values
        for name, score in scores.items()
    }


def _smallest(scores: Scores, excess: int) -> dict[str, int]:
    """Filters left in each layer when the `excess` least of all go; one stays in every layer."""
    counts = {name: len(score) for name, score in scores.items()}
    order = sorted((float(s), name) for name, score in scores.items() for s in score)
    for _, name in order:
        if excess and counts[name] > 1:
            counts[name] -= 1
            excess -= 1
    return counts


def _blocks(
    network: Network, scores: Scores, costs: Costs, target: int, cost_share: float
) -> dict[str, int]:
    """Filters left in each layer when blocks go, the least loss for its saving first."""
    sums = {name: score.sort().values.cumsum(0) for name, score in scores.items()}
    names = list(scores)
    counts = dict(zip(names, network.filters, strict=True))
    budget = costs.of(network) * cost_share

    def with_counts(changed: dict[str, int]) -> Network:
        return resized(network, list({**counts, **changed}.values()))

    def loss(name: str, left: int) -> float:
        gone = len(scores[name]) - left
        return float(sums[name][gone - 1]) if gone else 0.0

    while sum(counts.values()) > target or costs.of(with_counts({})) > budget:
        now = costs.of(with_counts({}))
        best: tuple[float, str, int] | None = None
        for name, count in counts.items():
            less = (count - 1) // costs.block * costs.block
            if less < costs.block:
                continue
            saved = now - costs.of(with_counts({name: less}))
            price = (loss(name, less) - loss(name, count)) / saved
            if best is None or price < best[0]:
                best = (price, name, less)
        if best is None:
            raise ConfigError(
                f"pruning: every convolution of {network.name} is down to {costs.block} filters; "
                "use fewer iterations or a smaller share"
            )
        counts[best[1]] = best[2]
    return counts


def resized(network: Network, filters: list[int]) -> Network:
    """The network with other numbers of filters, in the order of its `filters`."""
    left = iter(filters)
    layers: list[Layer] = []
    width = 0  # of what comes into the next layer
    for layer in network.layers:
        if isinstance(layer, Conv):
            width = next(left)
            layers.append(replace(layer, filters=width))
        elif isinstance(layer, Residual):
            inner = next(left)
            width = next(left) if layer.projection else width
            layers.append(replace(layer, filters=width, inner=None if inner == width else inner))
        else:
            layers.append(layer)
    return replace(network, layers=tuple(layers))


def keep_filters(model: Model, network: Network, keep: dict[str, Tensor]) -> tuple[Model, Network]:
    """The float model with only these filters, and with only the weights that read them.

    Args:
        model: of `build_float`; not changed.
        network: of `model`.
        keep: ascending indices of the filters to keep, by name of the first convolution of those
            that are tied.
    """
    state = model.state_dict()
    device = next(iter(state.values())).device
    kept = {
        name: keep[first].to(device) for first, names in network.tied().items() for name in names
    }
    for product in network.products():
        weight = f"body.{product.name}.weight"
        if product.reads in kept and not isinstance(product.layer, Depthwise):
            # A dense layer reads channels one after the other, all pixels of each.
            whole = state[weight]
            split = whole.reshape(len(whole), product.inputs[-1], -1, *whole.shape[2:])
            state[weight] = split[:, kept[product.reads]].flatten(1, 2)
        if product.name in kept:
            own = (f"body.{product.name}.", f"body.{product.name}_norm.")
            for name, value in state.items():
                if name.startswith(own) and value.ndim:
                    state[name] = value[kept[product.name]]
    smaller = resized(network, [len(keep[first]) for first in network.tied()])
    built = build_float(smaller).to(device)
    load_state(built, state)
    return built, smaller
