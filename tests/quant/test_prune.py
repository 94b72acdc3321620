from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.config import (
    Average,
    Conv,
    Dense,
    Depthwise,
    LayerBits,
    Network,
    Norm,
    Pool,
    Quantisation,
    Residual,
    Training,
)
from quant.costs import Costs
from quant.data import Labelled
from quant.errors import CheckpointError, ConfigError
from quant.files import read_json, write_json
from quant.float_model import FloatModel, load_float
from quant.images import Images
from quant.models import build_float
from quant.plots import plot_pruning
from quant.pruning import Pruning, choose, keep_filters, prune, rank, resized
from quant.setting import Setting
from quant.topologies import get_network
from quant.training import train_float

COSTS = Costs(
    lut_per_mac={"w4a8": 49.0, "w2a2": 7.0, "w4a2": 13.0}, block=8, quantisation=Quantisation()
)
TRAINING = Training(epochs=1, batch=16, average=0.5)


def network(norm: Norm = "all", *, dense: bool = True, filters: tuple[int, ...] = (5, 6, 7)):
    layers = [Conv(filters=filters[0]), Pool()]
    layers += [Conv(filters=n) for n in filters[1:]]
    layers += [Pool(), Dense(neurons=9)] if dense else [Pool()]
    return Network(name="small", layers=tuple(layers), batch_norm=norm)


def images_of(data: Labelled) -> Images:
    return Images.of(data, torch.device("cpu"))


def randomised(net: Network) -> torch.nn.Module:
    torch.manual_seed(3)
    model = build_float(net)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    for name, buffer in model.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2.0)
        elif name.endswith("running_mean"):
            buffer.normal_()
    return model.eval()


def blocks(norm: Norm = "all", *, dense: bool = True) -> Network:
    """Sums tie conv0 to the first two blocks, and the convolutions after it to the projection."""
    layers = [
        Conv(filters=5),
        Residual(filters=5),
        Residual(filters=5, inner=6),
        Pool(),
        Residual(filters=7, inner=4, stride=2, projection=True),
        Residual(filters=7),
    ]
    layers += [Average()] if dense else [Conv(filters=6), Dense(neurons=9)]
    return Network(name="blocks", layers=tuple(layers), batch_norm=norm)


