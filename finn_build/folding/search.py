"""Choose the folding whose slowest layer is as fast as the budget allows."""

from collections.abc import Callable
from dataclasses import replace
from math import inf
from operator import le

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from finn_build.boards import Resources
from finn_build.errors import FoldingError
from finn_build.folding.cost import NOTHING, Cost
from finn_build.folding.fold import Fold
from finn_build.folding.folding import Folding, Stage, make, shortfall, stages
from finn_build.folding.schedule import latency
from finn_build.network.graph import Network
from finn_build.system.quiet import silent

# Weight of the share of BRAM or DSPs; that of LUTs is 1. A BRAM36 must save some 25 LUTs.
_COLUMNS = 0.1
# Integer programs that the search for the quickest folding solves for each number of cycles.
_TURNS = 2

Choices = list[tuple[Fold, Cost]]
# Price of a unit's fold, from the unit's name and the fold's cost; the sum is minimised.
Price = Callable[[str, Cost], float]


class Search:
    """All foldings of a network, and a budget.

    The search is exact for the cost model: for a number of cycles per frame, an integer program
    picks one fold per unit, so that the total is the cheapest within the budget. A fold's cost is
    that of its whole stage: the unit, and the windows, pools and others that have its fold.
    """

    def __init__(self, network: Network, budget: Resources) -> None:
        """List every unit's folds with their costs."""
        self.network = network
        self.budget = budget
        all_stages = stages(network)
        self.choices = {
            stage.unit.name: _unbeaten(choices(stage, dsp=budget.dsp > 0), _spent)
            for stage in all_stages
        }
        folded = [{c.cycles for _, c in choices} for choices in self.choices.values()]
        # No folding is faster: the limit is the input, or a stage at its highest parallelism.
        self.floor = max(network.frame_bytes // network.input_bytes, *map(min, folded))
        self.targets = sorted({max(self.floor, cycles) for counts in folded for cycles in counts})

    def fastest(self) -> Folding:
        """The folding with the fewest cycles per frame within the budget.

        Raises FoldingError if nothing fits; it says what is over the budget.
        """
        found = None
        low, high = 0, len(self.targets)
        while low < high:
            middle = (low + high) // 2
            folding = self.cheapest(self.targets[middle])
            if folding is None:
                low = middle + 1
            else:
                found, high = folding, middle
        if found is None:
            raise FoldingError(
                f"{self.network.name} does not fit: its smallest folding takes "
                f"{self._need(self.targets[-1])}; use fewer filters or fewer bits"
            )
        return found

    def within(self, cycles: int) -> Folding:
        """The cheapest folding of at most `cycles` per frame.

        Raises FoldingError if there is none, or if it is over the budget; it says what is possible.
        """
        if cycles < self.floor:
            raise FoldingError(
                f"{self.network.name}: {cycles} cycles per frame cannot be reached; even with "
                f"unlimited resources they are {self.floor}"
            )
        folding = self.cheapest(cycles)
        if folding is None:
            raise FoldingError(
                f"{self.network.name}: {cycles:,} cycles per frame take {self._need(cycles)}; "
                f"the fastest that fits takes {self.fastest().cycles:,} cycles"
            )
        return folding

    def quickest(self) -> Folding:
        """The folding within the budget with the fewest cycles for a single image, or nearly so.

        What a layer's cycles add to that time depends on all other layers. The search takes it as
        linear around one folding, lets an integer program find the next, and keeps the best of all.

        Raises FoldingError if nothing fits.
        """
        best = self.fastest()
        least = latency(self.network, best)
        for target in [t for t in self.targets if best.cycles <= t <= 2 * best.cycles]:
            faster: Folding | None = best
            for _ in range(_TURNS):
                if faster is not None:
                    faster = self._solve(self._choices_within(target), self._time(faster))
                if faster is not None and latency(self.network, faster) < least:
                    best, least = faster, latency(self.network, faster)
        return best

    def _time(self, folding: Folding) -> Price:
        """What a layer's cycles add to the time of a single image.

        The other layers are those of `folding`.
        """
        share = {}
        whole = latency(self.network, folding)
        for name in folding.folds:
            spent = folding.costs[name]
            faster = replace(spent, cycles=spent.cycles * 3 // 4)
            other = replace(folding, costs={**folding.costs, name: faster})
            share[name] = (whole - latency(self.network, other)) / (spent.cycles - faster.cycles)
        # Among foldings of the same time the smallest one wins.
        return lambda name, spent: share[name] * spent.cycles + weight(spent, self.budget)

    def step_up(self, folding: Folding) -> str:
        """The resources that the next faster folding would take, in words; "" if there is none."""
        target = max((t for t in self.targets if t < folding.cycles), default=None)
        if target is None or not all(self._candidates(target).values()):
            return ""
        faster = self.cheapest(target)
        need = self._need(target) if faster is None else f"{faster.total.lut:,} LUTs"
        return f"{target:,} cycles would take {need}"

    def cheapest(self, target: int) -> Folding | None:
        """The cheapest folding within `target` cycles, or None if the budget is too small."""
        return self._solve(self._candidates(target), lambda _, spent: weight(spent, self.budget))

    def _choices_within(self, target: int) -> dict[str, Choices]:
        """Every layer's folds of at most `target` cycles."""
        return {
            name: [choice for choice in choices if choice[1].cycles <= target]
            for name, choices in self.choices.items()
        }

    def _candidates(self, target: int) -> dict[str, Choices]:
        """Folds within `target` cycles, without those that another beats; the cheapest first."""
        return {
            name: sorted(_unbeaten(fast, _used), key=lambda o: weight(o[1], self.budget))
            for name, fast in self._choices_within(target).items()
        }

    def _solve(
        self, candidates: dict[str, Choices], value: Price, *, any_logic: bool = False
    ) -> Folding | None:
        """Pick one of each unit's candidates, for the lowest total price within the budget.

        None if the budget is too small. any_logic: leave LUTs and FFs without a limit.
        """
        if not all(candidates.values()):
            return None
        folds = [(name, *choice) for name, choices in candidates.items() for choice in choices]
        used = np.array([_used(cost) for _, _, cost in folds])
        most = self.budget
        logic = (np.inf, np.inf) if any_logic else (most.lut, most.ff)
        room = np.array([most.dsp, 2 * most.bram36, *logic])
        one_each = np.array([[name == unit for name, _, _ in folds] for unit in candidates])
        with silent():  # HiGHS sometimes prints a line of its own debugging
            solved = milp(
                [value(name, cost) for name, _, cost in folds],
                integrality=np.ones(len(folds)),
                bounds=Bounds(0, 1),
                constraints=[
                    LinearConstraint(one_each.astype(float), 1, 1),
                    LinearConstraint(used.T.astype(float), -np.inf, room),
                ],
            )
        if solved.x is None:
            return None
        chosen = {n: f for (n, f, _), x in zip(folds, solved.x, strict=True) if x > 0.5}
        return make(self.network, chosen)

    def least(self, target: int) -> Folding:
        """The fewest LUTs within `target` cycles, even over the budget; BRAM fits if it can."""
        candidates = self._candidates(target)
        folding = self._solve(candidates, lambda _, spent: spent.lut, any_logic=True)
        if folding is None:
            cheapest = {name: choices[0][0] for name, choices in candidates.items()}
            folding = make(self.network, cheapest)
        return folding

    def _need(self, target: int) -> str:
        """The resources for `target` cycles that are over the budget, in words."""
        return shortfall(self.least(target).total, self.budget)


def weight(cost: Cost, budget: Resources) -> float:
    """The price of LUTs, BRAM and DSPs in one figure: the shares of the budget that they take.

    LUTs count in full, since many of them make routing harder and the clock slower. BRAM and DSPs
    count little: they stand ready in columns, and unused ones are of no use.
    """
    columns = cost.bram18 / 2 / budget.bram36
    columns += cost.dsp / budget.dsp if cost.dsp else 0
    return cost.lut / budget.lut + _COLUMNS * columns


def _used(cost: Cost) -> tuple[int, ...]:
    return cost.dsp, cost.bram18, cost.lut, cost.ff


def _spent(cost: Cost) -> tuple[int, ...]:
    return *_used(cost), cost.cycles


def _unbeaten(choices: Choices, of: Callable[[Cost], tuple[int, ...]]) -> Choices:
    """Choices that no other one beats in all figures.

    Of choices with equal figures, the one with the fewest outputs stays.
    """
    kept: Choices = []
    # A choice that another beats comes after it in this order.
    for choice in sorted(choices, key=lambda o: (*of(o[1]), o[0].pe)):
        figures = of(choice[1])
        if not any(all(map(le, of(other), figures)) for _, other in kept):
            kept.append(choice)
    return kept


def choices(stage: Stage, *, dsp: bool, cycles: float = inf) -> Choices:
    """All folds of a stage's unit, with DSPs or without, and the cost of the stage with each.

    cycles: leave out folds that take more per frame.
    """
    folds = [
        replace(fold, lines=lines)
        for fold in stage.unit.folds(stage.window, dsp=dsp, cycles=cycles)
        for lines in stage.legal_lines(fold)
        if stage.fits(fold)
    ]
    costed = [(fold, sum(stage.costs(fold).values(), NOTHING)) for fold in folds]
    return [choice for choice in costed if choice[1].cycles <= cycles]
