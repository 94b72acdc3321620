"""What a candidate costs in hardware: folding, cycles and resources, trained or not."""

from __future__ import annotations

from typing import Any

from finn_build.errors import FoldingError
from finn_build.folding.folding import Folding
from finn_build.folding.schedule import latency
from finn_build.folding.search import Search
from finn_build.network.graph import Network as Hardware
from quant.config import Network, Quantisation
from sweep.design import Limits
from sweep.placeholder import hardware


def cost(network: Network, quantisation: Quantisation, limits: Limits) -> dict[str, Any]:
    """Fold a network that need not be trained.

    Args:
        network: filters as they will be.
        quantisation: bits of every layer.
        limits: of the folding.

    Returns:
        Plain values: fits, why (it does not, ""), fps, cycles, latency_us, lut, bram36, dsp,
        bottleneck. Where it does not fit the figures are those of the nearest: the fastest that
        fits, or what takes the fewest LUTs.
    """
    units = hardware(network, quantisation)
    folding, why = fold(units, limits)
    return {"fits": not why, "why": why, **figures(units, folding, limits.fclk_mhz)}


def fold(hardware: Hardware, limits: Limits) -> tuple[Folding, str]:
    """The folding, and "", or the nearest and why it is not what was asked for."""
    search = Search(hardware, limits.room)
    try:
        return search.within(limits.cycles) if limits.target_fps else search.fastest(), ""
    except FoldingError as error:
        return _nearest(search, Search(hardware, limits.share)), str(error)


def _nearest(search: Search, whole: Search) -> Folding:
    """The fastest within the limit, or what takes the fewest LUTs."""
    try:
        return search.fastest()
    except FoldingError:
        return whole.least(whole.targets[-1])


def figures(hardware: Hardware, folding: Folding, fclk_mhz: float) -> dict[str, Any]:
    """A folding's rate and size, as estimated: plain values."""
    used = folding.total
    return {
        "fps": fclk_mhz * 1e6 / folding.cycles,
        "cycles": folding.cycles,
        "latency_us": round(latency(hardware, folding) / fclk_mhz, 2),
        "lut": used.lut,
        "bram36": used.bram36,
        "dsp": used.dsp,
        "bottleneck": folding.bottleneck,
    }
