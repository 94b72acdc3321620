"""Rates, latency and the chip's own counters."""

from __future__ import annotations

import platform
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable, Sequence

import numpy as np

from .version import VERSION

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .protocol import Runs

BATCHES = (1, 10, 100, 1000, 10000)
REPEATS, SINGLES = 5, 1000
Tick = Callable[[int, int], None]


def measure(
    accelerator: Runs,
    *,
    batches: Sequence[int] = BATCHES,
    repeats: int = REPEATS,
    singles: int = SINGLES,
    images: NDArray[np.uint8] | None = None,
    tick: Tick = lambda done, total: None,
) -> dict[str, Any]:
    """Time calls of predict on `images` (N, H, W, C), the golden ones if None, over and over again.

    Returns `throughput` and `latency` as results.py describes them; tick(done, total) after calls.
    """
    if images is None:
        images = accelerator.manifest.golden()["images"]
    accelerator.reset()
    total = repeats * len(batches) + singles
    done = 0
    throughput = []
    for batch in batches:
        block = np.take(images, np.arange(batch) % len(images), axis=0)
        samples = []
        for _ in range(repeats):
            samples.append(_call(accelerator, block))
            done += 1
            tick(done, total)
        throughput.append(_rates(accelerator, batch, samples))
    calls = []
    for i in range(singles):
        calls.append(_call(accelerator, images[i % len(images)][None]))
        done += 1
        tick(done, total)
    return {"throughput": throughput, "latency": _latency(accelerator, calls) if calls else None}


def _call(accelerator: Runs, images: NDArray[np.uint8]) -> dict[str, float]:
    """One call of predict: seconds it took, seconds of these spent waiting, counts of cycles."""
    before, waited = accelerator.counters(), accelerator.waited_s
    start = accelerator.clock()
    accelerator.predict(images)
    seconds = accelerator.clock() - start
    after = accelerator.counters()
    counts = {name: (after[name] - before[name]) & 0xFFFFFFFF for name in after}
    return {"seconds": seconds, "waited": accelerator.waited_s - waited, **counts}


def _rates(accelerator: Runs, batch: int, samples: list[dict[str, float]]) -> dict[str, Any]:
    ordered = sorted(samples, key=lambda sample: sample["seconds"])
    median = ordered[len(ordered) // 2]
    working = median["cycles"] / (accelerator.fclk_mhz * 1e6)
    return {
        "batch": batch,
        "repeats": len(samples),
        "frames_per_second": batch / median["seconds"],
        "range": [batch / ordered[i]["seconds"] for i in (-1, 0)],
        "fabric_frames_per_second": batch / working,
        "host_us_per_image": 1e6 * (median["seconds"] - median["waited"]) / batch,
        "idle_share": max(0.0, 1 - working / median["seconds"]),
        "counters": {name: int(median[name]) for name in ("cycles", "starved", "stalled")},
    }


def _latency(accelerator: Runs, calls: list[dict[str, float]]) -> dict[str, Any]:
    seconds = np.array([call["seconds"] for call in calls])
    cycles = np.array([call["cycles"] for call in calls])
    points = {f"p{p}": 1e6 * float(np.percentile(seconds, p)) for p in (50, 90, 99)}
    return {
        "images": len(calls),
        "microseconds": {**points, "max": 1e6 * float(seconds.max())},
        "fabric_us": float(np.median(cycles)) / accelerator.fclk_mhz,
    }


def describe(accelerator: Runs) -> dict[str, Any]:
    """What results.json says beside the measurements, which are None here."""
    manifest, device = accelerator.manifest, accelerator.device
    return {
        "model": manifest.model,
        "model_hash": manifest.model_hash,
        "board": manifest.board,
        "where": "simulated" if hasattr(device, "clock") else "measured",
        "device": str(device.name),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "fclk_mhz": accelerator.fclk_mhz,
        "software": {
            "driver": VERSION,
            "pynq": accelerator.pynq_version,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "predicted": manifest.predicted,
        "accuracy": None,
        "throughput": None,
        "latency": None,
    }
