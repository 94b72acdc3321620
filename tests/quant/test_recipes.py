from __future__ import annotations

from dataclasses import replace

import pytest

from quant.config import Dropout, Training
from quant.errors import ConfigError
from quant.recipes import find_recipe
from quant.topologies import get_network


def test_the_paper_has_dropout_and_the_images_as_they_are() -> None:
    recipe = find_recipe("paper")
    training = recipe.float_training
    assert (training.epochs, training.batch, training.lr) == (34, 32, 1e-3)
    assert not training.flip
    assert (training.translate_px, training.cutout_px, training.label_smoothing) == (0, 0, 0.0)
    network = get_network("arch2_slim")
    applied = recipe.apply(network)
    assert applied == replace(network, dropout=Dropout(stage=0.2, dense=0.5))
    assert applied.batch_norm == "dense"


def test_ours_holds_the_network_back() -> None:
    recipe = find_recipe("ours")
    training = recipe.float_training
    assert training == Training(epochs=training.epochs, weight_decay=0.1, cutout_px=8)
    quantised = recipe.quant_training
    assert (quantised.lr, quantised.distill, quantised.cutout_px) == (2e-3, 0.9, 0)
    applied = recipe.apply(get_network("arch2_slim"))
    assert (applied.batch_norm, applied.dropout) == ("all", Dropout(dense=0.2))


def test_unknown() -> None:
    with pytest.raises(ConfigError, match="recipe 'theirs' is not known; use paper, ours"):
        find_recipe("theirs")
