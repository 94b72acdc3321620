"""Choose the parallelism of every layer so that the slowest is as fast as the chip allows."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from finn_build import cost
from finn_build.boards import Resources
from finn_build.cost import Cost
from finn_build.errors import FoldingError
from finn_build.files import load_json, save_json
from finn_build.layers import Mvtu, Network

MEMORIES = ("logic", "block")

# A wider dot product saves hardly a LUT, but identical narrow ones go through Verilator and Yosys
# once for all lanes; a user's folding may be wider.
MAX_SIMD = 144


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Parallelism of one layer: PE outputs, SIMD inputs per cycle, weights in logic or BRAM."""

    pe: int
    simd: int
    memory: str


@dataclass(frozen=True, kw_only=True)
class Folding:
    """Folds by layer name; costs by layer name, of every layer."""

    folds: dict[str, Fold]
    costs: dict[str, Cost]

    @property
    def cycles(self) -> int:
        """Cycles per frame in the steady state: the slowest layer's."""
        return max(c.cycles for c in self.costs.values())

    @property
    def bottleneck(self) -> str:
        """Name of the slowest layer."""
        return max(self.costs, key=lambda name: self.costs[name].cycles)

    @property
    def total(self) -> Resources:
        """Estimated resources; flip-flops are not estimated."""
        return Resources(
            lut=sum(c.lut for c in self.costs.values()),
            ff=0,
            bram36=sum(c.bram18 for c in self.costs.values()) / 2,
            dsp=sum(c.dsp for c in self.costs.values()),
        )

    def save(self, path: Path) -> None:
        """Write the folds as JSON."""
        save_json(path, {name: asdict(f) for name, f in self.folds.items()})

    @classmethod
    def load(cls, path: Path, network: Network) -> "Folding":
        """Read folds that `save` wrote or a user edited.

        Raises FoldingError for a fold that is not legal, with the legal values.
        """
        try:
            stored: dict[str, Any] = load_json(path)
            folds = {name: Fold(**fold) for name, fold in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise FoldingError(
                f"{path}: not a folding ({error}); want {{layer: {{pe, simd, memory}}}}"
            ) from error
        return make(network, folds)


def make(network: Network, folds: dict[str, Fold]) -> Folding:
    """Check folds against the network and add the costs. Raises FoldingError."""
    names = [m.name for m in network.mvtus]
    if sorted(folds) != sorted(names):
        raise FoldingError(f"the folding is for {sorted(folds)}; the network has {sorted(names)}")
    costs = {}
    for layer in network.layers:
        if isinstance(layer, Mvtu):
            fold = folds[layer.name]
            _check(layer.name, "PE", fold.pe, layer.rows, "rows")
            _check(layer.name, "SIMD", fold.simd, layer.cols, "inputs")
            if fold.memory not in MEMORIES:
                raise FoldingError(
                    f"{layer.name}: memory {fold.memory!r} is unknown; use {' or '.join(MEMORIES)}"
                )
            costs[layer.name] = cost.mvtu(layer, pe=fold.pe, simd=fold.simd, memory=fold.memory)
        else:
            costs[layer.name] = cost.fixed(layer)
    return Folding(folds=folds, costs=costs)


def _check(layer: str, what: str, value: int, count: int, of: str) -> None:
    if not isinstance(value, int) or value < 1 or count % value:
        legal = ", ".join(map(str, cost.divisors(count)))
        raise FoldingError(f"{layer}: {what}={value} does not divide {count} {of}; use {legal}")


def search(network: Network, budget: Resources, *, max_cycles: int | None = None) -> Folding:
    """Find the fastest folding within the budget, or the cheapest that is fast enough.

    Exact for the cost model: for a number of cycles per frame, an integer program picks one fold
    per layer, the cheapest in all within the budget; bisection finds the smallest number for which
    there is one. Raises FoldingError if nothing fits, by how much.
    """
    options = {m.name: _options(m) for m in network.mvtus}
    floor = max(
        [cost.fixed(layer).cycles for layer in network.layers if not isinstance(layer, Mvtu)]
    )
    if max_cycles is not None:
        if max_cycles < max([floor, *(min(c.cycles for _, c in o) for o in options.values())]):
            raise FoldingError(
                f"{network.name}: {max_cycles} cycles per frame cannot be reached; the stream "
                f"itself takes {floor}"
            )
        folding = _cheapest(network, options, max_cycles, budget)
        if folding is None:
            best = search(network, budget)
            raise FoldingError(
                f"{network.name}: {max_cycles:,} cycles per frame take "
                f"{_need(network, options, max_cycles, budget)}; the fastest that fits takes "
                f"{best.cycles:,} cycles"
            )
        return folding
    targets = sorted({max(floor, c.cycles) for o in options.values() for _, c in o})
    found = None
    low, high = 0, len(targets)
    while low < high:
        middle = (low + high) // 2
        folding = _cheapest(network, options, targets[middle], budget)
        if folding is None:
            low = middle + 1
        else:
            found, high = folding, middle
    if found is None:
        raise FoldingError(
            f"{network.name} does not fit: its smallest folding takes "
            f"{_need(network, options, targets[-1], budget)}; use fewer filters or fewer bits"
        )
    return found


def step_up(network: Network, folding: Folding, budget: Resources) -> str:
    """What the next faster folding would take, in words; "" if there is none."""
    options = {m.name: _options(m) for m in network.mvtus}
    floor = max(c.cycles for name, c in folding.costs.items() if name not in folding.folds)
    faster = {
        max(floor, c.cycles)
        for choices in options.values()
        for _, c in choices
        if c.cycles < folding.cycles
    }
    target = max((t for t in faster if t < folding.cycles), default=None)
    if target is None or not all(_candidates(options, target, budget).values()):
        return ""
    made = _cheapest(network, options, target, budget)
    need = _need(network, options, target, budget) if made is None else f"{made.total.lut:,} LUTs"
    return f"{target:,} cycles would take {need}"


_Options = dict[str, list[tuple[Fold, Cost]]]


def _options(layer: Mvtu) -> list[tuple[Fold, Cost]]:
    """All folds of a layer."""
    return [
        (Fold(pe=pe, simd=simd, memory=memory), cost.mvtu(layer, pe=pe, simd=simd, memory=memory))
        for pe in cost.divisors(layer.rows)
        for simd in cost.divisors(layer.cols)
        if simd <= MAX_SIMD
        for memory in MEMORIES
    ]


def _weight(made: Cost, budget: Resources) -> float:
    """One figure for LUTs and BRAM: the shares of the budget that they take."""
    return made.lut / budget.lut + made.bram18 / 2 / budget.bram36


def _candidates(
    options: _Options, target: int, budget: Resources
) -> dict[str, list[tuple[Fold, Cost]]]:
    """Folds within `target` cycles that no other beats in LUTs and BRAM, cheapest first."""
    found = {}
    for name, choices in options.items():
        fast = [choice for choice in choices if choice[1].cycles <= target]
        fast.sort(key=lambda o: (o[1].bram18, o[1].lut, o[0].pe))
        kept: list[tuple[Fold, Cost]] = []
        for choice in fast:
            if not kept or choice[1].lut < kept[-1][1].lut:
                kept.append(choice)
        found[name] = sorted(kept, key=lambda o: _weight(o[1], budget))
    return found


def _cheapest(
    network: Network, options: _Options, target: int, budget: Resources, *, any_lut: bool = False
) -> Folding | None:
    """Cheapest folding with every layer within `target` cycles and all in the budget, or None.

    any_lut: the fewest LUTs, however many, with BRAM in the budget.
    """
    candidates = _candidates(options, target, budget)
    if not all(candidates.values()):
        return None
    folds = [(name, *each) for name, choices in candidates.items() for each in choices]
    spent = [cost.fixed(layer) for layer in network.layers if not isinstance(layer, Mvtu)]
    used = np.array([(made.lut, made.bram18) for _, _, made in folds])
    room = np.array([np.inf if any_lut else budget.lut, 2 * budget.bram36])
    room = room - [sum(c.lut for c in spent), sum(c.bram18 for c in spent)]
    one_each = np.array([[name == each for name, _, _ in folds] for each in candidates])
    solved = milp(
        used[:, 0] if any_lut else [_weight(made, budget) for _, _, made in folds],
        integrality=np.ones(len(folds)),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(one_each.astype(float), 1, 1),
            LinearConstraint(used.T.astype(float), -np.inf, room),
        ],
    )
    if solved.x is None:
        return None
    return make(network, {n: f for (n, f, _), x in zip(folds, solved.x, strict=True) if x > 0.5})


def _need(network: Network, options: _Options, target: int, budget: Resources) -> str:
    """What `target` cycles take beyond the budget, in words: LUTs, or BRAM if that is the limit."""
    made = _cheapest(network, options, target, budget, any_lut=True)
    if made is None:
        candidates = _candidates(options, target, budget)
        made = make(network, {name: choices[0][0] for name, choices in candidates.items()})
    return shortfall(made.total, budget)


def fits(used: Resources, budget: Resources) -> bool:
    """Whether LUTs, BRAM and DSPs are within the budget."""
    return used.lut <= budget.lut and used.bram36 <= budget.bram36 and used.dsp <= budget.dsp


def shortfall(used: Resources, budget: Resources) -> str:
    """Resources over budget, in words."""
    over = []
    for name, title in (("lut", "LUTs"), ("bram36", "BRAM36"), ("dsp", "DSPs")):
        have, want = getattr(budget, name), getattr(used, name)
        if want > have:
            over.append(f"{want:,g} {title} of {have:,g}")
    return ", ".join(over)
