from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from quant.config import Conv, Dense, Dropout, Network, Pool, Quantisation
from quant.errors import CheckpointError
from quant.layers import act_range, best_range
from quant.models import (
    Model,
    build_float,
    build_quantised,
    load_state,
    relus,
    start_from_float,
)
from quant.networks import NETWORKS
from quant.surrogate import Surrogate

TINY = NETWORKS["tiny"]
ODD = Network(
    name="odd",
    layers=(
        Conv(filters=3, kernel=5, pad=2, stride=2),
        Pool(size=4),
        Dense(neurons=6),
        Dense(neurons=5),
    ),
    batch_norm=False,
)
CONFIGS = [
    (TINY, Quantisation()),
    (TINY, Quantisation(weight_bits=3, act_bits=4, first_weight_bits=8, last_weight_bits=2)),
    (ODD, Quantisation(weight_bits=4, act_bits=3)),
]


def pixels(count: int = 16, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 32, 32), generator=draw).float()


def quantised(network: Network = TINY, config: Quantisation | None = None) -> Model:
    config = config or Quantisation()
    torch.manual_seed(0)
    model = build_quantised(network, config)
    start_from_float(model, build_float(network).state_dict(), pixels(64), config.act_bits)
    return model


@pytest.mark.parametrize(("network", "config"), CONFIGS)
def test_weights_and_activations_are_integers_times_one_scale(
    network: Network, config: Quantisation
) -> None:
    model = quantised(network, config).eval()
    model(pixels())
    layers = [m for m in model.body.children() if hasattr(m, "quant_weight")]
    hidden = [config.weight_bits] * (len(layers) - 2)
    every = [config.first_weight_bits, *hidden, config.last_weight_bits]
    for layer, bits in zip(layers, every, strict=True):
        weight = layer.quant_weight()
        steps = weight.value / weight.scale
        assert torch.equal(steps.round(), weight.int().float())
        assert int(weight.int().abs().max()) == 2 ** (bits - 1) - 1
        outputs = weight.value.shape[0]
        assert weight.scale.numel() == (1 if layer is layers[-1] else outputs)
    for _, relu in relus(model):
        out = relu(torch.linspace(-1, 2, 400) * act_range(relu).detach())
        assert set(out.int().tolist()) == set(range(2**config.act_bits))


def test_last_bias_is_an_integer_in_units_of_the_accumulator() -> None:
    model = quantised().eval()
    last = model.body.last
    seen: list[Tensor] = []
    handle = last.register_forward_hook(lambda _, inputs, out: seen.extend([inputs[0], out]))
    model(pixels())
    handle.remove()
    unit = seen[0].scale * last.quant_weight().scale
    sums = seen[0].int().float() @ last.quant_weight().int().float().T
    bias = (seen[1] / unit - sums).double()
    assert torch.allclose(bias, bias.round(), atol=1e-2)
    assert torch.allclose(bias.round()[0], (last.bias / unit).round().double())


@pytest.mark.parametrize(("network", "config"), CONFIGS)
def test_twin_computes_the_same_values_and_gradients(
    network: Network, config: Quantisation
) -> None:
    model = quantised(network, config)
    twin = Surrogate(model, config)
    state = {name: value.clone() for name, value in model.state_dict().items()}

    def run(forward: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        load_state(model, state)
        model.zero_grad()
        logits = forward(pixels())
        logits.square().mean().backward()
        return logits.detach(), {n: p.grad.clone() for n, p in model.named_parameters()}

    for training in (True, False):
        model.train(training)
        twin.train(training)
        (expected, slopes), (found, twin_slopes) = run(model), run(twin)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
        for name, slope in slopes.items():
            assert float(slope.abs().max()) > 0, name
            torch.testing.assert_close(twin_slopes[name], slope, rtol=1e-3, atol=1e-5)


def test_dropout_acts_in_training_only() -> None:
    dropout = Dropout(pool=0.5, last=0.5)
    for model in (
        build_float(replace(TINY, dropout=dropout, batch_norm=False)),
        build_quantised(replace(TINY, batch_norm=False), Quantisation(dropout=dropout)),
    ):
        model.train()
        assert not torch.equal(model(pixels()), model(pixels()))
        model.eval()
        assert torch.equal(model(pixels()), model(pixels()))


def test_float_weights_arrive_in_the_quantised_network() -> None:
    torch.manual_seed(1)
    plain = build_float(TINY)
    model = build_quantised(TINY, Quantisation())
    start_from_float(model, plain.state_dict(), pixels(64), 2)
    assert torch.equal(model.body.conv1.weight, plain.body.conv1.weight)
    assert all(float(act_range(relu).detach()) > 0 for _, relu in relus(model))


def test_best_range_of_levels_is_found_and_outliers_are_cut() -> None:
    levels = torch.arange(4.0).repeat(100) * 0.7
    assert best_range(levels, 2) == pytest.approx(2.1)
    normal = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    assert 1.4 < best_range(normal, 2) < 2.3  # 1.6 to 2 for 4 levels, zero's share decides
    assert best_range(torch.zeros(10), 2) > 0


def test_load_state_keeps_parameters_and_refuses_other_networks() -> None:
    model = quantised()
    before = dict(model.named_parameters())
    state = {name: value * 2 for name, value in model.state_dict().items()}
    load_state(model, state)
    for name, parameter in model.named_parameters():
        assert parameter is before[name]
        assert torch.equal(parameter, state[name])
    with pytest.raises(CheckpointError, match="missing, unknown or of another shape"):
        load_state(model, {**state, "more": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"1 tensors .*body.conv0.weight"):
        load_state(model, {**state, "body.conv0.weight": torch.zeros(1)})
