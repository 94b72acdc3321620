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
    """Hold a folder, made if there is none. Raises ConfigError if another process holds it.

    The system releases the lock however the process ends, so no lock is left behind. The file
    stays, and says which process held it last.
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
