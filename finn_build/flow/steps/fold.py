"""Choose the folding within the board's budget, or take a user's."""

from dataclasses import asdict
from math import floor
from pathlib import Path
from typing import Any

from finn_build.backends.registry import choose
from finn_build.config import Options
from finn_build.errors import FoldingError
from finn_build.flow.pipeline import Build
from finn_build.folding.folding import Folding, fits, shortfall
from finn_build.folding.schedule import latency
from finn_build.folding.search import Search
from finn_build.network.graph import Network
from finn_build.network.layers import Layer
from finn_build.system.files import save_json


def run(build: Build, out: Path) -> str:
    """Leave folding.json (to edit and feed back) and costs.json in `out`."""
    options = build.options
    network = Network.load(build.path("golden", "network.npz"))
    share = choose(options).share
    budget = options.target.budget[share]
    search = Search(network, budget)
    made = _folding(options, search)
    made.save(out / "folding.json")
    alone = latency(network, made)
    costs = {
        "layers": [_row(layer, made) for layer in network.layers],
        "cycles": made.cycles,
        "latency_cycles": alone,
        "bottleneck": made.bottleneck,
        "estimate": asdict(made.total),
        "budget": asdict(budget),
        "share": share,
    }
    save_json(out / "costs.json", costs)
    rate = options.fclk_mhz * 1e6 / made.cycles
    faster = search.step_up(made)
    return (
        f"bottleneck {made.bottleneck}, {made.cycles:,} cycles: {rate:,.0f} frames/s predicted, "
        f"{alone:,} cycles for one image, "
        f"about {made.total.lut:,} LUTs{faster and f'; {faster}'}"
    )


def _folding(options: Options, search: Search) -> Folding:
    """The user's folding, or the one that the options ask for. Raises FoldingError."""
    if options.folding is not None:
        made = Folding.load(options.folding, search.network)
        if not fits(made.total, search.budget):
            raise FoldingError(f"{options.folding}: {shortfall(made.total, search.budget)}")
        return made
    if options.target_fps is not None:
        return search.within(floor(options.fclk_mhz * 1e6 / options.target_fps))
    return search.quickest() if options.objective == "latency" else search.fastest()


def _row(layer: Layer, made: Folding) -> dict[str, Any]:
    """What report.json says of a layer's folding and its estimated cost."""
    fold, spent = made.folds.get(layer.name), made.costs[layer.name]
    return {
        "layer": layer.name,
        "kind": layer.kind,
        "pe": fold.pe if fold else None,
        "simd": layer.simd(made.fold(layer)),
        "pixels": made.pixels(layer),
        "cycles": spent.cycles,
        "lut": spent.lut,
        "bram18": spent.bram18,
        "dsp": spent.dsp,
        "memory": layer.memory(made.fold(layer)),
        "slice_bits": fold.slice_bits if fold else None,
        "macs": layer.macs,
    }
