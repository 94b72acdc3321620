"""Place, route and write a bitstream with the open tools for 7 series.

nextpnr (with the xilinx architecture of himbaechel, or openXC7's nextpnr-xilinx) places, routes and
times; Project X-Ray's fasm2frames and xc7frames2bit write the configuration.
"""

import os
import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finn_build.backends import bitfile, tools
from finn_build.backends.base import Routed
from finn_build.backends.openxc7 import floorplan, refine, routed
from finn_build.errors import ToolError
from finn_build.system.files import save_json

PLACERS = ("nextpnr-himbaechel", "nextpnr-xilinx")
PROGRAMS = ("fasm2frames", "xc7frames2bit")
INSTALL = (
    "openXC7 packages all of them (github.com/openXC7); --chipdb and --prjxray-db, or "
    "NEXTPNR_XILINX_DIR and PRJXRAY_DB_DIR, say where the databases are"
)
_SCRIPT = "--pre-place"
_PART_FILES = ("part.json", "part.yaml", "package_pins.csv")
# nextpnr improves only the paths that miss the clock it is asked for.
_MARGIN, _LEAST_MHZ = 1.25, 125.0


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The tools and databases for a part.

    chipdb: nextpnr's description of the device, None where it knows its own; database: Project
    X-Ray's folder of the part's family; scripted: nextpnr runs Python before it places.
    """

    part: str
    nextpnr: Path
    fasm2frames: Path
    xc7frames2bit: Path
    chipdb: Path | None
    database: Path
    scripted: bool

    @property
    def tilegrid(self) -> Path:
        """Project X-Ray's map of the fabric."""
        return self.database / _device(self.part) / "tilegrid.json"

    @property
    def himbaechel(self) -> bool:
        """Whether nextpnr is the himbaechel one."""
        return self.nextpnr.name == PLACERS[0]


def find(part: str, *, chipdb: Path | None, prjxray_db: Path | None) -> Setup:
    """Look for everything that a bitstream for the part takes.

    chipdb: the file, or the folder that it is in; prjxray_db: Project X-Ray's database, or its
    folder for the family. Raises ToolError that lists all that is missing, and what to install.
    """
    programs = {name: shutil.which(name) for name in (*PLACERS, *PROGRAMS)}
    nextpnr = next((programs[name] for name in PLACERS if programs[name]), None)
    missing = [] if nextpnr else [f"{' or '.join(PLACERS)} on PATH"]
    missing += [f"{name} on PATH" for name in PROGRAMS if not programs[name]]
    device = database = None
    try:
        device = _chipdb(part, chipdb, needed=nextpnr is not None and nextpnr.endswith(PLACERS[1]))
    except ToolError as error:
        missing.append(str(error))
    try:
        database = _database(part, prjxray_db)
    except ToolError as error:
        missing.append(str(error))
    if missing or nextpnr is None or database is None:
        raise ToolError(f"openxc7 lacks {'; '.join(missing)}. {INSTALL}")
    return Setup(
        part=part,
        nextpnr=Path(nextpnr),
        fasm2frames=tools.find(PROGRAMS[0], INSTALL),
        xc7frames2bit=tools.find(PROGRAMS[1], INSTALL),
        chipdb=device,
        database=database,
        # The older nextpnr-xilinx names its sites differently.
        scripted=nextpnr.endswith(PLACERS[0]) and _SCRIPT in tools.output([nextpnr, "--help"]),
    )


def _device(part: str) -> str:
    """The device of a part: xc7z020 of xc7z020clg400-1, xc7z007s of xc7z007sclg225-1.

    A package is three letters and a number, so that the "s" of xc7z030sbg485 is its package's.
    """
    return re.sub(r"^(xc7z\d+s?)[a-z]{3}\d+.*", r"\1", part)


def _chipdb(part: str, given: Path | None, *, needed: bool) -> Path | None:
    package = part.partition("-")[0]
    device = _device(part)
    names = (f"chipdb-{device}.bin", f"{package}.bin", f"{device}.bin")
    if given is None:
        if needed:
            raise ToolError(f"nextpnr's database of {part} (--chipdb FILE)")
        return None
    if given.is_file():
        if given.name not in names:
            raise ToolError(f"a --chipdb for {part}: {given} should be called {names[0]}")
        return given.resolve()
    found = next((given / name for name in names if (given / name).is_file()), None)
    if found is None:
        raise ToolError(f"a --chipdb for {part}: no {' or '.join(names)} in {given}")
    return found.resolve()