def separable(norm: Norm = "all", *, dense: bool = True) -> Network:
    """A depthwise convolution has its channels in common with what it reads."""
    layers = [Conv(filters=5), Depthwise(stride=2), Conv(filters=7, kernel=1, pad=0), Depthwise()]
    layers += [Residual(filters=7)] + ([Dense(neurons=9)] if dense else [Average()])
    return Network(name="separable", layers=tuple(layers), batch_norm=norm)


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    shape=st.sampled_from([network, blocks, separable]),
    norm=st.sampled_from(["all", "dense", "none"]),
    dense=st.booleans(),
)
def test_pruning_equals_masking(
    data: st.DataObject, shape: Callable[..., Network], norm: Norm, dense: bool
) -> None:
    net = shape(norm, dense=dense)
    model = randomised(net)
    keep = {}
    for first, count in zip(net.tied(), net.filters, strict=True):
        some = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
        keep[first] = torch.tensor(sorted(some))
    small, smaller = keep_filters(model, net, keep)
    assert smaller.filters == [len(k) for k in keep.values()]
    if norm == "none":
        assert sum(p.numel() for p in small.parameters()) == smaller.parameters
    masked = model.double()
    kept_of = {name: keep[first] for first, names in net.tied().items() for name in names}
    for name, kept in kept_of.items():
        gate = masked.body.get_submodule(f"{name}_norm" if norm == "all" else name)
        gone = torch.ones(len(gate.weight), dtype=torch.bool)
        gone[kept] = False
        gate.weight.data[gone] = 0.0
        gate.bias.data[gone] = 0.0
    pixels = torch.randint(0, 256, (3, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wide = masked(pixels.double())
        narrow = small.eval().double()(pixels.double())
    torch.testing.assert_close(narrow, wide, rtol=0.0, atol=1e-9)


def test_sums_tie_filters() -> None:
    net = blocks(dense=False)
    assert net.tied() == {
        "conv0": ["conv0", "residual0.conv1", "residual1.conv1"],
        "residual0.conv0": ["residual0.conv0"],
        "residual1.conv0": ["residual1.conv0"],
        "residual2.conv0": ["residual2.conv0"],
        "residual2.skip": ["residual2.skip", "residual2.conv1", "residual3.conv1"],
        "residual3.conv0": ["residual3.conv0"],
        "conv1": ["conv1"],
    }
    assert net.filters == [5, 5, 6, 4, 7, 7, 6]
    assert resized(net, net.filters) == net
    assert separable().tied() == {
        "conv0": ["conv0", "depthwise0"],
        "conv1": ["conv1", "depthwise1", "residual0.conv1"],
        "residual0.conv0": ["residual0.conv0"],
    }
    smaller = resized(net, [4, 5, 6, 3, 6, 7, 2])
    assert smaller.filters == [4, 5, 6, 3, 6, 7, 2]
    assert smaller.layers[4] == Residual(filters=6, inner=3, stride=2, projection=True)
    assert smaller.layers[5] == Residual(filters=6, inner=7)
    # As wide as what comes in, and still projected.
    assert resized(net, [4, 5, 6, 3, 4, 7, 2]).layers[4].projection


def test_tied_filters_are_ranked_together(images: Labelled) -> None:
    net = blocks()
    model = randomised(net)
    part = images_of(images)
    found = {ranking: rank(model, net, ranking, part) for ranking in ("l1", "bn", "taylor")}
    assert all(list(scores) == list(net.tied()) for scores in found.values())
    gates = [model.body.get_submodule(f"residual2.{name}_norm") for name in ("skip", "conv1")]
    gates.append(model.body.get_submodule("residual3.conv1_norm"))
    sizes = torch.stack([gate.weight.abs() for gate in gates])
    torch.testing.assert_close(found["bn"]["residual2.skip"], sizes.mean(0).detach())
    model.zero_grad()
    torch.nn.functional.cross_entropy(model(part.pixels.float()), part.labels).backward()
    change = sum(g.weight * g.weight.grad + g.bias * g.bias.grad for g in gates)
    torch.testing.assert_close(found["taylor"]["residual2.skip"], change.square().detach())


def test_costs_of_a_skip_are_those_of_what_the_block_reads() -> None:
    net = blocks()
    bits = Quantisation(layers=(LayerBits(name="residual2.conv0", act_bits=4),))
    found = dict(zip(net.weighted, bits.inputs(net), strict=True))
    assert found["conv0"] == (4, 8)
    assert found["residual2.conv0"] == found["residual2.skip"] == (2, 2)
    assert found["residual2.conv1"] == (2, 4)
    assert found["residual3.conv0"] == (2, 2) and found["last"] == (4, 2)


def test_schedule_is_that_of_table_5() -> None:
    net = get_network("arch2_slim")
    totals = [sum(net.filters)]
    for _ in range(10):
        scores = {
            f"conv{i}": torch.rand(n, generator=torch.Generator().manual_seed(i))
            for i, n in enumerate(net.filters)
        }
        keep = choose(net, scores, Pruning())
        net = resized(net, [len(k) for k in keep.values()])
        totals.append(sum(net.filters))
    assert totals == [448, 426, 405, 385, 366, 348, 331, 314, 298, 283, 269]


def test_least_of_all_layers_go_and_one_stays() -> None:
    net = network(filters=(2, 3, 3))
    scores = {
        "conv0": torch.tensor([0.1, 0.2]),
        "conv1": torch.tensor([0.9, 0.3, 0.8]),
        "conv2": torch.tensor([0.7, 0.6, 0.95]),
    }
    keep = choose(net, scores, Pruning(share=0.4))
    assert {name: kept.tolist() for name, kept in keep.items()} == {
        "conv0": [1],
        "conv1": [0, 2],
        "conv2": [0, 2],
    }


def test_blocks_keep_multiples_and_save_the_most() -> None:
    net = network(filters=(32, 36, 64))
    scores = {f"conv{i}": torch.ones(n) for i, n in enumerate(net.filters)}
    plan = Pruning(costs=COSTS, share=0.05, cost_share=0.3)
    keep = choose(net, scores, plan)
    after = resized(net, [len(k) for k in keep.values()])
    assert all(n % 8 == 0 for n, m in zip(after.filters, net.filters, strict=True) if n != m)
    assert COSTS.of(after) <= 0.7 * COSTS.of(net)
    assert sum(after.filters) <= round(0.95 * sum(net.filters))
    # Every filter matters alike: those of the first layer, read by 64-bit products, save the most.
    assert after.filters[0] < 32


def test_blocks_run_out() -> None:
    net = network(filters=(8, 8, 8))
    scores = {f"conv{i}": torch.ones(8) for i in range(3)}
    with pytest.raises(ConfigError, match="every convolution of small is down to 8 filters"):
        choose(net, scores, Pruning(costs=COSTS))


@pytest.mark.parametrize("norm", ["all", "none"])
def test_rankings_put_a_dead_filter_last(norm: Norm, images: Labelled) -> None:
    net = network(norm)
    model = randomised(net)
    gate = model.body.get_submodule("conv1_norm" if norm == "all" else "conv1")
    gate.weight.data[2] = 0.0
    gate.bias.data[2] = 0.0
    model.body.conv1.weight.data[2] = 0.0
    for ranking in ("l1", "taylor") if norm == "none" else ("l1", "bn", "taylor"):
        scores = rank(model, net, ranking, images_of(images))
        assert [len(s) for s in scores.values()] == net.filters
        assert float(scores["conv1"][2]) == float(scores["conv1"].min()) == 0.0
        assert float(scores["conv1"].max()) > 0.0


def test_taylor_is_the_squared_first_order_change(images: Labelled) -> None:
    net = network("all")
    model = randomised(net)
    part = images_of(images)
    scores = rank(model, net, "taylor", part)
    model.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(part.pixels.float()), part.labels)
    loss.backward()
    norm = model.body.conv2_norm
    by_hand = (norm.weight * norm.weight.grad + norm.bias * norm.bias.grad).square()
    torch.testing.assert_close(scores["conv2"], by_hand.detach())


def test_bn_ranking_needs_batch_norm(images: Labelled) -> None:
    net = network("none")
    with pytest.raises(ConfigError, match="conv0 has no batch norm to rank by; use the ranking l1"):
        rank(build_float(net), net, "bn", images_of(images))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"iterations": 0}, "iterations=0 is too small"),
        ({"share": 1.0}, "share=1.0; use more than 0.0"),
        ({"cost_share": 0.0}, "cost_share=0.0; use more"),
        ({"ranking": "l2"}, "ranking='l2' is not known; use l1, bn, taylor"),
    ],
)
def test_illegal_plans(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Pruning(**wrong)


@pytest.fixture
def setting(images: Labelled) -> Setting:
    return Setting.of(images, images, validation=16, compiled=False, command="test")


@pytest.fixture
def start(setting: Setting, tmp_path: Path) -> FloatModel:
    train_float(setting, network(), TRAINING, tmp_path / "base")
    return load_float(tmp_path / "base" / "float.safetensors", "cpu")


def test_prunes_writes_and_resumes(
    setting: Setting, start: FloatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Pruning(iterations=2, share=0.2, tune=TRAINING)
    whole = prune(setting, start, plan, TRAINING, tmp_path / "whole")
    rows = read_json(tmp_path / "whole" / "pruning.json")["rows"]
    assert [row["total"] for row in rows] == [18, 14, 11]
    assert [row["iteration"] for row in rows] == [0, 1, 2]
    assert rows[2]["filters"] == whole.network.filters == whole.record["filters"]
    assert rows[2]["parameters"] == whole.network.parameters < rows[1]["parameters"]
    assert whole.record["epochs"] == {"float": 4, "quantised": 0}
    plot_pruning(tmp_path / "whole" / "pruning.json", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")

    # Cut in the second iteration, then continued.
    from quant import pruning as module

    tune = module.tune_float

    def cut(*arguments: object) -> object:
        if Path(str(arguments[-1])).name == "prune2-state.safetensors":
            raise KeyboardInterrupt
        return tune(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "tune_float", cut)
    with pytest.raises(KeyboardInterrupt):
        prune(setting, start, plan, TRAINING, tmp_path / "cut")
    assert len(read_json(tmp_path / "cut" / "pruning.json")["rows"]) == 2
    monkeypatch.undo()
    again = prune(setting, start, plan, TRAINING, tmp_path / "cut")
    assert again.record["sha256"] == whole.record["sha256"]
    assert read_json(tmp_path / "cut" / "pruning.json") == read_json(
        tmp_path / "whole" / "pruning.json"
    )
    with pytest.raises(CheckpointError, match="other settings"):
        longer = replace(plan, tune=replace(TRAINING, lr=0.5))
        prune(setting, start, longer, TRAINING, tmp_path / "cut")


def test_float_models_are_checked(start: FloatModel, tmp_path: Path) -> None:
    record = tmp_path / "base" / "float.json"
    stored = read_json(record)
    write_json(record, {**stored, "sha256": "0"})
    with pytest.raises(CheckpointError, match="sha256"):
        load_float(record.with_suffix(".safetensors"), "cpu")
    write_json(record, {**stored, "quantisation": {}})
    with pytest.raises(CheckpointError, match="not a float model"):
        load_float(record.with_suffix(".safetensors"), "cpu")


def test_costs_table(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    with pytest.raises(ConfigError, match=r"costs.json: no such file; `./build.sh costs"):
        Costs.load(path, Quantisation())
    write_json(path, {"format": 2})
    with pytest.raises(ConfigError, match="not a table of costs"):
        Costs.load(path, Quantisation())
    table = {"format": 1, "channels_multiple": 8, "lut_per_mac": {**COSTS.lut_per_mac, "w8a8": 9}}
    write_json(path, table)
    costs = Costs.load(path, Quantisation())
    net = get_network("arch1")
    macs = [macs for _, macs in net.costs()]
    assert costs.of(net) == 49 * macs[0] + 7 * sum(macs[1:4]) + 13 * macs[4]
    assert costs.to_json(net) == {"block": 8, "lut_per_mac": COSTS.lut_per_mac}
    with pytest.raises(ConfigError, match="no cost of w3a2; known: w2a2, w4a2, w4a8, w8a8"):
        Costs.load(path, Quantisation(weight_bits=3)).of(net)
