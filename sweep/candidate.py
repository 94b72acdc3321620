"""A design that the search has not dropped, and what is known of it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import mean
from typing import Any

from sweep.design import Design, Trial


@dataclass(kw_only=True)
class Candidate:
    """A design on its way: its trials, its filters and hardware costs, and what it has learned.

    filters, cost, trained: by trial; trained: results of the last training.
    """

    design: Design
    trials: list[Trial]
    filters: dict[Trial, list[int]] = field(default_factory=dict)
    cost: dict[Trial, dict[str, Any]] = field(default_factory=dict)
    trained: dict[Trial, dict[str, Any]] = field(default_factory=dict)

    @property
    def fps(self) -> float:
        """Frames/s predicted, of the slowest seed."""
        return min(float(cost["fps"]) for cost in self.cost.values())

    @property
    def validation(self) -> float:
        """Held-out accuracy, the mean of the seeds."""
        return mean(float(result["validation"]) for result in self.trained.values())

    @property
    def missed(self) -> str:
        """Why the rate that was asked for is not reached, "" if it is."""
        return next((str(cost["why"]) for cost in self.cost.values() if cost["why"]), "")

    @property
    def figures(self) -> tuple[float, ...]:
        """What counts: accuracy and rate."""
        return (self.validation, self.fps)

    @property
    def capacity(self) -> tuple[float, ...]:
        """Rate, bits and filters: the more of each, the better."""
        return (self.fps, *self.design.bits, *self.filters[self.trials[0]])
