from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.config import (
    PRESETS,
    Conv,
    Dense,
    Depthwise,
    Dropout,
    Layer,
    LayerBits,
    Network,
    Pool,
    Quantisation,
    Training,
    preset,
)
from quant.config_json import network_from_json, network_to_json, quantisation_from_json
from quant.errors import ConfigError
from quant.models import build_float
from quant.topologies import NETWORKS


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv(filters=0), "conv: filters = 0; use a whole number of 1 or more"),
        (lambda: Conv(filters=4, pad=3), "conv: pad=3 does not suit kernel=3; use 0 to 2"),
        (lambda: Depthwise(kernel=2, pad=2), "depthwise: pad=2 does not suit kernel=2; use 0 to 1"),
        (lambda: Pool(size=1), "pool: size = 1; use a whole number of 2 or more"),
        (lambda: Dropout(stage=1.0), "stage = 1.0; use a number of 0 or more, below 1"),
        (lambda: Quantisation(act_bits=9), "act_bits = 9; use a whole number from 1 to 8"),
        (lambda: Quantisation(weight_bits=0), "weight_bits = 0; use a whole number from 1 to 8"),
        (
            lambda: LayerBits(name="conv3", act_bits=9),
            "quantisation, layer conv3: act_bits = 9; use a whole number from 1 to 8",
        ),
        (lambda: LayerBits(name="conv3"), "conv3: nothing is given; give weight_bits or act_bits"),
        (lambda: LayerBits(name="last", act_bits=2), "but no activation follows; give weight_bits"),
        (
            lambda: Quantisation(layers=(LayerBits(name="conv1", act_bits=1),) * 2),
            "quantisation: layer conv1 is given twice; give it once",
        ),
        (
            lambda: Quantisation(weight_scale="fixed"),
            "quantisation: weight_scale = 'fixed'; use statistics or learned",
        ),
        (lambda: preset("w2b2"), "quantisation 'w2b2' is not known; use w1a1, w1a2, w2a2, w3a3"),
        (lambda: Training(epochs=-1), "epochs = -1; use a whole number of 0 or more"),
        (lambda: Training(epochs=1, lr=0.0), "lr = 0.0; use a number above 0"),
        (
            lambda: Network(name="n", layers=(Conv(filters=4), Pool(size=3))),
            "network n, layer 1 (pool): size=3 does not divide 32x32; use a size that divides both",
        ),
        (
            lambda: Network(name="n", layers=(Dense(neurons=4), Conv(filters=4))),
            "network n, layer 1 (conv): comes after a layer that leaves no image; put it before",
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
        dropout=Dropout(stage=draw(st.floats(0.0, 0.9))),
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
    with pytest.raises(ConfigError, match=r"^here: unknown key colour; known: name, layers"):
        network_from_json({**good, "colour": 1}, "here")
    with pytest.raises(ConfigError, match=r"^here: layers\[0\].kind = 'lstm'; use conv, depthwise"):
        network_from_json({**good, "layers": [{"kind": "lstm"}]}, "here")
    with pytest.raises(ConfigError, match="^here: name is missing; use a text"):
        network_from_json({}, "here")


def test_presets_are_named_after_their_widths() -> None:
    assert list(PRESETS) == ["w1a1", "w1a2", "w2a2", "w3a3", "w4a4", "w8a8"]
    for name, config in PRESETS.items():
        assert preset(name) is config
        assert name == f"w{config.weight_bits}a{config.act_bits}"
        ends = 8 if name == "w8a8" else 4
        assert config.first_weight_bits == config.last_weight_bits == ends


def test_overrides_hold_before_the_ends_and_the_rest() -> None:
    config = Quantisation(
        layers=(
            LayerBits(name="conv0", act_bits=1),
            LayerBits(name="conv2", weight_bits=1),
            LayerBits(name="last", weight_bits=8),
        )
    )
    found = config.bits(["conv0", "conv1", "conv2", "last"])
    assert found == {"conv0": (4, 1), "conv1": (2, 2), "conv2": (1, 2), "last": (8, 2)}


@pytest.mark.parametrize(
    "config",
    [
        *PRESETS.values(),
        Quantisation(
            weight_scale="learned",
            layers=(LayerBits(name="conv0", act_bits=1), LayerBits(name="last", weight_bits=8)),
            dropout=Dropout(dense=0.25),
        ),
    ],
)
def test_json_inverts_a_quantisation(config: Quantisation) -> None:
    stored = json.loads(json.dumps(asdict(config)))
    assert quantisation_from_json(stored, "here") == config


def test_json_of_a_quantisation_may_lack_later_fields_and_names_wrong_ones() -> None:
    early = {"weight_bits": 2, "act_bits": 2, "first_weight_bits": 4, "last_weight_bits": 4}
    assert quantisation_from_json(early, "here") == preset("w2a2")
    with pytest.raises(ConfigError, match=r"^here: layers\[1\]: unknown key bits; known: name"):
        layers = [{"name": "conv0", "act_bits": 1}, {"name": "conv1", "bits": 1}]
        quantisation_from_json({"layers": layers}, "here")
    with pytest.raises(ConfigError, match="^here: layers = {'conv0': 1}; use a list of tables"):
        quantisation_from_json({"layers": {"conv0": 1}}, "here")
