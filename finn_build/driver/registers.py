"""The chip's registers by name; docs/registers.md describes them."""

from __future__ import annotations

from typing import Any

WINDOW, WINDOW_BYTES = 0x40000000, 4096
IDENTITY, INTERFACE = 0x48524143, 1
# The registers that the driver uses, and the fields of them that it names.
USED: dict[str, tuple[str, ...]] = {
    "id": (),
    "version": (),
    "hash": (),
    "frame_bytes": (),
    "result_words": (),
    "control": ("start", "reset"),
    "status": ("resetting",),
    "source": (),
    "target": (),
    "frames": (),
    "jobs": (),
    "failed": (),
    "errors": (),
    "cycles": (),
    "starved": (),
    "stalled": (),
}
RESET_POLLS = 4000  # a reset waits for bursts that are under way, mostly some microseconds


class Registers:
    """Registers through a pynq.MMIO, with the offsets and fields of registers.json.

    An access goes to the MMIO's array: its read and write check their arguments, in Python, which
    on the board takes several times as long as the access.
    """

    def __init__(self, mmio: Any, table: dict[str, Any]) -> None:
        """mmio: maps the registers' window; table: {name: {offset, count, fields}}."""
        self._words, self._table = mmio.array, table
        self._places = {name: int(register["offset"]) // 4 for name, register in table.items()}
        self._held: dict[str, int] = {}

    def read(self, name: str, index: int = 0) -> int:
        """A register's value."""
        return int(self._words[self._places[name] + index])

    def write(self, name: str, value: int) -> None:
        """Write a register."""
        self._words[self._places[name]] = value

    def hold(self, name: str, value: int) -> None:
        """Write a register that only this driver changes, unless it has the value already."""
        if self._held.get(name) != value:
            self.write(name, value)
            self._held[name] = value

    def forget(self) -> None:
        """Something else changed them all: the fabric's reset."""
        self._held.clear()

    def reset(self) -> bool:
        """Let the chip's bursts end and reset it, but for the registers; whether that ended."""
        self.write("control", self.bit("control", "reset"))
        resetting = self.bit("status", "resetting")
        return any(not self.read("status") & resetting for _ in range(RESET_POLLS))

    def bit(self, name: str, field: str) -> int:
        """The value of a register in which this field alone is 1."""
        return 1 << int(self._table[name]["fields"][field]["low"])

    def fields(self, name: str) -> str:
        """Names of a register's fields that are not 0."""
        value, fields = self.read(name), self._table[name]["fields"]
        return ", ".join(field for field in fields if value & self.bit(name, field))

    def dump(self) -> str:
        """All registers, for a message."""
        parts = []
        for name, register in self._table.items():
            values = [self.read(name, i) for i in range(register["count"])]
            parts.append(f"{name} " + " ".join(f"0x{value:x}" for value in values))
        return ", ".join(parts)
