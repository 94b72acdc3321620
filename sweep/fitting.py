"""Pruning for the folding: which filters must go so that a number of cycles fits the chip.

A layer's folding must divide its filters, and how many multiply at once follows from the cycles per
frame; so most filters that go save nothing, and some save a lot. For a price of hardware, the best
filters of all layers follow from dynamic programming along the chain (Viterbi, 1967), since the
cost of a layer depends on its own filters and those before it; the price is raised until the
folding search fits the network into the budget (Lagrangian relaxation: Everett, 1963). What the
relaxation leaves unused is given back block by block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import inf, isinf, log
from typing import Any

from finn_build.boards import Resources
from finn_build.folding.folding import Stage, stages
from finn_build.folding.search import Search, choices, weight
from quant.config import Network, Quantisation
from quant.pruning import resized
from sweep.placeholder import hardware

# Loss in accuracy by the filters that a layer keeps, for each convolution.
Losses = list[dict[int, float]]
# Prices of all the hardware there is, in units of the loss.
_LOWEST, _HIGHEST = 1e-6, 1e6
_TURNS = 14


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Filters of each convolution, the loss that they are expected to cost, and whether it fits."""

    filters: tuple[int, ...]
    loss: float
    fits: bool


def losses(network: Network, block: int, probe: dict[str, Any] | None = None) -> Losses:
    """What each layer loses with so many filters, for whole blocks and for all it has.

    Args:
        network: with all filters.
        block: filters go in multiples of so many.
        probe: of `sweep.train`: scores of the filters, and the accuracy that each layer kept
            without some of them after a short recovery, by which its scores are scaled. Without
            one the loss is the logarithm of the share that goes, the same for all layers.
    """
    found: Losses = []
    for number, filters in enumerate(network.filters):
        counts = [*range(block, filters, block), filters]
        if probe is None:
            found.append({count: log(filters / count) for count in counts})
            continue
        layer = probe["layers"][number]
        gone = [0.0]
        for score in layer["scores"]:
            gone.append(gone[-1] + score)
        # A least loss, since a loss may be too small to be seen on so few images.
        drop = max(probe["base"] - layer["kept"], probe["least"])
        unit = gone[filters - layer["count"]] or 1.0
        found.append({count: drop * gone[filters - count] / unit for count in counts})
    return found


def fit(
    network: Network, quantisation: Quantisation, budget: Resources, cycles: int, lost: Losses
) -> Fitted:
    """The filters that lose least while a folding of `cycles` per frame fits the budget.

    Args:
        network: with all filters.
        quantisation: bits of every layer.
        budget: LUTs, BRAM and DSPs there are.
        cycles: per frame, at most.
        lost: of `losses`; its keys are the filters that a layer may have.

    Returns:
        The filters; with `fits` false those that need the least, if nothing fits.
    """
    chain = _Chain(network=network, quantisation=quantisation, budget=budget, cycles=cycles)

    def fits(filters: tuple[int, ...]) -> bool:
        units = hardware(resized(network, list(filters)), quantisation)
        search = Search(units, budget)
        return cycles >= search.floor and search.cheapest(cycles) is not None

    def total(filters: tuple[int, ...]) -> float:
        return sum(layer[count] for layer, count in zip(lost, filters, strict=True))

    whole = tuple(network.filters)
    if fits(whole):
        return Fitted(filters=whole, loss=total(whole), fits=True)
    # At the highest price only hardware counts.
    best = chain.best(lost, _HIGHEST)
    if best is None or not fits(best):
        least = best or tuple(min(layer) for layer in lost)
        return Fitted(filters=least, loss=total(least), fits=False)
    low, high = _LOWEST, _HIGHEST
    for _ in range(_TURNS):
        price = (low * high) ** 0.5
        filters = chain.best(lost, price)
        if filters is not None and fits(filters):
            best, high = filters, price
        else:
            low = price
    best = give_back(best, lost, fits)
    return Fitted(filters=best, loss=total(best), fits=True)


def give_back(
    filters: tuple[int, ...], lost: Losses, fits: Callable[[tuple[int, ...]], bool]
) -> tuple[int, ...]:
    """The filters with those blocks added, the most valuable first, for which there is room."""
    refused: set[tuple[int, ...]] = set()
    while True:
        gains = []
        for number, layer in enumerate(lost):
            more = min((count for count in layer if count > filters[number]), default=None)
            if more is not None:
                larger = (*filters[:number], more, *filters[number + 1 :])
                gains.append((layer[filters[number]] - layer[more], larger))
        for _, larger in sorted(gains, reverse=True):
            if larger not in refused and fits(larger):
                filters = larger
                break
            refused.add(larger)
        else:
            return filters


@dataclass(frozen=True, kw_only=True)
class _Chain:
    """The layers, each with its price by its own filters and those before it."""

    network: Network
    quantisation: Quantisation
    budget: Resources
    cycles: int

    def best(self, lost: Losses, price: float) -> tuple[int, ...] | None:
        """The filters with the least sum of loss and price; None if none are fast enough."""
        ways: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
        for number, layer in enumerate(lost):
            ways = {
                count: min(
                    (value + loss + price * self._cheapest(number, before, count), (*way, count))
                    for before, (value, way) in ways.items()
                )
                for count, loss in layer.items()
            }
        value, way = min(
            (value + price * self._cheapest(len(lost), before, 0), way)
            for before, (value, way) in ways.items()
        )
        return None if isinf(value) else way

    def _cheapest(self, number: int, before: int, count: int) -> float:
        """Least weight of a unit, 0 filters where it has none, within the cycles."""
        return _least(
            self.network, self.quantisation, self.budget, self.cycles, number, before, count
        )


@cache
def _least(
    network: Network,
    quantisation: Quantisation,
    budget: Resources,
    cycles: int,
    number: int,
    before: int,
    count: int,
) -> float:
    """Least weight of a unit's foldings of at most `cycles`, infinite if there is none.

    number: of the unit; before, count: filters of the convolution before it and of itself.
    """
    filters = list(network.filters)
    for place, value in ((number - 1, before), (number, count)):
        if 0 <= place < len(filters) and value:
            filters[place] = value
    stage: Stage = stages(hardware(resized(network, filters), quantisation))[number]
    options = choices(stage, dsp=budget.dsp > 0, cycles=cycles)
    return min((weight(spent, budget) for _, spent in options), default=inf)
