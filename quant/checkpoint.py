"""The checkpoint from which a phase of training resumes exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from quant.errors import CheckpointError
from quant.files import read_tensors, write_tensors
from quant.models import load_state
from quant.step import Trainer

# What each optimiser remembers of a parameter: tensors of its shape, and the number of steps.
_KEPT: dict[type, set[str]] = {
    torch.optim.AdamW: {"step", "exp_avg", "exp_avg_sq"},
    torch.optim.SGD: {"momentum_buffer"},
}
# Differences that an error lists.
_LISTED = 4


@dataclass(frozen=True, kw_only=True)
class Status:
    """How far a phase has come.

    curve: for each epoch the accuracy on the images it trained on, as it saw them, and that of the
    averaged weights on those held out, None where none are.
    """

    epoch: int = 0
    seconds: float = 0.0
    curve: tuple[tuple[float, float | None], ...] = ()

    def __add__(self, other: Status) -> Status:
        """This one, and then the other."""
        return Status(
            epoch=self.epoch + other.epoch,
            seconds=round(self.seconds + other.seconds, 1),
            curve=self.curve + other.curve,
        )

    @classmethod
    def of(cls, record: dict[str, Any], phase: str) -> Status:
        """What a record says of a phase, `float` or `quantised`.

        Records of before there were curves have none, so that a curve may be shorter than the
        training, and is then of its last epochs.
        """
        return cls.from_json(
            {
                "epoch": record["epochs"][phase],
                "seconds": record["seconds"][phase],
                "curve": record.get("curve", {}).get(phase, ()),
            }
        )

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Status:
        """From plain values, as `asdict` and JSON leave them."""
        curve = tuple((trained, held_out) for trained, held_out in value.get("curve", ()))
        return cls(**{**value, "curve": curve})


class Checkpoint:
    """Model, average, optimiser and status in one file, bound to the settings that made them."""

    def __init__(self, path: Path, identity: dict[str, Any], trainer: Trainer) -> None:
        """Nothing is read or written yet.

        Args:
            path: .safetensors.
            identity: what a checkpoint must agree with, JSON values.
            trainer: whose state is saved and restored.
        """
        self.path = path
        # As read back from JSON, so that tuples compare as the lists they become.
        self.identity: dict[str, Any] = json.loads(json.dumps(identity))
        self.trainer = trainer

    def load(self) -> Status:
        """Restore the trainer from the file, if there is one.

        Raises:
            CheckpointError: if it is corrupt or of another training.
        """
        if not self.path.exists():
            return Status()
        tensors, metadata = read_tensors(self.path)
        try:
            status = Status.from_json(json.loads(metadata["status"]))
            identity = json.loads(metadata["identity"])
        except (KeyError, ValueError, TypeError) as error:
            raise self._foreign(error) from error
        differences = list(_differences("", identity, self.identity))
        if differences:
            more = len(differences) - _LISTED
            listed = "; ".join(differences[:_LISTED]) + (f"; {more} more" if more > 0 else "")
            raise CheckpointError(
                f"{self.path}: from a training with other settings ({listed}); "
                "use the same settings, --fresh to start again, or another --out"
            )
        try:
            load_state(self.trainer.model, _under("model.", tensors))
            self.trainer.average.load(_under("average.", tensors))
            self._load_optimiser(_under("optimiser.", tensors))
        except (CheckpointError, ValueError, RuntimeError) as error:
            raise self._foreign(error) from error
        return status

    def _foreign(self, error: Exception) -> CheckpointError:
        return CheckpointError(
            f"{self.path}: not a checkpoint of this training ({error}); "
            "use --fresh to start again, or another --out"
        )

    def _load_optimiser(self, tensors: dict[str, Tensor]) -> None:
        optimiser = self.trainer.optimiser
        kept = _KEPT[type(optimiser)]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            number, key = name.split(".", 1)
            state.setdefault(int(number), {})[key] = tensor
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        for index, parameter in enumerate(parameters):
            entry = state.get(index, {})
            if set(entry) != kept:
                raise ValueError(f"the optimiser's state of parameter {index} is incomplete")
            if any(entry[key].shape not in (parameter.shape, ()) for key in kept):
                raise ValueError(f"the optimiser's state of parameter {index} has another shape")
            # In the order in memory that they had: another one rounds differently.
            for key in kept:
                if entry[key].shape == parameter.shape:
                    entry[key] = torch.empty_like(parameter).copy_(entry[key])
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": state, "param_groups": groups})

    def save(self, status: Status) -> None:
        """Write the trainer and `status`; the old file stays until the new one is whole.

        Raises:
            WriteError: if there is no room or no access.
        """
        trainer = self.trainer
        tensors = {f"model.{name}": value for name, value in trainer.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in trainer.average.tensors.items()}
        for index, entry in trainer.optimiser.state_dict()["state"].items():
            for key, value in entry.items():
                tensors[f"optimiser.{index}.{key}"] = value
        metadata = {"status": json.dumps(asdict(status)), "identity": json.dumps(self.identity)}
        write_tensors(self.path, tensors, metadata)


def _differences(where: str, found: object, wanted: object) -> Iterator[str]:
    """Each value that differs between two JSON values, by its path."""
    if isinstance(found, list) and isinstance(wanted, list):
        found, wanted = (dict(enumerate(value)) for value in (found, wanted))
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in dict.fromkeys([*wanted, *found]):
            path = f"{where}.{key}" if where else str(key)
            yield from _differences(path, found.get(key), wanted.get(key))
    elif found != wanted:
        yield f"{where}: {found} there, {wanted} here"


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
