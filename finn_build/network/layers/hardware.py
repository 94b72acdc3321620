"""The hardware of a matrix-vector product: its weights are in a memory, or constant."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import ceil

from finn_build.errors import FoldingError
from finn_build.folding.cost import NOTHING, Cost, divisors, rom
from finn_build.folding.fold import Fold
from finn_build.network.layers.matrix import Matrix
from finn_build.network.layers.numbers import Counting, threshold_memory
from finn_build.rtl.design import Design

# Most positions that a unit takes at once, as many as the input brings bytes in a cycle.
MAX_PIXELS = 8
# Deeper block RAMs have ports of 9 bits or fewer; the open tools fill these with wrong words.
MAX_BLOCK_WORDS = 2048


@dataclass(frozen=True, kw_only=True)
class Hardware(ABC):
    """A unit for a layer with a fold; sliding: whether its windows come piece by piece."""

    layer: Matrix
    fold: Fold
    sliding: bool = False

    @abstractmethod
    def check(self) -> None:
        """Raise FoldingError, with what is legal, unless the fold is."""

    @abstractmethod
    def cost(self) -> Cost:
        """Cycles per frame and resources."""

    @abstractmethod
    def latency(self) -> int:
        """Cycles from the last piece of a vector to its result."""

    @abstractmethod
    def build(self, design: Design) -> None:
        """Add the unit to the design, and the modules that bring its vectors."""

    def error(self, text: str) -> FoldingError:
        """An error about the fold of this layer."""
        return FoldingError(f"{self.layer.name}: {text}")

    def divides(self, what: str, value: int, count: int, of: str) -> None:
        """Raise FoldingError unless a number of the fold divides `count`."""
        if not isinstance(value, int) or value < 1 or count % value:
            legal = ", ".join(map(str, divisors(count)))
            raise self.error(f"{what}={value} does not divide {count} {of}; use {legal}")


def thresholds_cost(layer: Matrix, pe: int, acc_bits: int, groups: int, spacing: int) -> Cost:
    """Cost of the comparators of `pe` outputs and their levels.

    The comparisons are spread over the cycles between two results (rtl_templates: nn_threshold).
    """
    if not layer.steps:
        return NOTHING
    counting = Counting.of(layer.steps, spacing)
    ways, depth = counting.ways, groups * counting.slots
    counters = Cost(
        lut=ceil(pe * (ways * (acc_bits * 0.6 + 1) + layer.out_bits)),
        ff=pe * (2 * acc_bits + ways + layer.out_bits),
    )
    bits, memory = pe * ways * acc_bits, threshold_memory(depth)
    return counters + rom(depth, bits, memory) + Cost(lut=0, ff=bits if memory == "block" else 0)
