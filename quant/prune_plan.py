"""One pruning as a user asks for it, on the command line or in a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from quant.config import Precision, Ranking, Training, preset
from quant.costs import Costs
from quant.float_model import load_float
from quant.plan import FLOAT
from quant.plots import plot_pruning
from quant.pruning import Pruning, prune
from quant.recipes import find_recipe, given
from quant.record import ROWS
from quant.setting import Setting
from quant.tasks import need_same, suited_training


@dataclass(frozen=True, kw_only=True)
class PrunePlan:
    """One pruning of the float model `start`; what is None is as the recipe has it.

    `share` of the filters go in each of the `iterations`, after which the network is trained for
    `tune_epochs`; after the last one for `epochs` more. With `hardware`, a table of costs at
    `bits`, at least `cost_share` of the cost go as well.
    """

    start: Path = field(metadata={"key": "from"})
    iterations: int = 6
    share: float = 0.05
    ranking: Ranking = "taylor"
    recipe: str = "ours"
    tune_epochs: int = 1
    epochs: int = 16
    hardware: Path | None = None
    cost_share: float = 0.05
    bits: str = "w2a2"
    batch: int | None = None
    flip: bool | None = None
    translate: int | None = None
    cutout: int | None = None
    precision: Precision | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        """Check every value, and read the table of costs, if there is one."""
        self.pruning()

    def pruning(self) -> Pruning:
        """How filters are chosen and how the network recovers."""
        return Pruning(
            iterations=self.iterations,
            share=self.share,
            ranking=self.ranking,
            tune=replace(self.final(), epochs=self.tune_epochs, lr=1e-3, warmup_epochs=0.2),
            costs=Costs.load(self.hardware, preset(self.bits)) if self.hardware else None,
            cost_share=self.cost_share,
        )

    def final(self) -> Training:
        """The training after the last iteration."""
        training = find_recipe(self.recipe).float_training
        return given(
            training,
            epochs=self.epochs,
            batch=self.batch,
            precision=self.precision,
            seed=self.seed,
        )

    @property
    def files(self) -> Mapping[str, Path | None]:
        """What it reads, by the option that names it."""
        return {"from": self.start, "hardware": self.hardware}

    @property
    def packs(self) -> bool:
        """Whether its result can be packed."""
        return False

    def run(self, setting: Setting, folder: Path) -> dict[str, Any]:
        """Prune, or resume; the rows of the iterations are drawn as well.

        Returns:
            The record.

        Raises:
            HeadraceError: as `quant.pruning` has it.
        """
        start = load_float(self.start, setting.device)
        need_same(setting.task, start.task, self.start)
        suits = partial(
            suited_training,
            task=setting.task,
            flip=self.flip,
            translate=self.translate,
            cutout=self.cutout,
        )
        plan = self.pruning()
        plan = replace(plan, tune=suits(plan.tune))
        model = prune(setting, start, plan, suits(self.final()), folder)
        plot_pruning(folder / ROWS, (folder / ROWS).with_suffix(".png"))
        return model.record

    def result(self, folder: Path) -> Path:
        """The weights that `run` leaves in `folder`."""
        return folder / f"{FLOAT}.safetensors"
