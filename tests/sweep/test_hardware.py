from collections import Counter
from dataclasses import asdict

import pytest

from finn_build.boards import Resources, find_board
from finn_build.folding import search
from finn_build.folding.folding import Folding
from finn_build.folding.search import Search
from finn_build.network.layers import Argmax, Mvtu
from finn_build.network.layers.in_memory import InMemory
from quant.config import Conv, Dense, Network, Pool, Quantisation, preset
from quant.errors import ConfigError
from quant.models import build_quantised
from quant.pruning import resized
from quant.topologies import get_network
from quant.zoo import ZOO, load_trained
from sweep import fold
from sweep.design import Limits
from sweep.fold import layers
from sweep.hardware import cost
from sweep.job import Place, Request
from sweep.placeholder import hardware

SHARE = find_board("pynq-z2").budget["vivado"]


def costs(network, quantisation, **changes):
    common = {"share": SHARE, "max_lut": None, "fclk_mhz": 100.0, "target_fps": 0.0}
    return cost(network, quantisation, Limits(**{**common, **changes}))


CASES = {
    "tiny": (get_network("tiny"), preset("w2a2")),
    "one bit": (get_network("tiny"), preset("w1a1")),
    "groups": (get_network("arch1"), Quantisation(weight_bits=1, act_bits=3, last_weight_bits=8)),
    "pointwise, strided, no dense": (
        Network(
            name="odd",
            layers=(
                Conv(filters=6, kernel=5, pad=0, stride=1),
                Conv(filters=4, kernel=1, pad=0),
                Conv(filters=8, stride=2, pad=1),
                Pool(size=7),
            ),
        ),
        preset("w3a2"),
    ),
    "dense only at the end": (
        Network(
            name="flat", layers=(Conv(filters=3), Pool(size=4), Dense(neurons=9), Dense(neurons=7))
        ),
        preset("w4a4"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_placeholders_are_the_layers_of_a_build(case, tmp_path):
    network, quantisation = CASES[case]
    model = build_quantised(network, quantisation)
    ours, theirs = hardware(network, quantisation), layers(model, network, tmp_path)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    for one, other in zip(ours.layers, theirs.layers, strict=True):
        if isinstance(one, Mvtu):
            for name in (
                "positions",
                "windowed",
                "in_bits",
                "weight_bits",
                "rows",
                "cols",
                "steps",
            ):
                assert getattr(one, name) == getattr(other, name), (one.name, name)
            assert abs(one.acc_bits - other.acc_bits) <= 1
        elif not isinstance(one, Argmax):
            assert one == other


def test_the_cost_is_that_of_the_trained_network_but_for_its_weights(tmp_path):
    trained = load_trained("arch1_w2a2")
    found = costs(trained.network, trained.quantisation)
    exact = Search(layers(trained.model, trained.network, tmp_path), SHARE).fastest()
    assert found["cycles"] == exact.cycles
    assert found["lut"] == pytest.approx(exact.total.lut, rel=0.03)


def test_a_rate_that_the_weights_do_not_allow_is_told(tmp_path):
    place = Place(root=tmp_path, data=tmp_path, cache=tmp_path, command="test")
    limits = {"share": asdict(SHARE), "max_lut": None, "fclk_mhz": 100.0}
    folder = place.folder("fold-x")
    folder.mkdir(parents=True)

    def folded(target_fps):
        settings = {**limits, "target_fps": target_fps}
        parents = [{"weights": str(ZOO / "arch1_w2a2.safetensors")}]
        request = Request(id="fold-x", kind="fold", settings=settings, parents=parents)
        return fold.run(request, place)

    fastest = folded(0.0)
    assert fastest["fits"] and fastest["why"] == ""
    trained = load_trained("arch1_w2a2")
    made = layers(trained.model, trained.network, tmp_path)
    assert Folding.load(tmp_path / fastest["folding"], made).cycles == fastest["cycles"]
    beyond = folded(2 * fastest["fps"])
    assert beyond["fits"] and beyond["fps"] == fastest["fps"]
    assert "LUTs" in beyond["why"]


def test_a_candidate_costs_little_work(monkeypatch):
    """Of an idle core less than two seconds: mostly integer programs and folds that are priced."""
    network = resized(get_network("arch2_slim"), [24, 32, 48, 56, 96, 104])
    work = Counter()

    def counted(module, name):
        original = getattr(module, name)

        def call(*arguments, **named):
            work[name] += 1
            return original(*arguments, **named)

        monkeypatch.setattr(module, name, call)

    counted(search, "milp")
    counted(InMemory, "cost")
    assert costs(network, preset("w3a3"))["fits"]
    assert 0 < work["milp"] <= 10 and 0 < work["cost"] <= 8_000, work


def test_a_target_takes_less_than_the_fastest():
    network, quantisation = get_network("arch1"), preset("w2a2")
    fastest, slow = costs(network, quantisation), costs(network, quantisation, target_fps=2000.0)
    assert fastest["fits"] and slow["fits"]
    assert 2000 <= slow["fps"] < fastest["fps"]
    assert slow["lut"] < fastest["lut"]


def test_what_does_not_fit_says_why_and_what_is_nearest():
    network, quantisation = get_network("arch1"), preset("w2a2")
    fastest = costs(network, quantisation)
    # A rate out of reach: the fastest that fits.
    found = costs(network, quantisation, target_fps=10 * fastest["fps"])
    assert not found["fits"] and found["fps"] == fastest["fps"]
    # Too few LUTs: the smallest within the tool's share.
    found = costs(network, quantisation, max_lut=1000)
    assert not found["fits"] and "LUTs of 1,000" in found["why"]
    assert 1000 < found["lut"] < fastest["lut"]
    # Too large for the chip: the smallest there is.
    small = Resources(lut=3000, ff=9000, bram36=1, dsp=0)
    found = costs(network, quantisation, share=small)
    assert not found["fits"] and found["lut"] > 3000


def test_layers_that_have_no_placeholder_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="network resnet8: what residual0 costs cannot be told"):
        hardware(get_network("resnet8"), preset("w2a2"))
