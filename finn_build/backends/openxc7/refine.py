"""Shorten the wires of a chip that nextpnr placed, before it routes them.

nextpnr's legaliser moves cells far from where its analytic placer wants them, a LUT from its
flip-flop first of all. Here LUTs and flip-flops are placed once more, by simulated annealing
(`refine.cpp`), from nextpnr's placement on; carry chains, memories and the processors stay. The
result is a script that puts every cell in its place in nextpnr's second run, which routes it.
"""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finn_build.backends import tools
from finn_build.errors import ToolError
from finn_build.system.files import load_json

_PLACES = "ABCD"
# What `refine.cpp` calls the kinds of nodes.
_CLOCKED, _LOGIC, _CARRY, _LUT, _PAIR, _REGISTER = range(6)
_LUT_TYPE, _REGISTER_TYPE = "SLICE_LUTX", "SLICE_FFX"
# Cells whose slices keep what belongs to them.
_FIXED_LOGIC = ("CARRY4", "SELMUX2_1")
_MEMORY = "X_LUT_AS_DRAM"
_WRITES = ("W", "D", "CLK")
# Delays in ps: through logic, or from the clock to an output.
_DELAY = {_LUT_TYPE: 150, _REGISTER_TYPE: 400, "CARRY4": 150, "SELMUX2_1": 150}
_BLOCK_DELAY = 2000
# Drivers of nets that go everywhere.
_EVERYWHERE = ("PSEUDO_GND", "PSEUDO_VCC", "BUFGCTRL")

# Moves of a temperature, as a share of the fourth power of the third root of the cells.
_EFFORT = 3.0

Cells = Mapping[str, dict[str, Any]]


def run(placed: Path, tilegrid: Path, script: Path, *, seed: int, mhz: float, log: Path) -> None:
    """Write the script that puts the cells of nextpnr's netlist `placed` where wires are shorter.

    tilegrid: Project X-Ray's tilegrid.json of the fabric; mhz: the clock that paths are weighed by;
    log: gets the annealing's course. Leaves nothing else beside `script`.
    """
    (module,) = load_json(placed)["modules"].values()
    placement = Placement(module["cells"], load_json(tilegrid))
    text, owner = placement.problem()
    with tempfile.TemporaryDirectory() as folder:
        program, problem, result = (Path(folder) / name for name in ("refine", "in", "out"))
        problem.write_text(text)
        compiler = tools.find("g++", "install a C++ compiler")
        source = Path(__file__).with_name("refine.cpp")
        tools.run([compiler, "-O3", "-std=c++17", source, "-o", program], cwd=Path(folder), log=log)
        numbers = (str(seed), f"{_EFFORT:g}", f"{1e6 / mhz:.0f}")
        tools.run([program, problem, result, *numbers], cwd=Path(folder), log=log)
        rows = [line.split() for line in result.read_text().splitlines()]
    places = [(int(slice_), int(place)) for slice_, place in rows]
    script.write_text(placement.script(owner, places))


@dataclass(frozen=True, kw_only=True)
class Site:
    """A slice of the fabric: its tile's column and row, and which of the tile's two it is."""

    x: int
    y: int
    name: str

    def bel(self, name: str) -> str:
        """nextpnr's name of one of its elements."""
        return f"X{self.x}Y{self.y}/{self.name}.{name}"


