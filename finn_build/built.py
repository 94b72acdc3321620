"""Builds from Python: what the command line does, and what can be asked of a build's folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build.backends import verilator
from finn_build.backends.verilator import Simulated
from finn_build.boards import Resources
from finn_build.config import Objective, Options
from finn_build.errors import ConfigError
from finn_build.flow import command
from finn_build.folding.folding import Folding
from finn_build.folding.search import Search
from finn_build.network import golden
from finn_build.network.golden import Outputs
from finn_build.network.graph import Network
from finn_build.system.files import load_json
from headrace.progress import Listener


@dataclass(frozen=True, kw_only=True)
class Built:
    """A build's results.

    folder: where they are; done: the steps that this call did, in order, those that had nothing to
    do left out; empty for a folder that was loaded.
    """

    folder: Path
    done: tuple[str, ...] = field(default=())
    _simulators: dict[str, Path] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def report(self) -> dict[str, Any]:
        """report.json, whose fields docs/results.md names. Raises ConfigError before that step."""
        return dict(self._json("report.json"))

    @cached_property
    def network(self) -> Network:
        """The integer network. Raises ConfigError if the build has not come to it."""
        return Network.load(self._file("golden/network.npz"))

    @cached_property
    def folding(self) -> Folding:
        """How parallel each layer is built, with its estimated cycles and resources."""
        return Folding.load(self._file("fold/folding.json"), self.network)

    def predict(self, images: NDArray[np.uint8]) -> Outputs:
        """What the accelerator gives for images (N, H, W, C) uint8, by the golden model: integers.

        Raises ConfigError for images of another shape or type.
        """
        return golden.run(self.network, self._checked(images))

    def simulate(self, images: NDArray[np.uint8], *, stall: int = 0, seed: int = 0) -> Simulated:
        """What the RTL gives for images (N, H, W, C) uint8 in Verilator, and in which cycles.

        stall: chance in 256 that a side pauses in a cycle; seed: of these chances. The first call
        compiles the simulator. Raises ConfigError for images of another shape or type, ToolError
        if the simulation does not end.
        """
        return self._run("simulation", images, stall=stall, seed=seed)

    def trace(self, images: NDArray[np.uint8], waves: str | Path | None = None) -> Path:
        """Write the waves of the RTL in Verilator while images (N, H, W, C) uint8 go through.

        They are of top's signals and of those in its instances, cycle N from 10 N to 10 N + 10 ns,
        its rising edge in the middle, so that what a signal is at 10 N ns is what the edge takes.

        waves: VCD file to write, FOLDER/waves.vcd if None; some MB for an image. Returns its path.
        The first call compiles the simulator for it. Raises as `simulate` does, and ConfigError
        for a file in no folder.
        """
        path = self.folder / "waves.vcd" if waves is None else Path(waves)
        if not path.parent.is_dir():
            raise ConfigError(f"{path}: there is no folder {path.parent}; make it first")
        self._run("trace", images, waves=path)
        return path

    def fold(
        self,
        *,
        cycles: int | None = None,
        objective: Objective = "throughput",
        budget: Resources | None = None,
    ) -> Folding:
        """Another folding, with its estimated cycles and resources; nothing is built.

        cycles: the cheapest folding of at most so many cycles per frame, not the fastest;
        objective: "latency" for the shortest time of one image; budget: what it may take, else what
        the build could. `Folding.save` writes a file for `build(..., folding=FILE)`. Raises
        FoldingError if nothing fits, ConfigError for cycles beside the objective latency.
        """
        if cycles is not None and objective == "latency":
            raise ConfigError("objective latency has no cycles; leave one of them out")
        if budget is None:
            budget = Resources(**self._json("fold/costs.json")["budget"])
        search = Search(self.network, budget)
        if cycles is not None:
            return search.within(cycles)
        return search.quickest() if objective == "latency" else search.fastest()

    def _run(
        self,
        name: str,
        images: NDArray[np.uint8],
        *,
        stall: int = 0,
        seed: int = 0,
        waves: Path | None = None,
    ) -> Simulated:
        """Run images through a simulator in a folder of the build."""
        images, scratch = self._checked(images), self.folder / name
        if name not in self._simulators:
            log = self.folder / "logs" / f"verilator-{name}.log"
            log.parent.mkdir(exist_ok=True)
            self._simulators[name] = verilator.build(
                self._file("emit"),
                scratch,
                input_bytes=self.network.input_bytes,
                log=log,
                fast=True,
                trace=waves is not None,
            )
        return verilator.run(
            self._simulators[name],
            self._file("emit"),
            images,
            end=self.network.end,
            limit=verilator.patience(self.folding.cycles, self.network),
            scratch=scratch,
            log=self.folder / "logs" / f"{name}.log",
            stall=stall,
            seed=seed,
            waves=waves,
        )

    def _checked(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        network = self.network
        shape = (network.height, network.width, network.channels)
        if images.dtype != np.uint8 or images.shape[1:] != shape or not len(images):
            raise ConfigError(
                f"images {images.shape} of {images.dtype}: want (N, {', '.join(map(str, shape))}) "
                "uint8, at least one"
            )
        return images

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            raise ConfigError(f"{path}: not there; the build has not come to this step")
        return path

    def _json(self, name: str) -> Any:
        return load_json(self._file(name))


def build(
    board: str,
    *,
    model: str | Path,
    first: str | None = None,
    last: str | None = None,
    progress: Listener | None = None,
    **options: Any,
) -> Built:
    """Build the accelerator of a model for a board, as `headrace BOARD` does.

    model: a zoo model's name, a checkpoint (.safetensors) or a QONNX file; first, last: steps to
    begin anew with and to stop after; progress: called with a step's name, what is done of it and
    the whole, beside the lines and bars on the terminal or in the notebook; options: those of
    `finn_build.config.Options`, called as on the command line.
    Raises BuildError's kinds (finn_build.errors) for whatever cannot be built, of them ConfigError
    for options that are unknown or do not go together.
    """
    unknown = sorted(options.keys() - Options.__dataclass_fields__.keys())
    if unknown:
        known = ", ".join(Options.__dataclass_fields__)
        raise ConfigError(f"unknown options {', '.join(unknown)}; known: {known}")
    for name in ("data", "labels", "out", "folding", "chipdb", "prjxray_db", "vivado"):
        if isinstance(options.get(name), str):
            options[name] = Path(options[name])
    asked = Options(board=board, model=str(model), **options)
    made = command.run(asked, first=first, last=last, progress=progress)
    return Built(folder=made.folder, done=tuple(made.done))


def load(folder: str | Path) -> Built:
    """The results in a build's folder, as `build` returns them. Raises ConfigError for others."""
    made = Built(folder=Path(folder))
    made._file("golden/network.npz")
    return made
