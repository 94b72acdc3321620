"""A second stand-in for pynq, without a chip: registers as a class, results from a function.

Independent of finn_build.simulator on purpose. `answer(pixels)` gives the results' words (N, WORDS)
of rows of bytes (N, FRAME_BYTES); the chip is infinitely fast unless told to hang.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np

ID, VERSION, FRAME_BYTES, RESULT_WORDS, HASH = 0x00, 0x04, 0x08, 0x0C, 0x10
SOURCE, TARGET, FRAMES, CONTROL, STATUS, ERRORS, FAILED = 0x20, 0x24, 0x28, 0x2C, 0x30, 0x34, 0x38
JOBS, CYCLES = 0x40, 0x48
RESETS = 0xF8000240  # the fabric's, by the processors


class Chip:
    """The registers, and everything that pynq would know."""

    def __init__(self, answer, *, frame_bytes, words, identity, cycles=384):
        self.answer, self.cycles = answer, cycles
        self.values = {ID: 0x48524143, VERSION: 1, FRAME_BYTES: frame_bytes, RESULT_WORDS: words}
        self.values |= {HASH + 4 * i: int(identity[8 * i : 8 * i + 8], 16) for i in range(4)}
        self.afi = {0xF8008000: 3, 0xF8008014: 3}
        self.resets = 0
        self.memory = {}
        self.hang = self.stuck = False
        self.loaded, self.events, self.flushed = [], [], []
        self.mhz = 50.0
        self.next_address = 0x1000

    def reset(self):
        for offset in range(ERRORS, 0x54, 4):
            self.values[offset] = 0

    def write(self, offset, value):
        assert type(value) is int and 0 <= value < 1 << 32
        self.values[offset] = value
        if offset == CONTROL and value & 2:
            self.events.append("chip reset")
        if offset == CONTROL and value & 2 and not self.stuck:
            self.hang = False
            self.reset()
        if offset == CONTROL and value & 1 and not self.hang:
            self._run()

    def read(self, offset):
        if offset == STATUS:
            return 4 if self.stuck else 1
        return self.values.get(offset, 0)

    def _run(self):
        assert all(value & 1 == 0 for value in self.afi.values()), "HP0 has 32 bits"
        frames, words = self.values[FRAMES], self.values[RESULT_WORDS]
        pixels = self.memory[self.values[SOURCE]][: frames * self.values[FRAME_BYTES]]
        results = self.memory[self.values[TARGET]].view(np.int32)[: frames * words]
        results.reshape(frames, words)[:] = self.answer(pixels.reshape(frames, -1))
        self.values[JOBS] += 1
        self.values[CYCLES] += frames * self.cycles


class Buffer(np.ndarray):
    """An array; the chip's copy of it lies in the chip's memory, and moves as a whole."""

    def flush(self):
        self.chip.flushed.append(self.whole.nbytes)
        np.copyto(self.whole.chips, self.whole.view(np.ndarray))

    def invalidate(self):
        np.copyto(self.whole.view(np.ndarray), self.whole.chips)

    def freebuffer(self):
        del self.chip.memory[self.device_address]

    def __array_finalize__(self, source):
        self.whole = getattr(source, "whole", None)
        self.chip = getattr(source, "chip", None)


class Words:
    """The registers as an MMIO's array."""

    def __init__(self, chip):
        self.chip = chip

    def __getitem__(self, index):
        return np.uint32(self.chip.read(4 * index))

    def __setitem__(self, index, value):
        self.chip.write(4 * index, value)


class Device:
    """The board."""

    name, record = "plain", Path(os.devnull)


def module(chip, version="3.0.1"):
    """What `import pynq` gives."""

    class Clocks:
        @property
        def fclk0_mhz(self):
            return chip.mhz

        @fclk0_mhz.setter
        def fclk0_mhz(self, mhz):
            chip.mhz = 1000 / round(1000 / mhz)
            chip.events.append(f"fclk {chip.mhz:g}")

    class Bitstream:
        def __init__(self, name):
            self.name = name

        def download(self):
            chip.events.append("load")
            chip.loaded.append(self.name)
            chip.hang = chip.stuck = False
            chip.reset()

    class MMIO:
        def __init__(self, base_addr, length=4):
            self.base, self.array = base_addr, Words(chip)

        def read(self, offset=0):
            return chip.resets if self.base == RESETS else chip.afi[self.base]

        def write(self, offset, data):
            if self.base == RESETS:
                chip.events.append(f"reset {data}")
                chip.resets = data
            else:
                chip.afi[self.base] = data

    def allocate(shape, dtype):
        buffer = np.full(shape, 77, dtype).view(Buffer)
        buffer.whole, buffer.chip, buffer.device_address = buffer, chip, chip.next_address
        buffer.chips = chip.memory[chip.next_address] = np.full(shape, 99, dtype)
        chip.next_address += 1 << 20
        return buffer

    return SimpleNamespace(
        __version__=version,
        Bitstream=Bitstream,
        PL=SimpleNamespace(bitfile_name=None),
        MMIO=MMIO,
        Clocks=Clocks(),
        allocate=allocate,
        Device=SimpleNamespace(active_device=Device()),
    )
