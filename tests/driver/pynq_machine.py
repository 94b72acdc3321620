"""What lies below pynq on a board: files of the kernel, /dev/mem, XRT; the chip is simulated.

`Machine.boot` makes this process take them for its own: paths of the kernel's and of the image's
files lead to a folder, /dev/mem and XRT's libraries to a simulated board. Everything above, from
`import pynq` on, is pynq's own code.
"""

from __future__ import annotations

import builtins
import ctypes
import errno
import importlib.abc
import importlib.machinery
import io
import mmap
import os
import platform
import sys
import types
from pathlib import Path

import numpy as np
import pynq_xrt

SYNC = b"\x66\x55\x99\xaa"  # as the kernel gets it: every word's bytes turned
MANAGER = "/sys/class/fpga_manager/fpga0"
OURS = (MANAGER, "/lib/firmware", "/proc/device-tree", "/dev/mem", "/run/headrace")
SLCR, FCLK0 = 0xF800_0000, 0xF800_0170
START = {0xF800_0108: 20 << 12, FCLK0: 5 << 8 | 1 << 20}  # a PLL of 50 MHz * 20, by 5 and by 1
# What is imported and never used without a .hwh, or without peripherals.
UNUSED = ("pynqmetadata", "pynqutils", "pynq.lib", "cffi")


class Machine:
    """A board of which this process is the only program."""

    def __init__(self, board, root: Path, *, root_user=True, readonly: Path | None = None) -> None:
        """board: the simulated Device; readonly: a folder that cannot be written to."""
        self.board, self.root, self.readonly = board, root, readonly
        self.root_user, self.log, self.written = root_user, [], []
        self.slcr, board.divisor = dict(START), 5
        self._memory_files = set()
        self._real = {"open": io.open, "os_open": os.open, "stat": os.stat, "mmap": mmap.mmap,
                      "frombuffer": np.frombuffer, "CDLL": ctypes.CDLL}  # fmt: skip
        for path in (f"{MANAGER}/firmware", f"{MANAGER}/flags", "/dev/mem",
                     "/proc/device-tree/chosen/pynq_board"):  # fmt: skip
            self.at(path).parent.mkdir(parents=True, exist_ok=True)
            self.at(path).write_text("0\n")
        self.at(f"{MANAGER}/state").write_text("operating\n")
        self.at("/lib/firmware").mkdir(parents=True)
        self.at("/run").mkdir()
        tool = self.at("/usr/bin/xbutil")
        tool.parent.mkdir(parents=True)
        tool.write_text("#!/bin/sh\necho 'Version : 2.13.479'\n")
        tool.chmod(0o755)

    def at(self, path) -> Path:
        """Where a path of the board is."""
        return self.root / str(path).lstrip("/")

    def boot(self, *, xrt: bool) -> None:
        """Take this process onto the board; xrt: with XRT's environment."""
        builtins.open = io.open = self._open
        os.open, os.stat = self._os_open, self._stat
        os.geteuid = lambda: 0 if self.root_user else 1000
        uname = os.uname()
        os.uname = lambda: os.uname_result((*uname[:4], "armv7l"))
        platform.machine = lambda: "armv7l"
        mmap.mmap, np.frombuffer = self._mmap, self._frombuffer
        sys.meta_path.insert(0, Unused())
        if xrt:
            os.environ["XILINX_XRT"] = "/usr"
            os.environ["PATH"] = f"{self.at('/usr/bin')}:{os.environ['PATH']}"
            ctypes.CDLL = self._library
            sys.modules["pyxrt"] = pynq_xrt.pyxrt(self)

    # Files.

    def _place(self, path, writes: bool):
        if isinstance(path, int):
            return path
        text = os.fspath(path)
        if isinstance(text, str) and text.startswith(OURS):
            if writes and not self.root_user:
                raise PermissionError(errno.EACCES, "Permission denied", text)
            return self.at(text)
        if writes and self.readonly and Path(text).absolute().parent == self.readonly:
            raise OSError(errno.EROFS, "Read-only file system", text)
        return path

    def _open(self, path, mode="r", *arguments, **options):
        writes = any(letter in mode for letter in "wax+")
        place = self._place(path, writes)
        if writes:
            self.written.append(str(path))
        if writes and str(path) == f"{MANAGER}/firmware":
            return Attribute(self.configure)
        return self._real["open"](place, mode, *arguments, **options)

    def _os_open(self, path, flags, *arguments, **options):
        made = self._real["os_open"](
            self._place(path, bool(flags & (os.O_WRONLY | os.O_RDWR))), flags, *arguments, **options
        )
        if path == "/dev/mem":
            self._memory_files.add(os.fstat(made).st_ino)
        return made

    def _stat(self, path, *arguments, **options):
        return self._real["stat"](self._place(path, False), *arguments, **options)

    def configure(self, name: str) -> None:
        """Load a file of /lib/firmware as the FPGA manager does; its text names the library."""
        data = self.at(f"/lib/firmware/{name.strip()}").read_bytes()
        if len(data) % 4 or SYNC not in [data[i : i + 4] for i in range(0, 128, 4)]:
            raise OSError(errno.EINVAL, "Invalid argument")
        turned = np.frombuffer(data, ">u4").astype("<u4").tobytes()
        path = turned[turned.index(SYNC[::-1]) + 4 :].rstrip(b"\0").decode()
        self.log.append(["load", self.board.mhz])
        self.board.load(path)

    # /dev/mem.

    def _mmap(self, file, length, *arguments, **options):
        if file >= 0 and os.fstat(file).st_ino in self._memory_files:
            return Window(options["offset"])
        return self._real["mmap"](file, length, *arguments, **options)

    def _frombuffer(self, buffer, dtype=float, count=-1, offset=0, **options):
        if isinstance(buffer, Window):
            made = np.zeros(count, np.uint32).view(Words)
            made.machine, made.base_address = self, buffer.base + offset
            made.start = made.ctypes.data
            return made
        return self._real["frombuffer"](buffer, dtype, count, offset, **options)

    def read(self, address: int) -> int:
        """A word of registers."""
        if SLCR <= address < SLCR + 0x200:
            return self.slcr.get(address, 0)
        return self.board.access(address)

    def write(self, address: int, value: int) -> None:
        """Write a word of registers."""
        if SLCR <= address < SLCR + 0x200:
            self.slcr[address] = value
            divisor = (value >> 8 & 63) * (value >> 20 & 63)
            if address == FCLK0 and divisor:
                self.board.set_divisor(divisor)
                self.log.append(["fclk", self.board.mhz])
        else:
            self.board.access(address, value)

    def _library(self, name, *arguments, **options):
        if str(name).endswith("libxrt_core.so"):
            return pynq_xrt.Library(self)
        return self._real["CDLL"](name, *arguments, **options)


