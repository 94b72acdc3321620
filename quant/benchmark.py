"""How fast quantised networks train here: plain Brevitas against the compiled twin."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import torch
from rich.console import Console

from quant import distributed
from quant.config import Network, Quantisation, Training
from quant.images import Images
from quant.loop import batches
from quant.models import build_quantised
from quant.progress import Meter
from quant.step import Forward, Trainer
from quant.surrogate import Surrogate

# The twin is to be at least this much faster.
BAR = 1.6


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Images per second of each block of steps, and the conditions."""

    network: str
    bits: str
    plain: tuple[float, ...]
    twin: tuple[float, ...]
    batch: int
    steps: int
    device: str

    @property
    def ratio(self) -> float:
        """The twin's median over the plain network's."""
        return statistics.median(self.twin) / statistics.median(self.plain)

    def __str__(self) -> str:
        """For people."""
        return (
            f"{self.network} {self.bits}, batch {self.batch}, {self.device}, "
            f"{len(self.plain)} blocks of {self.steps} steps each, alternating\n"
            f"eager Brevitas  {_spread(self.plain)}\n"
            f"compiled twin   {_spread(self.twin)}\n"
            f"ratio           {self.ratio:.2f}, at least {BAR} wanted"
        )


def _spread(speeds: tuple[float, ...]) -> str:
    return f"{statistics.median(speeds):,.0f} images/s, {min(speeds):,.0f} to {max(speeds):,.0f}"


def benchmark(
    network: Network,
    quantisation: Quantisation,
    *,
    batch: int = 128,
    steps: int = 10,
    blocks: int = 5,
    device: str = "cpu",
    compiled: bool = True,
    console: Console | None = None,
) -> Benchmark:
    """Train the same tensors both ways, a block of steps in turn; nothing is written.

    Both ways start from the same weights, and see the same random images with the same
    augmentation. A first block of each, which compiles, is not counted.

    Args:
        network: float network.
        quantisation: of it.
        batch: images in a step.
        steps: in a block.
        blocks: of each way that count.
        device: as PyTorch names it.
        compiled: whether the twin is compiled, as it is in training.
        console: where it is told if compiling fails.
    """
    training = Training(epochs=1 + blocks, batch=batch)
    data = _random_images(network, steps * batch, device)
    speeds: dict[bool, list[float]] = {}
    ways: dict[bool, tuple[Trainer, Forward]] = {}
    for fast in (False, True):
        torch.manual_seed(training.seed)
        model = build_quantised(network, quantisation).to(device)
        trainer = Trainer(model, training, twin=Surrogate(model) if fast else None)
        forward = trainer.forward(
            data.pixels[:batch], fast and compiled, distributed.console(console)
        )
        ways[fast], speeds[fast] = (trainer, forward), []
    for block in range(1 + blocks):
        for fast, (trainer, forward) in ways.items():
            speeds[fast].append(_block(trainer, forward, data, block))
    return Benchmark(
        network=network.name,
        bits=f"w{quantisation.weight_bits}a{quantisation.act_bits}",
        plain=tuple(speeds[False][1:]),
        twin=tuple(speeds[True][1:]),
        batch=batch,
        steps=steps,
        device=distributed.device_name(torch.device(device)),
    )


def _random_images(network: Network, count: int, device: str) -> Images:
    draw = torch.Generator().manual_seed(1)
    height, width, channels = network.input_shape
    shape = (count, channels, height, width)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=draw)
    labels = torch.randint(0, network.classes, (count,), generator=draw)
    return Images(pixels=pixels.to(device), labels=labels.to(device))


def _block(trainer: Trainer, forward: Forward, data: Images, block: int) -> float:
    """Images per second of an epoch over `data`."""
    config = trainer.config
    steps = len(data.labels) // config.batch
    trainer.train_mode()
    meter = Meter(config.batch)
    for index, (pixels, labels, _) in enumerate(batches("benchmark", config, data, block)):
        meter.add(*trainer.step(forward, pixels, labels, block * steps + index, steps))
    return meter.read().speed
