"""Steps of a training find the memory that the steps before them freed."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Page faults of 50 steps that need as much as the one before them.
STEPS = """
import resource
import sys

import numpy as np

from quant.memory import keep_freed

if sys.argv[1] == "kept":
    assert keep_freed()
np.ones(1 << 24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    np.ones(1 << 23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator alone")
def test_freed_memory_is_used_again() -> None:
    faults = {
        how: int(subprocess.check_output([sys.executable, "-c", STEPS, how], text=True))
        for how in ("kept", "returned")
    }
    assert faults["kept"] < 1000, "there is enough from the first block on"
    assert faults["returned"] > 10 * faults["kept"], "each step has fetched its memory anew"
