"""The networks that can be trained by name."""

from __future__ import annotations

from quant.config import Conv, Dense, Layer, Network, Norm, Pool
from quant.errors import ConfigError


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
        _network("tiny", (4, _P, 6, _P), (8,)),
    )
}


def get_network(name: str) -> Network:
    """The network of that name.

    Raises:
        ConfigError: if there is none; the message lists those there are.
    """
    if name not in NETWORKS:
        raise ConfigError(f"network {name!r} is not known; use {', '.join(NETWORKS)}")
    return NETWORKS[name]
