"""An accelerator while it is put together: modules, their streams, and images of memories."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build.folding.beats import narrows
from finn_build.rtl.rom import images, parts

# What the modules call the memory of a folding; 0 leaves it to the tool.
STYLES = {"logic": 1, "block": 2}

Parameters = dict[str, int | str]


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Elements per beat and bits per element of one ready/valid stream."""

    elems: int
    bits: int

    @property
    def width(self) -> int:
        """Bits per beat."""
        return self.elems * self.bits


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One module, its parameters, the stream that it reads and the one that leaves it.

    reads: the name of the instance whose stream it takes, "" for the image's; sidebands: wires of
    top beside the stream, by the module's port.
    """

    module: str
    name: str
    parameters: Parameters
    reads: str
    out: Stream
    sidebands: dict[str, str]


@dataclass(kw_only=True)
class Design:
    """The instances, memory images and generated modules, by name.

    depths: beats that a FIFO before a layer holds, by its name; wires: bits of each wire that
    sidebands are connected by; constant: what the modules of layers with constant weights are made
    from; end: the instance that the next one reads, "" for the image.
    """

    name: str
    source: Stream
    depths: dict[str, int]
    instances: list[Instance] = field(default_factory=list)
    wires: dict[str, int] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    constant: dict[str, dict[str, Any]] = field(default_factory=dict)
    end: str = ""

    @property
    def stream(self) -> Stream:
        """The stream that the next module reads."""
        number = self.number(self.end)
        return self.instances[number - 1].out if number else self.source

    def number(self, name: str) -> int:
        """The number of an instance, from 1, or 0 for the image."""
        return ["", *(each.name for each in self.instances)].index(name)

    def add(
        self, module: str, name: str, out: Stream, parameters: Parameters, **sidebands: str
    ) -> None:
        """Append a module to the stream at hand."""
        self.instances.append(
            Instance(
                module=module,
                name=name,
                parameters=parameters,
                reads=self.end,
                out=out,
                sidebands=sidebands,
            )
        )
        self.end = name

    def resize(self, name: str, elems: int) -> None:
        """A width converter before a layer, if its beats have another number of elements."""
        stream = self.stream
        if stream.elems != elems:
            self.add(
                "axis_width",
                f"{name}_width",
                Stream(elems=elems, bits=stream.bits),
                {"ELEM_W": stream.bits, "IN_ELEMS": stream.elems, "OUT_ELEMS": elems},
            )

    def feed(self, name: str, elems: int) -> None:
        """A FIFO and a width converter, whose narrow side cannot keep up with a burst of beats."""
        narrow = narrows(self.stream.elems, elems)
        if narrow:
            self.buffer(name)
        self.resize(name, elems)
        if not narrow:
            self.buffer(name)

    def buffer(self, name: str) -> None:
        """The FIFO before a layer, if anything has to wait there."""
        depth, stream = self.depths.get(name, 0), self.stream
        if depth:
            parameters: Parameters = {"DATA_W": stream.width, "DEPTH": max(2, depth)}
            self.add("axis_fifo", f"{name}_fifo", stream, parameters)

    def image(
        self, name: str, words: NDArray[np.int64], bits: int, memory: str, *, banked: bool = False
    ) -> str:
        """Keep the images of a ROM: words (DEPTH, ELEMENTS), element 0 in the low bits."""
        packed = [pack(row, bits) for row in words]
        return self.listing(name, parts(packed, words.shape[1] * bits, memory, banked=banked))

    def listing(self, name: str, arrays: Sequence[Sequence[int]]) -> str:
        """Keep the images of a ROM's arrays; returns what the names of all of them begin with."""
        self.images |= images(name, arrays)
        return name


def pack(elements: NDArray[np.int64], bits: int) -> int:
    """Concatenate two's complement elements of `bits` bits, element 0 in the low bits."""
    mask = (1 << bits) - 1
    word = 0
    for i, value in enumerate(elements.tolist()):
        word |= (value & mask) << (i * bits)
    return word
