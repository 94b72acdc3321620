"""What a candidate costs in hardware: folding, cycles and resources, trained or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
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


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a folding may take, and how fast it should be.

    share: what the tool may take of the chip; max_lut: LUTs at most, if the share is larger;
    fclk_mhz: clock of the accelerator; target_fps: frames/s at the least cost, 0 for as fast as
    fits.
    """

    share: Resources
    max_lut: int | None
    fclk_mhz: float
    target_fps: float

    @classmethod
    def of(cls, settings: dict[str, Any]) -> Limits:
        """From a job's settings, plain values under the same names."""
        named = {key: settings[key] for key in ("max_lut", "fclk_mhz", "target_fps")}
        return cls(share=Resources(**settings["share"]), **named)

    @property
    def room(self) -> Resources:
        """The share, and not more LUTs than asked."""
        if self.max_lut is None:
            return self.share
        return replace(self.share, lut=min(self.share.lut, self.max_lut))


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
    made = hardware(network, quantisation)
    folding, why = fold(made, limits)
    return {"fits": not why, "why": why, **figures(made, folding, limits.fclk_mhz)}


def fold(made: Hardware, limits: Limits) -> tuple[Folding, str]:
    """The folding, and "", or the nearest and why it is not what was asked for."""
    search = Search(made, limits.room)
    try:
        return _fold(search, limits.fclk_mhz, limits.target_fps), ""
    except FoldingError as error:
        return _nearest(search, Search(made, limits.share)), str(error)


def _fold(search: Search, fclk_mhz: float, target_fps: float) -> Folding:
    return search.within(floor(fclk_mhz * 1e6 / target_fps)) if target_fps else search.fastest()


def _nearest(search: Search, whole: Search) -> Folding:
    """The fastest within the limit, or what takes the fewest LUTs."""
    try:
        return search.fastest()
    except FoldingError:
        return whole.least(whole.targets[-1])


def figures(made: Hardware, folding: Folding, fclk_mhz: float) -> dict[str, Any]:
    """A folding's rate and size, as estimated: plain values."""
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
