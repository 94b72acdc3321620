"""How much work something takes, however busy the machine is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_most(calls: int) -> Iterator[None]:
    """Fail when what is done inside has begun and ended more calls than these."""
    seen = 0

    def count(frame, event, argument):
        nonlocal seen
        seen += 1
        assert seen <= calls, "it takes too long to read"

    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)
