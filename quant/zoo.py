"""Trained models: NAME.safetensors with its record NAME.json, from the zoo or from a path.

NAME.npz has the test images that travel with the model: about a hundred, as many of each class, on
which everything after the training is compared. The models of CIFAR-10 have those of the package.

The zoo's are packed (see `quant.packing`); those that `train` writes are not, and both load.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from quant.config import Network, Quantisation
from quant.config_json import network_from_json, quantisation_from_json
from quant.dataset import CIFAR10, Labelled, Task, checked
from quant.errors import CheckpointError, ConfigError, DataError
from quant.files import read_json, read_npz, read_tensors, write_json, write_npz, write_tensors
from quant.models import Model, build_quantised, load_state
from quant.packing import MARK, load_packed, pack
from quant.places import ZOO as ZOO
from quant.tasks import of_record

_OURS = ZOO / "cifar10_test100.npz"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A quantised model in evaluation mode, with its record."""

    name: str
    model: Model
    network: Network
    quantisation: Quantisation
    record: dict[str, Any]

    @property
    def task(self) -> Task | None:
        """What its images and its logits are; None where nobody knows."""
        return of_record(self.record, self.network.input_shape, self.network.classes)


def zoo_names() -> list[str]:
    """Names of the models in the zoo, sorted."""
    return sorted(path.stem for path in ZOO.glob("*.safetensors"))


def zoo_images() -> Labelled:
    """The hundred test images of CIFAR-10 that come with the package, ten of each class."""
    return _read_images(_OURS, CIFAR10)


def _read_images(path: Path, task: Task) -> Labelled:
    arrays = read_npz(path)
    if not {"images", "labels"} <= set(arrays):
        raise DataError(f"{path}: no images and labels in it; restore the file")
    return checked(arrays["images"], arrays["labels"], str(path), task)


def model_images(model: str, task: Task | None) -> Labelled:
    """The labelled test images that travel with a model.

    Args:
        model: zoo name or path, as `load_trained` takes it.
        task: of the model.

    Raises:
        DataError: if there are none.
    """
    path = find_weights(model).with_suffix(".npz")
    if task is not None and path.exists():
        return _read_images(path, task)
    if task is not CIFAR10:
        raise DataError(
            f"{path}: not found; the images that travel with a model lie beside it: copy the file "
            "as well, or train the model again"
        )
    return zoo_images()


def need_place(weights: Path) -> None:
    """Raise ConfigError where a file of somebody's lies where a model's images go.

    To be asked before a model is made: its images may replace only those of another model.
    """
    path = weights.with_suffix(".npz")
    if path.exists() and (path.samefile(_OURS) or set(read_npz(path)) != {"images", "labels"}):
        raise ConfigError(
            f"{path}: is there and no model's images, which go there; use another name or folder"
        )


def write_images(weights: Path, images: Labelled) -> None:
    """Write the images that travel with a model beside it; those of the package are there once."""
    path, ours = weights.with_suffix(".npz"), zoo_images()
    if np.array_equal(images.images, ours.images) and np.array_equal(images.labels, ours.labels):
        path.unlink(missing_ok=True)
        return
    write_npz(path, {"images": images.images, "labels": images.labels})


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
        ConfigError: if `name` is not a plain name, no model is called `model`, or somebody's own
            file is where the model's images go.
        CheckpointError: as `load_trained` does, or if the packed model computes something else.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise ConfigError(f"name {name!r}: use letters, digits, - and _ only")
    weights = folder / f"{name}.safetensors"
    need_place(weights)
    trained = load_trained(model)
    travelling = model_images(model, trained.task)
    images = torch.from_numpy(travelling.images).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        expected = trained.model(images)
        packed = pack(trained.model)
        again = build_quantised(trained.network, trained.quantisation)
        load_packed(again, packed)
        if not torch.equal(again.eval()(images), expected):
            raise CheckpointError(
                f"{model}: computes something else when packed; are its weights finite?"
            )
    write_tensors(weights, packed, MARK)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    write_json(weights.with_suffix(".json"), {**trained.record, "sha256": digest})
    write_images(weights, travelling)
    return weights
