"""Classes with a scale and a bias of their own: the definition, what is stored, the hardware's."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finn_build.backends import verilator
from finn_build.errors import ModelError
from finn_build.folding.fold import Fold
from finn_build.folding.folding import make
from finn_build.folding.schedule import latency
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.network.layers import Argmax, Place
from finn_build.rtl import accelerator, emit

IMAGES = np.random.default_rng(6).integers(0, 256, (24, 4, 4, 2)).astype(np.uint8)


def end(classes, bits, *, gains=None, biases=None, floor=None):
    lists = {"gains": gains, "biases": biases}
    arrays = {n: None if v is None else np.array(v, np.int64) for n, v in lists.items()}
    return Argmax(name="argmax", classes=classes, bits=bits, floor=floor, **arrays)


def ending(network, **others):
    """The network with another label search, its logits of so many bits as before."""
    *layers, last = network.layers
    return replace(network, layers=(*layers, end(last.classes, last.bits, **others)))


@st.composite
def searches(draw):
    """A label search, and the logits of an image with the ends among them."""
    classes, bits = draw(st.integers(1, 6)), draw(st.integers(1, 20))
    most = 1 << draw(st.integers(1, 30))
    numbers = st.none() | st.lists(st.integers(-most, most), min_size=classes, max_size=classes)
    floor = draw(st.none() | st.integers(-most, most))
    made = end(classes, bits, gains=draw(numbers), biases=draw(numbers), floor=floor)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    logit = st.sampled_from([low, high]) | st.integers(low, high)
    return made, draw(st.lists(logit, min_size=classes, max_size=classes))


def listed(layer):
    """Gain and bias of each class as Python's integers."""
    gains = [1] * layer.classes if layer.gains is None else layer.gains.tolist()
    biases = [0] * layer.classes if layer.biases is None else layer.biases.tolist()
    return list(zip(gains, biases, strict=True))


def classified(layer, logits):
    """The label, and the logits as they are put out."""
    words = layer.compute(np.array([logits]))
    return words[:, 0], words[:, 1:]


def spent(network, *, dsp):
    """What the label search of a network costs."""
    fold = Fold(pe=1, simd=1, memory="logic", dsp=dsp)
    end, unit = network.ends[0], network.mvtus[0]
    return end.cost(Place(fold=fold, unit=unit, window=None, cycles=1, brought=0))


def signed(word, bits):
    return word - (word >> (bits - 1) << bits) if bits else 0


@settings(max_examples=200, deadline=None)
@given(searches())
def test_labels_and_logits_are_as_defined(search):
    layer, logits = search
    exact = [gain * x + bias for (gain, bias), x in zip(listed(layer), logits, strict=True)]
    if layer.floor is not None:
        exact = [max(score, layer.floor) for score in exact]
    labels, out = classified(layer, logits)
    assert labels.tolist() == [exact.index(max(exact))]
    plain = layer.gains is None and layer.biases is None
    assert out.tolist() == [exact if plain else logits]
    assert labels.dtype == out.dtype == np.int64
    half = 1 << (layer.score_bits - 1)
    assert all(-half <= score < half for score in exact)
    assert all(-(1 << (layer.out_bits - 1)) <= x < 1 << (layer.out_bits - 1) for x in out[0])


@settings(max_examples=300, deadline=None)
@given(searches())
def test_the_hardwares_numbers_give_the_same_label(search):
    """In its widths, and with the floor that it has."""
    layer, logits = search
    made = layer.scoring
    labels, out = classified(layer, logits)
    if made.words:
        gains = [signed(w & ((1 << made.gain_bits) - 1), made.gain_bits) for w in made.words]
        biases = [signed(w >> made.gain_bits, made.bias_bits) for w in made.words]
    else:
        gains, biases = [1] * layer.classes, [0] * layer.classes
    if not made.gain_bits:
        gains = [1] * layer.classes
    scores = [g * x + b for g, x, b in zip(gains, logits, biases, strict=True)]
    half = 1 << (made.score_bits - 1)
    assert all(-half <= score < half for score in scores)
    assert made.gain_bits != 1 and made.bias_bits != 1
    assert made.score_bits >= max(layer.bits + made.gain_bits, made.bias_bits)
    if made.floor is not None:
        assert -half <= made.floor < half and -(1 << 31) <= made.floor < 1 << 31
        scores = [max(score, made.floor) for score in scores]
    assert [scores.index(max(scores))] == labels.tolist()
    assert out.tolist() == [logits if made.words or made.idle else scores]


@pytest.mark.parametrize(
    ("layer", "bits"),
    [
        (end(3, 8), 8),
        (end(3, 8, gains=[1, -1, 0]), 9),
        (end(2, 8, gains=[127, 0]), 15),
        (end(2, 8, biases=[128, 0]), 9),
        (end(2, 8, floor=-1000), 11),
        (end(2, 8, floor=1023), 11),
        (end(2, 32, gains=[1 << 30, 0]), 62),
        (end(2, 32, gains=[1 << 30, 0], biases=[(1 << 62) - (1 << 61) + (1 << 30) - 1, 0]), 63),
    ],
)
def test_the_width_of_a_score_is_the_fewest_bits(layer, bits):
    assert layer.score_bits == bits


def test_what_int64_cannot_hold_is_refused():
    with pytest.raises(ModelError, match=r"argmax: scores of .* take 64 bits, more than 63"):
        end(2, 32, gains=[1 << 31, 0], biases=[-(1 << 40), 0])
    with pytest.raises(ModelError, match="logits of 33 bits, more than the 32 of an output word"):
        end(2, 8, floor=1 << 31)
    end(2, 8, gains=[1, 1], floor=1 << 31)


