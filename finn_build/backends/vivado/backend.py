"""The backend of Vivado."""

import tempfile
from pathlib import Path
from typing import Any

from finn_build.backends.base import SOURCES, TOP, Backend, Placed, Places
from finn_build.backends.vivado import batch
from finn_build.boards import Board
from finn_build.config import Options
from finn_build.errors import ToolError
from finn_build.flow.pipeline import Build
from finn_build.system.files import identity


class Vivado(Backend):
    """The vendor's synthesis, placer, router and timing analysis, from the chip's RTL on."""

    name = "vivado"
    title = "Vivado"
    share = "vivado"
    programs = (batch.PROGRAM,)

    def find(self, board: Board, places: Places) -> batch.Setup:
        """Look for Vivado. Raises ToolError that says what to install."""
        return batch.find(board.part, folder=places.vivado)

    def attempt(self, board: Board, places: Places) -> str:
        """Start it and ask for the board's part. Raises ToolError where it has none."""
        setup = self.find(board, places)
        with tempfile.TemporaryDirectory() as scratch:
            there = batch.parts(setup, [board.part], Path(scratch))
        if not there:
            raise ToolError(batch.no_part(setup))
        return f"{batch.version(setup)}, {setup.program}; it starts and has it"

    def key(self, options: Options) -> Any:
        """The program and the clock."""
        setup = self.find(options.target, options)
        return [setup, identity(setup.program), options.fclk_mhz]

    def place_and_route(self, build: Build, out: Path) -> Placed:
        """Leave a folder in which Vivado made chip.dcp, the routed checkpoint."""
        options = build.options
        setup = self.find(options.target, options)
        best, resources = batch.place_and_route(
            setup,
            build.path("emit"),
            out,
            mhz=options.fclk_mhz,
            files=SOURCES,
            top=TOP,
            log=build.log("vivado"),
        )
        return Placed(
            tool_version=batch.version(setup),
            timing=batch.TIMING,
            resources=resources,
            best=best,
            seeds={best.seed: best.mhz},
        )

    def bitstream(self, build: Build, path: Path) -> None:
        """Write the bitstream of the routed checkpoint."""
        board = build.options.target
        batch.bitstream(
            self.find(board, build.options),
            build.path("route", batch.CHECKPOINT),
            path,
            design=build.options.name,
            size=board.bitstream_bytes,
            log=build.log("vivado-bitstream"),
        )
