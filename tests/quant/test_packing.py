from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from quant.cli import app
from quant.config import LayerBits, Network, Quantisation
from quant.config_json import network_to_json
from quant.data import Labelled
from quant.errors import CheckpointError, ConfigError
from quant.exporting import golden_vectors, run_qonnx, to_qonnx
from quant.files import read_tensors, write_tensors
from quant.models import Model, build_float, build_quantised, start_from_float
from quant.packing import MARK, load_packed, pack, pack_integers, unpack_integers
from quant.topologies import NETWORKS
from quant.zoo import ZOO, load_trained, pack_trained, zoo_images, zoo_names


@st.composite
def integers(draw: st.DrawFn) -> tuple[int, list[int]]:
    bits = draw(st.integers(1, 8))
    top = 2 ** (bits - 1) - 1
    one = st.sampled_from([-1, 1]) if bits == 1 else st.integers(-top, top)
    return bits, draw(st.lists(one, max_size=40))


@given(integers())
def test_unpacking_inverts_packing(drawn: tuple[int, list[int]]) -> None:
    bits, values = drawn
    packed = pack_integers(np.array(values, np.int16), bits)
    assert packed.dtype == np.uint8
    assert packed.shape == (-(-len(values) * bits // 8),)
    found = unpack_integers(packed, bits, len(values))
    assert found.dtype == np.int8
    assert found.tolist() == values


def test_the_first_weight_is_in_the_least_significant_bits() -> None:
    assert pack_integers(np.array([[-1, 0], [1, 1], [0, 1]]), 2).tolist() == [0b10_10_01_00, 0b1001]
    assert pack_integers(np.array([1, -1, 1]), 1).tolist() == [0b101]
    assert pack_integers(np.array([-127, 127]), 8).tolist() == [0, 254]


@pytest.mark.parametrize(
    ("packed", "bits", "count", "message"),
    [
        ([0, 0], 2, 4, r"4 weights of 2 bits are bytes of shape \(2,\), not \(1,\); use the check"),
        ([[0]], 2, 4, r"of shape \(1, 1\), not \(1,\)"),
        ([0b11], 2, 1, "weights out of the range of 2 bits; use the checkpoint with its own rec"),
        ([0b100], 2, 1, "weights out of the range of 2 bits"),
        ([255], 8, 1, "weights out of the range of 8 bits"),
    ],
)
def test_wrong_bytes_are_refused(packed: list, bits: int, count: int, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        unpack_integers(np.array(packed, np.uint8), bits, count)


def quantised(network: Network, config: Quantisation) -> Model:
    torch.manual_seed(0)
    model = build_quantised(network, config)
    pixels = torch.randint(0, 256, (64, 3, 32, 32)).float()
    start_from_float(model, build_float(network).state_dict(), pixels)
    # Ranges of its own, and a filter whose weights are all zero.
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("log2_range"):
                value += torch.randn(value.shape)
        model.body.conv1.weight[0] = 0.0
    return model.eval()


CONFIGS = [
    *(
        Quantisation(weight_bits=bits, first_weight_bits=bits, last_weight_bits=bits)
        for bits in range(1, 9)
    ),
    Quantisation(
        layers=(LayerBits(name="conv1", weight_bits=1), LayerBits(name="last", weight_bits=5))
    ),
]


@pytest.mark.parametrize("scale", ["statistics", "learned"])
@pytest.mark.parametrize("config", CONFIGS)
def test_a_packed_model_computes_the_same_bits(
    config: Quantisation, scale: str, images: Labelled
) -> None:
    network = replace(NETWORKS["tiny"], batch_norm="dense")
    config = replace(config, weight_scale=scale)
    model = quantised(network, config)
    images = images.part(slice(0, 20))
    expected = golden_vectors(model, images)
    state = pack(model)
    again = build_quantised(network, config)
    load_packed(again, state)
    found = golden_vectors(again, images)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    for name, value in pack(again).items():
        assert torch.equal(value, state[name]), name


def test_qonnx_has_the_same_integers_and_scales(images: Labelled) -> None:
    config = Quantisation(weight_bits=2)
    model = quantised(NETWORKS["tiny"], config)
    again = build_quantised(NETWORKS["tiny"], config)
    first = to_qonnx(model, (32, 32, 3))
    load_packed(again, pack(model))
    second = to_qonnx(again, (32, 32, 3))
    assert [n.op_type for n in first.graph.node] == [n.op_type for n in second.graph.node]
    before, after = (run_qonnx(proto, images.images[:4]) for proto in (first, second))
    compared = 0
    for one, other in zip(first.graph.node, second.graph.node, strict=True):
        if one.op_type == "Quant":
            compared += 1
            np.testing.assert_array_equal(before[one.output[0]], after[other.output[0]])
            for a, b in zip(one.input[1:], other.input[1:], strict=True):
                np.testing.assert_array_equal(before[a], after[b])
    assert compared == 4 + 3 + 1  # weights, activations, the last bias
    np.testing.assert_array_equal(before["logits"], after["logits"])


def write_model(path: Path, state: dict, metadata: dict, **changes: object) -> None:
    """A model of the tiny network with a record made from that of arch1_w2a2."""
    write_tensors(path, state, metadata)
    record = json.loads((ZOO / "arch1_w2a2.json").read_text())
    record |= {"layers": network_to_json(NETWORKS["tiny"]), "quantisation": {}, **changes}
    record["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(record))


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A model as `train` writes it."""
    state = quantised(NETWORKS["tiny"], Quantisation()).state_dict()
    kept = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    write_model(tmp_path / "plain.safetensors", kept, {"network": "tiny"})
    return tmp_path / "plain.safetensors"


def test_a_packed_file_loads_like_the_one_it_came_from(plain: Path, tmp_path: Path) -> None:
    packed = pack_trained(str(plain), "small", tmp_path / "zoo")
    assert sorted(p.name for p in packed.parent.iterdir()) == ["small.json", "small.safetensors"]
    assert packed.stat().st_size < plain.stat().st_size / 2
    one, other = load_trained(str(plain)), load_trained(str(packed))
    assert other.name == "small"
    assert {**other.record, "sha256": one.record["sha256"]} == one.record
    assert (other.network, other.quantisation) == (one.network, one.quantisation)
    pixels = torch.from_numpy(zoo_images().images).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        assert torch.equal(one.model(pixels), other.model(pixels))
    again = pack_trained(str(packed), "again", tmp_path)
    assert again.read_bytes() == packed.read_bytes()


def test_the_command_says_what_it_wrote(plain: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["pack", str(plain), "small", "--out", str(tmp_path / "zoo")])
    assert done.exit_code == 0
    path = tmp_path / "zoo" / "small.safetensors"
    assert done.stdout == f"{path}: {path.stat().st_size:,} bytes\n"


def test_names_and_float_models_are_checked(plain: Path, tmp_path: Path) -> None:
    for name in ("", "a/b", "../a", "a.safetensors"):
        with pytest.raises(ConfigError, match="use letters, digits, - and _ only"):
            pack_trained(str(plain), name, tmp_path)
    state, metadata = read_tensors(plain)
    write_model(plain, state, metadata, quantisation=None)
    with pytest.raises(CheckpointError, match=r"plain.json: of a float model; quantise it with"):
        pack_trained(str(plain), "mine", tmp_path)
    write_model(plain, {**state, "body.last.bias": torch.full((10,), torch.nan)}, metadata)
    with pytest.raises(CheckpointError, match=r"plain.safetensors: computes something else when"):
        pack_trained(str(plain), "mine", tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plain.json", "plain.safetensors"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("conv0.weight", torch.zeros(7, dtype=torch.uint8), "108 weights of 4 bits are bytes of"),
        ("conv0.weight", torch.full((54,), 255, dtype=torch.uint8), "out of the range of 4 bits"),
        ("conv0.weight", torch.zeros(54), "body.conv0.weight is missing or not packed; pack the"),
        ("conv0.weight", None, "body.conv0.weight is missing or not packed"),
        ("conv0.bias", None, "body.conv0.bias among them; use the checkpoint with the"),
        ("conv0.bias", torch.zeros(9), "body.conv0.bias among them"),
    ],
)
def test_corrupt_tensors_are_named(
    name: str, value: torch.Tensor | None, message: str, plain: Path, tmp_path: Path
) -> None:
    path = pack_trained(str(plain), "small", tmp_path)
    state, metadata = read_tensors(path)
    del state[f"body.{name}"]
    if value is not None:
        state[f"body.{name}"] = value
    write_model(path, state, metadata)
    with pytest.raises(CheckpointError, match="small.safetensors: ") as caught:
        load_trained(str(path))
    assert message in str(caught.value)


def test_other_widths_and_cut_files_are_named(plain: Path, tmp_path: Path) -> None:
    path = pack_trained(str(plain), "small", tmp_path)
    write_model(path, *read_tensors(path), quantisation={"weight_bits": 3})
    with pytest.raises(CheckpointError, match=r"body.conv1.weight: 216 weights of 3 bits"):
        load_trained(str(path))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"small.safetensors: not a readable safetensors"):
        load_trained(str(path))


@pytest.mark.parametrize("name", zoo_names())
def test_the_zoo_is_packed_and_small(name: str) -> None:
    path = ZOO / f"{name}.safetensors"
    assert read_tensors(path)[1] == MARK
    assert path.stat().st_size < 2 * 2**20
