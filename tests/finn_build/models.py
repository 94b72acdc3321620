"""Small quantised networks, exported to QONNX, and their way down to the hardware."""

from collections.abc import Sequence
from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import torch
from brevitas.export import export_qonnx
from brevitas.quant import Int8WeightPerChannelFloat, Int16Bias, Uint8ActPerTensorFloat
from brevitas.quant import Int8WeightPerTensorFloat as PerTensor
from onnx import ModelProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.cleanup import cleanup_model
from torch import Tensor, nn

from finn_build import frontend
from finn_build.backends import verilator
from finn_build.folding import dsp_packing
from finn_build.folding.fold import Fold
from finn_build.folding.folding import Folding, make
from finn_build.frontend import execute, finn
from finn_build.network import golden
from finn_build.network.golden import Outputs
from finn_build.network.graph import Network
from finn_build.network.layers import Argmax, MaxPool, Mvtu, Window, in_memory
from finn_build.network.verify import settle
from finn_build.rtl import accelerator, emit


class Ternary(Int8WeightPerChannelFloat):
    """{-1, 0, 1} with a scale per channel."""

    bit_width = 2
    narrow_range = True


class FourBits(PerTensor):
    """-7 to 7 with one scale."""

    bit_width = 4
    narrow_range = True


class Pixels(nn.Module):
    """Bytes to 0..1."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 / 255)


def _activation(bits: int) -> nn.Module:
    return qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat, bit_width=bits, return_quant_tensor=True)


def network(
    *,
    size: int = 8,
    channels: int = 3,
    convs: Sequence[int] = (4, 6),
    dense: int = 8,
    classes: int = 5,
    act_bits: int = 2,
    kernel: int = 3,
    pad: int = 1,
    stride: int = 1,
    seed: int = 0,
) -> nn.Sequential:
    """Convolutions (the first one pooled), two dense layers; batch norms with negative scales."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = [Pixels()]
    before, side = channels, size
    for i, filters in enumerate(convs):
        layers += [
            qnn.QuantConv2d(
                before,
                filters,
                kernel,
                padding=pad,
                stride=stride if i else 1,
                bias=False,
                weight_quant=Ternary if i else FourBits,
            ),
            nn.BatchNorm2d(filters),
            _activation(act_bits),
        ]
        side = (side + 2 * pad - kernel) // (stride if i else 1) + 1
        if i == 0:
            layers.append(nn.MaxPool2d(2))
            side //= 2
        before = filters
    layers += [
        nn.Flatten(1),
        qnn.QuantLinear(before * side * side, dense, bias=False, weight_quant=Ternary),
        nn.BatchNorm1d(dense),
        _activation(act_bits),
        qnn.QuantLinear(dense, classes, bias=True, weight_quant=FourBits, bias_quant=Int16Bias),
    ]
    model = nn.Sequential(*layers)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    model.train()
    for _ in range(30):
        model(torch.randint(0, 256, (16, channels, size, size)).float())
    return model.eval()


def export(model: nn.Module, path: Path, *, size: int = 8, channels: int = 3) -> Path:
    """Write a model as one QONNX file."""
    export_qonnx(
        model,
        torch.zeros(1, channels, size, size),
        export_path=str(path),
        input_names=["pixels"],
        output_names=["logits"],
    )
    cleaned = cleanup_model(ModelWrapper(str(path)))
    path.with_name(f"{path.name}.data").unlink(missing_ok=True)
    cleaned.save(str(path))
    return path


