"""Dataclasses from the tables of TOML and JSON files; every key, type and range is checked here.

The fields' annotations say what may be there: bool, int, float, str, Path, a Literal, a tuple of
any of them, `| None`, a dataclass for a table, a union of dataclasses for a table whose `kind` is
the name of one of them, and Annotated with a Range. A field's metadata may give its `key` in the
file another name. What a dataclass itself checks, it refuses by a ConfigError.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from math import inf, isfinite
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from headrace.errors import ConfigError

T = TypeVar("T")
_WORDS = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
    bool: ("true or false", "true or false"),
    Path: ("a path", "paths"),
    dict: ("a table", "tables"),
}


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers from `least` to `most`, or between `above` and `below` and neither of them."""

    least: float = -inf
    most: float = inf
    above: float = -inf
    below: float = inf

    def holds(self, value: float) -> bool:
        """Whether a number, `value`, is one of them."""
        return self.least <= value <= self.most and self.above < value < self.below

    def __str__(self) -> str:
        """As it follows "a number"."""
        if isfinite(self.least) and isfinite(self.most):
            return f" from {self.least:g} to {self.most:g}"
        bounds = {
            "of {:g} or more": self.least,
            "above {:g}": self.above,
            "below {:g}": self.below,
            "of {:g} or less": self.most,
        }
        said = [text.format(value) for text, value in bounds.items() if isfinite(value)]
        return f" {', '.join(said)}"


def read(kind: type[T], path: Path, missing: str) -> T:
    """A TOML file as a `kind`.

    Raises:
        ConfigError: as `toml` and `build` do.
    """
    return build(kind, toml(path, missing), str(path))


def toml(path: Path, missing: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ConfigError: if the file is missing (`missing` says what would work) or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: not found; {missing}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not readable as TOML ({error}); correct it") from error


def build(kind: type[T], value: object, where: str) -> T:
    """A `kind` from plain values, such as JSON's; `where` they are from begins every message.

    Raises:
        ConfigError: for unknown keys, a missing key, a wrong type or an illegal value; names its
            place and what would work.
    """
    try:
        if not isinstance(value, dict):
            raise ConfigError("not a table; give names with their values")
        built: T = _table(kind, value, "")
        return built
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def check(given: object, where: str) -> None:
    """Check what Python code gave a dataclass, as `build` checks what a file gives.

    Raises:
        ConfigError: as `build` does.
    """
    kind: Any = type(given)
    for name, hint in _hints(kind).items():
        try:
            _value(hint, getattr(given, name), name)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error


def _table(kind: Any, value: dict[str, Any], place: str) -> Any:
    at, inside = (f"{place}: ", f"{place}.") if place else ("", "")
    known, hints = _keys(kind), _hints(kind)
    if unknown := sorted(set(value) - set(known)):
        word = "key" if len(unknown) == 1 else "keys"
        raise ConfigError(f"{at}unknown {word} {', '.join(unknown)}; known: {', '.join(known)}")
    values: dict[str, Any] = {}
    for key, item in known.items():
        hint = hints[item.name]
        if key in value:
            values[item.name] = _value(hint, value[key], f"{inside}{key}")
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ConfigError(f"{at}{key} is missing; use {_wanted(hint)}")
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{at}{error}") from error


def _value(hint: Any, value: object, place: str) -> Any:
    """The value as its annotation has it."""
    allowed, inner = _allowed(hint)
    origin, arguments = get_origin(inner), get_args(inner)
    if value is None and NoneType in get_args(hint):
        return None
    if origin is tuple and isinstance(value, list | tuple):
        return _list(arguments, value, place, _wanted(hint))
    if isinstance(value, dict) and (kinds := _dataclasses(inner)):
        if len(kinds) == 1:
            return _table(kinds[0], value, place)
        names = {kind.__name__.lower(): kind for kind in kinds}
        name = value.get("kind")
        if not isinstance(name, str) or name not in names:
            raise ConfigError(f"{place}.kind = {name!r}; use {_either(names)}")
        return _table(names[name], {k: v for k, v in value.items() if k != "kind"}, place)
    if inner is float and type(value) is int:
        value = float(value)
    if inner is Path and isinstance(value, str) and value:
        return Path(value)
    outside = allowed and isinstance(value, int | float) and not allowed.holds(value)
    if outside or not _fits(inner, value):
        raise ConfigError(f"{place} = {value!r}; use {_wanted(hint)}")
    return value


def _list(hints: tuple[Any, ...], values: Any, place: str, wanted: str) -> tuple[Any, ...]:
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(values)
    if len(hints) != len(values):
        raise ConfigError(f"{place} = {list(values)!r}; use {wanted}")
    pairs = enumerate(zip(hints, values, strict=True))
    return tuple(_value(hint, value, f"{place}[{index}]") for index, (hint, value) in pairs)


def _fits(hint: Any, value: object) -> bool:
    if get_origin(hint) is Literal:
        return any(value == word and type(value) is type(word) for word in get_args(hint))
    if get_origin(hint) is dict:
        return isinstance(value, dict)
    if isinstance(value, float) and not isfinite(value):
        return False
    if isinstance(value, Path):
        return hint is Path
    return type(value) in (_dataclasses(hint) or [hint]) and value != ""


def _allowed(hint: Any) -> tuple[Range | None, Any]:
    """An annotation's Range, if it has one, and its type without that and without `| None`."""
    if get_origin(hint) in (Union, UnionType):
        others = [kind for kind in get_args(hint) if kind is not NoneType]
        return _allowed(others[0]) if len(others) == 1 else (None, hint)
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        return next((note for note in notes if isinstance(note, Range)), None), inner
    return None, hint


def _dataclasses(hint: Any) -> list[Any]:
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else [hint]
    return [kind for kind in kinds if is_dataclass(kind)]


def _wanted(hint: Any, *, several: bool = False) -> str:
    """What an annotation takes, as it follows "use"."""
    allowed, inner = _allowed(hint)
    if get_origin(inner) is Literal:
        return _either(map(str, get_args(inner)))
    if get_origin(inner) is tuple:
        first, *rest = get_args(inner)
        number = "" if rest == [Ellipsis] else f"{1 + len(rest)} "
        return f"a list of {number}{_wanted(first, several=True)}"
    plain = dict if _dataclasses(inner) or get_origin(inner) is dict else inner
    return f"{_WORDS[plain][several]}{allowed or ''}"


def _either(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


@cache
def _keys(kind: Any) -> dict[str, Field[Any]]:
    return {item.metadata.get("key", item.name): item for item in fields(kind)}


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)
