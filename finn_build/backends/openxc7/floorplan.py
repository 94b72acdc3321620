"""Where the block RAMs of a chip go, for nextpnr.

nextpnr's placers put block RAMs anywhere, far from the logic that they feed. A dataflow accelerator
has an order that its netlist does not show: here its layers lie along a loop around the fabric,
from the processors back to the processors, each with as much of it as it has logic and memory, and
a layer's block RAMs on the sites nearest to its part, found by minimum-cost assignment. All else is
left to nextpnr.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from finn_build.system.files import load_json

# Area in LUTs by the start of a cell's type, a block RAM's so large that a layer of memory has
# sites in its part of the loop.
_AREA = {"LUT": 1.0, "FD": 0.5, "RAM32": 4.0, "RAM64": 4.0, "RAMB36": 250, "RAMB18": 125}
_LAYER = re.compile(r"top_i\.\\?(\w+?)_i[.\\]")
_BLOCK = "RAMB36E1"

Points = NDArray[np.float64]


def script(cells: dict[str, dict[str, Any]], layers: Sequence[str], tilegrid: Path) -> str:
    """Python for nextpnr-himbaechel's --pre-place that puts every block RAM in its place.

    cells: of the chip's flat netlist; layers: the accelerator's instances in the order of the
    stream; tilegrid: Project X-Ray's tilegrid.json of the fabric. Empty if there are none, or more
    than the fabric has: nextpnr's own message about that is better.
    """
    tiles = load_json(tilegrid)
    loop = _loop(tiles)
    sites = _places(tiles, ("BRAM_L", "BRAM_R"))
    wanted = _wanted(cells, layers, loop)
    if not wanted or len(wanted) > len(sites):
        return ""
    away = np.abs(np.array([place for _, place in wanted])[:, None] - sites).sum(axis=2)
    chosen = linear_sum_assignment(away**2)[1]
    lines = []
    for (names, _), at in zip(wanted, chosen, strict=True):
        x, y = sites[at].astype(int)
        for half, name in enumerate(names):
            kind = cells[name]["type"]
            site = "RAMB36_X0Y0" if kind == _BLOCK else f"RAMB18_X0Y{half}"
            bel = f"X{x}Y{y}/{site}.{kind}"
            lines.append(f'ctx.cells[{name!r}].setAttr("BEL", {bel!r})\n')
    return "".join(lines)


def _places(tiles: dict[str, dict[str, Any]], kinds: tuple[str, ...]) -> Points:
    """Columns and rows of the tiles whose type starts with one of `kinds`."""
    some = [(t["grid_x"], t["grid_y"]) for t in tiles.values() if t["type"].startswith(kinds)]
    return np.array(some, dtype=float)


def _loop(tiles: dict[str, dict[str, Any]]) -> Points:
    """Places of the logic tiles in the order of a turn about their middle, from the processors."""
    logic = _places(tiles, ("CLB",))
    middle = logic.mean(axis=0)
    turned = _angle(logic - middle) - _angle(_places(tiles, ("PSS",)).mean(axis=0) - middle)
    return logic[np.argsort(turned % (2 * np.pi), kind="stable")]


def _angle(points: Points) -> Points:
    return np.arctan2(points[..., 1], points[..., 0])


def _wanted(
    cells: dict[str, dict[str, Any]], layers: Sequence[str], loop: Points
) -> list[tuple[list[str], Points]]:
    """The block RAMs of each tile, two halves or one, and where on the loop they would stand."""
    area: defaultdict[str, float] = defaultdict(float)
    blocks: defaultdict[str, list[str]] = defaultdict(list)
    for name, cell in cells.items():
        found = _LAYER.search(name)
        layer = found[1] if found and found[1] in layers else ""
        area[layer] += sum(a for kind, a in _AREA.items() if cell["type"].startswith(kind))
        if cell["type"].startswith("RAMB"):
            blocks[layer].append(name)
    whole, begun = sum(area.values()), 0.0
    wanted = []
    for layer in [*layers, ""]:
        rams = _pairs(cells, sorted(blocks[layer], key=_natural))
        for i, names in enumerate(rams):
            ends = [begun + area[layer] * n / len(rams) for n in (i, i + 1)]
            low, high = (round(end / whole * len(loop)) for end in ends)
            wanted.append((names, loop[min(low, len(loop) - 1) : max(high, low + 1)].mean(axis=0)))
        begun += area[layer]
    return wanted


def _pairs(cells: dict[str, dict[str, Any]], names: list[str]) -> list[list[str]]:
    """One RAMB36, or two RAMB18, that share a tile."""
    large = [[name] for name in names if cells[name]["type"] == _BLOCK]
    small = [name for name in names if cells[name]["type"] != _BLOCK]
    return large + [small[i : i + 2] for i in range(0, len(small), 2)]


def _natural(name: str) -> list[int | str]:
    """Numbers in a name by their value."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
