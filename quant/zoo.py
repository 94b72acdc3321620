"""Trained models: NAME.safetensors with its record NAME.json, from the zoo or from a path.

The zoo's are packed (see `quant.packing`); those that `train` writes are not, and both load.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from quant.config import Network, Quantisation
from quant.config_json import network_from_json, quantisation_from_json
from quant.data import Labelled, test100
from quant.errors import CheckpointError, ConfigError
from quant.files import read_json, read_tensors, write_json, write_tensors
from quant.models import Model, build_quantised, load_state
from quant.packing import MARK, load_packed, pack
from quant.places import ZOO as ZOO


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
    """Load a model by zoo name or path, packed or not.

    Raises:
        ConfigError: if the name is unknown.
        CheckpointError: if weights or record are missing, corrupt or do not belong together.
    """
    weights = find_weights(model)
    record_path = weights.with_suffix(".json")
    tensors, metadata = read_tensors(weights)
    record = read_json(record_path)
    if record.get("sha256") != hashlib.sha256(weights.read_bytes()).hexdigest():
        raise CheckpointError(
            f"{record_path}: its sha256 is not that of {weights}; restore both or train again"
        )
    if record.get("quantisation", {}) is None:
        raise CheckpointError(
            f"{record_path}: of a float model; quantise it with `train --from {weights}`"
        )
    try:
        network = network_from_json(record.get("layers"), f"{record_path}: layers")
        quantisation = quantisation_from_json(
            record.get("quantisation"), f"{record_path}: quantisation"
        )
        built = build_quantised(network, quantisation)
    except ConfigError as error:
        raise CheckpointError(str(error)) from error
    try:
        if metadata == MARK:
            load_packed(built, tensors)
        else:
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


def pack_trained(model: str, name: str, folder: Path = ZOO) -> Path:
    """Write a model packed as `folder`/NAME.safetensors, with its record.

    Args:
        model: zoo name or path.
        name: of the packed model.
        folder: made if missing.

    Returns:
        The path of the weights.

    Raises:
        ConfigError: if `name` is not a plain name, or no model is called `model`.
        CheckpointError: as `load_trained` does, or if the packed model computes something else.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise ConfigError(f"name {name!r}: use letters, digits, - and _ only")
    trained = load_trained(model)
    images = torch.from_numpy(zoo_images().images).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        expected = trained.model(images)
        packed = pack(trained.model)
        again = build_quantised(trained.network, trained.quantisation)
        load_packed(again, packed)
        if not torch.equal(again.eval()(images), expected):
            raise CheckpointError(
                f"{model}: computes something else when packed; are its weights finite?"
            )
    weights = folder / f"{name}.safetensors"
    write_tensors(weights, packed, MARK)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    write_json(weights.with_suffix(".json"), {**trained.record, "sha256": digest})
    return weights
