"""Look up the backends, and choose among those on this machine."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from finn_build.backends import AUTOMATIC, BACKENDS
from finn_build.backends.base import Backend
from finn_build.config import Options
from finn_build.errors import ConfigError, ToolError

# The budget that a build keeps to where there is no tool.
SHARE = "vivado"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The tool for the last steps, or None; the budget that counts; why there is no bitstream."""

    tool: str | None
    share: str
    reason: str


def backend(name: str) -> Backend:
    """The backend of a name in BACKENDS; its code is imported now."""
    module, _, kind = BACKENDS[name].partition(":")
    chosen: Backend = getattr(import_module(module), kind)()
    return chosen


def code(options: Options) -> tuple[ModuleType, ...]:
    """The module of the chosen backend, whose code makes the routed chip and its bitstream."""
    tool = choose(options).tool
    return () if tool is None else (sys.modules[type(backend(tool)).__module__],)


def modules() -> tuple[ModuleType, ...]:
    """The modules of all backends."""
    return tuple(sys.modules[type(backend(name)).__module__] for name in BACKENDS)


def title(name: str) -> str:
    """A backend's title for people; of another tool its name."""
    return backend(name).title if name in BACKENDS else name


def choose(options: Options) -> Choice:
    """Pick the tool: what `--tool` says, or the first of AUTOMATIC that is there.

    If a tool was asked for by name and is missing, the step that needs it raises the error. Raises
    ConfigError for what the tool does not support: seeds, or the board.
    """
    tool, reason = (None, "no bitstream was asked for (--tool none)")
    if options.tool == "auto":
        tool, reason = _found(options)
    elif options.tool != "none":
        tool, reason = options.tool, ""
    if tool is None:
        return Choice(tool=None, share=SHARE, reason=reason)
    chosen = backend(tool)
    _check(chosen, options)
    return Choice(tool=tool, share=chosen.share, reason=reason)


def _found(options: Options) -> tuple[str | None, str]:
    for tool in AUTOMATIC:
        try:
            backend(tool).find(options.target, options)
        except ToolError:
            continue
        return tool, ""
    return (
        None,
        f"{' and '.join(AUTOMATIC)} are not here, or not whole; `doctor` says what is missing",
    )


def _check(chosen: Backend, options: Options) -> None:
    if options.seeds > 1 and not chosen.seeded:
        raise ConfigError(
            f"--seeds {options.seeds}: {chosen.name} has none; use {' or '.join(_seeded())}, or "
            "leave it"
        )
    if chosen.boards is not None and options.board not in chosen.boards:
        raise ConfigError(
            f"--tool {chosen.name}: {chosen.title} has no {options.board}; use "
            f"{' or '.join(chosen.boards)}"
        )


def _seeded() -> Iterator[str]:
    return (f"--tool {name}" for name in BACKENDS if backend(name).seeded)
