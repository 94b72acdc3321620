from dataclasses import replace

import numpy as np
import pytest

from finn_build.errors import MismatchError
from finn_build.network import golden
from finn_build.network.verify import compare, settle

NAMES = ("qonnx", "golden")


@pytest.fixture
def images():
    return np.random.default_rng(3).integers(0, 256, (6, 4, 4, 2)).astype(np.uint8)


def with_threshold_at(network, images):
    """Network whose conv0 has a float threshold just above a value that occurs."""
    conv = network.mvtus[0]
    acc = conv.accumulate(network.layers[0].compute(images))
    value = int(acc[4, 2, 1, 3])
    steps = conv.float_thresholds.copy()
    steps[3] = [value + 1e-6, value + 5000, value + 6000]
    near = replace(
        conv,
        float_thresholds=steps,
        thresholds=np.ceil(steps).astype(np.int64),
        slack=np.full(len(steps), 1e-5),
    )
    return replace(network, layers=(network.layers[0], near, *network.layers[2:]))


def test_equal_stages_have_no_mismatch(network, images):
    out = golden.run(network, images)
    made = compare(network, images, names=NAMES, first=out, second=out)
    assert (made.images, made.mismatches, made.explained) == (6, 0, 0)


def test_a_value_within_a_rounding_of_a_threshold_is_explained(network, images):
    network = with_threshold_at(network, images)
    out = golden.run(network, images)
    acts = {"conv0": out.activations["conv0"].copy()}
    acts["conv0"][4, 2, 1, 3] += 1
    made = compare(network, images, names=NAMES, first=replace(out, activations=acts), second=out)
    assert (made.mismatches, made.explained) == (1, 1)
    assert made.explanations[0].startswith("image 4: conv0[2, 1, 3]: qonnx 1, golden 0")


def test_any_other_difference_stops_and_names_the_layer(network, images):
    out = golden.run(network, images)
    acts = {"conv0": out.activations["conv0"].copy()}
    acts["conv0"][5, 0, 0, 0] ^= 1
    with pytest.raises(MismatchError, match=r"image 5, first in conv0\[0, 0, 0\]"):
        compare(network, images, names=NAMES, first=replace(out, activations=acts), second=out)


def test_a_difference_in_the_logits_alone_stops(network, images):
    out = golden.run(network, images)
    logits = out.logits.copy()
    logits[2, 1] += 1
    with pytest.raises(MismatchError, match="image 2 in the last layer alone"):
        compare(network, images, names=NAMES, first=replace(out, logits=logits), second=out)


def test_rounding_does_not_break_ties(network, images):
    exact = golden.run(network, images)
    tied = np.tile(np.array([[3, 7, 7, 1, 7, 0]]), (6, 1))
    noise = np.where(np.arange(6) == 4, 1e-6, 0)
    floating = replace(exact, logits=tied * network.scale + noise, labels=np.full(6, 4))
    settled = settle(network, floating, replace(exact, logits=tied))
    assert settled.labels.tolist() == [1] * 6
    assert np.array_equal(settled.logits, tied)


def test_a_logit_between_two_integers_stops(network, images):
    out = golden.run(network, images)
    logits = out.logits * network.scale
    logits[3, 2] += 0.1 * network.scale
    with pytest.raises(MismatchError, match="image 3, class 2: logit"):
        settle(network, replace(out, logits=logits), out)


def widened(network, factor):
    """Larger weights in the last layer, and what float32 rounds off in its sums, in integers."""
    last = network.mvtus[-1]
    wide = replace(last, weights=last.weights * factor, in_bits=8, weight_bits=16)
    made = replace(network, layers=(*network.layers[:-2], wide, network.layers[-1]))
    return made, 16 * np.finfo(np.float32).eps * max(map(abs, wide.reach))


def test_wide_sums_may_be_rounded_more(network, images):
    network, room = widened(network, 25)
    assert 0.2 < room < 0.4
    out = golden.run(network, images)
    logits = out.logits * network.scale
    logits[3, 2] += 0.9 * room * network.scale
    assert np.array_equal(settle(network, replace(out, logits=logits), out).logits, out.logits)
    logits[3, 2] += 0.2 * room * network.scale
    with pytest.raises(MismatchError, match="image 3, class 2: logit"):
        settle(network, replace(out, logits=logits), out)


def test_an_integer_beyond_the_rounding_is_another_one(network, images):
    network, room = widened(network, 4000)
    assert room > 2
    out = golden.run(network, images)
    logits = out.logits * network.scale
    logits[3, 2] += np.floor(room) * network.scale
    assert np.array_equal(settle(network, replace(out, logits=logits), out).logits, out.logits)
    logits[3, 2] += network.scale
    other = settle(network, replace(out, logits=logits), out)
    assert other.logits[3, 2] == out.logits[3, 2] + np.floor(room) + 1
    with pytest.raises(MismatchError, match="image 3 in the last layer alone"):
        compare(network, images, names=NAMES, first=other, second=out)


def test_a_logit_that_is_no_number_stops(network, images):
    out = golden.run(network, images)
    logits = out.logits * network.scale
    logits[1, 4] = np.nan
    with pytest.raises(MismatchError, match="image 1, class 4: logit .*nan.* is not finite"):
        settle(network, replace(out, logits=logits), out)


def test_two_stages_go_on_from_the_codes_that_both_have(network, images):
    """Though the golden model has others: what comes next is explained by theirs."""
    random = np.random.default_rng(5)
    steps = np.sort(random.integers(-6, 6, (4, 3)), axis=1)
    conv1 = replace(
        network.mvtus[0],
        name="conv1",
        positions=4,
        in_bits=2,
        weights=random.integers(-1, 2, (4, 4)),
        thresholds=steps,
        float_thresholds=steps - 1e-6,
        slack=np.full(4, 1e-5),
    )
    pool = next(layer for layer in network.layers if layer.name == "pool0")
    network = replace(network, layers=(*network.layers[:3], conv1, *network.layers[3:]), reads={})
    out = golden.run(network, images)
    others = {"conv0": 3 - out.activations["conv0"]}
    others["pool0"] = pool.compute(others["conv0"])
    sums = conv1.accumulate(others["pool0"])
    others["conv1"] = conv1.compute(others["pool0"])
    # A sum on a threshold, which it is not with the golden model's codes.
    theirs = conv1.accumulate(out.activations["pool0"])
    beside = (sums[..., None] == steps).any(axis=-1) & ~(theirs[..., None] == steps).any(axis=-1)
    where = tuple(np.argwhere(beside)[0])
    lower = {**others, "conv1": others["conv1"].copy()}
    lower["conv1"][where] -= 1
    first, second = (replace(out, activations=acts) for acts in (lower, others))
    made = compare(network, images, names=("qat", "qonnx"), first=first, second=second)
    assert (made.mismatches, made.explained) == (1, 1)
    assert f"accumulator {sums[where]}" in made.explanations[0]
