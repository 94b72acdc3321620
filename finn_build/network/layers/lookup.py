"""A table per channel: the codes that a quantiser gives for pixels, or for sums of codes."""

from dataclasses import dataclass, replace
from math import gcd

import numpy as np
from numpy.typing import NDArray

from finn_build.folding.beats import Beats, Timing
from finn_build.folding.cost import Cost, rom
from finn_build.network.layers.base import Codes, Integers, Ints, Layer, Place, Shape
from finn_build.rtl.design import Design, Stream


def look_up(x: Integers, tables: Integers) -> Integers:
    """Replace every element by its channel's table entry.

    x: (N, H, W, C), tables: (C, ENTRIES). Returns (N, H, W, C) uint8 (uint16 if entries need it).
    """
    entries: Integers = tables.astype(np.uint8 if tables.max() <= 255 else np.uint16)
    return entries[np.arange(len(tables)), x]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lookup(Layer):
    """A table per channel, for an image of HEIGHT x WIDTH x CHANNELS.

    tables: (CHANNELS, 2**in_bits) int64, zero or more; unsure: of the same shape, the entries for
    which float32 arithmetic may give another code, to explain rounding. parts: how many neighbours
    in the stream make one address, the first in its low bits: two where branches are added.
    """

    kind = "lookup"
    stage = "before"
    height: int
    width: int
    in_bits: int
    tables: Ints
    unsure: NDArray[np.bool_] | None = None
    parts: int = 1

    @property
    def channels(self) -> int:
        """Tables, and elements of a pixel."""
        return int(self.tables.shape[0])

    @property
    def out_bits(self) -> int:
        """Width of the largest entry."""
        return max(1, int(self.tables.max()).bit_length())

    @property
    def idle(self) -> bool:
        """Whether the tables change no value, so that the hardware needs none."""
        values = np.arange(1 << self.in_bits)
        return self.parts == 1 and np.array_equal(
            self.tables, np.broadcast_to(values, self.tables.shape)
        )

    def shape(self, *before: Shape) -> Shape:
        """As many pixels as enter, with its own channels."""
        (image,) = before
        return Shape(sizes=(*image.sizes[:-1], self.channels), bits=self.out_bits)

    def addresses(self, x: Integers) -> Integers:
        """The addresses in its tables, (N, H, W, C), from C * PARTS neighbours."""
        if self.parts == 1:
            return x
        parts = x.reshape(*x.shape[:-1], self.channels, self.parts).astype(np.int64)
        shifts = np.arange(self.parts) * (self.in_bits // self.parts)
        return np.asarray((parts << shifts).sum(axis=-1))

    def compute(self, *x: Integers) -> Integers:
        """The table's entry of every element, or of PARTS neighbours, of images (N, H, W, C)."""
        return look_up(self.addresses(*x), self.tables)

    def doubt(self, *steps: Codes) -> Codes:
        """A code is unsure if its table entry is, or a code of its address."""
        (step,) = steps
        table = np.zeros(self.tables.shape, bool) if self.unsure is None else self.unsure
        at, channels = self.addresses(step.codes), np.arange(len(table))
        shaky = step.unsure.reshape(*at.shape, -1).any(axis=-1)
        return Codes(codes=look_up(at, self.tables), unsure=table[channels, at] | shaky)

    def at_once(self, pixels: int) -> int:
        """As many pixels as a frame is made of beats of; between them and the unit may be pools."""
        return gcd(pixels, self.height * self.width)

    def cost(self, place: Place) -> Cost:
        """Cost of a table per channel and pixel of a beat."""
        pixels = self.at_once(place.fold.pixels)
        table = rom(1 << self.in_bits, self.out_bits, "logic").lut
        cycles = self.height * self.width // pixels
        if self.idle:
            return Cost(cycles=cycles, lut=0, ff=0)
        values = pixels * self.channels
        return Cost(cycles=cycles, lut=values * table + 5, ff=values * self.out_bits + 5)

    def times(self, place: Place, timing: Timing, *streams: Beats) -> Beats:
        """A beat comes one cycle after its elements; at once if there is no table."""
        (beats,) = streams
        if self.idle:
            return beats
        pieces = beats.in_pieces(self.at_once(place.fold.pixels) * self.channels * self.parts)
        return replace(pieces, times=pieces.times + 1, elems=pieces.elems // self.parts)

    def build(self, design: Design, place: Place) -> None:
        """Add a table for each element of a beat; nothing if the tables change no value."""
        if self.idle:
            return
        pixels = self.at_once(place.fold.pixels)
        elems = pixels * self.channels
        tables = np.tile(self.tables, (pixels, 1)) & ((1 << self.out_bits) - 1)
        design.resize(self.name, self.parts * elems)
        design.add(
            "nn_lookup",
            self.name,
            Stream(elems=elems, bits=self.out_bits),
            {
                "CHANNELS": elems,
                "IN_W": self.in_bits,
                "OUT_W": self.out_bits,
                "TABLE_FILE": design.listing(f"{self.name}_table", tables.tolist()),
            },
        )
