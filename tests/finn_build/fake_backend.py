"""A way to a bitstream by a tool that is a file: all that a new one has to say."""

import shutil
from pathlib import Path
from typing import Any

from finn_build.backends.base import SOURCES, Backend, Hop, Placed, Places, Routed
from finn_build.boards import Board
from finn_build.config import Options
from finn_build.errors import ToolError
from finn_build.flow.pipeline import Build
from finn_build.system.files import identity


class Fake(Backend):
    """Places nothing, and its bitstream is a text."""

    name = "fake"
    title = "Fake Place & Route"
    share = "openxc7"
    programs = ("fake-pnr",)

    def find(self, board: Board, places: Places) -> Path:
        found = shutil.which("fake-pnr")
        if found is None:
            raise ToolError("fake-pnr is not on PATH; install fake-pnr")
        return Path(found)

    def attempt(self, board: Board, places: Places) -> str:
        return f"{self.find(board, places)} for {board.part}"

    def key(self, options: Options) -> Any:
        return identity(self.find(options.target, options))

    def place_and_route(self, build: Build, out: Path) -> Placed:
        program = self.find(build.options.target, build.options)
        (out / "chip.fake").write_text(build.path("emit", SOURCES).read_text())
        hops = [Hop(net="x", loads=1, ns=4.0)]
        best = Routed(seed=1, mhz=200.0, start="a", end="b", logic_ns=1.0, hops=hops, used={})
        return Placed(
            tool_version=program.read_text(),
            timing="a guess",
            resources={"lut": 7, "ff": 8, "bram36": 0.5},
            best=best,
            seeds={1: best.mhz},
        )

    def bitstream(self, build: Build, path: Path) -> None:
        path.write_text(f"bits of {build.path('route', 'chip.fake').read_text()}")
