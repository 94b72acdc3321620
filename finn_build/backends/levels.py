"""How deep the logic of a synthesised module is between registers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

# What passes on its inputs within the cycle, and the inputs of a LUTRAM that do.
_LOGIC = ("LUT", "MUXF", "CARRY4", "INV")
_LUTRAM = ("RAM16X", "RAM32", "RAM64", "RAM128", "RAM256")
_ADDRESS = ("A", "DPRA", "ADDR")
_CLOCKS = ("C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK")

Bit = int | str


@dataclass(frozen=True, kw_only=True)
class Levels:
    """The most LUTs, and the most carry chains, on any path between registers or ports."""

    luts: int
    chains: int

    def worst(self, other: "Levels") -> "Levels":
        """The larger number of LUTs and the larger number of carry chains of the two."""
        return Levels(luts=max(self.luts, other.luts), chains=max(self.chains, other.chains))


NONE = Levels(luts=0, chains=0)


def levels(module: dict[str, Any]) -> Levels:
    """Levels of a module of Yosys' JSON netlist, mapped to the cells of 7 series.

    A LUT or the read of a LUTRAM is a level; the multiplexers behind LUTs are not. The CARRY4s
    of one chain count once.
    """
    return _Netlist(module).worst()


class _Netlist:
    def __init__(self, module: dict[str, Any]) -> None:
        self.cells = module["cells"]
        self.ports = module["ports"]
        self.driver = {
            bit: name
            for name, cell in self.cells.items()
            for port, bits in cell["connections"].items()
            if cell["port_directions"][port] == "output"
            for bit in bits
        }
        self.known: dict[str, Levels] = {}

    def worst(self) -> Levels:
        found = NONE
        for bit in self._ends():
            self._settle(bit)
            found = found.worst(self._before(bit))
        return found

    def _settle(self, bit: Bit) -> None:
        """Find the levels of all cells on the way to a bit, each after those before it."""
        waiting, settled = list(self._drivers([bit])), set[str]()
        while waiting:
            name = waiting[-1]
            if name not in self.known:
                self.known[name] = NONE  # closes what a black box might close
                waiting += self._drivers(self._passing(name))
            else:
                waiting.pop()
                if name not in settled:
                    self.known[name] = self._through(name)
                    settled.add(name)

    def _ends(self) -> Iterator[Bit]:
        """What registers, memories and output ports take in."""
        for port in self.ports.values():
            if port["direction"] == "output":
                yield from port["bits"]
        for name, cell in self.cells.items():
            if not cell["type"].startswith(_LOGIC):
                yield from (bit for port, bit in self._inputs(name) if port not in _CLOCKS)

    def _inputs(self, name: str) -> Iterator[tuple[str, Bit]]:
        cell = self.cells[name]
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                yield from ((port, bit) for bit in bits)

    def _drivers(self, bits: Iterable[Bit]) -> Iterator[str]:
        """The cells that drive bits and are not settled yet."""
        names = (self.driver.get(bit) for bit in bits)
        return (name for name in names if name is not None and name not in self.known)

    def _before(self, bit: Bit) -> Levels:
        """The levels on the way to a bit whose driver is settled."""
        name = self.driver.get(bit)
        return NONE if name is None else self.known[name]

    def _passing(self, name: str) -> list[Bit]:
        """The inputs that a cell passes on within the cycle."""
        kind = self.cells[name]["type"]
        if kind.startswith(_LUTRAM):
            return [bit for port, bit in self._inputs(name) if port.startswith(_ADDRESS)]
        return [bit for _, bit in self._inputs(name)] if kind.startswith(_LOGIC) else []

    def _through(self, name: str) -> Levels:
        """The levels on the way to a cell's outputs, of cells before it that are settled."""
        kind = self.cells[name]["type"]
        if not kind.startswith(_LUTRAM + _LOGIC):
            return NONE
        found = NONE
        for bit in self._passing(name):
            found = found.worst(self._before(bit))
        luts = found.luts + int(not kind.startswith(("MUXF", "CARRY4")))
        chained = kind == "CARRY4" and not self._goes_on(name)
        return Levels(luts=luts, chains=found.chains + int(chained))

    def _goes_on(self, name: str) -> bool:
        """Whether a CARRY4 takes its carry from another one."""
        (carry,) = self.cells[name]["connections"]["CI"]
        before = self.driver.get(carry)
        return before is not None and self.cells[before]["type"] == "CARRY4"
