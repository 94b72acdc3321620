"""Models as others export them: bipolar and signed activations, quantised pixels, LeNet."""

from itertools import pairwise
from pathlib import Path

import brevitas.nn as qnn
import models
import numpy as np
import pytest
import torch
from brevitas.quant import Int8ActPerTensorFloat, Int16Bias, Uint8ActPerTensorFloat
from brevitas.quant import Int8WeightPerTensorFloat as PerTensor
from brevitas_examples.bnn_pynq.models.CNV import CNV
from brevitas_examples.bnn_pynq.models.common import CommonActQuant, CommonWeightQuant
from brevitas_examples.bnn_pynq.models.tensor_norm import TensorNorm
from tiers import every
from torch import Tensor, nn

from finn_build import frontend
from finn_build.errors import ModelError
from finn_build.network.graph import Network
from finn_build.network.layers import Lookup, Window
from finn_build.network.verify import compare
from quant.zoo import zoo_images


class Centred(nn.Module):
    """0..1 to -1..1."""

    def forward(self, x: Tensor) -> Tensor:
        return 2.0 * x - 1.0


def small_cnv(weight_bits: int, act_bits: int, *, pad: int = 0) -> nn.Module:
    """The layers of FINN's CNV, fewer and smaller, on 12 x 12 pixels."""
    weights = {"weight_quant": CommonWeightQuant, "weight_bit_width": weight_bits, "bias": False}
    side = (12 + 4 * pad - 4) // 2 + 2 * pad - 2

    def activation() -> nn.Module:
        return qnn.QuantIdentity(act_quant=CommonActQuant, bit_width=act_bits)

    model = nn.Sequential(
        Centred(),
        qnn.QuantIdentity(
            act_quant=CommonActQuant,
            bit_width=8,
            narrow_range=False,
            min_val=-1.0,
            max_val=1.0 - 2.0**-7,
        ),
        *(qnn.QuantConv2d(3, 4, 3, padding=pad, **weights), nn.BatchNorm2d(4), activation()),
        *(qnn.QuantConv2d(4, 5, 3, padding=pad, **weights), nn.BatchNorm2d(5), activation()),
        nn.MaxPool2d(2),
        *(qnn.QuantConv2d(5, 6, 3, padding=pad, **weights), nn.BatchNorm2d(6), activation()),
        nn.Flatten(),
        *(qnn.QuantLinear(6 * side**2, 7, **weights), nn.BatchNorm1d(7), activation()),
        qnn.QuantLinear(7, 10, **weights),
        TensorNorm(),
    )
    torch.manual_seed(4)
    for module in model.modules():
        if isinstance(module, qnn.QuantConv2d | qnn.QuantLinear):
            nn.init.uniform_(module.weight, -1, 1)
    return model


def lenet() -> nn.Sequential:
    """LeNet-5's shape at a third of its width: 5 x 5 kernels, 28 x 28 grey pixels, 4 bits."""
    weights = {"weight_quant": PerTensor, "weight_bit_width": 4}
    relu = {"act_quant": Uint8ActPerTensorFloat, "bit_width": 4, "return_quant_tensor": True}
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat, bit_width=5, return_quant_tensor=True),
        *(qnn.QuantConv2d(1, 3, 5, padding=2, bias=False, **weights), qnn.QuantReLU(**relu)),
        nn.MaxPool2d(2),
        *(qnn.QuantConv2d(3, 5, 5, bias=False, **weights), qnn.QuantReLU(**relu)),
        nn.MaxPool2d(2),
        nn.Flatten(),
        *(
            qnn.QuantLinear(125, 9, bias=True, bias_quant=Int16Bias, **weights),
            qnn.QuantReLU(**relu),
        ),
        qnn.QuantLinear(9, 10, bias=True, bias_quant=Int16Bias, **weights),
    )


def bytes_in() -> nn.Module:
    """A network whose quantiser leaves bytes as they are."""
    weights = {"weight_quant": PerTensor, "weight_bit_width": 3, "bias": False}
    relu = {"act_quant": Uint8ActPerTensorFloat, "bit_width": 2}
    pixels = {"act_quant": CommonActQuant, "signed": False, "narrow_range": False}
    return nn.Sequential(
        qnn.QuantIdentity(**pixels, bit_width=8, min_val=0.0, max_val=1.0),
        *(qnn.QuantConv2d(3, 4, 3, **weights), nn.BatchNorm2d(4), qnn.QuantReLU(**relu)),
        nn.Flatten(),
        qnn.QuantLinear(400, 10, **weights),
    )


