from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.config import (
    Conv,
    Dense,
    Dropout,
    Layer,
    Network,
    Pool,
    Quantisation,
    Training,
    network_from_json,
    network_to_json,
)
from quant.errors import ConfigError
from quant.models import build_float
from quant.networks import NETWORKS


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv(filters=0), "conv: filters=0 is too small; use 1 or more"),
        (lambda: Conv(filters=4, pad=3), "conv: pad=3 does not suit kernel=3; use 0 to 2"),
        (lambda: Pool(size=1), "pool: size=1 is too small; use 2 or more"),
        (lambda: Dropout(pool=1.0), "dropout: pool=1.0; use 0.0 up to, not with, 1.0"),
        (lambda: Quantisation(act_bits=1), "act_bits=1 is not supported, because one-bit"),
        (lambda: Quantisation(act_bits=9), "act_bits=9 is not supported; use 2 to 8"),
        (lambda: Quantisation(weight_bits=1), "weight_bits=1 is not supported; use 2 to 8"),
        (lambda: Training(epochs=-1), "training: epochs=-1 is too small; use 0 or more"),
        (lambda: Training(epochs=1, lr=0.0), "lr=0.0 is not positive; use for example 0.002"),
        (
            lambda: Network(name="n", layers=(Conv(filters=4), Pool(size=3))),
            "network n, layer 1 (pool): size=3 does not divide 32x32; use a size that divides both",
        ),
        (
            lambda: Network(name="n", layers=(Dense(neurons=4), Conv(filters=4))),
            "network n, layer 1 (conv): comes after a dense layer; put it before",
        ),
        (lambda: Network(name="n", layers=()), "network n: no layers; give it one or more"),
    ],
)
def test_bad_configurations(make, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert message in str(caught.value)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    layers: list[Layer] = []
    for _ in range(draw(st.integers(1, 3))):
        layers.append(
            Conv(filters=draw(st.integers(1, 9)), kernel=draw(st.sampled_from([1, 3])), pad=0)
        )
    for neurons in draw(st.lists(st.integers(1, 9), max_size=2)):
        layers.append(Dense(neurons=neurons))
    return Network(
        name="n",
        layers=tuple(layers),
        input_shape=(8, 10, draw(st.integers(1, 3))),
        classes=draw(st.integers(2, 10)),
        batch_norm=draw(st.sampled_from(["all", "dense", "none"])),
        dropout=Dropout(pool=draw(st.floats(0.0, 0.9))),
    )


@settings(max_examples=25, deadline=None)
@given(networks())
def test_json_inverts_and_parameters_are_the_built_ones(network: Network) -> None:
    text = json.dumps(network_to_json(network))
    assert network_from_json(json.loads(text), "here") == network
    plain = replace(network, batch_norm="none")
    assert sum(p.numel() for p in build_float(plain).parameters()) == plain.parameters


def test_json_errors_name_the_place() -> None:
    good = network_to_json(NETWORKS["tiny"])
    with pytest.raises(ConfigError, match=r"^here: unknown colour; known: batch_norm, "):
        network_from_json({**good, "colour": 1}, "here")
    with pytest.raises(ConfigError, match=r"^here: layer 0 has kind 'lstm'; use conv, pool, dense"):
        network_from_json({**good, "layers": [{"kind": "lstm"}]}, "here")
    with pytest.raises(ConfigError, match="layers is not a list"):
        network_from_json({}, "here")
