"""Residual blocks: what they compute, quantised, trained, pruned, packed and exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from quant.config import (
    Average,
    Conv,
    Network,
    Pool,
    Quantisation,
    Residual,
    Training,
    layer_bits,
    preset,
)
from quant.data import Labelled
from quant.exporting import compare, export, golden_vectors, to_qonnx
from quant.float_model import load_float
from quant.layers import act_range, best_range
from quant.margins import MARGIN, keep_off_integers
from quant.models import Model, build_float, build_quantised, relus, start_from_float
from quant.packing import weight_scale
from quant.pruning import Pruning, prune
from quant.residual import ResidualBlock, values
from quant.setting import Setting
from quant.training import train_float, train_quantised
from quant.zoo import load_trained, pack_trained, zoo_images

NETWORK = Network(
    name="blocks",
    layers=(
        Conv(filters=6, stride=2),
        Residual(filters=6),
        Pool(),
        Residual(filters=8, inner=5, stride=2, projection=True),
        Average(),
    ),
)
CONFIGS = {
    "w2a2": preset("w2a2"),
    "w1a1": preset("w1a1"),
    "w3a3, learned, skip of 1 bit": replace(
        preset("w3a3"), weight_scale="learned", layers=(layer_bits("residual1.skip=w4a1"),)
    ),
}


def pixels(count: int = 64) -> Tensor:
    return torch.from_numpy(zoo_images().images[:count]).permute(0, 3, 1, 2).float()


def quantised(config: Quantisation = CONFIGS["w2a2"], network: Network = NETWORK) -> Model:
    """A network with the ranges and batch statistics of real images."""
    torch.manual_seed(4)
    plain = build_float(network)
    for name, parameter in plain.named_parameters():
        if name.endswith("norm.bias"):
            nn.init.normal_(parameter, std=0.5)
    model = build_quantised(network, config)
    start_from_float(model, plain.state_dict(), pixels())
    with torch.no_grad():
        for _ in range(40):
            model(pixels())
    return model.eval()


def block(model: Model, number: int) -> ResidualBlock:
    found = model.body.get_submodule(f"residual{number}")
    assert isinstance(found, ResidualBlock)
    return found


@pytest.mark.parametrize("number", [0, 1])
def test_a_block_is_its_equation(number: int) -> None:
    model = build_float(NETWORK).eval()
    b = block(model, number)
    x = torch.rand(2, 6, 8, 8)
    inner = torch.relu(b.conv0_norm(b.conv0(x)))
    skip = b.skip_norm(b.skip(x)) if number else x
    assert torch.equal(b(x), torch.relu(b.conv1_norm(b.conv1(inner)) + skip))


@pytest.mark.parametrize("norm", ["all", "none"])
def test_lifting_a_projection_changes_nothing_before_it_is_quantised(norm: str) -> None:
    network = replace(NETWORK, batch_norm=norm)
    model = build_float(network).eval()
    before = model(pixels(4))
    skips: list[Tensor] = []
    block(model, 1).skip_act.register_forward_hook(lambda _, __, y: skips.append(y))
    model(pixels(4))
    lift = torch.linspace(-1.0, 2.0, 8)
    block(model, 1).lift(lift)
    torch.testing.assert_close(model(pixels(4)), before, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(skips[1] - skips[0], lift.view(-1, 1, 1).expand_as(skips[0]))


def test_a_projection_keeps_values_of_both_signs() -> None:
    """A ReLU alone would make nearly half of the codes of each channel zero, and round the rest."""
    model = quantised()
    codes: list[Tensor] = []
    block(model, 1).skip_act.register_forward_hook(
        lambda _, __, y: codes.append((y.value / y.scale).round())
    )
    model(pixels())
    share = torch.bincount(codes[0].flatten().long(), minlength=4) / codes[0].numel()
    # A normal distribution in four steps about its mean: 16 %, 34 %, 34 %, 16 %, or so.
    assert ((share > 0.1) & (share < 0.42)).all(), share
    assert ((codes[0].mean((0, 2, 3)) - 1.5).abs() < 0.3).all()


def test_the_best_centred_range() -> None:
    levels = (torch.arange(4.0) - 1.5).repeat(100) * 0.7
    assert best_range(levels, 2, centred=True) == pytest.approx(2.1)
    normal = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    # Four levels of a normal distribution lie 0.996 apart (Max, 1960).
    assert best_range(normal, 2, centred=True) == pytest.approx(3 * 0.996, rel=0.05)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_exported_graphs_compute_the_same_and_add_before_they_quantise(
    config: Quantisation,
) -> None:
    model = quantised(config)
    data = zoo_images().part(slice(0, 10))
    vectors = golden_vectors(model, data)
    proto = to_qonnx(model, NETWORK.input_shape)
    assert compare(proto, vectors) <= 1
    names = [name for name, _ in relus(model)]
    assert names == [f"{name}_act" for name in NETWORK.weighted[:-1]]
    bits = config.bits(NETWORK.weighted)
    for index, name in enumerate(NETWORK.weighted[:-1]):
        assert vectors[f"act{index}"].max() == 2 ** bits[name][1] - 1, name
    made = {node.output[0]: node for node in proto.graph.node}
    readers = {name: node for node in proto.graph.node for name in node.input}
    sums = [node for node in proto.graph.node if node.op_type == "Add"]
    assert len(sums) == 2
    for node in sums:
        kinds = sorted(made[name].op_type if name in made else "constant" for name in node.input)
        # The first block's input is quantised; a pool lies between that and the second's.
        assert kinds == ["BatchNormalization", "Quant"]
        assert readers[node.output[0]].op_type == "Relu"
        assert readers[readers[node.output[0]].output[0]].op_type == "Quant"
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("GlobalAveragePool") == 1 and "ReduceMean" not in kinds


def test_the_bias_after_means_is_an_integer_in_units_of_the_sum() -> None:
    model = quantised()
    constants = {
        t.name: onnx.numpy_helper.to_array(t)
        for t in to_qonnx(model, NETWORK.input_shape).graph.initializer
    }
    scale = float(act_range(block(model, 1).conv1_act).detach()) / 3
    unit = float(weight_scale(model.body.last).detach()) * scale / 16
    assert any(np.isclose(c.item(), unit, rtol=1e-5) for c in constants.values() if c.size == 1)


@pytest.mark.parametrize("number", [0, 1])
def test_thresholds_of_each_code_that_is_added_are_kept_off_integers(number: int) -> None:
    model = quantised()
    b = block(model, number)
    norm, added = b.conv1_norm, b.skip_act if number else model.body.conv0_act
    step, inner = (float(act_range(act).detach()) / 3 for act in (b.conv1_act, b.conv0_act))

    def slope() -> Tensor:
        """What an accumulator of each channel adds to its sum."""
        gain = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
        return gain * weight_scale(b.conv1).detach().double() * inner

    def thresholds() -> Tensor:
        """Accumulators at which each channel goes up a step, for each code: (C, codes, 3)."""
        gain = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
        offset = norm.bias.detach().double() - norm.running_mean.double() * gain
        steps = (torch.arange(3).double() + 0.5) * step
        skips = torch.arange(4).double() * float(act_range(added).detach()) / 3
        return (steps - skips[:, None] - offset[:, None, None]) / slope()[:, None, None]

    with torch.no_grad():
        # The first channel's thresholds lie a quarter apart, those of the code 2 near integers.
        norm.weight[0] *= step / 4 / slope()[0]
        act_range(added).fill_(3 * 2.125 * step / 4)
        now = thresholds()[0, 2, 1]
        norm.bias[0] -= float((now.floor() + 2e-4 - now) * slope()[0])
    before = thresholds()
    assert 0.0 < float(before[0, 2, 1] - before[0, 2, 1].floor()) < 1e-3
    assert keep_off_integers(model) >= 1
    after = thresholds()
    assert torch.equal(after.floor(), before.floor())
    assert float((after[0] - after[0].round()).abs().min()) >= MARGIN - 1e-4
    assert not torch.equal(after[0], before[0])


def test_trains_prunes_packs_and_exports(images: Labelled, tmp_path: Path) -> None:
    setting = Setting.of(images, images, validation=16, compiled=False, command="test")
    training = Training(epochs=1, batch=16, average=0.5)
    train_float(setting, NETWORK, training, tmp_path / "base")
    start = load_float(tmp_path / "base" / "float.safetensors", "cpu")
    assert start.network == NETWORK
    plan = Pruning(iterations=1, share=0.3, tune=training)
    pruned = prune(setting, start, plan, training, tmp_path / "pruned")
    assert sum(pruned.network.filters) == round(0.7 * sum(NETWORK.filters))
    again = load_float(tmp_path / "pruned" / "float.safetensors", "cpu")
    assert again.network == pruned.network
    config = replace(preset("w2a2"), weight_scale="learned")
    longer = replace(training, epochs=2, distill=0.5)
    record = train_quantised(setting, again, config, longer, tmp_path / "m")
    assert record["filters"] == pruned.network.filters
    packed = pack_trained(str(tmp_path / "m" / "m.safetensors"), "small", tmp_path)
    data = zoo_images().part(slice(0, 4))
    done = export(load_trained(str(packed)), data, tmp_path / "out")
    assert done.images == 4 and done.explained <= 1


def test_the_values_of_a_quantised_tensor_and_of_a_plain_one() -> None:
    plain = torch.rand(3)
    assert values(plain) is plain
    relu = quantised().body.conv0_act
    assert torch.equal(values(relu(plain)), relu(plain).value)
