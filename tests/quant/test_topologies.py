from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from quant.config import (
    Average,
    Conv,
    Dense,
    Depthwise,
    Dropout,
    Network,
    Norm,
    Pool,
    Quantisation,
    Residual,
)
from quant.config_json import network_from_json, network_to_json
from quant.errors import ConfigError
from quant.models import build_float, build_quantised
from quant.topologies import NETWORKS, get_network

KINDS = "conv, depthwise, residual, pool, average or dense"
FEATURES = [896, 9_248, 18_496, 36_928, 73_856, 147_584]


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("arch1", [896, 18_496, 36_928, 524_416, 1_290]),
        ("arch2", [*FEATURES, 2_098_176, 524_800, 5_130]),
        ("arch3", [*FEATURES, 295_168, 590_080, 1_049_600, 524_800, 5_130]),
        # Two more for each of 512 neurons, their batch norm's.
        ("arch2_slim", [*FEATURES, 1_049_088 + 1_024, 5_130]),
    ],
)
def test_published_parameters_of_each_layer(name: str, layers: list[int]) -> None:
    assert [parameters for parameters, _ in NETWORKS[name].costs()] == layers


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("arch1", 582_026),
        ("arch2", 2_915_114),
        ("arch3", 2_751_786),
        ("arch2_slim", 1_342_250),
    ],
)
def test_published_parameters(name: str, parameters: int) -> None:
    network = NETWORKS[name]
    assert network.parameters == parameters
    built = sum(p.numel() for p in build_float(network).parameters())
    # The paper counts a bias beside the batch norm, which stands in for it here.
    under_norm = [product.outputs[-1] for product in network.products() if product.norm]
    assert built + sum(under_norm) == parameters


@pytest.mark.parametrize(
    ("name", "flops"),
    [("arch1", 16_976_682), ("arch2", 82_522_058), ("arch3", 108_736_970)],
)
def test_published_flops(name: str, flops: int) -> None:
    assert NETWORKS[name].flops == flops


def test_counts_of_resnet8_by_hand() -> None:
    """Weights and multiply-accumulates of each convolution; then 3 more an output, and the end."""
    weights = {
        "conv0": (432, 1024),
        "residual0.conv0": (2_304, 1024),
        "residual0.conv1": (2_304, 1024),
        "residual1.conv0": (4_608, 256),
        "residual1.skip": (512, 256),
        "residual1.conv1": (9_216, 256),
        "residual2.conv0": (18_432, 64),
        "residual2.skip": (2_048, 64),
        "residual2.conv1": (36_864, 64),
        "last": (640, 1),
    }
    network = NETWORKS["resnet8"]
    assert network.weighted == list(weights)
    assert [macs for _, macs in network.costs()] == [n * m for n, m in weights.values()]
    assert network.macs == 12_501_632
    outputs = 16 + 2 * 16 + 3 * 32 + 3 * 64
    assert network.parameters == sum(n for n, _ in weights.values()) + 3 * outputs + 10 == 78_378
    assert network.flops == 2 * network.macs + outputs + 10
    # A bias beside each batch norm is counted, not built.
    assert sum(p.numel() for p in build_float(network).parameters()) == 78_378 - outputs


def test_counts_of_a_separable_network_by_hand() -> None:
    layers = (
        Conv(filters=8),
        Depthwise(stride=2),
        Conv(filters=12, kernel=1, pad=0),
        Depthwise(kernel=5, pad=2),
        Average(),
    )
    network = Network(name="separable", layers=layers, batch_norm="none")
    assert network.weighted == ["conv0", "depthwise0", "conv1", "depthwise1", "last"]
    weights = [27 * 8, 9 * 8, 8 * 12, 25 * 12, 12 * 10]
    outputs = [8, 8, 12, 12, 10]
    macs = [n * m for n, m in zip(weights, (1024, 256, 256, 256, 1), strict=True)]
    counts = [n + out for n, out in zip(weights, outputs, strict=True)]
    assert network.costs() == list(zip(counts, macs, strict=True))
    assert sum(p.numel() for p in build_float(network).parameters()) == network.parameters
    assert NETWORKS["mobile"].macs == 20_867_584 <= 25e6


