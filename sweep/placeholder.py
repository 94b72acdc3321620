"""The hardware layers of a network that nobody has trained yet, from its shapes and bits alone.

What a folding costs depends on shapes, bit widths and, where weights are constant, on how many of
them are not zero. So the weights here are drawn from a normal distribution and quantised as
training does it; thresholds lie evenly within the accumulators' reach.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np

from finn_build.network.graph import Network as Hardware
from finn_build.network.layers import Argmax, Ints, Layer, MaxPool, Mvtu, Window
from quant.config import (
    PIXEL_BITS,
    Average,
    Conv,
    Depthwise,
    Network,
    Pool,
    Quantisation,
    Residual,
    layer_names,
)
from quant.errors import ConfigError
from quant.layers import RANGE_IN_MEANS


def hardware(network: Network, quantisation: Quantisation) -> Hardware:
    """The integer network that a build makes of this network, with placeholder numbers.

    Args:
        network: filters as they will be.
        quantisation: bits of every layer.

    Returns:
        Layers named as a build names them; weights (ROWS, COLS) and thresholds (ROWS, T) int64.

    Raises:
        quant.errors.ConfigError: if the quantisation names a layer that the network lacks, or the
            network has layers that are not known here.
    """
    height, width, channels = network.input_shape
    layers = tuple(_layers(network, quantisation))
    return Hardware(
        name=network.name, height=height, width=width, channels=channels, scale=1.0, layers=layers
    )


def _layers(network: Network, quantisation: Quantisation) -> Iterator[Layer]:
    named = list(zip(network.layers, layer_names(network), network.shapes(), strict=True))
    widths = quantisation.bits(network.weighted)
    shape: tuple[int, ...] = network.input_shape
    bits = PIXEL_BITS
    dense = 0
    for layer, name, out in named:
        if isinstance(layer, Depthwise | Residual | Average):
            raise ConfigError(
                f"network {network.name}: what {name} costs cannot be told from its shape; use a "
                "network of convolutions, max-pools and dense layers"
            )
        if isinstance(layer, Pool):
            yield MaxPool(
                name=name,
                height=shape[0],
                width=shape[1],
                channels=shape[2],
                bits=bits,
                kernel=(layer.size, layer.size),
                stride=(layer.size, layer.size),
            )
        else:
            weight_bits, act_bits = widths[name]
            cols, positions = math.prod(shape), 1
            if isinstance(layer, Conv):
                cols, positions = layer.kernel**2 * shape[2], out[0] * out[1]
                if layer.kernel > 1 or layer.stride > 1:
                    yield _window(f"{name}_window", layer, shape, bits)
            else:
                dense += 1
            yield _unit(
                name, positions, isinstance(layer, Conv), bits, weight_bits, act_bits, out[-1], cols
            )
            bits = act_bits
        shape = out
    last = _unit(
        f"dense{dense}", 1, False, bits, widths["last"][0], None, network.classes, math.prod(shape)
    )
    yield last
    yield Argmax(name="argmax", classes=network.classes, bits=last.acc_bits)


def _window(name: str, layer: Conv, shape: tuple[int, ...], bits: int) -> Window:
    return Window(
        name=name,
        height=shape[0],
        width=shape[1],
        channels=shape[2],
        bits=bits,
        kernel=(layer.kernel,) * 2,
        stride=(layer.stride,) * 2,
        pad=(layer.pad,) * 4,
    )


# Equal layers are one object, so that what the search works out about it serves all candidates.
@lru_cache(maxsize=4096)
def _unit(
    name: str,
    positions: int,
    windowed: bool,
    in_bits: int,
    weight_bits: int,
    act_bits: int | None,
    rows: int,
    cols: int,
) -> Mvtu:
    """A unit of `rows` outputs of `cols` inputs; the last one has a bias and no activation."""
    unit = Mvtu(
        name=name,
        positions=positions,
        windowed=windowed,
        in_bits=in_bits,
        weight_bits=weight_bits,
        weights=_weights(rows, cols, weight_bits),
        bias=np.arange(rows, dtype=np.int64) if act_bits is None else None,
    )
    if act_bits is None:
        return unit
    low, high = unit.reach
    steps = np.linspace(low, high, (1 << act_bits) + 1)[1:-1].round().astype(np.int64)
    return replace(
        unit, thresholds=np.ascontiguousarray(np.broadcast_to(steps, (rows, len(steps))))
    )


def _weights(rows: int, cols: int, bits: int) -> Ints:
    """(ROWS, COLS) int64 of `bits` bits: normal, scaled and rounded as `quant.layers` does."""
    draw = np.random.default_rng(zlib.crc32(f"{rows} {cols} {bits}".encode()))
    normal = draw.standard_normal((rows, cols))
    if bits == 1:
        return np.where(normal < 0, -1, 1).astype(np.int64)
    size = np.abs(normal)
    factor = RANGE_IN_MEANS.get(bits)
    limit = size.max(1) if factor is None else size.mean(1) * factor
    top = (1 << (bits - 1)) - 1
    levels: Ints = (normal / limit[:, None] * top).round().clip(-top, top).astype(np.int64)
    return levels
