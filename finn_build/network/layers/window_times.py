"""When a window generator (rtl_templates: nn_window) takes its beats and gives its windows."""

import numpy as np
from numpy.typing import NDArray

from finn_build.folding.beats import Times
from finn_build.network.layers.base import Ints


def moves(
    due: Ints, times: Times, steps: NDArray[np.float64], spent: float, gathered: int
) -> tuple[Times, Times]:
    """When the work on each window begins, and when each beat of the grid is pushed (nn_window).

    due: the beat that completes each window, (WINDOWS,); times: when each beat comes, (BEATS,), in
    cycles; steps: the least cycles from the beat before to each beat, (BEATS,); spent: cycles of
    the work on a window; gathered: windows that a FIFO holds, or 0 if there is none.
    """
    pushed, started = np.empty(len(times)), np.empty(len(due))
    depth, prompt = max(2, gathered), bool(gathered) or spent == 1
    # left: when a window leaves the generator; out: when it comes to the FIFO's output.
    left, out = np.empty(len(due)), np.empty(len(due))
    now, free, busy, window, ready = -np.inf, -np.inf, -np.inf, 0, -np.inf
    for n, (arrival, step) in enumerate(zip(times, steps, strict=True)):
        ready = max(arrival, ready + step, now)
        now = max(ready, now + 1, free)
        pushed[n] = now
        if window == len(due) or n != due[window]:
            continue
        # It waits in a register while the window before it is at the output (nn_window).
        before = left[window - 1] if window else -np.inf
        at_output = max(now + 1, before)
        free = at_output + (before >= now + 1 and not prompt)
        there = at_output + 1
        if gathered:
            left[window] = max(there, out[window - depth] + 1 if window >= depth else -np.inf)
            out[window] = max(left[window] + 1, busy - 1)
            there = out[window] + 1
        started[window] = max(there, busy)
        busy = started[window] + spent
        if not gathered:
            left[window] = busy - 1
        window += 1
    return started, pushed
