"""A float network as it was trained, with its record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quant.config import Dropout, Network
from quant.config_json import network_from_json
from quant.dataset import Task
from quant.errors import CheckpointError
from quant.files import read_json, read_tensors
from quant.models import Model, build_float, load_state
from quant.tasks import of_record
from quant.zoo import Trained


@dataclass(frozen=True, kw_only=True)
class FloatModel:
    """A trained float network with its record."""

    network: Network
    model: Model
    record: dict[str, Any]

    @property
    def task(self) -> Task | None:
        """What its images and its logits are; None where nobody knows."""
        return of_record(self.record, self.network.input_shape, self.network.classes)


def load_float(weights: Path, device: str) -> FloatModel:
    """A float model that `train_float` wrote, on `device`.

    Raises:
        CheckpointError: if weights or record are missing, corrupt or not of a float network.
    """
    tensors, _ = read_tensors(weights)
    record = read_json(weights.with_suffix(".json"))
    if record.get("quantisation", {}) is not None:
        raise CheckpointError(f"{weights}: not a float model; use the float.safetensors of a run")
    if record.get("sha256") != hashlib.sha256(weights.read_bytes()).hexdigest():
        raise CheckpointError(f"{weights}: its sha256 is not its record's; train it again")
    network = network_from_json(record.get("layers"), f"{weights.with_suffix('.json')}: layers")
    model = build_float(network)
    load_state(model, tensors)
    return FloatModel(network=network, model=model.to(device), record=record)


def dequantised(trained: Trained, device: str) -> FloatModel:
    """A float network with the weights of a quantised model as they are, to be trained further.

    So a model of the zoo stands in for the float model that it came from. The quantised epochs
    count as float ones from here on.
    """
    model = build_float(trained.network)
    state = trained.model.state_dict()
    load_state(model, {name: state[name] for name in model.state_dict()})
    was = trained.record
    record = {
        **was,
        **{key: {"float": sum(was[key].values()), "quantised": 0} for key in ("epochs", "seconds")},
        "curve": {"float": [point for phase in was.get("curve", {}).values() for point in phase]},
        "training": {**was["training"], "quantisation": was["quantisation"]},
    }
    return FloatModel(network=trained.network, model=model.to(device), record=record)


def with_dropout(start: FloatModel, dropout: Dropout) -> FloatModel:
    """The same float model, to be trained with another dropout."""
    network = replace(start.network, dropout=dropout)
    model = build_float(network).to(next(start.model.parameters()).device)
    load_state(model, start.model.state_dict())
    return replace(start, network=network, model=model)
