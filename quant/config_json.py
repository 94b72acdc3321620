"""Networks and quantisations as plain JSON values, and back with every value checked."""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields
from typing import Any, TypeVar

from quant.config import Conv, Dense, Dropout, Layer, LayerBits, Network, Pool, Quantisation
from quant.errors import ConfigError

T = TypeVar("T")

_KINDS: dict[str, type[Layer]] = {"conv": Conv, "pool": Pool, "dense": Dense}


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
    raw = dict(_table(value, where))
    layers = raw.get("layers")
    if not isinstance(layers, list):
        raise ConfigError(f"{where}: layers is not a list; give one table for each layer")
    built: list[Layer] = []
    for index, item in enumerate(layers):
        entry = dict(_table(item, f"{where}: layer {index}"))
        kind = entry.pop("kind", None)
        if not isinstance(kind, str) or kind not in _KINDS:
            raise ConfigError(f"{where}: layer {index} has kind {kind!r}; use {', '.join(_KINDS)}")
        built.append(_construct(_KINDS[kind], entry, f"{where}: layer {index}"))
    raw["layers"] = tuple(built)
    shape = raw.get("input_shape")
    if isinstance(shape, list):
        raw["input_shape"] = tuple(shape)
    if "dropout" in raw:
        raw["dropout"] = _construct(Dropout, raw["dropout"], f"{where}: dropout")
    return _construct(Network, raw, where)


def quantisation_from_json(value: object, where: str) -> Quantisation:
    """Rebuild a quantisation from plain JSON values; errors as in `network_from_json`."""
    raw = dict(_table(value, where))
    if "dropout" in raw:
        raw["dropout"] = _construct(Dropout, raw["dropout"], f"{where}: dropout")
    layers = raw.get("layers", ())
    if not isinstance(layers, list | tuple):
        raise ConfigError(f"{where}: layers is not a list; use a list of tables")
    raw["layers"] = tuple(
        _construct(LayerBits, item, f"{where}: layer {index}") for index, item in enumerate(layers)
    )
    return _construct(Quantisation, raw, where)


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: not a table; give names with their values")
    return value


def _construct(cls: type[T], value: object, where: str) -> T:
    raw = _table(value, where)
    known = {item.name: item for item in fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(raw) - set(known))
    if unknown:
        raise ConfigError(
            f"{where}: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}"
        )
    for name, item in known.items():
        if name in raw:
            _check_type(raw[name], str(item.type), f"{where}: {name}={raw[name]!r}")
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ConfigError(f"{where}: {name} is missing; known: {', '.join(sorted(known))}")
    try:
        return cls(**raw)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _check_type(value: object, hint: str, where: str) -> None:
    """Refuse a number, text or shape that is not of its annotated type."""
    checks = {
        "int": ("an integer", type(value) is int),
        "float": ("a number", type(value) in (int, float)),
        "bool": ("true or false", type(value) is bool),
        "str": ("a text", isinstance(value, str)),
        "tuple[int, int, int]": (
            "a list of three integers",
            isinstance(value, tuple) and all(type(item) is int for item in value),
        ),
    }
    wanted, fits = checks.get(hint, ("", True))
    if not fits:
        raise ConfigError(f"{where} is of the wrong type; use {wanted}")