def hand_made() -> Network:
    """A convolution on 4 x 4 pixels, a pool and a dense layer, with random integers."""
    random = np.random.default_rng(7)
    conv = random.integers(-1, 2, (4, 18))
    steps = np.sort(random.integers(-400, 400, (4, 3)), axis=1)
    last = Mvtu(
        name="dense0",
        positions=1,
        windowed=False,
        in_bits=2,
        weight_bits=3,
        weights=random.integers(-3, 4, (6, 16)),
        bias=random.integers(-20, 20, 6),
    )
    return Network(
        name="hand",
        height=4,
        width=4,
        channels=2,
        scale=0.5,
        layers=(
            Window(
                name="conv0_window",
                height=4,
                width=4,
                channels=2,
                bits=8,
                kernel=(3, 3),
                stride=(1, 1),
                pad=(1, 1, 1, 1),
            ),
            Mvtu(
                name="conv0",
                positions=16,
                windowed=True,
                in_bits=8,
                weight_bits=2,
                weights=conv,
                thresholds=steps,
                float_thresholds=steps - 0.25,
            ),
            MaxPool(
                name="pool0", height=4, width=4, channels=4, bits=2, kernel=(2, 2), stride=(2, 2)
            ),
            last,
            Argmax(name="argmax", classes=6, bits=last.acc_bits),
        ),
    )


def ladder(
    graph: ModelProto, images: np.ndarray, *, name: str = "m"
) -> tuple[Network, dict[str, Outputs]]:
    """The layer list of a loaded QONNX graph, and what every stage on the way gives."""
    network, ran = by_qonnx(graph, images, name=name)
    reading, shaped = frontend.read(graph, name), frontend.with_shapes(graph)
    streamlined = finn.streamline(ModelWrapper(shaped, make_deepcopy=True))
    lowered = finn.lower(ModelWrapper(streamlined.model, make_deepcopy=True))
    finns = {
        "streamlined": execute.run_finn(streamlined, reading, images, batch=5),
        "lowered": execute.run_finn(lowered, reading, images, batch=1),
    }
    exact = ran["golden"]
    settled = {stage: settle(network, outputs, exact) for stage, outputs in finns.items()}
    return network, {"qonnx": ran["qonnx"], **settled, "golden": exact}


def by_qonnx(
    graph: ModelProto, images: np.ndarray, *, name: str = "m"
) -> tuple[Network, dict[str, Outputs]]:
    """The layer list of a loaded QONNX graph, and what qonnx and the golden model give."""
    reading = frontend.read(graph, name)
    exact = golden.run(reading.network, images)
    ran = execute.run(frontend.with_shapes(graph), reading, images)
    return reading.network, {"qonnx": settle(reading.network, ran, exact), "golden": exact}


def lowest_fold(layer: Mvtu) -> Fold:
    """Two outputs and three inputs at a time where they divide the layer; DSPs from 4 bits on."""
    simd = next(n for n in (3, 2, 1) if layer.cols % n == 0)
    pe = 2 if 2 in in_memory.legal_pe(layer) else 1
    dsp = layer.weight_bits >= 4 and dsp_packing.fits(layer, pe)
    return Fold(pe=pe, simd=simd, memory="logic", dsp=dsp)


def simulate(
    network: Network,
    images: np.ndarray,
    folder: Path,
    *,
    folding: Folding | None = None,
    stall: int = 64,
) -> verilator.Simulated:
    """Run the accelerator of a network, by itself hardly parallel; stall: as in verilator."""
    folding = folding or make(network, {m.name: lowest_fold(m) for m in network.mvtus})
    rtl, log = folder / "rtl", folder / "log"
    emit.write(accelerator.design(network, folding), rtl)
    program = verilator.build(rtl, folder / "sim", input_bytes=network.input_bytes, log=log)
    return verilator.run(
        program,
        rtl,
        images,
        end=network.end,
        limit=3 * folding.cycles + 20_000,
        scratch=folder / "scratch",
        log=log,
        stall=stall,
        seed=5,
    )


def alone(folder: Path, images: np.ndarray, *, classes: int, stall: int = 0) -> verilator.Simulated:
    """Run images through what `simulate` built in the folder.

    The end of one before others would wait for their pixels, which come no faster than they can.
    """
    return verilator.run(
        folder / "sim" / "Vtop",
        folder / "rtl",
        images,
        end=Argmax(name="argmax", classes=classes, bits=32),
        limit=20_000,
        scratch=folder / "scratch",
        log=folder / "log",
        stall=stall,
        seed=5,
    )
