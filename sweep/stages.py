"""The search, stage by stage: hardware costs, short training, longer training, builds.

What a stage finds goes into the trial table before the next one begins; a sweep that is started
again goes through the same stages and finds their jobs done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil
from typing import Any

from quant.dataset import CIFAR10, Task
from quant.pruning import resized
from sweep import engine
from sweep.candidate import Candidate
from sweep.config import Sweep
from sweep.design import Design, Trial, designs
from sweep.engine import Workers
from sweep.errors import UnreachableError
from sweep.job import Job, Outcome, in_order
from sweep.pareto import best, dominates, fronts
from sweep.plan import Plan
from sweep.table import Table

_COSTS = ("fps", "cycles", "latency_us", "lut", "bram36", "dsp")


class Search:
    """One sweep, its table and its workers."""

    def __init__(
        self,
        sweep: Sweep,
        table: Table,
        workers: Workers,
        *,
        task: Task = CIFAR10,
        files: str = "",
        begin: Callable[[str, int], None],
        ended: Callable[[Job, Outcome], None],
    ) -> None:
        """Set up; task, files: of the data set; begin, ended: told of each stage and each job."""
        self.sweep, self.table, self.workers = sweep, table, workers
        self.plan = Plan(sweep, task, files)
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
        costed = [
            Candidate(design=design, trials=[Trial(design=design, seed=seed) for seed in seeds])
            for design in designs(self.sweep.space)
        ]
        self.table.add(trial for candidate in costed for trial in candidate.trials)
        folded = [
            candidate.design for candidate in costed if candidate.design.schedule == "folding"
        ]
        lost = self._do("filters for the folding", [self.plan.fit(design) for design in folded])
        costed = self._drop(costed, lambda candidate: lost.get(self._fit_id(candidate.design)))
        jobs = {}
        for candidate in costed:
            filters = self.plan.filters(candidate.design, self.done)
            candidate.filters = dict.fromkeys(candidate.trials, filters)
            jobs[candidate.design] = self.plan.cost(candidate.design, filters)
        lost = self._do("hardware", jobs.values())
        costed = self._drop(costed, lambda candidate: lost.get(jobs[candidate.design].id))
        for candidate in costed:
            candidate.cost = dict.fromkeys(candidate.trials, self.done[jobs[candidate.design].id])
        self._note_costs(costed, "costed")
        return costed

    def _fit_id(self, design: Design) -> str:
        return self.plan.fit(design).id if design.schedule == "folding" else ""

    def _drop(
        self, candidates: Sequence[Candidate], why: Callable[[Candidate], str | None]
    ) -> list[Candidate]:
        """Candidates without a reason against them; the others become failed, with the reason."""
        lost = {candidate.design: why(candidate) for candidate in candidates}
        self._mark(
            (candidate, "failed", text)
            for candidate in candidates
            if (text := lost[candidate.design]) is not None
        )
        return [candidate for candidate in candidates if lost[candidate.design] is None]

    def _all(
        self, stage: str, candidates: Sequence[Candidate], jobs: dict[Trial, Job]
    ) -> list[Candidate]:
        """Do each trial's job; returns the candidates all of whose trials have a result."""
        lost = self._do(stage, jobs.values())
        return self._drop(
            candidates,
            lambda candidate: next(
                (lost[jobs[t].id] for t in candidate.trials if jobs[t].id in lost), None
            ),
        )

    def _mark(self, rows: Iterable[tuple[Candidate, str, str]]) -> None:
        self.table.update(
            (trial, {"state": state, "why": why})
            for candidate, state, why in rows
            for trial in candidate.trials
        )

    def _note_costs(self, candidates: Iterable[Candidate], state: str) -> None:
        self.table.update(
            (
                trial,
                {
                    "state": state,
                    "why": "",
                    "filters": " ".join(map(str, candidate.filters[trial])),
                    **{key: candidate.cost[trial][key] for key in _COSTS},
                },
            )
            for candidate in candidates
            for trial in candidate.trials
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
        for candidate in candidates:
            why = next(filter(None, map(self.why_not, candidate.cost.values())), "")
            if why:
                skipped.append((candidate, "skipped", why))
            else:
                kept.append(candidate)
        self._mark(skipped)
        if not kept and candidates:
            raise UnreachableError(self._unreachable(candidates))
        return kept

    def _unreachable(self, candidates: Sequence[Candidate]) -> str:
        limits = self.sweep.constraints
        asked = [f"{limits.min_fps:,.0f} frames/s"] if limits.min_fps else ["any rate"]
        if limits.max_lut:
            asked.append(f"{limits.max_lut:,} LUTs")

        def misses(candidate: Candidate) -> tuple[float, float]:
            cost = candidate.cost[candidate.trials[0]]
            room = candidate.design.limits(limits.max_lut).room
            over = [cost["lut"] / room.lut, cost["bram36"] / room.bram36]
            rate = max(limits.min_fps or 0.0, candidate.design.target_fps) or cost["fps"]
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
        for candidate in candidates:
            trial = candidate.trials[0]
            cost = self.plan.cost(candidate.design, candidate.filters[trial])
            key = (self.plan.quantised(trial, 0).id, cost.id)
            if first.setdefault(key, candidate) is not candidate:
                twins.append((candidate, "skipped", f"the same as {first[key].design.label}"))
        self._mark(twins)
        return list(first.values())

    def undominated(self, candidates: list[Candidate]) -> list[Candidate]:
        """Candidates without those that are no faster than one with more bits and filters.

        More bits and more filters of the same network, ranked and pruned alike, are taken to be
        no less accurate.
        """
        groups: dict[Any, list[Candidate]] = {}
        for candidate in candidates:
            groups.setdefault((candidate.design.board, candidate.design.training), []).append(
                candidate
            )
        beaten = []
        for group in groups.values():
            figures = [candidate.capacity for candidate in group]
            for candidate, own in zip(group, figures, strict=True):
                over = (o for o, other in zip(group, figures, strict=True) if dominates(other, own))
                if (other := next(over, None)) is not None:
                    why = f"no faster than {other.design.label}, which has all its bits and filters"
                    beaten.append((candidate, "skipped", why))
        self._mark(beaten)
        out = {candidate.design for candidate, _, _ in beaten}
        return [candidate for candidate in candidates if candidate.design not in out]

    def outranked(self, candidates: list[Candidate]) -> list[Candidate]:
        """As many as may be trained: the best in frames/s and in bit operations per frame."""
        most = self.sweep.search.trials
        points = [
            (candidate.fps, float(self.bit_operations(candidate))) for candidate in candidates
        ]
        chosen = {candidates[n].design for n in best(points, most)}
        self._mark(
            (candidate, "skipped", f"not among the best {most} in frames/s and bit operations")
            for candidate in candidates
            if candidate.design not in chosen
        )
        return [candidate for candidate in candidates if candidate.design in chosen]

    def bit_operations(self, candidate: Candidate) -> int:
        """Multiply-accumulates of a frame, each times the bits of weight and activation."""
        filters = candidate.filters[candidate.trials[0]]
        network = resized(self.plan.network(candidate.design), filters)
        widths = candidate.design.quantisation(network).inputs(network)
        layers = zip(network.costs(), widths, strict=True)
        return sum(macs * weight * inputs for (_, macs), (weight, inputs) in layers)

    def trained(self, candidates: list[Candidate], rung: int) -> list[Candidate]:
        """Train up to a rung, then cost with the filters that are left, at last the weights too."""
        jobs = {
            t: self.plan.quantised(t, rung) for candidate in candidates for t in candidate.trials
        }
        epochs = self.sweep.training.rungs[rung]
        kept = self._all(f"training {rung + 1}, {epochs} epochs", candidates, jobs)
        costs = {}
        for candidate in kept:
            for trial in candidate.trials:
                candidate.trained[trial] = self.done[jobs[trial].id]
                candidate.filters[trial] = candidate.trained[trial]["filters"]
                costs[trial] = (
                    self.plan.folded(trial)
                    if rung == self.plan.last
                    else self.plan.cost(candidate.design, candidate.filters[trial])
                )
        kept = self._all("hardware as trained", kept, costs)
        for candidate in kept:
            candidate.cost = {trial: self.done[costs[trial].id] for trial in candidate.trials}
        self._note_costs(kept, f"trained {rung + 1}")
        columns = ("epochs", "validation", "accuracy", "test_images")
        self.table.update(
            (trial, {**{key: result[key] for key in columns}, "model": result["weights"]})
            for candidate in kept
            for trial, result in candidate.trained.items()
        )
        return self.feasible(kept)

    def survivors(self, candidates: list[Candidate], rung: int) -> list[Candidate]:
        """The best share of a rung, board by board; all of the last one."""
        if rung == self.plan.last:
            return candidates
        share, kept = self.sweep.training.keep, []
        for board in self.sweep.space.boards:
            group = [candidate for candidate in candidates if candidate.design.board == board]
            chosen = best([candidate.figures for candidate in group], ceil(share * len(group)))
            kept += [group[n] for n in chosen]
        out = [candidate for candidate in candidates if candidate not in kept]
        self._mark(
            (candidate, "stopped", f"not among the best {share:.0%} in training {rung + 1}")
            for candidate in out
        )
        return kept

    def front(self, candidates: list[Candidate]) -> list[Candidate]:
        """Candidates that no other one for the same board beats, the most accurate first.

        Raises:
            UnreachableError: if none is accurate enough; names the nearest.
        """
        least = self.sweep.constraints.min_accuracy or 0.0
        right = [candidate for candidate in candidates if candidate.validation >= least]
        self._mark(
            (
                candidate,
                "skipped",
                f"{candidate.validation:.2%}, less than min_accuracy = {least:.2%}",
            )
            for candidate in candidates
            if candidate not in right
        )
        if not right and candidates:
            near = max(candidates, key=lambda candidate: candidate.figures)
            raise UnreachableError(
                f"none of {len(candidates)} trained candidates reaches {least:.2%} of the held-out "
                f"images; the nearest is {near.design.label}: {near.validation:.2%} at "
                f"{near.fps:,.0f} frames/s; ask for that, train longer, or give more bits or "
                "filters to the space"
            )
        found = []
        for board in self.sweep.space.boards:
            group = [candidate for candidate in right if candidate.design.board == board]
            found += [
                group[n] for n in next(fronts([candidate.figures for candidate in group]), [])
            ]
        self._mark((candidate, "front", candidate.missed) for candidate in found)
        self._mark(
            (candidate, "beaten", "another is as accurate and as fast, and better in one")
            for candidate in right
            if candidate not in found
        )
        return sorted(found, key=lambda candidate: candidate.figures, reverse=True)

    def built(self, front: list[Candidate]) -> None:
        """Build the best of the front, each with its best seed."""
        chosen = [
            front[n]
            for n in best([candidate.figures for candidate in front], self.sweep.search.builds)
        ]
        jobs = {}
        for candidate in chosen:
            trial = max(candidate.trials, key=lambda t: candidate.trained[t]["validation"])
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
                    "simulated_fps": result["fps"],
                    **{
                        key: result[key]
                        for key in ("cycles", "latency_us", "lut", "bram36", "dsp", "report")
                    },
                },
            )
            for trial, job in jobs.items()
            if (result := self.done.get(job.id)) is not None
        )
