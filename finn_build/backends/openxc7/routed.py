"""Read what nextpnr reports: clock, critical path in terms of our modules, what ran out."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finn_build.backends.base import Hop, Routed
from finn_build.errors import ToolError
from finn_build.system.files import load_json

_USED = re.compile(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)
_NO_ROOM = re.compile(r"no BELs remaining to implement cell type '(\w+)'")
_NO_PLACE = re.compile(r"Unable to (?:find legal placement|find a placement)[^\n]*")
_NO_ROUTE = re.compile(r"Failed to route arc[^\n]*")
# Where the accelerator stands in the chip.
_ACCELERATOR = "top_i."


def read(report: Path, module: dict[str, Any], *, seed: int) -> Routed:
    """nextpnr's JSON report; module: the chip's in Yosys' netlist, which knows the names.

    Raises ToolError if the report has no clock.
    """
    timed = load_json(report)
    if not timed.get("fmax"):
        raise ToolError(f"{report}: nextpnr found no clock in the design")
    clock = min(timed["fmax"], key=lambda name: timed["fmax"][name]["achieved"])
    inside = [f"{edge} {clock}" for edge in ("posedge", "negedge")]
    steps = next(
        path["path"]
        for path in timed["critical_paths"]
        if path["from"] in inside and path["to"] in inside
    )
    names = _Names(module)
    wires = [step for step in steps if step["type"] == "routing"]
    return Routed(
        seed=seed,
        mhz=timed["fmax"][clock]["achieved"],
        start=names.net(wires[0]["net"]),
        end=names.cell(wires[-1]["to"]["cell"]),
        logic_ns=sum(step["delay"] for step in steps if step["type"] != "routing"),
        hops=[
            Hop(net=names.net(wire["net"]), loads=names.loads(wire["net"]), ns=wire["delay"])
            for wire in wires
        ],
        used={
            name: (kind["used"], kind["available"])
            for name, kind in sorted(timed["utilization"].items())
            if kind["used"]
        },
    )


def exhausted(log: str) -> str:
    """What nextpnr's log says of a design that does not fit or does not route, else ""."""
    used = [(name, int(n), int(of)) for name, n, of in _USED.findall(log)]
    over = [f"{n:,} {name} of {of:,}" for name, n, of in used if n > of]
    if over:
        return f"the chip is too small: {', '.join(over)}"
    if room := _NO_ROOM.search(log):
        return f"placement ran out of {room[1]}"
    if _NO_PLACE.search(log):
        fullest = sorted((n / of, f"{n:,} of {of:,} {name}") for name, n, of in used if of > 1)
        most = ", ".join(text for _, text in fullest[:-4:-1])
        return f"no placement was found; the fullest elements: {most}"
    if route := _NO_ROUTE.search(log):
        return f"no routing was found: {route[0]}"
    return ""


def clocks(module: dict[str, Any]) -> list[str]:
    """Names of the nets that global buffers drive."""
    names = _Names(module)
    buffers = [cell for cell in module["cells"].values() if cell["type"] == "BUFG"]
    return sorted(names.bit(cell["connections"]["O"][0]) for cell in buffers)


class _Names:
    """The nets of a netlist by bit: the shortest public name, or where a nameless one belongs."""

    def __init__(self, module: dict[str, Any]) -> None:
        self.cells: Mapping[str, Any] = module["cells"]
        self.best: dict[int, tuple[bool, int, str]] = {}
        self.bits: dict[str, int] = {}
        for name, net in module["netnames"].items():
            hidden = bool(net.get("hide_name")) or "$" in name
            for place, bit in enumerate(net["bits"]):
                whole = name if len(net["bits"]) == 1 else f"{name}[{place}]"
                if isinstance(bit, int):
                    self.bits[whole] = bit
                    found = (hidden, len(whole), whole)
                    self.best[bit] = min(self.best.get(bit, found), found)
        self.fanout: Counter[int] | None = None

    def bit(self, bit: int) -> str:
        return self.best[bit][2]

    def net(self, name: str) -> str:
        """A net in our terms."""
        bit = self.bits.get(name)
        return _tidy(name if bit is None else self.bit(bit))

    def cell(self, name: str) -> str:
        """A cell in our terms: what it drives, unless it has a name of its own."""
        if "$" not in name or name not in self.cells:
            return _tidy(name)
        cell = self.cells[name]
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "output" and isinstance(bits[0], int):
                return _tidy(self.bit(bits[0]))
        return _tidy(name)

    def loads(self, name: str) -> int:
        """Inputs that a net drives."""
        if self.fanout is None:
            self.fanout = Counter(
                bit
                for cell in self.cells.values()
                for port, bits in cell["connections"].items()
                if cell["port_directions"][port] == "input"
                for bit in bits
            )
        return self.fanout[self.bits[name]] if name in self.bits else 1


def _tidy(name: str) -> str:
    """A name without the marks of Yosys: the module's, and "logic" for what has none."""
    public, _, hidden = name.removeprefix("$flatten\\").replace("\\", "").partition("$")
    public = public.rstrip(".").removeprefix(_ACCELERATOR)
    return f"{public} logic".strip() if hidden else public
