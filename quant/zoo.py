"""Trained models: NAME.safetensors with its record NAME.json, from the zoo or from a path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.config import Network, Quantisation, network_from_json, quantisation_from_json
from quant.data import Labelled, test100
from quant.errors import CheckpointError, ConfigError
from quant.files import read_json, read_tensors
from quant.models import Model, build_quantised, load_state

ZOO = Path(__file__).parent / "zoo"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A quantised model in evaluation mode, with its record."""

    name: str
    model: Model
    network: Network
    quantisation: Quantisation
    record: dict[str, Any]


def zoo_names() -> list[str]:
    """Names of the models in the zoo, sorted."""
    return sorted(path.stem for path in ZOO.glob("*.safetensors"))


def zoo_images() -> Labelled:
    """The hundred labelled test images that come with the package, ten of each class."""
    return test100(ZOO / "cifar10_test100.npz")


def find_weights(model: str) -> Path:
    """Weights file of a zoo name or of a path that ends in .safetensors.

    Raises:
        ConfigError: if it is neither; the message lists the zoo.
    """
    if model.endswith(".safetensors"):
        return Path(model)
    if model not in zoo_names():
        known = ", ".join(zoo_names()) or "(none)"
        raise ConfigError(
            f"model {model!r} is not in the zoo; use {known}, or the path of a .safetensors file"
        )
    return ZOO / f"{model}.safetensors"


def load_trained(model: str) -> Trained:
    """Load a model by zoo name or path.

    Raises:
        ConfigError: if the name is unknown.
        CheckpointError: if weights or record are missing, corrupt or do not belong together.
    """
    weights = find_weights(model)
    record_path = weights.with_suffix(".json")
    tensors, _ = read_tensors(weights)
    record = read_json(record_path)
    if record.get("sha256") != hashlib.sha256(weights.read_bytes()).hexdigest():
        raise CheckpointError(
            f"{record_path}: its sha256 is not that of {weights}; restore both or train again"
        )
    try:
        network = network_from_json(record.get("layers"), f"{record_path}: layers")
        quantisation = quantisation_from_json(
            record.get("quantisation"), f"{record_path}: quantisation"
        )
    except ConfigError as error:
        raise CheckpointError(str(error)) from error
    built = build_quantised(network, quantisation)
    try:
        load_state(built, tensors)
    except CheckpointError as error:
        raise CheckpointError(f"{weights}: {error}") from error
    built.eval()
    return Trained(
        name=weights.stem,
        model=built,
        network=network,
        quantisation=quantisation,
        record=record,
    )
