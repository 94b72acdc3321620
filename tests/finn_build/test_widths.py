"""Every bit width that can be trained is exact from the trained network to the hardware."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from models import ladder, simulate
from tiers import every

from finn_build import frontend
from finn_build.network import golden
from finn_build.network.verify import compare
from quant import config as quant_config
from quant import exporting, models
from quant.config import Conv, Dense, LayerBits, Pool, Quantisation, preset
from quant.topologies import NETWORKS
from quant.zoo import zoo_images

TINY = replace(NETWORKS["tiny"], input_shape=(16, 16, 3))
NORMED = replace(TINY, batch_norm="all")
UNPADDED = quant_config.Network(
    name="unpadded",
    layers=(
        *(Conv(filters=4, pad=0), Conv(filters=5, pad=0), Pool()),
        *(Conv(filters=7, pad=0), Dense(neurons=9)),
    ),
    input_shape=(12, 12, 3),
    batch_norm="all",
)
MIXED = Quantisation(
    weight_bits=1,
    weight_scale="learned",
    first_weight_bits=1,
    last_weight_bits=1,
    layers=(
        LayerBits(name="conv0", act_bits=1),
        LayerBits(name="conv1", weight_bits=3, act_bits=4),
        LayerBits(name="dense0", act_bits=8),
    ),
)
NETS = {"plain": TINY, "normed": NORMED, "unpadded": UNPADDED}
CASES = {
    f"{width}, {name}": (network, preset(width))
    for width in ("w1a1", "w1a2", "w3a3", "w4a4", "w8a8")
    for name, network in NETS.items()
    if name != "unpadded" or width in ("w1a1", "w4a4")
} | {"mixed": (NORMED, MIXED)}
# One-bit weights on one-bit and on two-bit activations, and 4 bits on both.
ONE_BIT = Quantisation(
    weight_bits=1,
    act_bits=1,
    layers=(LayerBits(name="conv1", act_bits=2),),
)


def cut(count: int, network: quant_config.Network) -> np.ndarray:
    """Middles of real images."""
    height, width, _ = network.input_shape
    top, left = (32 - height) // 2, (32 - width) // 2
    images = zoo_images().images[:count]
    return np.ascontiguousarray(images[:, top : top + height, left : left + width])


def trained(network: quant_config.Network, quantisation: Quantisation) -> models.Model:
    """A network with ranges and batch statistics of real images, and scales of either sign."""
    torch.manual_seed(3)
    plain = models.build_float(network)
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            if name.endswith("norm.weight"):
                parameter.uniform_(0.5, 1.5).mul_(torch.randint(0, 2, parameter.shape) * 2.0 - 1.0)
            elif parameter.ndim == 1:
                parameter.normal_(0.0, 0.1)
    made = models.build_quantised(network, quantisation)
    pixels = torch.tensor(cut(50, network).transpose(0, 3, 1, 2), dtype=torch.float32)
    models.start_from_float(made, plain.state_dict(), pixels)
    with torch.no_grad():
        for _ in range(20):
            made(pixels)
    return made.eval()


def weighted(network: quant_config.Network) -> list[str]:
    names = quant_config.layer_names(network)
    return [*(name for name in names if not name.startswith("pool")), "last"]


@pytest.mark.parametrize(("network", "quantisation"), every(2, CASES.values()), ids=CASES.keys())
def test_stages_agree(network, quantisation, tmp_path):
    images = cut(3, network)
    model = trained(network, quantisation)
    data = replace(zoo_images().part(slice(0, 3)), images=images)
    vectors = exporting.golden_vectors(model, data)
    proto = exporting.to_qonnx(model, network.input_shape)
    explained = exporting.compare(proto, vectors)
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())

    made, results = ladder(frontend.load(path), images)
    for pair in pairwise(results):
        first, second = (results[name] for name in pair)
        outcome = compare(made, images, names=pair, first=first, second=second)
        assert outcome.mismatches <= 1
    thresholded = [m.name for m in made.mvtus if m.thresholds is not None]
    for index, name in enumerate(thresholded):
        found = results["golden"].activations[name]
        kept = vectors[f"act{index}"]
        expected = kept.transpose(0, 2, 3, 1) if kept.ndim == 4 else kept
        wrong = (found != expected).reshape(3, -1).any(1)
        assert wrong.sum() <= explained, f"{name}: {wrong}"

    bits = list(quantisation.bits(weighted(network)).values())
    inputs = [8, *(act for _, act in bits)]
    for layer, (weight_bits, act_bits), in_bits in zip(made.mvtus, bits, inputs, strict=False):
        assert layer.weight_bits <= weight_bits and layer.in_bits == in_bits, layer.name
        assert layer.thresholds is None or layer.out_bits == act_bits, layer.name
        if weight_bits == 1:
            assert set(np.unique(layer.weights)) == {-1, 1}, layer.name


@pytest.mark.parametrize(
    "quantisation",
    [
        pytest.param(ONE_BIT, id="one and two bits", marks=pytest.mark.slow),
        pytest.param(preset("w1a1"), id="w1a1"),
        pytest.param(preset("w1a2"), id="w1a2"),
    ],
)
def test_the_accelerator_computes_every_logit(quantisation, tmp_path):
    images = cut(20, NORMED)
    path = tmp_path / "model.onnx"
    proto = exporting.to_qonnx(trained(NORMED, quantisation), NORMED.input_shape)
    path.write_bytes(proto.SerializeToString())
    network = frontend.read(frontend.load(path), "widths").network
    ran = simulate(network, images, tmp_path)
    expected = golden.run(network, images)
    assert len(np.unique(expected.logits, axis=0)) > 10
    assert np.array_equal(ran.logits, expected.logits)
    assert np.array_equal(ran.labels, expected.labels)
