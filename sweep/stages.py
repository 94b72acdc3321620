"""The search, stage by stage: hardware costs, short training, longer training, builds.

What a stage finds goes into the trial table before the next one begins; a sweep that is started
again goes through the same stages and finds their jobs done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import mean
from typing import Any

from quant.config import Pool, layer_names
from quant.prune import resized
from sweep import engine
from sweep.config import Sweep
from sweep.design import Design, Trial, designs
from sweep.engine import Workers
from sweep.errors import UnreachableError
from sweep.job import Job, Outcome, in_order
from sweep.pareto import best, dominates, fronts
from sweep.placeholder import PIXEL_BITS
from sweep.plan import Plan
from sweep.table import Table

_COSTS = ("fps", "cycles", "latency_us", "lut", "bram36", "dsp")


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
        return min(float(each["fps"]) for each in self.cost.values())

    @property
    def validation(self) -> float:
        """Held-out accuracy, the mean of the seeds."""
        return mean(float(each["validation"]) for each in self.trained.values())

    @property
    def missed(self) -> str:
        """Why the rate that was asked for is not reached, "" if it is."""
        return next((str(each["why"]) for each in self.cost.values() if each["why"]), "")

    @property
    def figures(self) -> tuple[float, ...]:
        """What counts: accuracy and rate."""
        return (self.validation, self.fps)


class Search:
    """One sweep, its table and its workers."""

    def __init__(
        self,
        sweep: Sweep,
        table: Table,
        workers: Workers,
        *,
        begin: Callable[[str, int], None],
        ended: Callable[[Job, Outcome], None],
    ) -> None:
        """Set up; begin: told of each stage and its jobs; ended: of each job."""
        self.sweep, self.table, self.workers = sweep, table, workers
        self.plan = Plan(sweep)
        self.done = table.results()
        self._begin, self._ended = begin, ended

    def run(self) -> list[Candidate]:
        """Go through all stages; the front, the most accurate first.

        Raises:
            UnreachableError: if no candidate meets the constraints; names the nearest one.
        """
        kept = self.planned()
        for rung in range(len(self.sweep.training.rungs)):
            kept = self.survivors(self.trained(kept, rung), rung)
        front = self.front(kept)
        self.built(front)
        return front

    def planned(self) -> list[Candidate]:
        """Candidates that are worth a training, by hardware costs alone."""
        return self.outranked(self.undominated(self.distinct(self.feasible(self.costed()))))

    def _do(self, stage: str, jobs: Iterable[Job]) -> dict[str, str]:
        """Do the jobs that are not done yet; returns why some have no result, by their ids."""
        wanted = in_order(jobs)
        self._begin(stage, sum(job.id not in self.done for job in wanted))

        def ended(job: Job, outcome: Outcome) -> None:
            self.table.keep(job.kind, outcome)
            self._ended(job, outcome)

        return engine.run(wanted, self.done, self.workers, ended)

    def costed(self) -> list[Candidate]:
        """All designs of the space with their hardware costs, before any training."""
        seeds = self.sweep.space.seeds
        made = [
            Candidate(design=design, trials=[Trial(design=design, seed=seed) for seed in seeds])
            for design in designs(self.sweep.space)
        ]
        self.table.add(trial for each in made for trial in each.trials)
        folded = [each.design for each in made if each.design.schedule == "folding"]
        lost = self._do("filters for the folding", [self.plan.fit(design) for design in folded])
        made = self._drop(made, lambda each: lost.get(self._fit_id(each.design)))
        jobs = {}
        for each in made:
            filters = self.plan.filters(each.design, self.done)
            each.filters = dict.fromkeys(each.trials, filters)
            jobs[each.design] = self.plan.cost(each.design, filters)
        lost = self._do("hardware", jobs.values())
        made = self._drop(made, lambda each: lost.get(jobs[each.design].id))
        for each in made:
            each.cost = dict.fromkeys(each.trials, self.done[jobs[each.design].id])
        self._note_costs(made, "costed")
        return made

    def _fit_id(self, design: Design) -> str:
        return self.plan.fit(design).id if design.schedule == "folding" else ""

    def _drop(
        self, candidates: Sequence[Candidate], why: Callable[[Candidate], str | None]
    ) -> list[Candidate]:
        """Candidates without a reason against them; the others become failed, with the reason."""
        lost = {each.design: why(each) for each in candidates}
        self._mark(
            (each, "failed", text) for each in candidates if (text := lost[each.design]) is not None
        )
        return [each for each in candidates if lost[each.design] is None]

    def _all(
        self, stage: str, candidates: Sequence[Candidate], jobs: dict[Trial, Job]
    ) -> list[Candidate]:
        """Do each trial's job; returns the candidates all of whose trials have a result."""
        lost = self._do(stage, jobs.values())
        return self._drop(
            candidates,
            lambda each: next((lost[jobs[t].id] for t in each.trials if jobs[t].id in lost), None),
        )

    def _mark(self, rows: Iterable[tuple[Candidate, str, str]]) -> None:
        self.table.update(
            (trial, {"state": state, "why": why})
            for each, state, why in rows
            for trial in each.trials
        )

    def _note_costs(self, candidates: Iterable[Candidate], state: str) -> None:
        self.table.update(
            (
                trial,
                {
                    "state": state,
                    "why": "",
                    "filters": " ".join(map(str, each.filters[trial])),
                    **{key: each.cost[trial][key] for key in _COSTS},
                },
            )
            for each in candidates
            for trial in each.trials
        )

    def why_not(self, cost: dict[str, Any]) -> str:
        """Why a cost is not acceptable, "" if it is."""
        if not cost["fits"]:
            return str(cost["why"])
        least = self.sweep.constraints.min_fps
        if least is not None and cost["fps"] < least:
            return f"{cost['fps']:,.0f} frames/s, fewer than min_fps = {least:,.0f}"
        return ""

    def feasible(self, candidates: list[Candidate]) -> list[Candidate]:
        """Those that fit, fast enough.

        Raises:
            UnreachableError: if there are none; names the nearest.
        """
        kept, skipped = [], []
        for each in candidates:
            why = next(filter(None, map(self.why_not, each.cost.values())), "")
            if why:
                skipped.append((each, "skipped", why))
            else:
                kept.append(each)
        self._mark(skipped)
        if not kept and candidates:
            raise UnreachableError(self._unreachable(candidates))
        return kept

    def _unreachable(self, candidates: Sequence[Candidate]) -> str:
        limits = self.sweep.constraints
        asked = [f"{limits.min_fps:,.0f} frames/s"] if limits.min_fps else ["any rate"]
        if limits.max_lut:
            asked.append(f"{limits.max_lut:,} LUTs")

        def misses(each: Candidate) -> tuple[float, float]:
            cost = each.cost[each.trials[0]]
            room = each.design.limits(limits.max_lut).room
            over = [cost["lut"] / room.lut, cost["bram36"] / room.bram36]
            rate = max(limits.min_fps or 0.0, each.design.target_fps) or cost["fps"]
            return max(1.0, *over) * max(1.0, rate / cost["fps"]), -cost["fps"]

        near = min(candidates, key=misses)
        cost = near.cost[near.trials[0]]
        return (
            f"none of {len(candidates):,} candidates reaches {' with '.join(asked)}; the nearest "
            f"is {near.design.label}: {cost['fps']:,.0f} frames/s with {cost['lut']:,} LUTs and "
            f"{cost['bram36']:g} BRAM36; ask for that, or give fewer bits, more pruning or a "
            "larger budget to the space"
        )

    def distinct(self, candidates: list[Candidate]) -> list[Candidate]:
        """Candidates without those whose training and folding are the same as another's."""
        first: dict[tuple[str, str], Candidate] = {}
        twins = []
        for each in candidates:
            trial = each.trials[0]
            cost = self.plan.cost(each.design, each.filters[trial])
            key = (self.plan.quantised(trial, 0).id, cost.id)
            if first.setdefault(key, each) is not each:
                twins.append((each, "skipped", f"the same as {first[key].design.label}"))
        self._mark(twins)
        return list(first.values())

    def undominated(self, candidates: list[Candidate]) -> list[Candidate]:
        """Candidates without those that are no faster than one with more bits and filters.

        More bits and more filters of the same network, ranked and pruned alike, are taken to be
        no less accurate.
        """
        groups: dict[Any, list[Candidate]] = {}
        for each in candidates:
            groups.setdefault((each.design.board, each.design.training), []).append(each)
        beaten = []
        for group in groups.values():
            figures = [_capacity(each) for each in group]
            for each, own in zip(group, figures, strict=True):
                over = (o for o, other in zip(group, figures, strict=True) if dominates(other, own))
                if (other := next(over, None)) is not None:
                    why = f"no faster than {other.design.label}, which has all its bits and filters"
                    beaten.append((each, "skipped", why))
        self._mark(beaten)
        out = {each.design for each, _, _ in beaten}
        return [each for each in candidates if each.design not in out]

    def outranked(self, candidates: list[Candidate]) -> list[Candidate]:
        """As many as may be trained: the best in frames/s and in bit operations per frame."""
        most = self.sweep.search.trials
        points = [(each.fps, float(self.bit_operations(each))) for each in candidates]
        chosen = {candidates[n].design for n in best(points, most)}
        self._mark(
            (each, "skipped", f"not among the best {most} in frames/s and bit operations")
            for each in candidates
            if each.design not in chosen
        )
        return [each for each in candidates if each.design in chosen]

    def bit_operations(self, candidate: Candidate) -> int:
        """Multiply-accumulates of a frame, each times the bits of weight and activation."""
        filters = candidate.filters[candidate.trials[0]]
        network = resized(self.plan.network(candidate.design), filters)
        named = zip(network.layers, layer_names(network), strict=True)
        names = [name for layer, name in named if not isinstance(layer, Pool)]
        total, inputs = 0, PIXEL_BITS
        widths = candidate.design.quantisation(network).bits([*names, "last"]).values()
        for (_, macs), (weight, act) in zip(network.costs(), widths, strict=True):
            total += macs * weight * inputs
            inputs = act
        return total

    def trained(self, candidates: list[Candidate], rung: int) -> list[Candidate]:
        """Train up to a rung, then cost with the filters that are left, at last the weights too."""
        jobs = {t: self.plan.quantised(t, rung) for each in candidates for t in each.trials}
        epochs = self.sweep.training.rungs[rung]
        kept = self._all(f"training {rung + 1}, {epochs} epochs", candidates, jobs)
        costs = {}
        for each in kept:
            for trial in each.trials:
                each.trained[trial] = self.done[jobs[trial].id]
                each.filters[trial] = each.trained[trial]["filters"]
                costs[trial] = (
                    self.plan.folded(trial)
                    if rung == self.plan.last
                    else self.plan.cost(each.design, each.filters[trial])
                )
        kept = self._all("hardware as trained", kept, costs)
        for each in kept:
            each.cost = {trial: self.done[costs[trial].id] for trial in each.trials}
        self._note_costs(kept, f"trained {rung + 1}")
        columns = ("epochs", "validation", "accuracy", "test_images")
        self.table.update(
            (trial, {**{key: made[key] for key in columns}, "model": made["weights"]})
            for each in kept
            for trial, made in each.trained.items()
        )
        return self.feasible(kept)

    def survivors(self, candidates: list[Candidate], rung: int) -> list[Candidate]:
        """The best share of a rung, board by board; all of the last one."""
        if rung == self.plan.last:
            return candidates
        share, kept = self.sweep.training.keep, []
        for board in self.sweep.space.boards:
            group = [each for each in candidates if each.design.board == board]
            chosen = best([each.figures for each in group], ceil(share * len(group)))
            kept += [group[n] for n in chosen]
        out = [each for each in candidates if each not in kept]
        self._mark(
            (each, "stopped", f"not among the best {share:.0%} in training {rung + 1}")
            for each in out
        )
        return kept

    def front(self, candidates: list[Candidate]) -> list[Candidate]:
        """Candidates that no other one for the same board beats, the most accurate first.

        Raises:
            UnreachableError: if none is accurate enough; names the nearest.
        """
        least = self.sweep.constraints.min_accuracy or 0.0
        right = [each for each in candidates if each.validation >= least]
        self._mark(
            (each, "skipped", f"{each.validation:.2%}, less than min_accuracy = {least:.2%}")
            for each in candidates
            if each not in right
        )
        if not right and candidates:
            near = max(candidates, key=lambda each: each.figures)
            raise UnreachableError(
                f"none of {len(candidates)} trained candidates reaches {least:.2%} of the held-out "
                f"images; the nearest is {near.design.label}: {near.validation:.2%} at "
                f"{near.fps:,.0f} frames/s; ask for that, train longer, or give more bits or "
                "filters to the space"
            )
        found = []
        for board in self.sweep.space.boards:
            group = [each for each in right if each.design.board == board]
            found += [group[n] for n in next(fronts([each.figures for each in group]), [])]
        self._mark((each, "front", each.missed) for each in found)
        self._mark(
            (each, "beaten", "another is as accurate and as fast, and better in one")
            for each in right
            if each not in found
        )
        return sorted(found, key=lambda each: each.figures, reverse=True)

    def built(self, front: list[Candidate]) -> None:
        """Build the best of the front, each with its best seed."""
        chosen = [
            front[n] for n in best([each.figures for each in front], self.sweep.search.builds)
        ]
        jobs = {}
        for each in chosen:
            trial = max(each.trials, key=lambda t: each.trained[t]["validation"])
            jobs[trial] = self.plan.build(trial)
        lost = self._do("builds", jobs.values())
        self.table.update(
            (trial, {"state": "front", "why": f"not built: {lost[job.id]}"})
            for trial, job in jobs.items()
            if job.id in lost
        )
        self.table.update(
            (
                trial,
                {
                    "state": "built",
                    "simulated_fps": made["fps"],
                    **{
                        key: made[key]
                        for key in ("cycles", "latency_us", "lut", "bram36", "dsp", "report")
                    },
                },
            )
            for trial, job in jobs.items()
            if (made := self.done.get(job.id)) is not None
        )


def _capacity(candidate: Candidate) -> tuple[float, ...]:
    """Rate, bits and filters: the more of each, the better."""
    filters = candidate.filters[candidate.trials[0]]
    return (candidate.fps, *candidate.design.bits, *filters)
