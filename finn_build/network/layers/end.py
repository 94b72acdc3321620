"""What all last layers have in common: the 32-bit words that leave the accelerator."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from finn_build.network.layers.base import Codes, Integers, Ints, Layer

# Bits of a word that leaves the accelerator.
OUTPUT_BITS = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class End(Layer):
    """The last layer, which gives a frame's words: a label or none, then integers.

    labelled: whether the first word is a label; integer: what each of the others is called;
    summary, stream: what leaves the accelerator, for the head of top.sv.
    """

    labelled: ClassVar[bool]
    integer: ClassVar[str]
    summary: ClassVar[str]
    stream: ClassVar[str]

    @property
    @abstractmethod
    def integers(self) -> int:
        """Integers of a frame, the label not among them."""

    @property
    @abstractmethod
    def period(self) -> int:
        """After how many integers their scales repeat."""

    @abstractmethod
    def ordered(self, values: NDArray[Any]) -> NDArray[Any]:
        """The file's output for N images (N, ...), as (N, INTEGERS) in the order of the words."""

    @abstractmethod
    def manifest(self, meaning: dict[str, Any]) -> dict[str, Any]:
        """What a deploy folder's manifest says of the words.

        meaning: scale, offset and floor of the integers, for JSON.
        """

    @abstractmethod
    def vectors(self, labels: Ints, integers: Ints) -> dict[str, Ints]:
        """The results of N images by the names that they have in a deploy folder's golden.npz."""

    @property
    def words(self) -> int:
        """Words of a frame."""
        return int(self.labelled) + self.integers

    @property
    def names(self) -> list[str]:
        """What each word is."""
        return ["label"] * self.labelled + [f"{self.integer}{i}" for i in range(self.integers)]

    def split(self, words: Integers) -> tuple[Ints, Ints]:
        """Labels (N,), or (N, 0) where there are none, and integers, of words (N, WORDS)."""
        whole: Ints = words.astype(np.int64)
        return (whole[:, 0], whole[:, 1:]) if self.labelled else (whole[:, :0], whole)

    def doubt(self, *steps: Codes) -> Codes:
        """The codes before it: labels and integers are compared separately."""
        return steps[0]

    @property
    def coded(self) -> bool:
        """Its output is words, not codes."""
        return False
