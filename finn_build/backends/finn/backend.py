"""The backend that runs FINN's own build: another accelerator of the same network."""

from pathlib import Path
from typing import Any

import numpy as np

from finn_build.backends.base import Backend, Placed, Places
from finn_build.backends.finn import dataflow
from finn_build.backends.vivado import batch
from finn_build.boards import Board
from finn_build.config import Options
from finn_build.errors import ToolError
from finn_build.flow.pipeline import Build
from finn_build.network import golden
from finn_build.network.graph import Network


class Finn(Backend):
    """`finn build` of the QONNX model, folded as ours is; it takes Vivado and Vitis HLS."""

    name = "finn"
    title = "FINN"
    share = "vivado"
    boards = tuple(dataflow.BOARDS)
    reads = ("export", "golden", "fold")
    accelerator = "finn"
    lacking = "estimates only"

    def find(self, board: Board, places: Places) -> batch.Setup:
        """Look for Vivado. Raises ToolError that says what to install."""
        return batch.find(board.part, folder=places.vivado)

    def attempt(self, board: Board, places: Places) -> str:
        """Look for Vivado and for Vitis HLS."""
        setup = self.find(board, places)
        compiler = dataflow.find_compiler()
        return f"{dataflow.version(setup)}, {compiler}"

    def key(self, options: Options) -> Any:
        """Where Vivado is looked for, and the clock; the steps before Vivado run without it."""
        return [options.vivado, options.fclk_mhz]

    def place_and_route(self, build: Build, out: Path) -> Placed:
        """Leave a folder with FINN's build; without Vivado, with the steps that do not need it.

        Raises ToolError for a network that FINN cannot build, and where its build fails.
        """
        options = build.options
        network = build.path("golden", "network.npz")
        if not Network.load(network).end.labelled:
            raise ToolError(
                "FINN's build of a network ends in a label, and this network ends in values; use "
                "another --tool"
            )
        with np.load(build.path("export", "vectors.npz"), allow_pickle=False) as stored:
            images = stored["images"]
        dataflow.prepare(
            build.path("export", "model.onnx"),
            network,
            build.path("fold", "folding.json"),
            out,
            settings=dataflow.config(options.board, options.fclk_mhz),
            images=images,
            labels=golden.run(Network.load(network), images).labels,
            log=build.log("finn-estimate"),
        )
        try:
            setup = self.find(options.target, options)
            dataflow.build(setup, out, log=build.log("finn"))
        except ToolError as error:
            raise ToolError(
                f"{error}\nFINN's estimates, {dataflow.cycles(out):,} cycles per frame, are in "
                f"{out / dataflow.OUTPUT / 'report'}"
            ) from error
        best, resources, cycles = dataflow.read(out)
        return Placed(
            tool_version=dataflow.version(setup),
            timing=batch.TIMING,
            resources=resources,
            best=best,
            seeds={best.seed: best.mhz},
            cycles=cycles,
            software=f"{dataflow.OUTPUT}/deploy",
        )

    def bitstream(self, build: Build, path: Path) -> None:
        """Take the bitstream that FINN's build left."""
        board = build.options.target
        batch.settle(
            build.path("route", dataflow.BITFILE),
            path,
            part=board.part,
            design=build.options.name,
            size=board.bitstream_bytes,
        )
