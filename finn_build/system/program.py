"""How a program runs its commands and how it ends: its exit code, and one message.

0: done; 1: done, and the answer is no; 2: an error of the user's or of the machine; 130: Ctrl-C.
"""

import errno
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

from finn_build.system.names import printable

_F = TypeVar("_F", bound=Callable[..., Any])
# Of typer's own tree: what is wrong with the words of a command line. It has no public name.
_UsageError: Any = typer.BadParameter.__base__
_ROOM = (errno.ENOSPC, errno.EDQUOT)
_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)
_KIND = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR)


class _Command(TyperCommand):
    """A command whose numbers are numbers: `float` takes "nan" and "inf", and no limit does."""

    def invoke(self, ctx: Any) -> Any:
        """Refuse an option that is no finite number, by its name; then run."""
        options: list[Any] = self.params
        for option in options:
            value = ctx.params.get(option.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise typer.BadParameter(f"{value} is not a finite number", ctx=ctx, param=option)
        return super().invoke(ctx)


class Program(typer.Typer):
    """The commands of a program."""

    def __init__(self, **options: Any) -> None:
        """Set up; options: of typer, among them `help`."""
        super().__init__(add_completion=False, pretty_exceptions_enable=False, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[_F], _F]:
        """Take a function as a command, as typer does."""
        return super().command(name, cls=_Command, **options)

    def run(
        self, arguments: Sequence[str], errors: tuple[type[Exception], ...], *, interrupted: str
    ) -> None:
        """Run a command line, without words its help; raises SystemExit unless all went well.

        errors: those that are shown as one message; interrupted: what to say after Ctrl-C.
        """
        with ending(errors, interrupted=interrupted):
            # typer gives back the code of an end that is not an error, Ctrl-C's among them.
            code = self(args=list(arguments) or ["--help"], standalone_mode=False)
            if code == 130:
                raise KeyboardInterrupt
            if isinstance(code, int) and code:
                raise SystemExit(code)


@contextmanager
def ending(errors: tuple[type[Exception], ...] = (), *, interrupted: str) -> Iterator[None]:
    """Turn what ends the block into an exit code and a message on stderr."""
    try:
        yield
    except (KeyboardInterrupt, typer.Abort) as stop:
        print(interrupted, file=sys.stderr)
        raise SystemExit(130) from stop
    except typer.Exit as done:  # of a typer that does not give the code back
        raise SystemExit(done.exit_code) from done
    except _UsageError as error:
        raise SystemExit(fail(error.format_message())) from error
    except OSError as error:
        raise SystemExit(fail(reason(error))) from error
    except errors as error:
        raise SystemExit(fail(str(error))) from error


def fail(message: str) -> int:
    """Show an error, whatever is in it, and return its exit code; further lines are set in."""
    lines = "\n  ".join(map(printable, message.strip().split("\n")))
    print(f"error: {lines}", file=sys.stderr)
    return 2


def say(text: str) -> None:
    """Print a result of one line or more, whatever is in it."""
    typer.echo("\n".join(map(printable, text.split("\n"))))


def reason(error: OSError, place: object = None) -> str:
    """What the system did not do, where, and what would help; place: where it names none."""
    where = error.filename or place
    said = error.strerror or str(error)
    text = said if where is None else f"{where}: {said}"
    if error.errno in _ROOM:
        return f"{text}; make room, then use the same command again"
    if error.errno in _ACCESS:
        return f"{text}; give access there, or name another folder"
    if error.errno in _KIND:
        return f"{text}; move what is there out of the way"
    return text