def _database(part: str, given: Path | None) -> Path:
    if given is None:
        raise ToolError(f"Project X-Ray's database of {part} (--prjxray-db DIR)")
    parts = [given / part, *sorted(given.glob(f"*/{part}"))]
    for folder in parts:
        if folder.is_dir():
            gone = [name for name in _PART_FILES if not (folder / name).is_file()]
            if gone:
                raise ToolError(f"a whole --prjxray-db: {folder} has no {', '.join(gone)}")
            return folder.parent.resolve()
    known = sorted(
        {p.parent.name for p in [*given.glob("*/part.json"), *given.glob("*/*/part.json")]}
    )
    raise ToolError(
        f"a --prjxray-db with {part}: {given} has {', '.join(known[:6]) or 'no part at all'}"
    )


def version(setup: Setup) -> str:
    """nextpnr's name and version."""
    said = tools.output([setup.nextpnr, "--version"])
    found = re.search(r"\(Version ([^)]+)\)", said)
    return f"{setup.nextpnr.name} {found[1] if found else 'of unknown version'}"


def asked_mhz(fclk_mhz: float) -> float:
    """The clock that nextpnr is asked for: fast enough that it improves all paths that matter."""
    return max(_LEAST_MHZ, _MARGIN * fclk_mhz)


def constraints(clocks: Sequence[str], mhz: float) -> str:
    """XDC of a chip without ports: its clocks."""
    return "".join(
        f"create_clock -period {1000 / mhz:.3f} [get_nets {clock}]\n" for clock in clocks
    )


def command(setup: Setup, folder: Path, mhz: float, *, seed: int = 1) -> list[str | Path]:
    """nextpnr's command line for folder/chip.json and chip.xdc, up to what it is to leave."""
    xdc = folder / "chip.xdc"
    words: list[str | Path] = [setup.nextpnr]
    if setup.himbaechel:
        words += ["--device", setup.part, "-o", f"xdc={xdc}", "--placer", "static"]
    else:
        words += ["--xdc", xdc]
    if setup.chipdb is not None:
        words += ["--chipdb", setup.chipdb]
    words += ["--json", folder / "chip.json", "--freq", f"{mhz:g}", "--seed", str(seed)]
    return [*words, "--timing-allow-fail"]


def place_command(setup: Setup, folder: Path, seed: int, mhz: float) -> list[str | Path]:
    """Places with the block RAMs as folder/floorplan.py says; leaves seedN.placed.json."""
    words = command(setup, folder, mhz, seed=seed)
    words += [_SCRIPT, folder / "floorplan.py", "--no-route"]
    return [*words, "--write", folder / f"seed{seed}.placed.json"]


def route_command(setup: Setup, folder: Path, seed: int, mhz: float) -> list[str | Path]:
    """Routes what folder/seedN.py places, or places it itself; leaves seedN.fasm and .json."""
    words = command(setup, folder, mhz, seed=seed)
    fasm = folder / f"seed{seed}.fasm"
    words += ["-o", f"fasm={fasm}"] if setup.himbaechel else ["--fasm", fasm]
    if setup.scripted:
        words += [_SCRIPT, folder / f"seed{seed}.py"]
    return [*words, "--report", folder / f"seed{seed}.json"]


