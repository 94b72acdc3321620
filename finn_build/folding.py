"""Choose the parallelism of every layer so that the slowest is as fast as the chip allows."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
    """Find a balanced folding within the budget.

    Every layer takes its cheapest fold that meets a common cycle target; the smallest target whose
    sum of costs fits wins. With `max_cycles` the cheapest folding that is fast enough is returned.
    Raises FoldingError if nothing fits, by how much.
    """
    options = {m.name: _options(m, budget) for m in network.mvtus}
    floor = max(
        [cost.fixed(layer).cycles for layer in network.layers if not isinstance(layer, Mvtu)]
    )
    targets = sorted({c.cycles for o in options.values() for _, c in o if c.cycles >= floor})
    if max_cycles is not None:
        folding = _at(network, options, max_cycles) if max_cycles >= floor else None
        if folding is None:
            raise FoldingError(
                f"{network.name}: {max_cycles} cycles per frame cannot be reached; the stream "
                f"itself takes {floor}"
            )
        if not fits(folding.total, budget):
            best = search(network, budget)
            raise FoldingError(
                f"{network.name}: {max_cycles:,} cycles per frame take "
                f"{shortfall(folding.total, budget)}; the fastest that fits takes "
                f"{best.cycles:,} cycles"
            )
        return folding
    for target in [floor, *targets]:
        folding = _at(network, options, target)
        if folding is not None and fits(folding.total, budget):
            return folding
    smallest = _at(network, options, targets[-1])
    if smallest is None:
        raise AssertionError("every layer has a serial fold")
    raise FoldingError(
        f"{network.name} does not fit: its smallest folding takes "
        f"{shortfall(smallest.total, budget)}; use fewer filters or fewer bits"
    )


def _options(layer: Mvtu, budget: Resources) -> list[tuple[Fold, Cost]]:
    """Folds that no other fold beats in cycles at the same or a lower weight, fastest first."""
    found = []
    for pe in cost.divisors(layer.rows):
        for simd in (n for n in cost.divisors(layer.cols) if n <= MAX_SIMD):
            for memory in MEMORIES:
                made = cost.mvtu(layer, pe=pe, simd=simd, memory=memory)
                found.append((Fold(pe=pe, simd=simd, memory=memory), made))
    found.sort(key=lambda o: (_weight(o[1], budget), o[1].cycles, o[0].pe))
    kept: list[tuple[Fold, Cost]] = []
    for option in found:
        if not kept or option[1].cycles < kept[-1][1].cycles:
            kept.append(option)
    return kept[::-1]


def _weight(made: Cost, budget: Resources) -> float:
    """One figure for LUTs and BRAM: the shares of the budget that they take."""
    return made.lut / budget.lut + made.bram18 / 2 / budget.bram36


def _at(
    network: Network, options: dict[str, list[tuple[Fold, Cost]]], target: int
) -> Folding | None:
    """Cheapest folding with every layer within `target` cycles, or None."""
    folds = {}
    for name, choices in options.items():
        fast = [fold for fold, made in choices if made.cycles <= target]
        if not fast:
            return None
        folds[name] = fast[-1]
    return make(network, folds)


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
