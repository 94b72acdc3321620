"""Networks and quantisations as plain JSON values, and back with every value checked."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from headrace import tables
from quant.config import Network, Quantisation


def network_to_json(network: Network) -> dict[str, Any]:
    """The network as plain JSON values; `network_from_json` inverts it."""
    out = asdict(network)
    out["input_shape"] = list(network.input_shape)
    out["layers"] = [{"kind": type(x).__name__.lower(), **asdict(x)} for x in network.layers]
    return out


def network_from_json(value: object, where: str) -> Network:
    """Rebuild a network from plain JSON values.

    Raises:
        ConfigError: on a missing or unknown key, a wrong type or an illegal value; names `where`.
    """
    return tables.build(Network, value, where)


def quantisation_from_json(value: object, where: str) -> Quantisation:
    """Rebuild a quantisation from plain JSON values; errors as in `network_from_json`."""
    return tables.build(Quantisation, value, where)
