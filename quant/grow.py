"""Growing a network: from one convolution up, as long as accuracy pays for the operations.

"Optimization of CNN model for image classification" (Dhouibi, Ben Salem, Ben Saoud) adds layers
by hand until the accuracy no longer rises. Here the same moves are a greedy search on short proxy
trainings: another convolution in the last stage, another stage, or more dense neurons.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from quant import distributed
from quant.config import Conv, Dense, Layer, Network, Pool, Training
from quant.config_json import network_to_json
from quant.errors import CheckpointError, ConfigError
from quant.files import read_json, write_json
from quant.images import accuracy
from quant.models import build_float
from quant.setting import Setting
from quant.training import tune_float

# Convolutions in one stage, and neurons of a hidden dense layer, at most.
_DEEPEST, _WIDEST = 2, 1024


@dataclass(frozen=True, kw_only=True)
class Growing:
    """Where growing starts, and how much accuracy a step must bring.

    A step is worth taking if it gains `least_gain` and `gain_per_doubling` for each doubling of
    the operations, both as shares of the held-out images.
    """

    start: Network
    training: Training
    gain_per_doubling: float = 0.01
    least_gain: float = 0.002
    most_steps: int = 10
    most_macs: int = 60_000_000

    def __post_init__(self) -> None:
        """Check every value."""
        for name in ("gain_per_doubling", "least_gain"):
            value = getattr(self, name)
            if not 0.0 <= value < 1.0:
                raise ConfigError(f"growing: {name}={value}; use 0.0 up to, not with, 1.0")
        if self.most_steps < 1:
            raise ConfigError(f"growing: most_steps={self.most_steps}; use 1 or more")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, which `growing.json` must agree with."""
        return {**asdict(self), "start": network_to_json(self.start)}


def minimal(filters: int = 32) -> Network:
    """One convolution, one pool and the last layer, with batch norm."""
    layers = (Conv(filters=filters), Pool())
    return Network(name="grown", layers=layers)


def topology(network: Network) -> str:
    """Filters, P for a pool, then the hidden neurons: `32, P, 64, P | 128`."""
    convolutions = [
        "P" if isinstance(layer, Pool) else str(layer.filters)
        for layer in network.layers
        if isinstance(layer, Conv | Pool)
    ]
    neurons = [str(layer.neurons) for layer in network.layers if isinstance(layer, Dense)]
    return " | ".join(filter(None, (", ".join(convolutions), ", ".join(neurons))))


def candidates(network: Network, most_macs: int) -> Iterator[tuple[str, Network]]:
    """Name and result of every step that `network` can take within `most_macs`."""
    spatial = [layer for layer in network.layers if not isinstance(layer, Dense)]
    dense: list[Layer] = [layer for layer in network.layers if isinstance(layer, Dense)]
    last = next(layer for layer in reversed(spatial) if isinstance(layer, Conv))
    depth = 0
    for layer in reversed(spatial[:-1]):
        if isinstance(layer, Pool):
            break
        depth += 1
    moves: list[tuple[str, list[Layer]]] = []
    if depth < _DEEPEST:
        moves.append(("convolution", [*spatial[:-1], last, spatial[-1], *dense]))
    if all(side % 2 == 0 for side in network.shapes()[len(spatial) - 1][:2]):
        stage: list[Layer] = [replace(last, filters=2 * last.filters), Pool()]
        moves.append(("stage", [*spatial, *stage, *dense]))
    if not dense:
        moves.append(("dense", [*spatial, Dense(neurons=128)]))
    elif isinstance(dense[0], Dense) and dense[0].neurons < _WIDEST:
        moves.append(("neurons", [*spatial, Dense(neurons=2 * dense[0].neurons), *dense[1:]]))
    for name, layers in moves:
        grown = replace(network, layers=tuple(layers))
        if grown.macs <= most_macs:
            yield name, grown


def required(plan: Growing, before: Network, after: Network) -> float:
    """Gain in accuracy that a step from `before` to `after` must bring, a share."""
    doublings = max(0.0, math.log2(after.flops / before.flops))
    return plan.least_gain + plan.gain_per_doubling * doublings


