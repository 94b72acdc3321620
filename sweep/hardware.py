"""What a candidate costs in hardware: folding, cycles and resources, without any training."""

from __future__ import annotations

from dataclasses import replace
from math import floor
from typing import Any

from finn_build.boards import Resources
from finn_build.errors import FoldingError
from finn_build.folding import Folding
from finn_build.layers import Network as Hardware
from finn_build.schedule import latency
from finn_build.search import Search
from quant.config import Network, Quantisation
from sweep.placeholder import hardware


def cost(
    network: Network,
    quantisation: Quantisation,
    *,
    share: Resources,
    max_lut: int | None,
    fclk_mhz: float,
    target_fps: float,
) -> dict[str, Any]:
    """Fold a network that need not be trained.

    Args:
        network: filters as they will be.
        quantisation: bits of every layer.
        share: what the tool may take of the chip.
        max_lut: LUTs at most, if the share is larger.
        fclk_mhz: clock of the accelerator.
        target_fps: frames/s at the least cost, 0 for as fast as fits.

    Returns:
        Plain values: fits, why (it does not, ""), fps, cycles, latency_us, lut, bram36, dsp,
        bottleneck. Where it does not fit the figures are those of the nearest: the fastest that
        fits, or what takes the fewest LUTs.
    """
    made = hardware(network, quantisation)
    budget = share if max_lut is None else replace(share, lut=min(share.lut, max_lut))
    search = Search(made, budget)
    try:
        folding = _fold(search, fclk_mhz, target_fps)
    except FoldingError as error:
        nearest = _nearest(search, Search(made, share))
        return {"fits": False, "why": str(error), **_figures(made, nearest, fclk_mhz)}
    return {"fits": True, "why": "", **_figures(made, folding, fclk_mhz)}


def _fold(search: Search, fclk_mhz: float, target_fps: float) -> Folding:
    return search.within(floor(fclk_mhz * 1e6 / target_fps)) if target_fps else search.fastest()


def _nearest(search: Search, whole: Search) -> Folding:
    """The fastest within the limit, or what takes the fewest LUTs."""
    try:
        return search.fastest()
    except FoldingError:
        return whole.least(whole.targets[-1])


def _figures(made: Hardware, folding: Folding, fclk_mhz: float) -> dict[str, Any]:
    used = folding.total
    return {
        "fps": fclk_mhz * 1e6 / folding.cycles,
        "cycles": folding.cycles,
        "latency_us": round(latency(made, folding) / fclk_mhz, 2),
        "lut": used.lut,
        "bram36": used.bram36,
        "dsp": used.dsp,
        "bottleneck": folding.bottleneck,
    }