class Window:
    """A mapping of /dev/mem from an address on."""

    def __init__(self, base: int) -> None:
        self.base = base


class Words(np.ndarray):
    """Words whose accesses are those of registers."""

    def __array_finalize__(self, source) -> None:
        for name in ("machine", "base_address", "start"):
            setattr(self, name, getattr(source, name, None))

    def _address(self, index: int) -> int:
        return self.base_address + self.ctypes.data - self.start + 4 * index

    def __getitem__(self, index):
        if isinstance(index, slice):
            return super().__getitem__(index)
        return np.uint32(self.machine.read(self._address(int(index))))

    def __setitem__(self, index, value) -> None:
        self.machine.write(self._address(int(index)), int(np.uint32(value)))


class Attribute(io.StringIO):
    """A file of sysfs that acts on what is written."""

    def __init__(self, act) -> None:
        super().__init__()
        self._act = act

    def close(self) -> None:
        """Act, once."""
        if not self.closed:
            value = self.getvalue()
            super().close()
            self._act(value)


class Unused(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds empty modules for UNUSED, in which every name is an empty class."""

    def find_spec(self, name, path, target=None):
        """A module of UNUSED or below one."""
        if any(name == unused or name.startswith(f"{unused}.") for unused in UNUSED):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        """A module that has every name."""
        return _Anything(spec.name)

    def exec_module(self, module) -> None:
        """Nothing to do."""


class _Anything(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})
