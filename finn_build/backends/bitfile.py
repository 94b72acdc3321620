"""Read and write the header of a .bit file, as the driver's parser does.

The format is described in the comp.arch.fpga FAQ: a field of 9 bytes, then fields a to e, each a
letter, a length and its contents; e is the configuration data.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finn_build.errors import ToolError

_START = struct.pack(">H9sH", 9, bytes([0x0F, 0xF0] * 4 + [0]), 1)
_TEXTS = ("design", "part", "date", "time")
SYNC = bytes([0xAA, 0x99, 0x55, 0x66])
# Linux' driver of the configuration port looks for the word in so many bytes, at whole words, and
# refuses data that is not a whole number of words (drivers/fpga/zynq-fpga.c).
SYNC_BYTES, WORD_BYTES = 128, 4


@dataclass(frozen=True, kw_only=True)
class Bitfile:
    """The fields of a .bit file."""

    design: str
    part: str
    date: str
    time: str
    data: bytes

    def write(self, path: Path) -> None:
        """Write the file."""
        texts = [getattr(self, name).encode("ascii") + b"\0" for name in _TEXTS]
        fields = [
            struct.pack(">cH", key, len(text)) + text
            for key, text in zip((b"a", b"b", b"c", b"d"), texts, strict=True)
        ]
        path.write_bytes(
            b"".join([_START, *fields, struct.pack(">cI", b"e", len(self.data)), self.data])
        )


def read(path: Path) -> Bitfile:
    """Parse a .bit file. Raises ToolError where pynq or Linux could not load it."""
    contents = path.read_bytes()
    try:
        if not contents.startswith(_START):
            raise ValueError("it does not begin as a .bit file")
        place, texts = len(_START), []
        for key in b"abcd":
            found, length = struct.unpack_from(">BH", contents, place)
            if found != key:
                raise ValueError(f"field {chr(key)} is missing")
            text = contents[place + 3 : place + 3 + length]
            texts.append(text.rstrip(b"\0").decode("ascii"))
            place += 3 + length
        key, length = struct.unpack_from(">BI", contents, place)
        data = contents[place + 5 :]
        if key != ord("e") or length != len(data):
            raise ValueError(f"{len(data):,} bytes of data where the header has {length:,}")
        if len(data) % WORD_BYTES:
            raise ValueError(f"{len(data):,} bytes of data are no whole 32-bit words")
        if SYNC not in {data[at : at + WORD_BYTES] for at in range(0, SYNC_BYTES, WORD_BYTES)}:
            raise ValueError(
                f"no synchronisation word in the first {SYNC_BYTES} bytes of its data, at a "
                "multiple of 4, where Linux looks for it"
            )
    except (ValueError, struct.error) as error:
        raise ToolError(f"{path} cannot be loaded: {error}") from error
    return Bitfile(**dict(zip(_TEXTS, texts, strict=True)), data=data)


def words(data: bytes) -> int:
    """How many 32-bit words are not zero."""
    return int(np.count_nonzero(np.frombuffer(data[: len(data) // 4 * 4], ">u4")))