def settled(model: nn.Module, *, size: int, channels: int) -> nn.Module:
    """With ranges and batch statistics, and scales of either sign."""
    torch.manual_seed(2)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    model.train()
    for _ in range(5):
        model(torch.rand(16, channels, size, size))
    return model.eval()


def exported(model: nn.Module, path: Path, *, size: int = 12, channels: int = 3):
    """The model as QONNX, loaded to take bytes for its pixels of 0 to 1."""
    settled(model, size=size, channels=channels)
    models.export(model, path, size=size, channels=channels)
    return frontend.scaled(frontend.load(path), 1)


def check_stages(made: Network, images: np.ndarray, results) -> None:
    for pair in pairwise(results):
        first, second = (results[name] for name in pair)
        outcome = compare(made, images, names=pair, first=first, second=second)
        assert outcome.mismatches == outcome.explained <= 1
    assert len(np.unique(results["golden"].logits, axis=0)) >= len(images) // 3


@pytest.mark.parametrize(
    ("weight_bits", "act_bits", "pad"),
    every(2, [(1, 1, 0), (1, 2, 0), (2, 2, 1), (4, 4, 1), (8, 8, 0)]),
    ids=["bipolar", "binary weights", "signed, padded", "w4a4", "w8a8"],
)
def test_a_small_cnv_runs_in_hardware(weight_bits, act_bits, pad, tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (12, 12, 12, 3)).astype(np.uint8)
    model = exported(small_cnv(weight_bits, act_bits, pad=pad), tmp_path / "m.onnx")
    made, results = models.ladder(model, images)
    check_stages(made, images, results)
    windows = [layer for layer in made.layers if isinstance(layer, Window)]
    zero = 1 << (act_bits - 1)
    assert [w.fill for w in windows] == ([128, zero - 1, zero - 1] if pad else [0, 0, 0])
    ran = models.simulate(made, images, tmp_path)
    assert np.array_equal(ran.logits, results["golden"].logits)
    assert np.array_equal(ran.labels, results["golden"].labels)


def test_lenet_runs_in_hardware(tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (8, 28, 28, 1)).astype(np.uint8)
    model = exported(lenet(), tmp_path / "m.onnx", size=28, channels=1)
    made, results = models.ladder(model, images)
    check_stages(made, images, results)
    assert isinstance(made.layers[0], Lookup) and made.layers[0].out_bits == 5
    ran = models.simulate(made, images, tmp_path)
    assert np.array_equal(ran.logits, results["golden"].logits)


def test_a_quantiser_that_does_nothing_costs_nothing(tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (8, 12, 12, 3)).astype(np.uint8)
    made, results = models.ladder(exported(bytes_in(), tmp_path / "m.onnx"), images)
    check_stages(made, images, results)
    assert isinstance(made.layers[0], Lookup) and made.layers[0].idle
    ran = models.simulate(made, images, tmp_path)
    assert np.array_equal(ran.logits, results["golden"].logits)
    assert "nn_lookup #(" not in (tmp_path / "rtl" / "top.sv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("bits", [1, 2])
def test_brevitas_own_cnv_is_exact(bits, tmp_path):
    images = zoo_images().images[::25]
    cnv = CNV(10, bits, bits, 8, 3)
    made, results = models.ladder(exported(cnv, tmp_path / "m.onnx", size=32), images)
    check_stages(made, images, results)
    assert [m.rows for m in made.mvtus] == [64, 64, 128, 128, 256, 256, 512, 512, 10]
    assert made.offset != 0 and {m.weight_bits for m in made.mvtus} == {bits}


def test_pixels_in_the_wrong_range_are_named(tmp_path):
    settled(model := small_cnv(1, 1), size=12, channels=3)
    path = models.export(model, tmp_path / "m.onnx", size=12)
    graph = frontend.load(path)
    with pytest.raises(ModelError, match=r"take 2 of 256 values.*--pixel-max 1"):
        frontend.read(graph, "m")


def test_bipolar_activations_cannot_be_padded(tmp_path):
    model = exported(small_cnv(1, 1, pad=1), tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="padding is zero, which BIPOLAR activations cannot be"):
        frontend.read(model, "m")
