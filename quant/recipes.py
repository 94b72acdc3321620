"""Ways to train a network, by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

from quant.config import Dropout, Network, Norm, Training
from quant.errors import ConfigError

_Config = TypeVar("_Config", Dropout, Training)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained, float and then quantised.

    `batch_norm` takes the place of the network's own, if it is given.
    """

    float_training: Training
    quant_training: Training
    dropout: Dropout
    batch_norm: Norm | None

    def apply(self, network: Network) -> Network:
        """The network with this recipe's dropout and batch norm."""
        norm = network.batch_norm if self.batch_norm is None else self.batch_norm
        return replace(network, dropout=self.dropout, batch_norm=norm)


_QUANTISED = Training(
    epochs=20,
    lr=2e-3,
    weight_decay=0.0,
    label_smoothing=0.0,
    distill=0.9,
    distill_temperature=3.0,
)

RECIPES = {
    # Dhouibi, Ben Salem and Ben Saoud: 34 epochs on the images as they are, dropout of 20 % and
    # 50 %. They name neither optimiser nor batch: small batches, a little decay and averaged
    # weights are ours. They stop at the float network, so from there on it goes our way.
    "paper": Recipe(
        float_training=Training(
            epochs=34,
            batch=32,
            lr=1e-3,
            weight_decay=0.03,
            warmup_epochs=0.0,
            label_smoothing=0.0,
            flip=False,
            translate_px=0,
            average=0.999,
        ),
        quant_training=_QUANTISED,
        dropout=Dropout(stage=0.2, dense=0.5),
        batch_norm=None,
    ),
    "ours": Recipe(
        # What holds a network with large dense layers back from learning its images by heart.
        float_training=Training(epochs=20, weight_decay=0.1, cutout_px=8),
        quant_training=_QUANTISED,
        dropout=Dropout(dense=0.2),
        batch_norm="all",
    ),
}


def find_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ConfigError: if there is none; the message lists those there are.
    """
    if name not in RECIPES:
        raise ConfigError(f"recipe {name!r} is not known; use {', '.join(RECIPES)}")
    return RECIPES[name]


def taught(training: Training, views: int | None = None) -> Training:
    """A training that imitates a teacher in fixed views of the images.

    Args:
        training: of a recipe.
        views: of each image; None for eight, 0 to ask the teacher anew for every batch.
    """
    return replace(
        training,
        distill=0.9,
        distill_temperature=2.0,
        label_smoothing=0.0,
        cutout_px=0,
        translate_px=2,
        views=8 if views is None else views,
    )


def given(config: _Config, **options: Any) -> _Config:
    """The configuration with those options that the user gave."""
    return replace(config, **{k: v for k, v in options.items() if v is not None})


# Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv 2404.00498), at half the batch
# and so half the learning rate. A cosine and a running average stand for his two straight lines
# and his lookahead; he takes 9.9 epochs.
TEACHER_TRAINING = Training(
    epochs=16,
    batch=512,
    lr=0.75,
    weight_decay=1.33e-3,
    warmup_epochs=3.0,
    label_smoothing=0.2,
    translate_px=2,
    average=0.98,
    precision="bfloat16",
    optimiser="nesterov",
    momentum=0.85,
    bias_lr=64.0,
)