def place_and_route(
    setup: Setup,
    folder: Path,
    module: dict[str, Any],
    *,
    layers: Sequence[str],
    mhz: float,
    seeds: int,
    log: Path,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> list[Routed]:
    """Place and route folder/chip.json with each seed, side by side; returns them, fastest first.

    A nextpnr that runs scripts places, then LUTs and flip-flops are placed once more, and it
    routes; another one does all by itself. module: the chip's of that netlist; layers: the
    accelerator's instances in the order of the stream. Leaves chip.xdc and seedN.fasm in the
    folder and the logs beside `log`. Raises ToolError if no seed succeeds: what ran out, or how
    nextpnr ended.
    """
    folder = folder.resolve()
    if setup.scripted:
        plan = floorplan.script(module["cells"], layers, setup.tilegrid)
        (folder / "floorplan.py").write_text(plan)
    (folder / "chip.xdc").write_text(constraints(routed.clocks(module), mhz))

    def one(seed: int) -> Routed:
        _seed(setup, folder, seed, mhz=mhz, log=log)
        return routed.read(folder / f"seed{seed}.json", module, seed=seed)

    routes, failed = [], []
    with ThreadPoolExecutor(min(seeds, os.cpu_count() or 1)) as pool:
        waiting = [pool.submit(one, seed) for seed in range(1, seeds + 1)]
        try:
            for done in as_completed(waiting):
                try:
                    routes.append(done.result())
                except ToolError as error:
                    failed.append(error)
                tick(len(routes) + len(failed), seeds)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if not routes:
        raise failed[0]
    return sorted(routes, key=lambda route: (-route.mhz, route.seed))


def _seed(setup: Setup, folder: Path, seed: int, *, mhz: float, log: Path) -> None:
    """Place and route with one seed; leaves seedN.fasm and seedN.json in the folder."""
    logs = {
        step: log.with_name(f"{log.stem}-{step}{seed}{log.suffix}")
        for step in ("place", "refine", "route")
    }

    def nextpnr(step: str, words: list[str | Path]) -> None:
        try:
            tools.run(words, cwd=folder, log=logs[step])
        except ToolError as error:
            full = routed.exhausted(logs[step].read_text(errors="replace"))
            raise ToolError(f"{full}\n{error}" if full else str(error)) from error

    if setup.scripted:
        placed, script = folder / f"seed{seed}.placed.json", folder / f"seed{seed}.py"
        nextpnr("place", place_command(setup, folder, seed, mhz))
        refine.run(placed, setup.tilegrid, script, seed=seed, mhz=mhz, log=logs["refine"])
        placed.unlink()
    nextpnr("route", route_command(setup, folder, seed, mhz))


def bitstream(setup: Setup, fasm: Path, out: Path, *, design: str, size: int, log: Path) -> None:
    """Turn a FASM file into the .bit file `out`; size: bytes of configuration data.

    Every step's output is checked: xc7frames2bit makes a file of the right size out of nothing.
    Raises ToolError where a tool fails, or its output is of another part, size or content.
    """
    out = out.resolve()
    frames, raw = out.with_suffix(".frames"), out.with_suffix(".raw")
    tools.run(
        [
            setup.fasm2frames,
            "--part",
            setup.part,
            "--db-root",
            setup.database,
            fasm.resolve(),
            frames,
        ],
        cwd=out.parent,
        log=log.with_name(f"fasm2frames{log.suffix}"),
    )
    words = _frame_words(frames)
    tools.run(
        [
            *(setup.xc7frames2bit, "--part_name", setup.part, "--frm_file", frames),
            *("--part_file", setup.database / setup.part / "part.yaml", "--output_file", raw),
        ],
        cwd=out.parent,
        log=log.with_name(f"xc7frames2bit{log.suffix}"),
    )
    bits = bitfile.read(raw)
    if bits.part != setup.part:
        raise ToolError(f"{raw} is for {bits.part}, not {setup.part}")
    if len(bits.data) != size:
        raise ToolError(f"{raw} has {len(bits.data):,} bytes of configuration, not {size:,}")
    if (kept := bitfile.words(bits.data)) < words:
        raise ToolError(f"{raw} has {kept:,} words that are not zero, its frames {words:,}")
    # No time of day: the same design is the same file.
    replace(bits, design=design, date="1970/01/01", time="00:00:00").write(out)
    frames.unlink()
    raw.unlink()


def _frame_words(frames: Path) -> int:
    """Words that are not zero. Raises ToolError for a file that is not whole or has none."""
    total = 0
    for number, line in enumerate(frames.read_text().splitlines(), start=1):
        words = line.partition(" ")[2].split(",")
        if len(words) != 101:
            raise ToolError(f"{frames}, line {number}: {len(words)} words in a frame, not 101")
        total += len(words) - words.count("0x00000000")
    if not total:
        raise ToolError(f"{frames} has no frame with anything in it")
    return total


def self_check(setup: Setup, folder: Path, *, size: int) -> None:
    """Run every tool on an empty chip: a wrong version or database shows within seconds."""
    module: dict[str, Any] = {"attributes": {"top": "1"}, "ports": {}, "cells": {}, "netnames": {}}
    save_json(folder / "chip.json", {"creator": "headrace", "modules": {"chip": module}})
    (folder / "chip.xdc").write_text("")
    log = folder / "nextpnr.log"
    tools.run([*command(setup, folder, 100), "--pack-only"], cwd=folder, log=log)
    empty = folder / "empty.fasm"
    empty.write_text("")
    bitstream(setup, empty, folder / "chip.bit", design="empty", size=size, log=log)