def test_shapes_of_residual_networks() -> None:
    assert NETWORKS["resnet8"].shapes() == [
        *[(32, 32, 16), (32, 32, 16), (16, 16, 32), (8, 8, 64)],
        (64,),
    ]
    assert NETWORKS["resnet8"].filters == [16, 16, 32, 32, 64, 64]
    deep = NETWORKS["resnet20"]
    assert deep.shapes()[::3] == [(32, 32, 16), (32, 32, 16), (16, 16, 32), (8, 8, 64)]
    assert deep.macs == 40_813_184
    assert deep.tied()["residual3.skip"] == [
        *["residual3.skip", "residual3.conv1", "residual4.conv1", "residual5.conv1"],
    ]


def test_shapes_of_cnv() -> None:
    assert NETWORKS["cnv"].shapes() == [
        *[(30, 30, 64), (28, 28, 64), (14, 14, 64)],
        *[(12, 12, 128), (10, 10, 128), (5, 5, 128)],
        *[(3, 3, 256), (1, 1, 256), (512,), (512,)],
    ]


@pytest.mark.parametrize("batch_norm", ["all", "none"])
@pytest.mark.parametrize("dropout", [Dropout(), Dropout(stage=0.2, dense=0.5)])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_builds_and_runs(name: str, dropout: Dropout, batch_norm: Norm) -> None:
    network = replace(NETWORKS[name], batch_norm=batch_norm, dropout=dropout)
    pixels = torch.full((2, 3, 32, 32), 128.0)
    for model in (build_float(network), build_quantised(network, Quantisation(dropout=dropout))):
        with torch.no_grad():
            logits = model.train()(pixels)
        assert logits.shape == (2, 10)
        assert torch.isfinite(logits).all()


def test_unknown_network_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"'arch9' is not known; use arch1, .*or the path of a"):
        get_network("arch9")


MINE = """\
name = "mine"
input_shape = [16, 20, 1]
classes = 4
batch_norm = "dense"

[[layers]]
kind = "conv"
filters = 8
kernel = 5
pad = 2
stride = 2

[[layers]]
kind = "pool"

[[layers]]
kind = "dense"
neurons = 12

[dropout]
dense = 0.5
"""


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_a_toml_file_is_a_network(tmp_path: Path) -> None:
    assert get_network(write(tmp_path, MINE)) == Network(
        name="mine",
        layers=(Conv(filters=8, kernel=5, pad=2, stride=2), Pool(), Dense(neurons=12)),
        input_shape=(16, 20, 1),
        classes=4,
        batch_norm="dense",
        dropout=Dropout(dense=0.5),
    )


BLOCKS = """\
name = "blocks"
input_shape = [16, 20, 1]

[[layers]]
kind = "conv"
filters = 8

[[layers]]
kind = "depthwise"
pad = 0
kernel = 1

[[layers]]
kind = "residual"
filters = 12
inner = 6
stride = 2
projection = true

[[layers]]
kind = "residual"
filters = 12
kernel = 5

[[layers]]
kind = "average"
"""


