"""The chip's registers by name; docs/registers.md describes them."""

from __future__ import annotations

from typing import Any

WINDOW, WINDOW_BYTES = 0x40000000, 4096


class Registers:
    """Registers through a pynq.MMIO, with the offsets and fields of registers.json."""

    def __init__(self, mmio: Any, table: dict[str, Any]) -> None:
        """mmio: maps the registers' window; table: {name: {offset, count, fields}}."""
        self._mmio, self._table = mmio, table

    def read(self, name: str, index: int = 0) -> int:
        """A register's value."""
        return int(self._mmio.read(self._table[name]["offset"] + 4 * index))

    def write(self, name: str, value: int) -> None:
        """Write a register."""
        self._mmio.write(self._table[name]["offset"], int(value))

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
