"""The jobs of a trial: what it costs, and the trainings that it shares with others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

from quant.config import Network
from quant.config_json import network_to_json
from quant.dataset import CIFAR10, Task
from quant.pruning import resized
from sweep.config import Sweep
from sweep.counts import even
from sweep.design import NOT_PRUNED, Design, Limits, Trial, base_network
from sweep.job import Job


class Plan:
    """Makes jobs of a sweep's settings; equal jobs of different trials are one."""

    def __init__(self, sweep: Sweep, task: Task = CIFAR10, files: str = "") -> None:
        """Of a sweep on the images of a task; files: what these are, of `quant.dataset`."""
        self.sweep, self.task, self.files = sweep, task, files
        self._networks: dict[str, Network] = {}

    def network(self, design: Design) -> Network:
        """The network with all filters, as it is trained."""
        if design.network not in self._networks:
            network = base_network(design.network, self.sweep.training.recipe, self.task)
            self._networks[design.network] = network
        return self._networks[design.network]

    @cached_property
    def _data(self) -> dict[str, Any]:
        training = self.sweep.training
        counts = {key: getattr(training, key) for key in ("images", "held_out", "test_images")}
        # Sweeps on CIFAR-10 are older than the choice, and their jobs' names stay.
        return {**counts, "files": self.files} if self.files else counts

    def _settings(self, seed: int, epochs: int, **more: Any) -> dict[str, Any]:
        training = self.sweep.training
        given = {key: getattr(training, key) for key in ("recipe", "batch", "precision")}
        return {**given, "data": self._data, "seed": seed, "epochs": epochs, **more}

    def filters(self, design: Design, done: dict[str, dict[str, Any]]) -> list[int]:
        """Filters of each convolution as planned; done: results, the design's `fit` among them.

        Exact for `even`, to be seen after training for the other schedules.
        """
        network = self.network(design)
        if design.schedule == "folding":
            return list(done[self.fit(design).id]["filters"])
        return even(network, self.sweep.space.pruning, design.iterations)

    def cost(self, design: Design, filters: Sequence[int]) -> Job:
        """What the design costs with so many filters."""
        network = resized(self.network(design), list(filters))
        return Job.of(
            "cost",
            {
                "network": network_to_json(network),
                "quantisation": asdict(design.quantisation(network)),
                **asdict(self._limits(design)),
            },
        )

    def _limits(self, design: Design) -> Limits:
        return design.limits(self.sweep.constraints.max_lut)

    def fit(self, design: Design, *probe: Job) -> Job:
        """The filters that the target rate asks for; without a probe all layers are worth alike."""
        network, limits = self.network(design), self._limits(design)
        settings = {
            "network": network_to_json(network),
            "quantisation": asdict(design.quantisation(network)),
            "room": asdict(limits.room),
            "cycles": limits.cycles,
            "block": self.sweep.space.pruning.block,
        }
        return Job.of("fit", settings, *probe)

    def ancestor(self, trial: Trial) -> Job:
        """The float training that a trial is quantised from."""
        design, training = trial.design, self.sweep.training
        network = self.network(design)
        settings = self._settings(
            trial.seed, training.float_epochs, network=network_to_json(network)
        )
        job = Job.of("float", settings)
        if design.schedule == NOT_PRUNED:
            return job
        job = self._folded(trial, job) if design.schedule == "folding" else self._pruned(trial, job)
        if training.pruned_epochs:
            job = Job.of("tune", self._settings(trial.seed, training.pruned_epochs), job)
        return job

    def _pruned(self, trial: Trial, start: Job) -> Job:
        """Pruned step by step, each step a job of its own."""
        design, pruning = trial.design, self.sweep.space.pruning
        before = self.network(design).filters
        for iteration in range(1, design.iterations + 1):
            counts = None
            if design.schedule == "even":
                counts = even(self.network(design), pruning, iteration)
                if counts == before:
                    continue
                before = counts
            start = Job.of("prune", self._pruning(trial, counts=counts, iterations=0), start)
        return start

    def _folded(self, trial: Trial, start: Job) -> Job:
        """Pruned in several steps to the filters that the target rate asks for."""
        design, training = trial.design, self.sweep.training
        asked = {"ranking": design.ranking, "block": self.sweep.space.pruning.block}
        probe = Job.of("probe", self._settings(trial.seed, training.tune_epochs, **asked), start)
        settings = self._pruning(trial, counts=None, iterations=design.iterations)
        return Job.of("prune", settings, start, self.fit(design, probe))

    def _pruning(self, trial: Trial, **more: Any) -> dict[str, Any]:
        common = {"ranking": trial.design.ranking, "share": self.sweep.space.pruning.share}
        return self._settings(trial.seed, self.sweep.training.tune_epochs, **common, **more)

    def quantised(self, trial: Trial, rung: int) -> Job:
        """The trial's training up to a rung: from float, then further from the rung before."""
        start = self.ancestor(trial)
        network = self.network(trial.design)
        job: Job | None = None
        for epochs in self.sweep.training.rungs[: rung + 1]:
            quantisation = asdict(trial.design.quantisation(network))
            settings = self._settings(trial.seed, epochs, quantisation=quantisation)
            job = Job.of("quantise", settings, start, *([job] if job else []))
        assert job is not None
        return job

    @property
    def last(self) -> int:
        """The last rung."""
        return len(self.sweep.training.rungs) - 1

    def folded(self, trial: Trial) -> Job:
        """The trial's folding with the weights that it has after all training."""
        trained = self.quantised(trial, self.last)
        return Job.of("fold", asdict(self._limits(trial.design)), trained)

    def build(self, trial: Trial) -> Job:
        """Build the trial for its board, after all training."""
        design, search = trial.design, self.sweep.search
        settings = {
            "board": design.board,
            "clock_mhz": design.clock_mhz,
            "images": search.images,
            "tool": search.tool,
        }
        return Job.of("build", settings, self.quantised(trial, self.last), self.folded(trial))