def grow(setting: Setting, plan: Growing, out: Path) -> tuple[Network, list[dict[str, Any]]]:
    """Search for a network; writes `out`/growing.json after every proxy training.

    The same arguments resume: finished trainings are read back, a started one continues.

    Args:
        setting: images; the held-out ones decide.
        plan: the search.
        out: result folder.

    Returns:
        The network that was reached, and the rows of the table: each candidate with its topology,
        parameters, MACs, FLOPs, held-out accuracy, and whether it was taken.

    Raises:
        CheckpointError: if `out` holds another search.
    """
    table = _Rows(out, {**plan.to_json(), **setting.identity})
    network = plan.start
    best = table.row(setting, plan, 0, "start", network)
    best["taken"] = True
    for step in range(1, plan.most_steps + 1):
        tried = [
            (table.row(setting, plan, step, change, grown), grown)
            for change, grown in candidates(network, plan.most_macs)
        ]
        worth = [
            (row["validation"] - best["validation"] - required(plan, network, grown), index)
            for index, (row, grown) in enumerate(tried)
        ]
        surplus, index = max(worth, default=(-1.0, 0))
        if surplus < 0.0:
            break
        best, network = tried[index]
        best["taken"] = True
        table.write()
        setting.console.print(
            f"step {step}  {_line(best)}", markup=False, highlight=False, soft_wrap=True
        )
    table.write()
    return network, table.rows


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['topology']}  {row['parameters']:,} parameters  {row['flops'] / 1e6:.1f} MFLOPs  "
        f"held out {100 * row['validation']:.2f} %"
    )


def growing_table(rows: list[dict[str, Any]]) -> Table:
    """The rows for a terminal, those that were taken in bold."""
    table = Table("step", "change", "topology", "parameters", "MFLOPs", "held out, %")
    for row in rows:
        table.add_row(
            str(row["step"]),
            row["change"],
            row["topology"],
            f"{row['parameters']:,}",
            f"{row['flops'] / 1e6:.1f}",
            f"{100 * row['validation']:.2f}",
            style="bold" if row["taken"] else None,
        )
    return table


class _Rows:
    """The rows so far, on disk."""

    def __init__(self, out: Path, plan: dict[str, Any]) -> None:
        self.out = out
        self.plan = plan
        self.path = out / "growing.json"
        self.known: dict[str, dict[str, Any]] = {}
        self.rows: list[dict[str, Any]] = []
        if self.path.exists():
            stored = read_json(self.path)
            if stored.get("plan") != _plain(plan):
                raise CheckpointError(
                    f"{self.path}: from a search with other settings; use the same, or another "
                    "--out"
                )
            self.known = {row["topology"]: row for row in stored["rows"]}

    def row(
        self, setting: Setting, plan: Growing, step: int, change: str, network: Network
    ) -> dict[str, Any]:
        """The row of a candidate, trained if it was not yet."""
        name = topology(network)
        row = self.known.get(name) or self._train(setting, plan, network)
        row = {**row, "step": step, "change": change, "taken": False}
        self.rows.append(row)
        self.write()
        return row

    def _train(self, setting: Setting, plan: Growing, network: Network) -> dict[str, Any]:
        name = topology(network)
        torch.manual_seed(plan.training.seed)
        model = build_float(network).to(setting.device)
        path = self.out / f"{name.replace(', ', '-').replace(' | ', '_')}-state.safetensors"
        status = tune_float(setting, model, network, plan.training, path)
        return {
            "topology": name,
            "parameters": network.parameters,
            "macs": network.macs,
            "flops": network.flops,
            "validation": accuracy(model, setting.held_out),
            "seconds": status.seconds,
        }

    def write(self) -> None:
        """Write all rows, those of an earlier run that were not reached again included."""
        if distributed.rank():
            return
        done = {row["topology"] for row in self.rows}
        rest = [row for name, row in self.known.items() if name not in done]
        write_json(self.path, {"plan": _plain(self.plan), "rows": [*self.rows, *rest]})


def _plain(value: dict[str, Any]) -> Any:
    """As read back from JSON, so that tuples compare as the lists they become."""
    return json.loads(json.dumps(value))
