"""Memory that one step of a training frees is what the next one needs."""

from __future__ import annotations

import ctypes

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
# Bytes by which the heap grows at least.
_GROWTH = 1 << 28


def keep_freed() -> bool:
    """Have glibc keep large blocks that this process frees, instead of handing them back.

    A step of a training on a CPU frees its activations, and the next one would get the same amount
    from the kernel again, a page fault for every 4 KiB.

    Returns:
        Whether the C library is one that can: glibc, or one with its `mallopt`.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no such function, or no such way to load it
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, (1 << 31) - 1), (_TOP_PAD, _GROWTH))
    taken = [mallopt(which, value) for which, value in settings]
    return all(taken)
