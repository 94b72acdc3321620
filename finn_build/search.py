"""Choose the folding whose slowest layer is as fast as the chip allows."""

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from finn_build import cost
from finn_build.boards import Resources
from finn_build.cost import Cost
from finn_build.errors import FoldingError
from finn_build.folding import MEMORIES, Fold, Folding, make, shortfall
from finn_build.layers import Mvtu, Network

# A wider dot product saves hardly a LUT, but identical narrow ones go through Verilator and Yosys
# once for all lanes; a user's folding may be wider.
MAX_SIMD = 144

_Choices = list[tuple[Fold, Cost]]


class Search:
    """All foldings of a network, and a budget.

    Exact for the cost model: for a number of cycles per frame, an integer program picks one fold
    per layer, the cheapest in all within the budget.
    """

    def __init__(self, network: Network, budget: Resources) -> None:
        """List every layer's folds with their costs."""
        self.network = network
        self.budget = budget
        self.choices = {m.name: _choices(m) for m in network.mvtus}
        self.fixed = [cost.fixed(each) for each in network.layers if not isinstance(each, Mvtu)]
        # Below this the stream itself is the limit.
        self.floor = max(c.cycles for c in self.fixed)
        folded = {c.cycles for choices in self.choices.values() for _, c in choices}
        self.targets = sorted({max(self.floor, cycles) for cycles in folded})

    def fastest(self) -> Folding:
        """The folding with the fewest cycles per frame within the budget.

        Raises FoldingError if nothing fits, by how much.
        """
        found = None
        low, high = 0, len(self.targets)
        while low < high:
            middle = (low + high) // 2
            folding = self._cheapest(self.targets[middle])
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

        Raises FoldingError if there is none or it is over the budget, with the nearest that is not.
        """
        if cycles < self.floor or not all(self._candidates(cycles).values()):
            raise FoldingError(
                f"{self.network.name}: {cycles} cycles per frame cannot be reached; the stream "
                f"itself takes {self.floor}"
            )
        folding = self._cheapest(cycles)
        if folding is None:
            raise FoldingError(
                f"{self.network.name}: {cycles:,} cycles per frame take {self._need(cycles)}; "
                f"the fastest that fits takes {self.fastest().cycles:,} cycles"
            )
        return folding

    def step_up(self, folding: Folding) -> str:
        """What the next folding faster than `folding` would take, in words; "" if there is none."""
        target = max((t for t in self.targets if t < folding.cycles), default=None)
        if target is None or not all(self._candidates(target).values()):
            return ""
        made = self._cheapest(target)
        need = self._need(target) if made is None else f"{made.total.lut:,} LUTs"
        return f"{target:,} cycles would take {need}"

    def _weight(self, made: Cost) -> float:
        """One figure for LUTs and BRAM: the shares of the budget that they take."""
        return made.lut / self.budget.lut + made.bram18 / 2 / self.budget.bram36

    def _candidates(self, target: int) -> dict[str, _Choices]:
        """Folds within `target` cycles that no other beats in LUTs and BRAM, cheapest first."""
        found = {}
        for name, choices in self.choices.items():
            fast = [choice for choice in choices if choice[1].cycles <= target]
            fast.sort(key=lambda o: (o[1].bram18, o[1].lut, o[0].pe))
            kept: _Choices = []
            for choice in fast:
                if not kept or choice[1].lut < kept[-1][1].lut:
                    kept.append(choice)
            found[name] = sorted(kept, key=lambda o: self._weight(o[1]))
        return found

    def _cheapest(self, target: int, *, any_lut: bool = False) -> Folding | None:
        """Cheapest folding with every layer within `target` cycles and all in the budget, or None.

        any_lut: the fewest LUTs, however many, with BRAM in the budget.
        """
        candidates = self._candidates(target)
        if not all(candidates.values()):
            return None
        folds = [(name, *each) for name, choices in candidates.items() for each in choices]
        used = np.array([(made.lut, made.bram18) for _, _, made in folds])
        room = np.array([np.inf if any_lut else self.budget.lut, 2 * self.budget.bram36])
        room = room - [sum(c.lut for c in self.fixed), sum(c.bram18 for c in self.fixed)]
        one_each = np.array([[name == each for name, _, _ in folds] for each in candidates])
        solved = milp(
            used[:, 0] if any_lut else [self._weight(made) for _, _, made in folds],
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

    def _need(self, target: int) -> str:
        """What `target` cycles take beyond the budget, in words: LUTs, or BRAM if that lacks."""
        made = self._cheapest(target, any_lut=True)
        if made is None:
            cheapest = {name: choices[0][0] for name, choices in self._candidates(target).items()}
            made = make(self.network, cheapest)
        return shortfall(made.total, self.budget)


def _choices(layer: Mvtu) -> _Choices:
    """All folds of a layer."""
    return [
        (Fold(pe=pe, simd=simd, memory=memory), cost.mvtu(layer, pe=pe, simd=simd, memory=memory))
        for pe in cost.divisors(layer.rows)
        for simd in cost.divisors(layer.cols)
        if simd <= MAX_SIMD
        for memory in MEMORIES
    ]
