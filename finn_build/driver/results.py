"""results.json: what a board did, for people and for programs that compare.

    format            "headrace-results"
    version           1; another number is another layout
    model, model_hash name and 32 hex digits, as in manifest.json
    board             the board that the chip was built for, as in manifest.json: "pynq-z2"
    where             "measured" on a board; "simulated" where the device brings a clock of its own
    device            what pynq calls the device
    date              UTC, ISO 8601
    fclk_mhz          the clock as read back
    software          {driver, pynq, python, numpy}: versions
    predicted         {frames_per_second, latency_us} of the build; null where it has none
    accuracy          null until `run.py accuracy` ran, then
      value           share of the images whose label is right, 0 to 1
      images          how many there were
      source          where they are from
      confusion       rows true classes, columns predicted, both in the order of `classes`
      classes         names
    throughput        null until `run.py benchmark` ran, then a list, one for each batch size:
      batch           images per call of predict
      repeats         calls; every other figure is of the call with the median time
      frames_per_second         by the clock: what a program sees, host included
      range           [lowest, highest] of frames_per_second among the calls
      fabric_frames_per_second  batch / cycles * clock: what the chip does by itself
      host_us_per_image         time in the driver's own work, not waiting for the chip
      idle_share                share of the call in which the chip had no job, 0 to 1
      counters        {cycles, starved, stalled} of the call, as in docs/registers.md
    latency           null until `run.py benchmark` ran, then for single images
      images          how many calls
      microseconds    {p50, p90, p99, max} by the clock
      fabric_us       median of cycles / clock

The two commands fill one file together; results of another chip or board start it anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict

import numpy as np

from .errors import ResultsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT, VERSION = "headrace-results", 1
_IDENTITY = ("model_hash", "board", "where", "device", "fclk_mhz")
_PARTS = ("accuracy", "throughput", "latency")
_FIELDS = ("model", "date", "software", "predicted", *_IDENTITY, *_PARTS)
_INSIDE = {
    "accuracy": ("value", "images"),
    "throughput": ("batch", "frames_per_second"),
    "latency": ("images", "microseconds"),
}

Results = Dict[str, Any]


def load(path: Path) -> Results:
    """Read results. Raises ResultsError for a file of something else, or of another version."""
    again = "run `python3 run.py benchmark` again to write it"
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        raise ResultsError(f"{path}: no such file; {again}") from None
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: not readable as JSON ({error}); {again}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ResultsError(f"{path}: no results of headrace; {again}")
    if found.get("version") != VERSION:
        raise ResultsError(
            f"{path}: version {found.get('version')} of the results, this one reads {VERSION}; "
            f"{again}"
        )
    missing = [name for name in _FIELDS if name not in found] or _missing_inside(found)
    if missing:
        raise ResultsError(f"{path}: {', '.join(missing)} missing; {again}")
    return found


def _missing_inside(found: Results) -> list[str]:
    """Names of fields that the parts lack."""
    lost = []
    for part, fields in _INSIDE.items():
        held = found[part] or []
        for each in held if isinstance(held, list) else [held]:
            have = each if isinstance(each, dict) else {}
            lost += [f"{part}.{name}" for name in fields if name not in have]
    return lost


def save(path: Path, array: NDArray[Any]) -> None:
    """Write an array of any shape as a .npy file of just this name. Raises ResultsError."""
    try:
        with path.open("wb") as file:
            np.save(file, array)
    except OSError as error:
        raise ResultsError(
            f"{path}: cannot be written ({error}); name another file with --to"
        ) from error


def check(path: Path) -> None:
    """Raise ResultsError where `update` would, before the work whose results these are."""
    if path.exists():
        load(path)
    elif not path.parent.is_dir():
        raise ResultsError(f"{path}: no such folder; make it, or name another file with --results")


def update(path: Path, made: Results) -> Results:
    """Write results; parts that `made` lacks stay as they were if the same chip gave them.

    Raises ResultsError if the file is something else, or cannot be written.
    """
    merged = {"format": FORMAT, "version": VERSION, **made}
    if path.exists():
        before = load(path)
        same = all(before[name] == made[name] for name in _IDENTITY)
        for name in _PARTS:
            if same and merged[name] is None:
                merged[name] = before[name]
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(merged, indent=1) + "\n")
        part.replace(path)
    except OSError as error:
        raise ResultsError(
            f"{path}: cannot be written ({error}); name another file with --results"
        ) from error
    return merged
