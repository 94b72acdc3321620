"""One training as a user asks for it, on the command line or in a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from quant.config import (
    Network,
    Norm,
    Precision,
    Quantisation,
    Training,
    WeightScale,
    layer_bits,
    preset,
)
from quant.dataset import Task
from quant.errors import ConfigError
from quant.float_model import dequantised, load_float, with_dropout
from quant.recipes import TEACHER_TRAINING, find_recipe, given, taught
from quant.setting import Setting
from quant.tasks import need_same, suited, suited_training
from quant.teacher import TeacherNetwork
from quant.teaching import load_teacher, train_teacher
from quant.topologies import TEACHER, get_network
from quant.training import train_float, train_quantised, tune_longer
from quant.zoo import load_trained, need_place

FLOAT = "float"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One training; what is None is as the recipe has it.

    `start` is the float model to begin with, `tune` a quantised one; without both the network is
    trained from nothing. `teacher` is a float model to imitate, in so many fixed `views`. What of
    `flip`, `translate` and `cutout` is None is as suits the images (`quant.tasks`).
    """

    network: str = "arch2_slim"
    bits: str = "w2a2"
    layer: tuple[str, ...] = ()
    start: Path | None = field(default=None, metadata={"key": "from"})
    tune: str | None = None
    recipe: str = "ours"
    float_epochs: int | None = None
    epochs: int | None = None
    float_lr: float | None = None
    lr: float | None = None
    batch: int | None = None
    batch_norm: Norm | None = None
    stage_dropout: float | None = None
    dense_dropout: float | None = None
    weight_scale: WeightScale = "statistics"
    teacher: Path | None = None
    views: int | None = None
    distill: float | None = None
    temperature: float | None = None
    flip: bool | None = None
    translate: int | None = None
    cutout: int | None = None
    precision: Precision | None = None
    seed: int = 1
    widths: tuple[int, int, int] = field(default=TeacherNetwork.widths)

    def __post_init__(self) -> None:
        """Check every value that needs no file."""
        if self.network == TEACHER:
            self._check_teacher()
            self.teaching()
            return
        if self.widths != TeacherNetwork.widths:
            raise ConfigError(f"widths={self.widths} is for the network {TEACHER!r}; leave it out")
        if self.tune is not None and (self.start is None) != (self.bits == FLOAT):
            raise ConfigError(
                "--tune: needs --from with its float model, or --bits float without it"
            )
        if self.teacher is None and self.views is not None:
            raise ConfigError(f"--views {self.views}: needs a teacher; add --teacher FILE")
        self.shape()
        self.first()
        self.second()
        self.quantisation()

    def _check_teacher(self) -> None:
        """Refuse what has no meaning for the teacher, lest it be silently ignored."""
        given = {
            "from": self.start,
            "tune": self.tune,
            "teacher": self.teacher,
            "batch norm": self.batch_norm,
            "stage dropout": self.stage_dropout,
            "dense dropout": self.dense_dropout,
            "layer": self.layer or None,
        }
        wrong = [name for name, value in given.items() if value is not None]
        if wrong:
            raise ConfigError(
                f"network {TEACHER}: takes no {', '.join(wrong)}; it is a fixed float network "
                "that is trained from nothing"
            )

    def shape(self) -> Network:
        """The network to train, if it starts from nothing, and the dropout in any case."""
        shape = find_recipe(self.recipe).apply(get_network(self.network))
        if self.batch_norm is not None:
            shape = replace(shape, batch_norm=self.batch_norm)
        dropout = given(shape.dropout, stage=self.stage_dropout, dense=self.dense_dropout)
        return replace(shape, dropout=dropout)

    def teaching(self) -> Training:
        """How to train the teacher."""
        return self._float(TEACHER_TRAINING)

    def first(self) -> Training:
        """How to train the float network."""
        training = self._float(find_recipe(self.recipe).float_training)
        # Without a teacher there is nothing that a float network could imitate.
        return training if self.teacher is None else self._taught(training)

    def second(self) -> Training:
        """How to train the quantised network."""
        training = find_recipe(self.recipe).quant_training
        training = given(training, epochs=self.epochs, lr=self.lr, batch=self.batch, seed=self.seed)
        return self._taught(training)

    def _float(self, training: Training) -> Training:
        return given(
            training,
            epochs=self.float_epochs,
            lr=self.float_lr,
            precision=self.precision,
            batch=self.batch,
            seed=self.seed,
        )

    def _taught(self, training: Training) -> Training:
        if self.teacher is not None:
            training = taught(training, self.views)
        return given(training, distill=self.distill, distill_temperature=self.temperature)

    def quantisation(self) -> Quantisation | None:
        """The bits of every layer; None for a float network."""
        if self.bits == FLOAT:
            return None
        return replace(
            preset(self.bits),
            weight_scale=self.weight_scale,
            layers=tuple(layer_bits(text) for text in self.layer),
        )

    @property
    def files(self) -> Mapping[str, Path | None]:
        """What it reads, by the option that names it."""
        tune = None if self.tune is None else Path(self.tune)
        return {"from": self.start, "tune": tune, "teacher": self.teacher}

    @property
    def packs(self) -> bool:
        """Whether its result can be packed."""
        return self.network != TEACHER and self.bits != FLOAT

    def run(self, setting: Setting, folder: Path) -> dict[str, Any]:
        """Train, or resume; the model takes the name of `folder`.

        Returns:
            The record.

        Raises:
            HeadraceError: as `quant.training` has it.
        """
        task = setting.task
        if self.packs:
            need_place(self.result(folder))
        if self.network == TEACHER:
            network = TeacherNetwork(
                widths=self.widths, classes=len(task.classes), input_shape=task.shape
            )
            return train_teacher(setting, network, self._suited(self.teaching(), task), folder)
        device, quantisation = setting.device, self.quantisation()
        first = self._suited(self.first(), task)
        before = load_trained(self.tune) if self.tune else None
        teacher = load_teacher(self.teacher, device) if self.teacher else None
        if self.start is not None:
            model = load_float(self.start, device)
            need_same(task, model.task, self.start)
        elif before is not None:
            need_same(task, before.task, self.tune)
            model = dequantised(before, device)
        else:
            shape = suited(self.shape(), task)
            model = train_float(setting, shape, first, folder, teacher=teacher)
        if quantisation is None and (self.start or before):
            model = with_dropout(model, self.shape().dropout)
            model = tune_longer(setting, model, first, folder, teacher=teacher)
        if quantisation is None:
            return model.record
        second = self._suited(self.second(), task)
        return train_quantised(
            setting, model, quantisation, second, folder, earlier=before, teacher=teacher
        )

    def _suited(self, training: Training, task: Task) -> Training:
        """A training as suits the images."""
        return suited_training(
            training, task, flip=self.flip, translate=self.translate, cutout=self.cutout
        )

    def result(self, folder: Path) -> Path:
        """The weights that `run` leaves in `folder`."""
        if self.network == TEACHER:
            return folder / f"{TEACHER}.safetensors"
        name = FLOAT if self.bits == FLOAT else folder.name
        return folder / f"{name}.safetensors"
