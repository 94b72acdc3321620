"""The networks that can be trained: some by name, any from a TOML file."""

from __future__ import annotations

from pathlib import Path

from headrace import tables
from quant.config import Average, Conv, Dense, Depthwise, Layer, Network, Norm, Pool, Residual
from quant.errors import ConfigError

# The name under which `train --network` knows the teacher, and of its files.
TEACHER = "teacher"


def _network(
    name: str,
    filters: tuple[int | None, ...],
    dense: tuple[int, ...],
    *,
    pad: int = 1,
    batch_norm: Norm = "none",
) -> Network:
    layers: list[Layer] = [Pool() if n is None else Conv(filters=n, pad=pad) for n in filters]
    layers += [Dense(neurons=n) for n in dense]
    return Network(name=name, layers=tuple(layers), batch_norm=batch_norm)


def _residual(name: str, blocks: int) -> Network:
    """A stem of 16 filters, stages of 16, 32 and 64 with so many blocks each, their mean."""
    layers: list[Layer] = [Conv(filters=16)]
    for filters in (16, 32, 64):
        ahead = filters > 16
        layers.append(Residual(filters=filters, stride=1 + ahead, projection=ahead))
        layers += [Residual(filters=filters)] * (blocks - 1)
    return Network(name=name, layers=(*layers, Average()))


def _separable(name: str, stem: int, blocks: tuple[tuple[int, int], ...]) -> Network:
    """A stem, then pairs of a depthwise convolution and one of 1x1, each (stride, filters)."""
    layers: list[Layer] = [Conv(filters=stem)]
    for stride, filters in blocks:
        layers += [Depthwise(stride=stride), Conv(filters=filters, kernel=1, pad=0)]
    return Network(name=name, layers=(*layers, Average()))


_P = None
NETWORKS: dict[str, Network] = {
    network.name: network
    for network in (
        _network("arch1", (32, _P, 64, _P, 64), (128,)),
        _network("arch2", (32, 32, _P, 64, 64, _P, 128, 128, _P), (1024, 512)),
        _network(
            "arch3",
            (32, 32, _P, 64, 64, _P, 128, 128, _P, 256, 256, _P),
            (1024, 512),
        ),
        _network(
            "arch2_slim",
            (32, 32, _P, 64, 64, _P, 128, 128, _P),
            (512,),
            batch_norm="dense",
        ),
        _network(
            "cnv",
            (64, 64, _P, 128, 128, _P, 256, 256),
            (512, 512),
            pad=0,
            batch_norm="all",
        ),
        # MLPerf Tiny's for images, and that of He et al. (2016) with projections.
        _residual("resnet8", 1),
        _residual("resnet20", 3),
        # Of Howard et al. (2017), shorter, for images of 32x32 pixels.
        _separable("mobile", 32, ((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (1, 256))),
        _network("tiny", (4, _P, 6, _P), (8,)),
    )
}


def get_network(name: str) -> Network:
    """The built-in network of that name, or the one that a .toml file describes.

    Raises:
        ConfigError: if there is none, or the file is wrong; the message says what would work.
    """
    if name.endswith(".toml"):
        return read_network(Path(name))
    if name not in NETWORKS:
        raise ConfigError(
            f"network {name!r} is not known; use {', '.join(NETWORKS)}, or the path of a .toml file"
        )
    return NETWORKS[name]


def read_network(path: Path) -> Network:
    """The network of a TOML file with the fields of `Network`.

    Each of [[layers]] has kind = "conv", "depthwise", "residual", "pool", "average" or "dense" and
    the fields of that layer; [dropout] has those of `Dropout`.

    Raises:
        ConfigError: naming the file, and the layer by its index, if it is not such a file.
    """
    return tables.read(Network, path, f"use an existing .toml file or one of {', '.join(NETWORKS)}")
