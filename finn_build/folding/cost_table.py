"""The cost model as data, for tools that choose a network by its cost."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from finn_build.errors import ConfigError
from finn_build.flow import provenance
from finn_build.folding.fold import Fold
from finn_build.network.layers import Mvtu, in_memory
from finn_build.system.files import save_json

FORMAT = 1
WIDTHS = range(1, 9)
# Units work on this many outputs and inputs, or multiples of it, at a time: fewer channels than a
# whole number of blocks save next to nothing.
BLOCK = 8
# A typical fold of a typical layer: 3 x 3 windows of 64 channels, weights in block RAM.
_ROWS, _COLS, _POSITIONS = 64, 576, 256
_PE, _SIMD, _MEMORY = 8, 72, "block"


def table() -> dict[str, Any]:
    """LUTs of one multiply-accumulate per cycle by widths, and the source of the numbers."""
    source = json.dumps(provenance.fingerprint(in_memory)).encode()
    return {
        "format": FORMAT,
        "channels_multiple": BLOCK,
        "lut_per_mac": {f"w{w}a{a}": _lut_per_mac(w, a) for w in WIDTHS for a in WIDTHS},
        "source": {
            "function": "finn_build.network.layers.in_memory.InMemory.cost",
            "sha256": hashlib.sha256(source).hexdigest(),
            "layer": {"rows": _ROWS, "cols": _COLS},
            "fold": {"pe": _PE, "simd": _SIMD, "memory": _MEMORY},
        },
    }


def _lut_per_mac(weight_bits: int, in_bits: int) -> float:
    """LUTs of a unit at the typical fold for each of its multiply-accumulates per cycle.

    Accumulators are included. Thresholds are not: their number depends on the next layer's width.
    """
    top = max(1, (1 << (weight_bits - 1)) - 1)
    weights = np.where(np.arange(_ROWS * _COLS) % 2, top, -top).reshape(_ROWS, _COLS)
    layer = Mvtu(
        name="typical",
        positions=_POSITIONS,
        windowed=True,
        in_bits=in_bits,
        weight_bits=weight_bits,
        weights=weights,
    )
    lut = layer.hardware(Fold(pe=_PE, simd=_SIMD, memory=_MEMORY)).cost().lut
    return round(lut / (_PE * _SIMD), 3)


def write(path: Path) -> None:
    """Write the table as JSON, whole or not at all. Raises ConfigError if the folder is missing."""
    if not path.parent.is_dir():
        raise ConfigError(f"--out {path}: {path.parent} is not a folder; make it first")
    partial = path.with_name(f"{path.name}.partial")
    try:
        save_json(partial, table())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ConfigError(f"--out {path}: cannot be written ({error.strerror})") from error
