"""An accelerator under construction: modules, their streams, and images of memories."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build.folding.beats import narrows
from finn_build.rtl.rom import images, parts

# The modules' numbers for the memories of a folding; 0 leaves the choice to the tool.
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
class Output:
    """One of the output streams of an instance; the instance "" is the image."""

    instance: str = ""
    index: int = 0


IMAGE = Output()


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One module, its parameters, and the streams at its inputs and outputs.

    reads: the streams at its inputs, one or two; out: the shape of each output's stream; sidebands:
    wires of top beside the streams, by the module's port.
    """

    module: str
    name: str
    parameters: Parameters
    reads: tuple[Output, ...]
    out: Stream
    outputs: int = 1
    sidebands: dict[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> list[tuple[str, Output]]:
        """The stream at each input, by the port's prefix."""
        prefixes = ("s_axis",) if len(self.reads) == 1 else ("a_axis", "b_axis")
        return list(zip(prefixes, self.reads, strict=True))


@dataclass(kw_only=True)
class Design:
    """The instances, memory images and generated modules, by name.

    depths: beats that the FIFO before a layer holds, by the layer's name; wires: bits of each wire
    that connects sidebands; constant: the values from which modules with constant weights are
    generated; inputs: the streams that the layer under construction reads; end: the stream that the
    next instance reads; summary, words: what leaves the design, for the head of top.sv.
    """

    name: str
    source: Stream
    depths: dict[str, int]
    instances: list[Instance] = field(default_factory=list)
    wires: dict[str, int] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    constant: dict[str, dict[str, Any]] = field(default_factory=dict)
    inputs: tuple[Output, ...] = ()
    end: Output = IMAGE
    summary: str = "results"
    words: str = "results"

    @property
    def stream(self) -> Stream:
        """The stream that the next module reads."""
        number = self._number(self.end)
        return self.instances[number - 1].out if number else self.source

    def _number(self, output: Output) -> int:
        """The number of an instance, from 1, or 0 for the image."""
        return ["", *(instance.name for instance in self.instances)].index(output.instance)

    def wire(self, output: Output, what: str) -> str:
        """The name of a stream's data, valid or ready wire in top."""
        number = self._number(output)
        wire = f"t{number}_{what}"
        if number == 0 or self.instances[number - 1].outputs == 1:
            return wire
        width = self.instances[number - 1].out.width
        if what == "data":
            return f"{wire}[{output.index * width} +: {width}]"
        return f"{wire}[{output.index}]"

    def add(
        self, module: str, name: str, out: Stream, parameters: Parameters, **sidebands: str
    ) -> None:
        """Append a module that reads `end`."""
        self.join(module, name, out, parameters, (self.end,), **sidebands)

    def join(
        self,
        module: str,
        name: str,
        out: Stream,
        parameters: Parameters,
        reads: tuple[Output, ...],
        **sidebands: str,
    ) -> None:
        """Append a module that reads several streams."""
        self.instances.append(
            Instance(
                module=module,
                name=name,
                parameters=parameters,
                reads=reads,
                out=out,
                sidebands=sidebands,
            )
        )
        self.end = Output(instance=name)

    def fork(self, name: str, readers: int) -> list[Output]:
        """Append a fork of `end` if it has several readers. Returns the stream for each reader."""
        if readers == 1:
            return [self.end]
        fork = Instance(
            module="axis_fork",
            name=f"{name}_fork",
            parameters={"DATA_W": self.stream.width, "OUTPUTS": readers},
            reads=(self.end,),
            out=self.stream,
            outputs=readers,
        )
        self.instances.append(fork)
        return [Output(instance=fork.name, index=index) for index in range(readers)]

    def resize(self, name: str, elems: int) -> None:
        """Append a width converter before a layer, unless beats have `elems` elements already."""
        stream = self.stream
        if stream.elems != elems:
            self.add(
                "axis_width",
                f"{name}_width",
                Stream(elems=elems, bits=stream.bits),
                {"ELEM_W": stream.bits, "IN_ELEMS": stream.elems, "OUT_ELEMS": elems},
            )

    def feed(self, name: str, elems: int) -> None:
        """Append a FIFO and a width converter, with the FIFO on the wide side.

        The narrow side could not keep up with a burst of beats.
        """
        narrow = narrows(self.stream.elems, elems)
        if narrow:
            self.buffer(name)
        self.resize(name, elems)
        if not narrow:
            self.buffer(name)

    def buffer(self, name: str) -> None:
        """Append the FIFO before a layer, if beats have to wait there."""
        depth, stream = self.depths.get(name, 0), self.stream
        if depth:
            parameters: Parameters = {"DATA_W": stream.width, "DEPTH": max(2, depth)}
            self.add("axis_fifo", f"{name}_fifo", stream, parameters)

    def image(
        self, name: str, words: NDArray[np.int64], bits: int, memory: str, *, banked: bool = False
    ) -> str:
        """Add the images of a ROM: words (DEPTH, ELEMENTS), element 0 in the low bits."""
        packed = [pack(row, bits) for row in words]
        return self.listing(name, parts(packed, words.shape[1] * bits, memory, banked=banked))

    def listing(self, name: str, arrays: Sequence[Sequence[int]]) -> str:
        """Add the images of a ROM's arrays. Returns the prefix of their names."""
        self.images |= images(name, arrays)
        return name


def several(parameter: str, count: int) -> Parameters:
    """A parameter that is left out if it is 1, as in most modules."""
    return {parameter: count} if count > 1 else {}


def pack(elements: NDArray[np.int64], bits: int) -> int:
    """Concatenate two's complement elements (N,) of `bits` bits, element 0 in the low bits."""
    mask = (1 << bits) - 1
    word = 0
    for i, value in enumerate(elements.tolist()):
        word |= (value & mask) << (i * bits)
    return word
