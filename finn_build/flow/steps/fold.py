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
    folding = _folding(options, search)
    folding.save(out / "folding.json")
    alone = latency(network, folding)
    costs = {
        "layers": [_row(layer, folding) for layer in network.layers],
        "cycles": folding.cycles,
        "latency_cycles": alone,
        "bottleneck": folding.bottleneck,
        "estimate": asdict(folding.total),
        "budget": asdict(budget),
        "share": share,
    }
    save_json(out / "costs.json", costs)
    rate = options.fclk_mhz * 1e6 / folding.cycles
    faster = search.step_up(folding)
    return (
        f"bottleneck {folding.bottleneck}, {folding.cycles:,} cycles: {rate:,.0f} frames/s "
        f"predicted, {alone:,} cycles for one image, "
        f"about {folding.total.lut:,} LUTs{faster and f'; {faster}'}"
    )


def _folding(options: Options, search: Search) -> Folding:
    """The user's folding, or the one that the options ask for. Raises FoldingError."""
    if options.folding is not None:
        folding = Folding.load(options.folding, search.network)
        if not fits(folding.total, search.budget):
            raise FoldingError(f"{options.folding}: {shortfall(folding.total, search.budget)}")
        return folding
    if options.target_fps is not None:
        return search.within(floor(options.fclk_mhz * 1e6 / options.target_fps))
    return search.quickest() if options.objective == "latency" else search.fastest()


def _row(layer: Layer, folding: Folding) -> dict[str, Any]:
    """What report.json says of a layer's folding and its estimated cost."""
    fold, spent = folding.folds.get(layer.name), folding.costs[layer.name]
    return {
        "layer": layer.name,
        "kind": layer.kind,
        "pe": fold.pe if fold else None,
        "simd": layer.simd(folding.fold(layer)),
        "pixels": folding.pixels(layer),
        "cycles": spent.cycles,
        "lut": spent.lut,
        "bram18": spent.bram18,
        "dsp": spent.dsp,
        "memory": layer.memory(folding.fold(layer)),
        "slice_bits": fold.slice_bits if fold else None,
        "macs": layer.macs,
    }
