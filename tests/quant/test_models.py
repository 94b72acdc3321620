from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from quant.config import (
    PRESETS,
    Average,
    Conv,
    Dense,
    Depthwise,
    Dropout,
    LayerBits,
    Network,
    Pool,
    Quantisation,
    Residual,
)
from quant.errors import CheckpointError, ConfigError
from quant.layers import act_range, best_range, learned_range, weight_bits, weight_range
from quant.models import (
    Model,
    build_float,
    build_quantised,
    load_state,
    relus,
    start_from_float,
)
from quant.surrogate import Surrogate
from quant.topologies import NETWORKS

TINY = NETWORKS["tiny"]
ODD = Network(
    name="odd",
    layers=(
        Conv(filters=3, kernel=5, pad=2, stride=2),
        Pool(size=4),
        Dense(neurons=6),
        Dense(neurons=5),
    ),
    batch_norm="none",
)
# Blocks with and without a projection, pooled in between, and other layers at the end than TINY's.
BLOCKS = Network(
    name="blocks",
    layers=(
        Conv(filters=4, stride=2),
        Residual(filters=4),
        Pool(),
        Residual(filters=6, inner=5, stride=2, projection=True),
        Average(),
        Dense(neurons=8),
    ),
)
SEPARABLE = Network(
    name="separable",
    layers=(
        Conv(filters=6, stride=2),
        Depthwise(),
        Conv(filters=8, kernel=1, pad=0),
        Pool(),
        Depthwise(kernel=5, pad=2, stride=2),
        Dense(neurons=8),
    ),
)
NORMED = replace(TINY, batch_norm="all")
LEARNED = replace(PRESETS["w2a2"], weight_scale="learned")
CONFIGS = {
    **{name: (NORMED, config) for name, config in PRESETS.items()},
    "w2a2, learned": (NORMED, LEARNED),
    "w1a1, learned": (TINY, replace(PRESETS["w1a1"], weight_scale="learned", last_weight_bits=1)),
    "w2a2, blocks": (BLOCKS, LEARNED),
    "w3a3, blocks without batch norm": (replace(BLOCKS, batch_norm="none"), PRESETS["w3a3"]),
    "w1a1, means at the end": (replace(BLOCKS, layers=BLOCKS.layers[:-1]), PRESETS["w1a1"]),
    "w2a2, depthwise": (SEPARABLE, LEARNED),
    "w2a2, plain": (TINY, PRESETS["w2a2"]),
    "mixed": (
        ODD,
        Quantisation(
            weight_bits=4,
            act_bits=3,
            first_weight_bits=1,
            layers=(
                LayerBits(name="dense0", weight_bits=1, act_bits=1),
                LayerBits(name="last", weight_bits=2),
            ),
        ),
    ),
}
every_config = pytest.mark.parametrize(("network", "config"), CONFIGS.values(), ids=CONFIGS.keys())


def pixels(count: int = 16, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 32, 32), generator=draw).float()


def bell_shaped(network: Network) -> Model:
    """A float network with weights that reach beyond the range of few bits."""
    torch.manual_seed(0)
    plain = build_float(network)
    with torch.no_grad():
        for parameter in plain.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 2.0 * float(parameter.std()))
        plain.body.last.bias.normal_(0.0, 0.3)  # no whole steps of the accumulator
    return plain


def quantised(network: Network = TINY, config: Quantisation | None = None) -> Model:
    model = build_quantised(network, config or Quantisation())
    start_from_float(model, bell_shaped(network).state_dict(), pixels(64))
    return model


@every_config
def test_weights_and_activations_are_integers_times_one_scale(
    network: Network, config: Quantisation
) -> None:
    model = quantised(network, config).eval()
    model(pixels())
    bits = config.bits(network.weighted)
    for name, (wide, _) in bits.items():
        layer = model.body.get_submodule(name)
        weight = layer.quant_weight()
        steps = (weight.value / weight.scale).round()
        assert torch.allclose(steps * weight.scale, weight.value, rtol=1e-6)
        top = max(1, 2 ** (wide - 1) - 1)
        values = set(steps.flatten().int().tolist())
        assert {-top, top} & values and values <= set(range(-top, top + 1))
        assert wide > 1 or values == {-1, 1}
        assert weight.scale.numel() == (1 if name == "last" else weight.value.shape[0])
    assert [name for name, _ in relus(model)] == [f"{name}_act" for name in bits][:-1]
    for (_, relu), (_, wide) in zip(relus(model), bits.values(), strict=False):
        out = relu(torch.linspace(-1, 2, 1000) * act_range(relu).detach())
        assert set((out.value / out.scale).round().int().tolist()) == set(range(2**wide))


