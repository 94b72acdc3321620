"""How a program ends: its exit code, and one message. It imports little, to be imported first.

0: done; 1: done, and the answer is no; 2: an error of the user's or of the machine; 130: Ctrl-C.
"""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from headrace.errors import HeadraceError
from headrace.names import printable

INTERRUPTED = "interrupted"
_ROOM = (errno.ENOSPC, errno.EDQUOT)
_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)
_KIND = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR)


class StoppedError(Exception):
    """Ctrl-C in a command, with what to say. No HeadraceError, so that no command handles it."""


@contextmanager
def ending() -> Iterator[None]:
    """Turn what ends the block into an exit code and a message on stderr."""
    try:
        yield
    except (KeyboardInterrupt, StoppedError) as stop:
        print(str(stop) or INTERRUPTED, file=sys.stderr)
        raise SystemExit(130) from stop
    except OSError as error:
        raise SystemExit(fail(reason(error))) from error
    except HeadraceError as error:
        raise SystemExit(fail(str(error))) from error


def fail(message: str) -> int:
    """Show an error, whatever is in it, and return its exit code; further lines are indented."""
    lines = "\n  ".join(map(printable, message.strip().split("\n")))
    print(f"error: {lines}", file=sys.stderr)
    return 2


def reason(error: OSError, place: object = None) -> str:
    """What the system did not do, where, and what would help; place: if the error names no file."""
    where = error.filename2 or error.filename or place
    said = error.strerror or str(error)
    text = said if where is None else f"{where}: {said}"
    if error.errno in _ROOM:
        return f"{text}; make room, then use the same command again"
    if error.errno in _ACCESS:
        return f"{text}; give access there, or name another folder"
    if error.errno in _KIND:
        return f"{text}; move what is there out of the way"
    return text
