"""XRT's libraries, as pynq calls them, over a simulated board: libxrt_core to 3.0, then pyxrt."""

from __future__ import annotations

import ctypes
import types
from enum import Enum
from pathlib import Path

import numpy as np

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                       ctypes.c_int, ctypes.c_long]  # fmt: skip
PROTECTION, PRIVATE = 3, 0x22  # read and write; private, of no file


class Memory:
    """A buffer object: what the processor maps and what the chip sees, apart until a sync."""

    def __init__(self, machine, size: int) -> None:
        self.machine, self.size = machine, size
        self.address = machine.board.reserve(size)  # raises RuntimeError where there is none
        self.pointer = _LIBC.mmap(None, size, PROTECTION, PRIVATE, -1, 0)
        self.bytes = (ctypes.c_char * size).from_address(self.pointer)
        self.bytes[:] = b"\xa5" * size
        machine.board.span(self.address, size)[:] = 0x5A
        machine.log.append(["allocate", size])

    def sync(self, to_device: bool, size: int, offset: int) -> None:
        """Copy a part to the chip's side or from it."""
        chips = self.machine.board.span(self.address + offset, size)
        own = (ctypes.c_uint8 * size).from_address(self.pointer + offset)
        self.machine.log.append(["flush" if to_device else "invalidate", size])
        if to_device:
            chips[:] = np.ctypeslib.as_array(own)
        else:
            np.ctypeslib.as_array(own)[:] = chips

    def free(self) -> None:
        """Give it back; the mapping stays to whoever made it."""
        self.machine.board.release(self.address)
        self.machine.log.append(["free", self.size])


class Call:
    """A function of a C library: its types can be set, and are not looked at."""

    def __init__(self, do) -> None:
        self._do = do

    def __call__(self, *arguments):
        return self._do(*(getattr(value, "value", value) for value in arguments))


class Library:
    """libxrt_core.so, as the ctypes bindings of pynq 2.7 and 3.0 use it."""

    def __init__(self, machine) -> None:
        self._machine, self._buffers = machine, {}
        for name in dir(self):
            if name.startswith("_xcl"):
                setattr(self, name[1:], Call(getattr(self, name)))

    def __getattr__(self, name):
        if name.startswith("xcl"):
            raise NotImplementedError(name)
        raise AttributeError(name)

    def _xclProbe(self):  # noqa: N802
        return 0  # the embedded device is asked for by itself

    def _xclOpen(self, index, log, level):  # noqa: N802
        return ctypes.c_void_p(1)

    def _xclClose(self, handle):  # noqa: N802
        return None

    def _xclGetDeviceInfo2(self, handle, info):  # noqa: N802
        info.mName = b"edge"
        return 0

    def _xclLockDevice(self, handle):  # noqa: N802
        return 0

    def _xclUnlockDevice(self, handle):  # noqa: N802
        return 0

    def _xclLoadXclBin(self, handle, data):  # noqa: N802
        self._machine.log.append(["xclbin", len(data)])
        return 0

    def _xclAllocBO(self, handle, size, domain, flags):  # noqa: N802
        number = len(self._buffers) + 1
        try:
            self._buffers[number] = Memory(self._machine, size)
        except RuntimeError:
            return 0xFFFFFFFF
        return number

    def _xclMapBO(self, handle, number, write):  # noqa: N802
        made = self._buffers[number]
        return ctypes.cast(made.pointer, ctypes.POINTER(ctypes.c_char * made.size))

    def _xclGetBOProperties(self, handle, number, properties):  # noqa: N802
        made = self._buffers[number]
        properties.size, properties.paddr = made.size, made.address
        return 0

    def _xclSyncBO(self, handle, number, direction, size, offset):  # noqa: N802
        self._buffers[number].sync(direction == 0, size, offset)
        return 0

    def _xclFreeBO(self, handle, number):  # noqa: N802
        self._buffers.pop(number).free()


class Direction(Enum):
    """xclBOSyncDirection."""

    XCL_BO_SYNC_BO_TO_DEVICE = 0
    XCL_BO_SYNC_BO_FROM_DEVICE = 1


def pyxrt(machine) -> types.ModuleType:
    """The module pyxrt, as pynq 3.1 and 4.0 use it."""

    class Device:
        def __init__(self, index):
            self.index = index

        def get_info(self, what):
            return "edge"

        def load_xclbin(self, path):
            machine.log.append(["xclbin", len(Path(path).read_bytes())])

    class BO:
        class flags:  # noqa: N801
            normal, cacheable = 0, 1

        def __init__(self, device, size, flags, bank):
            self._memory = Memory(machine, size)

        def map(self):
            return memoryview(self._memory.bytes).cast("B")

        def size(self):
            return self._memory.size

        def address(self):
            return self._memory.address

        def sync(self, direction):
            self._memory.sync(direction is Direction.XCL_BO_SYNC_BO_TO_DEVICE, self.size(), 0)

        def __del__(self):
            if hasattr(self, "_memory"):
                self._memory.free()

    class Info:
        def __getattr__(self, name):
            return name

    made = types.ModuleType("pyxrt")
    made.device, made.bo, made.xclBOSyncDirection = Device, BO, Direction
    made.xrt_info_device = Info()
    return made