class Placement:
    """nextpnr's placement as a problem for `refine.cpp`, and its result as a script."""

    def __init__(self, cells: Cells, tiles: Mapping[str, dict[str, Any]]) -> None:
        """Set up; cells: of nextpnr's netlist after placing; tiles: Project X-Ray's tilegrid."""
        self.cells = cells
        self.site = {name: _site(cell) for name, cell in cells.items() if _placed(cell)}
        self.drivers: dict[int, tuple[str, str]] = {}
        self.users: dict[int, list[tuple[str, str]]] = {}
        for name in self.site:
            for port, bit in _connections(cells[name]):
                if cells[name]["port_directions"][port] == "output":
                    self.drivers[bit] = (name, port)
                else:
                    self.users.setdefault(bit, []).append((name, port))
        self.kept = self._kept()
        busy = {self.site[name] for name in self.kept}
        self.free = [site for site in _slices(tiles) if site not in busy]
        if not self.free:
            raise ToolError("carry chains and memories leave no slice for anything else")
        self.partner = self._partners()

    def _kept(self) -> set[str]:
        """Cells that stay: all but LUTs and flip-flops, and what a slice's fixed logic needs."""
        kept = {
            name
            for name in self.site
            if self.cells[name]["type"] not in (_LUT_TYPE, _REGISTER_TYPE)
            or _MEMORY in self.cells[name]["attributes"]
        }
        around = {self.site[name] for name in kept}
        fixed = [name for name in kept if self.cells[name]["type"] in (*_FIXED_LOGIC, _LUT_TYPE)]
        for name in fixed:
            for port, bit in _connections(self.cells[name]):
                if self.cells[name]["port_directions"][port] == "input":
                    near = [self.drivers[bit][0]] if bit in self.drivers else []
                    near = [n for n in near if self.cells[n]["type"] == _LUT_TYPE]
                else:
                    near = [n for n, port in self.users.get(bit, ()) if self._register(n, port)]
                kept.update(n for n in near if self.site[n] == self.site[name])
        assert {self.site[name] for name in kept} == around
        return kept

    def _register(self, name: str, port: str) -> bool:
        """Whether a port is what a flip-flop takes in."""
        return bool(self.cells[name]["type"] == _REGISTER_TYPE and port == "D")

    def _partners(self) -> dict[str, str]:
        """The flip-flop of each LUT that feeds nothing else."""
        partners = {}
        for bit, (name, port) in self.drivers.items():
            users = self.users.get(bit, [])
            if name in self.kept or self.cells[name]["type"] != _LUT_TYPE or len(users) != 1:
                continue
            outputs = [p for p, _ in _connections(self.cells[name]) if p.startswith("O")]
            if outputs == [port] and users[0][0] not in self.kept and self._register(*users[0]):
                partners[name] = users[0][0]
        return partners

    def problem(self) -> tuple[str, list[str]]:
        """The text for `refine.cpp`, and the LUT or flip-flop that stands for each free node."""
        index = {site: k for k, site in enumerate(self.free)}
        sets: dict[tuple[Any, ...], int] = {}
        number: dict[str, int] = {}
        owner: list[str] = []
        rows: list[str] = []
        paired = set(self.partner.values())
        for name, site in self.site.items():
            if name in paired:
                continue
            register = self.partner.get(name, name)
            number[name] = number[register] = len(rows)
            delay = _DELAY.get(self.cells[register]["type"], _BLOCK_DELAY)
            if name in self.kept:
                rows.append(f"{_fixed_kind(self.cells[name])} 0 -1 {site.x} {site.y} {delay} 0")
            else:
                key = sets.setdefault(_shared(self.cells[register]), len(sets))
                at = index[site] if site in index else self._nearest(site)
                pins = _inputs(self.cells[name])
                rows.append(f"{self._free_kind(name)} {key} {at} 0 0 {delay} {pins}")
                owner.append(name)
        writes = {}
        for name in self.site:
            if name in self.kept and _MEMORY in self.cells[name]["attributes"]:
                writes[name] = len(rows)
                rows.append(f"{_CLOCKED} 0 -1 {self.site[name].x} {self.site[name].y} 0 0")
        nets = []
        for bit, (driver, _) in self.drivers.items():
            ends = [
                writes[name] if name in writes and port.startswith(_WRITES) else number[name]
                for name, port in self.users.get(bit, ())
            ]
            if ends and self.cells[driver]["type"] not in _EVERYWHERE:
                nets.append(" ".join(map(str, [1 + len(ends), number[driver], *ends])))
        slices = [f"{site.x} {site.y}" for site in self.free]
        parts = (slices, rows, nets)
        return "\n".join(line for part in parts for line in [str(len(part)), *part]) + "\n", owner

    def _free_kind(self, name: str) -> int:
        if name in self.partner:
            return _PAIR
        return _LUT if self.cells[name]["type"] == _LUT_TYPE else _REGISTER

    def _nearest(self, site: Site) -> int:
        """The free slice that is nearest to another one, in its row if there is one."""
        away = ((abs(s.y - site.y), abs(s.x - site.x), k) for k, s in enumerate(self.free))
        return min(away)[2]

    def script(self, owner: list[str], places: list[tuple[int, int]]) -> str:
        """Python for --pre-place that puts every cell in its place.

        owner: of `problem`; places: slice and place of each, as `refine.cpp` leaves them.
        """
        bels = {
            name: self.cells[name]["attributes"]["NEXTPNR_BEL"]
            for name in self.site
            if name in self.kept
        }
        taken = {place for name, place in zip(owner, places, strict=True) if name in self.partner}
        for name, (slice_, place) in zip(owner, places, strict=True):
            site, letter = self.free[slice_], _PLACES[place]
            if self.cells[name]["type"] == _LUT_TYPE:
                bels[name] = site.bel(f"{letter}6LUT")
                if name in self.partner:
                    bels[self.partner[name]] = site.bel(f"{letter}FF")
            else:
                bels[name] = site.bel(f"{letter}{'5' * ((slice_, place) in taken)}FF")
        return "".join(
            f'ctx.cells[{name!r}].setAttr("BEL", {bel!r})\n' for name, bel in bels.items()
        )


def _fixed_kind(cell: dict[str, Any]) -> int:
    if cell["type"] in _FIXED_LOGIC:
        return _CARRY
    return _LOGIC if cell["type"] == _LUT_TYPE else _CLOCKED


def _inputs(cell: dict[str, Any]) -> int:
    """A LUT's inputs that are connected, or the one of a flip-flop."""
    return sum(port == "D" or port.startswith("A") for port, _ in _connections(cell))


def _shared(cell: dict[str, Any]) -> tuple[Any, ...]:
    """What flip-flops of a slice have in common: clock, enable, reset and its kind."""
    nets = (tuple(cell["connections"].get(port, ())) for port in ("CK", "CE", "SR"))
    return (*nets, cell["attributes"].get("X_FFSYNC"))


def _placed(cell: dict[str, Any]) -> bool:
    return "NEXTPNR_BEL" in cell["attributes"]


def _site(cell: dict[str, Any]) -> Site:
    place, _, name = cell["attributes"]["NEXTPNR_BEL"].partition("/")
    x, y = re.findall(r"\d+", place)
    return Site(x=int(x), y=int(y), name=name.partition(".")[0])


def _slices(tiles: Mapping[str, dict[str, Any]]) -> list[Site]:
    """Every slice, by the tiles' places."""
    return sorted(
        (
            Site(x=tile["grid_x"], y=tile["grid_y"], name=f"SLICE_X{half}Y0")
            for tile in tiles.values()
            if tile["type"].startswith("CLB")
            for half in range(2)
        ),
        key=lambda site: (site.x, site.y, site.name),
    )


def _connections(cell: dict[str, Any]) -> list[tuple[str, int]]:
    """Port and bit of what is connected; nextpnr's ports have one bit each."""
    return [(port, bits[0]) for port, bits in cell["connections"].items() if bits]