def test_a_toml_file_may_have_blocks(tmp_path: Path) -> None:
    network = get_network(write(tmp_path, BLOCKS))
    assert network.layers == (
        Conv(filters=8),
        Depthwise(pad=0, kernel=1),
        Residual(filters=12, inner=6, stride=2, projection=True),
        Residual(filters=12, kernel=5),
        Average(),
    )
    assert network_from_json(json.loads(json.dumps(network_to_json(network))), "here") == network
    assert network.shapes() == [(16, 20, 8), (16, 20, 8), (8, 10, 12), (8, 10, 12), (12,)]
    assert network.filters == [8, 6, 12, 12]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("= true", "= false", "layers[2]: residual: stride=2 needs projection=true"),
        ("= true", "= 1", "layers[2].projection = 1; use true or false"),
        ("inner = 6", "inner = 0", "layers[2].inner = 0; use a whole number of 1 or more"),
        ("inner = 6", "depth = 6", "layers[2]: unknown key depth; known: filters, inner, kernel,"),
        ("kernel = 5", "kernel = 4", "layers[3]: residual: kernel=4 would change the image's size"),
        (
            "filters = 12\nkernel",
            "filters = 9\nkernel",
            "layer 3 (residual): filters=9 cannot be added to an input of 12 channels; "
            "use filters=12 or projection=true",
        ),
        ('"average"', '"average"\nsize = 2', "layers[4]: unknown key size; known: "),
        ("kernel = 1", "filters = 8", "layers[1]: unknown key filters; known: kernel, pad, stride"),
        ('"conv"\nfilters = 8', '"depthwise"', "(depthwise): the network starts with it"),
        (
            '"conv"\nfilters',
            '"residual"\nfilters',
            "(residual): the network starts with it",
        ),
        ('kind = "average"', 'kind = "average"\n[[layers]]\nkind = "pool"', "leaves no image"),
    ],
)
def test_wrong_blocks_are_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in BLOCKS
    with pytest.raises(ConfigError) as caught:
        get_network(write(tmp_path, BLOCKS.replace(old, new, 1)))
    assert "mine.toml" in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("classes = 4", "colour = 4", "mine.toml: unknown key colour; known: name, layers, "),
        ("neurons", "units", "mine.toml: layers[2]: unknown key units; known: neurons"),
        ("neurons = 12", "", "mine.toml: layers[2]: neurons is missing; use a whole"),
        ('name = "mine"', "", "mine.toml: name is missing; use a text"),
        ('name = "mine"', "name = 3", "mine.toml: name = 3; use a text"),
        ("filters = 8", "filters = 8.0", "layers[0].filters = 8.0; use a whole number"),
        ("filters = 8", "filters = true", "layers[0].filters = True; use a whole number"),
        ("filters = 8", "filters = 0", "layers[0].filters = 0; use a whole number of 1 or"),
        ("dense = 0.5", 'dense = "0.5"', "mine.toml: dropout.dense = '0.5'; use a number"),
        ("dense = 0.5", "first = 0.5", "mine.toml: dropout: unknown key first; known: stage,"),
        ("[dropout]\ndense", "dropout", "layers[2]: unknown key dropout; known: neurons"),
        ("[16, 20, 1]", "[16, 20]", "input_shape = [16, 20]; use a list of 3 whole numbers"),
        ("[16, 20, 1]", '["a", 20, 1]', "input_shape[0] = 'a'; use a whole number"),
        ("[16, 20, 1]", "16", "input_shape = 16; use a list of 3 whole numbers"),
        ('"dense"\n\n', '"some"\n\n', "batch_norm = 'some'; use all, dense or none"),
        ('"dense"\n\n', "true\n\n", "batch_norm = True; use all, dense or none"),
        (
            '"pool"',
            '"lstm"',
            f"mine.toml: layers[1].kind = 'lstm'; use {KINDS}",
        ),
        (
            '"pool"',
            "[]",
            f"mine.toml: layers[1].kind = []; use {KINDS}",
        ),
        ('"pool"', '"pool"\nsize = 9', "layer 1 (pool): size=9 leaves no pixel of 8x10; leave"),
        ('"pool"', '"pool"\nsize = 4', "layer 1 (pool): size=4 does not divide 8x10"),
        ('"pool"', "pool", "mine.toml: not readable as TOML (Invalid value"),
        ("[[layers]]", "[[other]]", "mine.toml: unknown key other; known: name, layers, "),
    ],
)
def test_a_wrong_toml_file_is_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in MINE
    with pytest.raises(ConfigError) as caught:
        get_network(write(tmp_path, MINE.replace(old, new)))
    assert "mine.toml" in str(caught.value)
    assert message in str(caught.value)


def test_no_layers_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mine.toml: layers is missing; use a list of tables"):
        get_network(write(tmp_path, 'name = "mine"\n'))
    with pytest.raises(ConfigError, match=r"none.toml: not found; use an existing .toml file or "):
        get_network(str(tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match=r"not readable as TOML"):
        (tmp_path / "dir.toml").mkdir()
        get_network(str(tmp_path / "dir.toml"))