@pytest.mark.parametrize("what", ["gains", "biases"])
def test_one_number_for_each_class(what):
    message = rf"argmax: {what} of shape \(2,\); use one for each of the 3 classes"
    with pytest.raises(ModelError, match=message):
        end(3, 8, **{what: [1, 2]})
    with pytest.raises(ModelError, match="argmax: 0 classes; use 1 or more"):
        end(0, 8)


def test_scales_and_offsets_are_stored_exactly(network, tmp_path):
    draw = np.random.default_rng(3)
    scales, offsets = draw.normal(size=6) / 3, draw.normal(size=6) * 1e-17
    made = ending(network, gains=[3, -1, 0, 1, 2, 5], biases=[1, 2, 3, 4, 5, 6], floor=-7)
    made = replace(made, scale=scales, offset=offsets, floor=0.1, name="array")
    made.save(tmp_path / "n.npz")
    found = Network.load(tmp_path / "n.npz")
    assert found.name == "array" and found.floor == 0.1 and found.ends[0].floor == -7
    for name in ("scale", "offset"):
        value = getattr(found, name)
        assert value.dtype == np.float64 and np.array_equal(value, getattr(made, name))
    assert np.array_equal(found.ends[0].gains, made.ends[0].gains)
    assert np.array_equal(found.ends[0].biases, made.ends[0].biases)
    ran = golden.run(found, IMAGES)
    assert np.array_equal(ran.labels, golden.run(made, IMAGES).labels)
    found.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "n.npz").read_bytes()


def test_a_scale_that_all_classes_share_is_a_number(network, tmp_path):
    made = replace(network, scale=np.full(6, 0.1), offset=np.zeros(6))
    assert type(made.scale) is type(made.offset) is float and made.scale == 0.1
    made.save(tmp_path / "n.npz")
    assert type(Network.load(tmp_path / "n.npz").scale) is float
    with pytest.raises(ModelError, match=r"hand: scale of shape \(5,\); use one number, or one a"):
        replace(network, scale=np.arange(5.0))


def test_values_are_the_trained_networks(network):
    logits = np.array([[1, 2, 3, 4, 5, -6]])
    assert network.values(logits).tolist() == [[0.5, 1, 1.5, 2, 2.5, -3]]
    scales, offsets = np.array([1, 2, -1, 0, 0.5, 1]), np.array([0, 0, 1, 7, 0, 0.5])
    made = replace(network, scale=scales, offset=offsets)
    assert made.values(logits).tolist() == [[1, 4, -2, 7, 2.5, -5.5]]
    assert replace(made, floor=1.5).values(logits).tolist() == [[1.5, 4, 1.5, 7, 2.5, 1.5]]
    assert made.values(logits).dtype == np.float64


FOLDS = {
    "conv0": Fold(pe=2, simd=6, memory="logic"),
    "dense0": Fold(pe=3, simd=8, memory="block"),
}
ENDS = {
    "gains and a floor": {
        "gains": [300, -250, 0, 400, -301, 350],
        "biases": [-5100, -10900, 500, 1600, 7525, 4557],
        "floor": 1500,
    },
    "biases": {"biases": [-17, 44, -33, 4, -25, 13]},
    "floor of the logits": {"floor": 33},
}


def test_a_label_search_without_scores_is_as_it_was(network):
    made = accelerator.design(network, make(network, FOLDS))
    assert made.instances[-1].parameters == {"CLASSES": 6, "IN_ELEMS": 3, "LOGIT_W": 8}
    assert not [name for name in made.images if "argmax" in name]


@pytest.mark.parametrize("dsp", [False, True])
def test_gains_are_multiplied_where_the_last_layers_weights_are(network, dsp):
    made = ending(network, **ENDS["gains and a floor"])
    folding = make(made, {**FOLDS, "dense0": replace(FOLDS["dense0"], dsp=dsp)})
    assert folding.costs["argmax"].dsp == int(dsp)
    (search,) = (i for i in accelerator.design(made, folding).instances if i.module == "nn_argmax")
    assert search.parameters["DSP"] == int(dsp)
    logic = spent(made, dsp=False)
    assert logic.lut > spent(made, dsp=True).lut
    assert logic.lut > spent(network, dsp=False).lut


@pytest.mark.parametrize("name", ENDS)
def test_the_accelerator_finds_the_label_by_the_scores(network, tmp_path, name):
    made = ending(network, **ENDS[name])
    expected, plain = golden.run(made, IMAGES), golden.run(network, IMAGES)
    assert len(np.unique(expected.labels)) >= (2 if name == "floor of the logits" else 5)
    assert (expected.labels != plain.labels).any()
    assert (expected.logits != plain.logits).any() == (name == "floor of the logits")
    folding = make(made, FOLDS)
    emit.write(accelerator.design(made, folding), tmp_path)
    program = verilator.build(tmp_path, tmp_path / "sim", input_bytes=8, log=tmp_path / "log")
    for stall in (0, 128):
        ran = verilator.run(
            program,
            tmp_path,
            IMAGES,
            end=made.end,
            limit=20_000,
            scratch=tmp_path / "scratch",
            log=tmp_path / "log",
            stall=stall,
            seed=11,
        )
        assert np.array_equal(ran.labels, expected.labels), f"stall {stall}, seed 11"
        assert np.array_equal(ran.logits, expected.logits)
        if not stall:
            assert ran.cycles_per_frame <= 1.01 * folding.cycles + 1
            assert abs(ran.latency_cycles - latency(made, folding)) <= 10
