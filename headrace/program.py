"""The commands of a program: what its words may be, and what runs them."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from headrace.ending import INTERRUPTED, StoppedError, ending
from headrace.errors import ConfigError

_F = TypeVar("_F", bound=Callable[..., Any])
# Of typer's own tree: what is wrong with the words of a command line. It has no public name.
_UsageError: Any = typer.BadParameter.__base__


@dataclass(frozen=True)
class OneOf:
    """The words that an option of a command may be: `Annotated[str, typer.Option(), OneOf(words)]`.

    For words that a table of the program says. Help lists them, and no other word is taken.
    """

    words: tuple[str, ...]


def _choices(hint: Any) -> Any:
    """The hint with a Literal of the words that its OneOf has, which typer lists and checks."""
    given = [part for part in get_args(hint)[1:] if isinstance(part, OneOf)]
    if get_origin(hint) is not Annotated or not given:
        return hint
    kept = [part for part in get_args(hint)[1:] if part not in given]
    return Annotated[(Literal[given[0].words], *kept)]


def _option(name: str, hint: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=_choices(hint))


def _options(group: Any) -> list[Parameter]:
    """An option for each field of a dataclass."""
    hints = get_type_hints(group, include_extras=True)
    return [
        _option(f.name, hints[f.name], Parameter.empty if f.default is MISSING else f.default)
        for f in fields(group)
    ]


def _spread(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function for typer: instead of a parameter that is a dataclass it takes the fields."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    @wraps(function)
    def call(**values: Any) -> Any:
        for name, group in groups.items():
            values[name] = group(**{f.name: values.pop(f.name) for f in fields(group)})
        return function(**values)

    options = list[Parameter]()
    for name, parameter in signature(function).parameters.items():
        if name in groups:
            options += _options(groups[name])
        else:
            options.append(_option(name, hints[name], parameter.default))
    call.__annotations__ = {option.name: option.annotation for option in options}
    call.__dict__["__signature__"] = Signature(options)
    return call


class _Command(TyperCommand):
    """A command whose numbers are numbers: `float` takes "nan" and "inf", and no limit does."""

    interrupted = INTERRUPTED

    def invoke(self, ctx: Any) -> Any:
        """Refuse an option that is no finite number, by its name; then run."""
        options: list[Any] = self.params
        for option in options:
            value = ctx.params.get(option.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise typer.BadParameter(f"{value} is not a finite number", ctx=ctx, param=option)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise StoppedError(self.interrupted) from stop


class _Group(TyperGroup):
    """Commands, with a default for a first word that is no command."""

    default: str | None = None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default's name before such a word; without any word, ask for help."""
        args = args or ["--help"]
        own = [word for option in self.params for word in option.opts]
        if self.default and args[0] not in (*self.commands, *own, "--help"):
            args = [self.default, *args]
        return super().parse_args(ctx, args)


class Program(typer.Typer):
    """The commands of a program."""

    def __init__(
        self, *, default: str | None = None, interrupted: str = INTERRUPTED, **options: Any
    ) -> None:
        """Set up.

        default: command that is meant if the first word is none; interrupted: what to say when
        Ctrl-C ends one of these commands; options: of typer, among them `help`.
        """
        group = type("Group", (_Group,), {"default": default})
        super().__init__(cls=group, add_completion=False, pretty_exceptions_enable=False, **options)
        self._command: type[_Command] = type("Command", (_Command,), {"interrupted": interrupted})

    def command(self, name: str | None = None, **options: Any) -> Callable[[_F], _F]:
        """Take a function as a command, as typer does, with the choices that OneOf says.

        A parameter may be a dataclass, for options that go together: its fields are the options.
        """
        take = super().command(name, cls=self._command, **options)

        def command(function: _F) -> _F:
            take(_spread(function))
            return function

        return command

    def include(self, other: "Program") -> None:
        """Take the commands of another program; a later one replaces an earlier one of its name."""
        self.registered_commands += other.registered_commands

    def show(self, examples: Mapping[str, str]) -> None:
        """Let each command's help end in an example: those by the words of a command."""
        for each in self.registered_commands:
            word = each.name or getattr(each.callback, "__name__", "").rstrip("_")
            if word in examples:
                each.epilog = f"Example: {examples[word]}"
        for group in self.registered_groups:
            inner, head = group.typer_instance, f"{group.name} "
            if isinstance(inner, Program):
                own = {k.removeprefix(head): v for k, v in examples.items() if k.startswith(head)}
                inner.show(own)

    def run(self, arguments: Sequence[str]) -> None:
        """Run a command line, without words its help; raises SystemExit unless all went well.

        Errors in the words, ConfigError among them, are printed and end with code 2.
        """
        with ending():
            try:
                # typer gives back the code of an end that is not an error, Ctrl-C's among them.
                code = self(args=list(arguments), standalone_mode=False)
            except typer.Abort as stop:
                raise KeyboardInterrupt from stop
            except typer.Exit as done:  # of a typer that does not give the code back
                raise SystemExit(done.exit_code) from done
            except _UsageError as error:
                # typer's word for what a choice raised; it says nothing to the user.
                said = error.format_message().replace(": Value error, ", ": ")
                raise ConfigError(said) from error
            if code == 130:
                raise KeyboardInterrupt
            if isinstance(code, int) and code:
                raise SystemExit(code)


def command_line() -> str:
    """The words of this process, as they can be given again; for records."""
    path = Path(sys.argv[0])
    name = path.parent.name if path.name == "__main__.py" else path.stem
    return " ".join(["headrace" if name == "headrace" else f"python -m {name}", *sys.argv[1:]])
