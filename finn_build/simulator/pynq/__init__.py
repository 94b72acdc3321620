"""Stands in for PYNQ's module pynq on a board that is simulated: what a driver may need of it.

A bitstream is a library of simulator/board.py, a whole chip as Verilator makes it. Time is the
chip's clock, which runs while registers are accessed and caches are flushed or invalidated, and
not otherwise: `Device.active_device.clock` is in seconds of it. An array and the memory that the
chip sees are separate, with different contents at first; flush and invalidate copy between them.
The memory port keeps its bursts from one bitstream to the next, as the processors' does. Behaves
as pynq 3.0 does, more strictly where that lets errors pass.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

__version__ = "3.0.1"

PAGE = 4096
WINDOW, WINDOW_END = 0x4000_0000, 0x8000_0000
# HP0's registers for the width of reads and of writes: bit 0 is 0 for 64 bits (UG585, AFI).
AFI_WIDTHS = (0xF800_8000, 0xF800_8014)
# The resets that the processors give to the fabric: bit 0 is FCLK0's (UG585, FPGA_RST_CTRL).
FABRIC_RESETS = 0xF800_0240
# What the processor needs, Python's part included, which is most of it on a Cortex-A9: estimates,
# not measured. An access to a register by MMIO's methods, and by its array, which on a PC takes a
# third of that; flush or invalidate, and the bytes of cache that it then works through.
METHOD_S, WORD_S = 15e-6, 5e-6
CACHE_S, CACHE_BYTES_PER_S = 30e-6, 400e6
PLL_MHZ = 1000


class Device:
    """The board: memory, clock, and the chip once a bitstream is loaded. There is one."""

    active_device: Device

    name = "simulated board"
    record = Path(os.devnull)  # no later program finds this board
    base, size = 0x1000_0000, 64 << 20

    def __init__(self) -> None:
        """A board as it starts: no chip, HP0 with 32 bits."""
        self.memory: NDArray[np.uint8] = np.zeros(self.size, np.uint8)
        self.registers = {**dict.fromkeys(AFI_WIDTHS, 1), FABRIC_RESETS: 0}
        self.divisor = 10
        self.allocated: dict[int, int] = {}
        self.bitfile: str | None = None
        self.cut = 0  # bursts that were under way when a bitstream was loaded
        self._library: Any = None
        self._board: Any = None
        self._seconds = 0.0

    @property
    def mhz(self) -> float:
        """FCLK0."""
        return PLL_MHZ / self.divisor

    def clock(self) -> float:
        """Seconds that the chip's clock has run."""
        return self._seconds

    def spend(self, seconds: float) -> None:
        """Let time pass, in whole cycles."""
        self.run(round(seconds * self.mhz * 1e6))

    def set_divisor(self, divisor: int) -> None:
        """Set FCLK0. Raises RuntimeError where the chip would see the clock change."""
        if self._board and divisor != self.divisor and not self.registers[FABRIC_RESETS] & 1:
            raise RuntimeError("FCLK0 changes while the chip runs, which may leave it in any state")
        self.divisor = divisor

    def run(self, cycles: int) -> None:
        """Let time pass."""
        if self._board:
            self._library.board_run(self._board, cycles)
        self._seconds += cycles / (self.mhz * 1e6)

    def load(self, path: str) -> None:
        """Put a chip onto the board instead of the one that is there.

        Raises RuntimeError, as the next ones do, where pynq would.
        """
        library = ctypes.CDLL(path)
        library.board_new.restype = ctypes.c_void_p
        library.board_new.argtypes = [
            ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p
        ]  # fmt: skip
        library.board_delete.argtypes = [ctypes.c_void_p]
        library.board_port.restype = ctypes.c_void_p
        library.board_port.argtypes = [ctypes.c_void_p]
        library.board_bursts.argtypes = [ctypes.c_void_p, ctypes.c_int]
        library.board_run.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
        library.board_access.argtypes = [
            ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)
        ]  # fmt: skip
        library.board_cycles.restype = ctypes.c_uint64
        library.board_cycles.argtypes = [ctypes.c_void_p]
        for name in ("latency", "narrow", "block", "reset"):
            getattr(library, f"board_{name}").argtypes = [ctypes.c_void_p, ctypes.c_int]
        library.board_fault.argtypes = [
            ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint
        ]  # fmt: skip
        port = None
        if self._board:
            port = self._library.board_port(self._board)
            self.cut += sum(self.bursts)
        board = library.board_new(self.memory.ctypes.data, self.base, self.size, port)
        if not board:
            raise RuntimeError(f"{path}: the folder of its memory images is not there any more")
        self.unload()
        self._library, self._board, self.bitfile = library, board, path
        self._set_port()

    @property
    def bursts(self) -> tuple[int, ...]:
        """The chip's bursts under way: reads, writes, writes that wait for their answer."""
        return tuple(self._library.board_bursts(self._board, kind) for kind in range(3))

    def unload(self) -> None:
        """Take the chip away."""
        if self._board:
            self._library.board_delete(self._board)
        self._board = self.bitfile = None

    def access(self, address: int, value: int | None = None, *, seconds: float = WORD_S) -> int:
        """Read a word of memory-mapped registers, or write one, which takes so many seconds.

        Raises RuntimeError where nothing answers at the address.
        """
        if address in self.registers:
            if value is not None:
                self.registers[address] = value
                self._set_port()
            return self.registers[address]
        if not WINDOW <= address < WINDOW_END:
            raise RuntimeError(f"no registers at {address:#x} on this board")
        if not self._board:
            raise RuntimeError("the processor hangs: an access to the chip without a bitstream")
        before = self._library.board_cycles(self._board)
        word = ctypes.c_uint32(value or 0)
        write = int(value is not None)
        response = self._library.board_access(self._board, write, address, ctypes.byref(word))
        took = self._library.board_cycles(self._board) - before
        self._seconds += took / (self.mhz * 1e6)
        self.spend(max(0.0, seconds - took / (self.mhz * 1e6)))
        if response != 0:
            raise RuntimeError(f"bus error at {address:#x}: the chip answers {response}")
        return word.value

    def _set_port(self) -> None:
        if self._board:
            self._library.board_reset(self._board, self.registers[FABRIC_RESETS] & 1)
            self._library.board_narrow(
                self._board, any(self.registers[at] & 1 for at in AFI_WIDTHS)
            )

    def fault(self, first: int = 0, end: int = 0, response: int = 2) -> None:
        """Answer the chip's accesses to these addresses with 2 (slave) or 3 (decode error)."""
        self._library.board_fault(self._board, first, end, response)

    def block(self, blocked: bool) -> None:
        """Let the memory not answer the chip, until it may again or a bitstream is loaded."""
        self._library.board_block(self._board, blocked)

    def latency(self, cycles: int) -> None:
        """Cycles from a burst's address to its data; 20 after a bitstream was loaded."""
        self._library.board_latency(self._board, cycles)

    def reserve(self, nbytes: int) -> int:
        """Address of free memory, on a page. Raises RuntimeError where there is not so much."""
        end = 0
        for start, taken in sorted(self.allocated.items()):
            if start - end >= nbytes:
                break
            end = -(-(start + taken) // PAGE) * PAGE
        if end + nbytes > self.size:
            raise RuntimeError(f"Allocate failed: {nbytes} bytes of {self.size} are not free")
        self.allocated[end] = nbytes
        return self.base + end

    def release(self, address: int) -> None:
        """Free memory again. Raises RuntimeError where it is free."""
        if address - self.base not in self.allocated:
            raise RuntimeError(f"the buffer at {address:#x} was freed before")
        del self.allocated[address - self.base]

    def span(self, address: int, nbytes: int) -> NDArray[np.uint8]:
        """Memory (NBYTES,) as the chip sees it. Raises RuntimeError where it is not allocated."""
        inside = address - self.base
        if not any(a <= inside and inside + nbytes <= a + n for a, n in self.allocated.items()):
            raise RuntimeError(f"the buffer at {address:#x} is not allocated")
        return self.memory[inside : inside + nbytes]


Device.active_device = Device()


class Bitstream:
    """A chip in a file."""

    def __init__(self, bitfile_name: str) -> None:
        """Find the file. Raises OSError as pynq does."""
        if not isinstance(bitfile_name, str):
            raise TypeError("Bitstream name has to be a string.")
        if not Path(bitfile_name).is_file():
            raise OSError(f"Bitstream file {bitfile_name} does not exist.")
        self.bitfile_name = str(Path(bitfile_name).resolve())

    def download(self) -> None:
        """Load it."""
        Device.active_device.load(self.bitfile_name)


class _PLMeta(type):
    @property
    def bitfile_name(cls) -> str | None:
        """What was loaded last."""
        return Device.active_device.bitfile


class PL(metaclass=_PLMeta):
    """The programmable logic."""


class MMIO:
    """Registers from an address on."""

    def __init__(self, base_addr: int, length: int = 4) -> None:
        """Map them."""
        self.base_addr, self.length = base_addr, length

    def _address(self, offset: int) -> int:
        if offset < 0 or offset % 4 or offset + 4 > self.length:
            raise MemoryError(f"offset {offset:#x} of {self.length:#x} bytes")
        return self.base_addr + offset

    def read(self, offset: int = 0) -> int:
        """Read a word."""
        return Device.active_device.access(self._address(offset), seconds=METHOD_S)

    def write(self, offset: int, data: int) -> None:
        """Write a word; as pynq, of type int and no other, or raise ValueError."""
        if type(data) is not int:
            raise ValueError("Data type must be int or bytes.")
        Device.active_device.access(self._address(offset), data, seconds=METHOD_S)

    @property
    def array(self) -> _Words:
        """The words, to be accessed without read's and write's checks."""
        return _Words(self)


class _Words:
    """Words of an MMIO."""

    def __init__(self, mmio: MMIO) -> None:
        self._mmio = mmio

    def __getitem__(self, index: int) -> np.uint32:
        return np.uint32(Device.active_device.access(self._mmio._address(4 * index)))

    def __setitem__(self, index: int, value: int) -> None:
        Device.active_device.access(self._mmio._address(4 * index), int(np.uint32(value)))


class _ClocksMeta(type):
    @property
    def fclk0_mhz(cls) -> float:
        """FCLK0, as the dividers have it."""
        return round(Device.active_device.mhz, 6)

    @fclk0_mhz.setter
    def fclk0_mhz(cls, mhz: float) -> None:
        products = {first * second for first in range(1, 64) for second in range(1, 64)}
        Device.active_device.set_divisor(min(products, key=lambda n: abs(PLL_MHZ / n - mhz)))


class Clocks(metaclass=_ClocksMeta):
    """The clocks of the programmable logic."""


class PynqBuffer(np.ndarray):
    """An array whose contents the chip sees after flush; its views work alike."""

    device_address: int | None

    def __array_finalize__(self, source: Any) -> None:
        """Give a view the address of its part."""
        self.device_address = None
        if isinstance(source, PynqBuffer) and source.device_address is not None:
            offset = self.virtual_address - source.virtual_address
            if 0 <= offset <= source.nbytes - self.nbytes:
                self.device_address = source.device_address + offset

    @property
    def virtual_address(self) -> int:
        """Where the processor has it."""
        return int(self.__array_interface__["data"][0])

    @property
    def physical_address(self) -> int | None:
        """Where the chip has it."""
        return self.device_address

    def _sides(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if self.device_address is None or not self.flags.c_contiguous:
            raise RuntimeError("no part of a buffer without gaps")
        own = self.view(np.ndarray).reshape(-1).view(np.uint8)
        device = Device.active_device
        device.spend(CACHE_S + own.size / CACHE_BYTES_PER_S)
        return own, device.span(self.device_address, own.size)

    def flush(self) -> None:
        """Let the chip see the array's contents."""
        own, chips = self._sides()
        chips[:] = own

    def invalidate(self) -> None:
        """Let the array have what the chip wrote."""
        own, chips = self._sides()
        own[:] = chips

    def freebuffer(self) -> None:
        """Give the memory back. Raises RuntimeError the second time; pynq does not."""
        assert self.device_address is not None
        Device.active_device.release(self.device_address)


def allocate(shape: Any, dtype: DTypeLike = "u4") -> PynqBuffer:
    """An array that the chip can reach; what it holds is not what the chip sees."""
    buffer = PynqBuffer(shape, dtype)
    buffer.view(np.ndarray).reshape(-1).view(np.uint8)[:] = 0xA5
    buffer.device_address = Device.active_device.reserve(buffer.nbytes)
    Device.active_device.span(buffer.device_address, buffer.nbytes)[:] = 0x5A
    return buffer
