"""Frozen dataclasses from the tables of a TOML file; every key and type is checked."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, fields, is_dataclass
from math import isfinite
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from sweep.errors import ConfigError

T = TypeVar("T")

_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def read(path: Path, kind: type[T]) -> T:
    """The file's tables as a `kind`.

    Raises:
        ConfigError: for a file that is missing or no TOML, an unknown or missing key, a wrong type
            or an illegal value; names the file and the key.
    """
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: not found; docs/sweep.md says how to write one") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not readable as TOML ({error}); correct it") from error
    try:
        return build(kind, value, "")
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def build(kind: type[T], value: object, place: str) -> T:
    """A `kind` from a table; `place` is the table's name, "" for the whole file.

    Raises:
        ConfigError: as `read` does, without the file's name.
    """
    where = place or "top level"
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: not a table; write [{place}] and its keys below")
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    for name in sorted(set(value) - set(known)):
        raise ConfigError(f"{where}: unknown key {name}; known: {', '.join(known)}")
    made: dict[str, Any] = {}
    for name, item in known.items():
        inner = f"{place}.{name}" if place else name
        if name in value:
            made[name] = _convert(hints[name], value[name], inner)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ConfigError(f"{where}: {name} is missing; give it")
    try:
        return kind(**made)
    except ConfigError as error:
        raise ConfigError(f"{place}.{error}" if place else str(error)) from error


def _convert(hint: Any, value: object, place: str) -> Any:
    if isinstance(hint, type) and is_dataclass(hint):
        return build(hint, value, place)
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{place} = {value!r}: not a list; use [{value!r}]")
        if not value:
            raise ConfigError(f"{place} is empty; give one value or more, or leave the key out")
        return tuple(_convert(get_args(hint)[0], each, place) for each in value)
    if get_origin(hint) is UnionType:
        hint = next(each for each in get_args(hint) if each is not NoneType)
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(value, float) and not isfinite(value):
        raise ConfigError(f"{place} = {value}: not a finite number; use one, or leave the key out")
    if type(value) is not hint:
        raise ConfigError(f"{place} = {value!r} is of the wrong type; use {_WORDS[hint]}")
    return value
