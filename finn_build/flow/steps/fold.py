"""Choose the folding within the board's budget, or take a user's."""

from dataclasses import asdict
from math import floor
from pathlib import Path

from finn_build.backends.registry import choose
from finn_build.errors import FoldingError
from finn_build.flow.pipeline import Build
from finn_build.folding.folding import Folding, fits, shortfall
from finn_build.folding.schedule import latency
from finn_build.folding.search import Search
from finn_build.network.graph import Network
from finn_build.system.files import save_json


def run(build: Build, out: Path) -> str:
    """Leave folding.json (to edit and feed back) and costs.json in `out`."""
    options = build.options
    network = Network.load(build.path("golden", "network.npz"))
    share = choose(options).share
    budget = options.target.budget[share]
    search = Search(network, budget)
    if options.folding is not None:
        made = Folding.load(options.folding, network)
        if not fits(made.total, budget):
            raise FoldingError(f"{options.folding}: {shortfall(made.total, budget)}")
    elif options.target_fps is not None:
        made = search.within(floor(options.fclk_mhz * 1e6 / options.target_fps))
    elif options.objective == "latency":
        made = search.quickest()
    else:
        made = search.fastest()
    made.save(out / "folding.json")
    rows = []
    for layer in network.layers:
        fold, spent = made.folds.get(layer.name), made.costs[layer.name]
        rows.append(
            {
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
        )
    alone = latency(network, made)
    costs = {
        "layers": rows,
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
