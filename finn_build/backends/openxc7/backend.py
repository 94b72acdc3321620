"""The backend of the open tools."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from finn_build.backends import netlist
from finn_build.backends.base import SOURCES, TOP, Backend, Placed, Places
from finn_build.backends.openxc7 import fasm, toolchain
from finn_build.boards import Board, Resources
from finn_build.config import Options
from finn_build.errors import ToolError
from finn_build.flow.pipeline import Build
from finn_build.folding.folding import shortfall
from finn_build.rtl.emitted import read_instances
from finn_build.system.files import identity, load_json

_NETLIST, _FASM = "chip.json", "chip.fasm"
_TOO_MUCH = (
    "\nThe chip takes {} that these tools are known to place; --target-fps asks for a smaller one"
)


class OpenXC7(Backend):
    """nextpnr and Project X-Ray; the netlist is Yosys', the seed with the fastest clock wins."""

    name = "openxc7"
    title = "openXC7"
    share = "openxc7"
    seeded = True
    programs = (*toolchain.PLACERS, *toolchain.PROGRAMS)

    def find(self, board: Board, places: Places) -> toolchain.Setup:
        """Look for programs and databases. Raises ToolError that lists what is missing."""
        return toolchain.find(board.part, chipdb=places.chipdb, prjxray_db=places.prjxray_db)

    def attempt(self, board: Board, places: Places) -> str:
        """Run all tools on an empty chip."""
        setup = self._checked(board, places)
        found = (
            f"{toolchain.version(setup)}, {setup.database}; an empty chip went through all of it"
        )
        if setup.himbaechel and not setup.scripted:
            found += (
                "; it was built without Python, so that it places all by itself and the clock is "
                "slower"
            )
        return found

    def key(self, options: Options) -> Any:
        """The tools and databases, the seeds, and the clock that nextpnr is asked for."""
        setup = self.find(options.target, options)
        files = [identity(path) for path in (setup.nextpnr, setup.chipdb) if path is not None]
        return [setup, files, options.seeds, toolchain.asked_mhz(options.fclk_mhz)]

    def place_and_route(self, build: Build, out: Path) -> Placed:
        """Leave chip.json (netlist) and chip.fasm of the fastest seed.

        Raises ToolError where no seed can be placed and routed.
        """
        options = build.options
        setup = self._checked(options.target, options)
        rtl, parts = build.path("emit"), build.path("synthesise")
        log = build.log("yosys-chip")
        counts = netlist.assemble(rtl, parts, out, files=SOURCES, top=TOP, log=log)
        try:
            routes = toolchain.place_and_route(
                setup,
                out,
                load_json(out / _NETLIST)["modules"][TOP],
                layers=[instance.name for instance in read_instances(rtl)],
                mhz=toolchain.asked_mhz(options.fclk_mhz),
                seeds=options.seeds,
                log=build.log("nextpnr"),
                tick=build.tick,
            )
        except ToolError as error:
            used = Resources(lut=counts.lut, ff=counts.ff, bram36=counts.bram36, dsp=counts.dsp)
            over = shortfall(used, options.target.budget[self.share])
            raise ToolError(f"{error}{over and _TOO_MUCH.format(over)}") from error
        best = routes[0]
        (out / f"seed{best.seed}.fasm").rename(out / _FASM)
        for other in out.glob("seed*.fasm"):
            other.unlink()
        return Placed(
            tool_version=toolchain.version(setup),
            timing="nextpnr's model",
            resources=asdict(counts),
            best=best,
            seeds={route.seed: route.mhz for route in routes},
        )

    def bitstream(self, build: Build, path: Path) -> None:
        """Hold the FASM against the netlist, and write it as a bitstream."""
        source, board = build.path("route", _FASM), build.options.target
        fasm.check(load_json(build.path("route", _NETLIST))["modules"][TOP]["cells"], source)
        toolchain.bitstream(
            self.find(board, build.options),
            source,
            path,
            design=build.options.name,
            size=board.bitstream_bytes,
            log=build.log("frames"),
        )

    def _checked(self, board: Board, places: Places) -> toolchain.Setup:
        """The tools, after they made a bitstream of nothing."""
        setup = self.find(board, places)
        with tempfile.TemporaryDirectory() as scratch:
            toolchain.self_check(setup, Path(scratch), size=board.bitstream_bytes)
        return setup
