"""One build at a time in a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finn_build.errors import ConfigError

NAME = "lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made where there is none. Raises ConfigError where another one does.

    The system lets go of the lock however the process ends, so that none is ever left behind; the
    file stays, and says which process had it last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / NAME).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            other = file.read().strip()
            raise ConfigError(
                f"{folder}: process {other} is building there; wait for it, or use another --out"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
