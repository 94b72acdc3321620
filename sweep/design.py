"""Designs and trials: the points of the space, each with an id that follows from its settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product
from math import floor
from typing import Any

from finn_build.boards import Resources, find_board
from quant.config import Conv, Dense, LayerBits, Network, Quantisation, layer_names
from quant.dataset import Task
from quant.recipes import find_recipe
from quant.tasks import suited
from quant.topologies import get_network
from sweep.config import Space

NOT_PRUNED = "none"


def digest(value: object) -> str:
    """Twelve hexadecimal digits that follow from a plain JSON value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


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
    def cycles(self) -> int:
        """Cycles that a frame may take for the rate that is asked for."""
        return floor(self.fclk_mhz * 1e6 / self.target_fps)

    @property
    def room(self) -> Resources:
        """The share, and not more LUTs than asked."""
        if self.max_lut is None:
            return self.share
        return replace(self.share, lut=min(self.share.lut, self.max_lut))


@dataclass(frozen=True, kw_only=True)
class Design:
    """One network, pruned, quantised, on one board at one clock.

    schedule, ranking: NOT_PRUNED where iterations is 0; dense: weight bits of hidden dense layers;
    target_fps: 0 for as fast as fits.
    """

    network: str
    schedule: str
    ranking: str
    iterations: int
    weights: int
    acts: int
    first: int
    last: int
    dense: int
    board: str
    budget: str
    clock_mhz: float
    target_fps: float

    @property
    def id(self) -> str:
        """Follows from the settings alone."""
        return digest(asdict(self))

    @property
    def label(self) -> str:
        """For tables: network, pruning, bits, and the rate where one is asked for."""
        parts = [self.network.rpartition("/")[2].removesuffix(".toml")]
        if self.iterations:
            parts.append(f"{self.schedule} {self.iterations} {self.ranking}")
        dense = f"-{self.dense}" if self.dense != self.weights else ""
        parts.append(f"W{self.first}-{self.weights}{dense}-{self.last} A{self.acts}")
        parts.append(f"{self.budget} {self.clock_mhz:g} MHz")
        if self.target_fps:
            parts.append(f"for {self.target_fps:,.0f}/s")
        return ", ".join(parts)

    @property
    def training(self) -> tuple[str, ...]:
        """What designs have in common that differ in nothing but bits, iterations and hardware."""
        return (self.network, self.schedule, self.ranking)

    @property
    def bits(self) -> tuple[int, ...]:
        """Bit widths of all groups of layers."""
        return (self.weights, self.acts, self.first, self.last, self.dense)

    def quantisation(self, network: Network) -> Quantisation:
        """Bits of every layer of the network."""
        named = zip(network.layers, layer_names(network), strict=True)
        first = next(n for n, x in enumerate(network.layers) if isinstance(x, Conv | Dense))
        dense = [
            LayerBits(name=name, weight_bits=self.dense)
            for n, (layer, name) in enumerate(named)
            if isinstance(layer, Dense) and n != first and self.dense != self.weights
        ]
        return Quantisation(
            weight_bits=self.weights,
            act_bits=self.acts,
            first_weight_bits=self.first,
            last_weight_bits=self.last,
            layers=tuple(dense),
        )

    def limits(self, max_lut: int | None) -> Limits:
        """Of its folding, at the fastest clock that the board can set, not above the design's."""
        board = find_board(self.board)
        return Limits(
            share=board.budget[self.budget],
            max_lut=max_lut,
            fclk_mhz=board.fclk_mhz(self.clock_mhz),
            target_fps=self.target_fps,
        )


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A design, trained from one seed."""

    design: Design
    seed: int

    @property
    def id(self) -> str:
        """The design's id and the seed."""
        return f"{self.design.id}-{self.seed}"

    def settings(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self.design), "seed": self.seed}


def designs(space: Space) -> Iterator[Design]:
    """Every design of the space once, in order."""
    bits, seen = space.bits, set[Design]()
    for weights, acts, first, last, dense in product(
        bits.weights, bits.acts, bits.first, bits.last, bits.dense or (0,)
    ):
        for network, (schedule, ranking, iterations), board, budget, clock, fps in product(
            space.networks,
            _prunings(space),
            space.boards,
            space.budgets,
            space.clocks_mhz,
            space.target_fps,
        ):
            design = Design(
                network=network,
                schedule=schedule,
                ranking=ranking,
                iterations=iterations,
                weights=weights,
                acts=acts,
                first=first,
                last=last,
                dense=dense or weights,
                board=board,
                budget=budget,
                clock_mhz=clock,
                target_fps=fps,
            )
            # Pruning for the folding needs a rate to prune for.
            if design not in seen and (schedule != "folding" or fps > 0):
                seen.add(design)
                yield design


def _prunings(space: Space) -> Iterator[tuple[str, str, int]]:
    pruning = space.pruning
    for iterations in pruning.iterations:
        if not iterations:
            yield NOT_PRUNED, NOT_PRUNED, 0
            continue
        for schedule, ranking in product(pruning.schedules, pruning.rankings):
            yield schedule, ranking, iterations


def base_network(name: str, recipe: str, task: Task) -> Network:
    """The network as the recipe trains it on a task's images."""
    return suited(find_recipe(recipe).apply(get_network(name)), task)