def test_one_bit_weights_are_scaled_by_the_mean_magnitude_of_their_filter() -> None:
    model = quantised(TINY, PRESETS["w1a1"])
    weight = model.body.conv1.quant_weight()
    mean = model.body.conv1.weight.abs().mean((1, 2, 3))
    assert torch.equal(weight.value, mean.view(-1, 1, 1, 1) * weight.value.sign())


def test_one_bit_activations_step_at_half_and_learn_up_to_one_and_a_half() -> None:
    _, relu = relus(quantised(TINY, PRESETS["w1a1"]))[0]
    x = torch.tensor([-0.1, 0.0, 0.4, 0.6, 1.4, 1.6], requires_grad=True)
    scale = act_range(relu).detach()
    out = relu(x * scale).value
    assert torch.equal(out, scale * torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]))
    out.sum().backward()
    assert torch.equal(x.grad / scale, torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0, 0.0]))


def test_one_bit_learns() -> None:
    """A gradient that pointed nowhere would leave the loss where it was."""
    model = quantised(NORMED, PRESETS["w1a1"])
    twin, x = Surrogate(model), pixels(40)
    labels = torch.arange(40) % 10
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        loss = nn.functional.cross_entropy(twin(x), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5]), losses


def test_a_learned_range_starts_at_the_statistics_and_is_kept() -> None:
    plain = bell_shaped(TINY)
    model = quantised(TINY, LEARNED)
    for name, (bits, _) in LEARNED.bits(TINY.weighted).items():
        layer = model.body.get_submodule(name)
        weight = plain.body.get_submodule(name).weight
        expected = weight_range(weight, bits, per_channel=name != "last")
        learned = learned_range(layer)
        assert learned.log2_range.shape == expected.shape and weight_bits(layer) == bits
        torch.testing.assert_close(torch.exp2(learned.log2_range), expected)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    state["body.conv1.weight_quant.tensor_quant.scaling_impl.log2_range"] += 1.0
    before = model.body.conv1.quant_weight().scale
    load_state(model, state)
    torch.testing.assert_close(model.body.conv1.quant_weight().scale, 2 * before)


def test_a_layer_that_the_network_lacks_is_named() -> None:
    config = Quantisation(layers=(LayerBits(name="conv3", weight_bits=1),))
    with pytest.raises(ConfigError) as caught:
        build_quantised(TINY, config)
    assert str(caught.value) == (
        "quantisation: the network has no layer conv3 with weights; use conv0, conv1, dense0, last"
    )


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


@every_config
def test_twin_computes_the_same_values_and_gradients(
    network: Network, config: Quantisation
) -> None:
    model = quantised(network, config)
    twin = Surrogate(model)
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
    dropout = Dropout(stage=0.5, dense=0.5)
    for model in (
        build_float(replace(TINY, dropout=dropout, batch_norm="none")),
        build_quantised(replace(TINY, batch_norm="none"), Quantisation(dropout=dropout)),
    ):
        model.train()
        assert not torch.equal(model(pixels()), model(pixels()))
        model.eval()
        assert torch.equal(model(pixels()), model(pixels()))


def test_dropout_ends_every_stage() -> None:
    layers = (Conv(filters=8), Pool(), Conv(filters=8), Dense(neurons=16))
    network = replace(TINY, layers=layers, dropout=Dropout(stage=0.2, dense=0.5))
    drops = {n: m.p for n, m in build_float(network).body.named_children() if n.endswith("_drop")}
    assert drops == {"pool0_drop": 0.2, "flatten_drop": 0.2, "dense0_drop": 0.5}
    pooled = build_float(replace(network, layers=(*layers[:2], Dense(neurons=16))))
    assert "flatten_drop" not in dict(pooled.body.named_children())


def test_the_signal_keeps_its_size_on_the_way_through_eight_layers() -> None:
    torch.manual_seed(1)
    model = build_float(NETWORKS["arch2"]).eval()
    sizes = []
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda _, __, y: sizes.append(float(y.square().mean())))
    model(pixels(64))
    assert len(sizes) == 8
    assert max(sizes) < 16 * min(sizes), sizes


def test_float_weights_arrive_in_the_quantised_network() -> None:
    torch.manual_seed(1)
    plain = build_float(TINY)
    model = build_quantised(TINY, Quantisation())
    start_from_float(model, plain.state_dict(), pixels(64))
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
