"""The accelerator as a chain of modules: their parameters, memory images and streams."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finn_build.folding.dsp_packing import code, plan_of
from finn_build.folding.folding import CONSTANT, Fold, Folding, slides
from finn_build.folding.schedule import depths, narrows
from finn_build.network.layers import (
    OUTPUT_BITS,
    Argmax,
    Layer,
    Lookup,
    MaxPool,
    Mvtu,
    Network,
    Window,
)
from finn_build.network.scoring import scoring
from finn_build.network.unit import Counting, constants, spacing, threshold_memory, unit
from finn_build.rtl.rom import images, parts

# What the modules call the memory of a folding; 0 leaves it to the tool.
STYLES = {"logic": 1, "block": 2}
_PADS = ("PAD_TOP", "PAD_LEFT", "PAD_BOTTOM", "PAD_RIGHT")


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
    """One module of the chain, its parameters and the stream that leaves it.

    sidebands: wires of top beside the stream, by the module's port.
    """

    module: str
    name: str
    parameters: dict[str, int | str]
    out: Stream
    sidebands: dict[str, str]


@dataclass(kw_only=True)
class Design:
    """The chain of instances, memory images and generated modules, by name.

    depths: beats that a FIFO before a layer holds, by its name; windows: the window before a layer,
    by its name; unrolled: what the modules of layers with built-in weights are made from.
    """

    name: str
    source: Stream
    depths: dict[str, int]
    windows: dict[str, Window] = field(default_factory=dict)
    instances: list[Instance] = field(default_factory=list)
    images: dict[str, str] = field(default_factory=dict)
    unrolled: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def stream(self) -> Stream:
        """The stream at the end of the chain so far."""
        return self.instances[-1].out if self.instances else self.source

    def add(
        self,
        module: str,
        name: str,
        out: Stream,
        parameters: dict[str, int | str],
        **sidebands: str,
    ) -> None:
        """Append a module to the chain."""
        self.instances.append(
            Instance(module=module, name=name, parameters=parameters, out=out, sidebands=sidebands)
        )

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


def design(network: Network, folding: Folding) -> Design:
    """Chain of modules for a network and its folding."""
    beat, windows = network.input_bytes, network.windows
    made = Design(
        name=network.name,
        source=Stream(elems=beat, bits=8),
        depths=depths(network, folding),
        windows=windows,
    )
    whole = any(not slides(window, folding.folds[name]) for name, window in windows.items())
    if whole or any(isinstance(each, MaxPool) and each.window for each in network.layers):
        frame = network.frame_bytes // beat
        parameters: dict[str, int | str] = {"DATA_W": made.stream.width, "FRAME": frame}
        made.add("axis_begun", "begun", made.stream, parameters, begun="begun")
    for layer in network.layers:
        if not isinstance(layer, Window):
            _ADD[type(layer)](made, layer, folding)
    return made


def alone(layer: Mvtu, fold: Fold) -> Design:
    """One windowed layer without the window before it."""
    source = Stream(elems=fold.pixels * layer.cols, bits=layer.in_bits)
    made = Design(name=layer.name, source=source, depths={})
    single = Folding(folds={layer.name: fold}, costs={}, followed={}, input_cycles=0)
    _add_mvtu(made, layer, single)
    return made


def _resize(made: Design, name: str, elems: int) -> None:
    stream = made.stream
    if stream.elems != elems:
        made.add(
            "axis_width",
            f"{name}_width",
            Stream(elems=elems, bits=stream.bits),
            {"ELEM_W": stream.bits, "IN_ELEMS": stream.elems, "OUT_ELEMS": elems},
        )


def _feed(made: Design, name: str, elems: int) -> None:
    """A FIFO and a width converter, whose narrow side cannot keep up with a burst of wide beats."""
    narrow = narrows(made.stream.elems, elems)
    if narrow:
        _buffer(made, name)
    _resize(made, name, elems)
    if not narrow:
        _buffer(made, name)


def _buffer(made: Design, name: str) -> None:
    depth, stream = made.depths.get(name, 0), made.stream
    if depth:
        parameters: dict[str, int | str] = {"DATA_W": stream.width, "DEPTH": max(2, depth)}
        made.add("axis_fifo", f"{name}_fifo", stream, parameters)


def _add_lookup(made: Design, layer: Layer, folding: Folding) -> None:
    assert isinstance(layer, Lookup)
    if layer.idle:
        return
    pixels = folding.pixels(layer)
    elems = pixels * layer.channels
    tables = np.tile(layer.tables, (pixels, 1)) & ((1 << layer.out_bits) - 1)
    _resize(made, layer.name, layer.parts * elems)
    made.add(
        "nn_lookup",
        layer.name,
        Stream(elems=elems, bits=layer.out_bits),
        {
            "CHANNELS": elems,
            "IN_W": layer.in_bits,
            "OUT_W": layer.out_bits,
            "TABLE_FILE": made.listing(f"{layer.name}_table", tables.tolist()),
        },
    )


def _add_window(made: Design, layer: Window, unit: Mvtu, folding: Folding) -> None:
    fold = folding.folds[unit.name]
    if slides(layer, fold):
        _add_sliding(made, layer, unit, fold)
        return
    _feed(made, layer.name, fold.pixels * layer.channels)
    # Windows that may have to follow each other in every cycle.
    each = folding.costs[unit.name].cycles * fold.pixels // unit.positions
    prompt = unit.name in made.depths or each == 1
    _gather(made, layer, fold.pixels, prompt=prompt, lines=fold.lines)


def _gather(made: Design, layer: Window, pixels: int, *, prompt: bool, lines: str) -> None:
    made.add(
        "nn_window",
        layer.name,
        Stream(elems=pixels * layer.elements, bits=layer.bits),
        {
            "ELEM_W": layer.bits,
            "CHANNELS": layer.channels,
            "HEIGHT": layer.height,
            "WIDTH": layer.width,
            **dict(zip(("KERNEL_H", "KERNEL_W"), layer.kernel, strict=True)),
            **dict(zip(("STRIDE_H", "STRIDE_W"), layer.stride, strict=True)),
            **dict(zip(_PADS, layer.pad, strict=True)),
            "FILL": layer.fill,
            "PIXELS": pixels,
            "PROMPT": int(prompt),
            "RAM_STYLE": STYLES[lines],
        },
        begun="begun",
    )


def _add_sliding(made: Design, layer: Window, unit: Mvtu, fold: Fold) -> None:
    _feed(made, layer.name, fold.simd)
    made.add(
        "nn_swu",
        layer.name,
        Stream(elems=fold.simd, bits=layer.bits),
        {
            "ELEM_W": layer.bits,
            "CHANNELS": layer.channels,
            "SIMD": fold.simd,
            "HEIGHT": layer.height,
            "WIDTH": layer.width,
            "KERNEL": layer.kernel[0],
            "PAD": layer.pad[0],
            "FILL": layer.fill,
            "REPEAT": unit.rows // fold.pe,
        },
    )


def _add_pool(made: Design, layer: Layer, folding: Folding) -> None:
    assert isinstance(layer, MaxPool)
    pixels = folding.pixels(layer)
    if layer.window is not None:
        _feed(made, layer.name, pixels * layer.channels)
        _gather(made, layer.window, pixels, prompt=True, lines="logic")
        _add_maxima(made, layer, pixels)
        return
    _resize(made, layer.name, pixels * layer.channels)
    _largest(made, layer, layer.name, (layer.height, layer.width), layer.kernel, pixels)


def _add_maxima(made: Design, layer: MaxPool, windows: int) -> None:
    """The largest of each of so many windows in a beat, row by row and then of the rows' largest.

    A row of pixels in one beat is an image of one row, and what is left of each window another.
    """
    high, wide = layer.kernel
    for name, rows, across in ((f"{layer.name}_across", high, wide), (layer.name, 1, high)):
        pixels = windows * rows * across
        _largest(made, layer, name, (1, pixels), (1, across), pixels)


def _largest(
    made: Design,
    layer: MaxPool,
    name: str,
    size: tuple[int, int],
    kernel: tuple[int, int],
    pixels: int,
) -> None:
    """A module for the largest of rectangles that do not overlap, so many pixels in a beat."""
    made.add(
        "nn_maxpool",
        name,
        Stream(elems=max(1, pixels // kernel[1]) * layer.channels, bits=layer.bits),
        {
            "ELEM_W": layer.bits,
            "CHANNELS": layer.channels,
            **dict(zip(("HEIGHT", "WIDTH"), size, strict=True)),
            **dict(zip(("KERNEL_H", "KERNEL_W"), kernel, strict=True)),
            "PIXELS": pixels,
        },
    )


def weight_words(layer: Mvtu, fold: Fold) -> tuple[NDArray[np.int64], int]:
    """Weights as coded, in the order of use, and their bits.

    (DEPTH, PE*SIMD), element p*SIMD + s of row r*PE + p: the unit walks over input beats, then row
    groups, then SIMD pieces of the beat.
    """
    weights, bits = layer.weights, layer.weight_bits
    if fold.dsp:
        weights, bits = code(layer, fold.pe), plan_of(layer, fold.pe).weight_bits
    elif bits == 1:
        weights = (weights + 1) // 2
    beat = layer.cols if layer.windowed else fold.simd
    shape = (layer.rows // fold.pe, fold.pe, layer.cols // beat, beat // fold.simd, fold.simd)
    words = weights.reshape(shape).transpose(2, 0, 3, 1, 4).reshape(-1, fold.pe * fold.simd)
    return words, bits


def _add_mvtu(made: Design, layer: Layer, folding: Folding) -> None:
    assert isinstance(layer, Mvtu)
    fold, window = folding.folds[layer.name], made.windows.get(layer.name)
    if window is not None:
        _add_window(made, window, layer, folding)
    if fold.memory == CONSTANT:
        _add_unrolled(made, layer, fold)
        return
    sliding = slides(window, fold)
    elems = layer.cols if layer.windowed and not sliding else fold.simd
    if layer.windowed:
        _feed(made, layer.name, elems)
    else:
        _buffer(made, layer.name)
        _resize(made, layer.name, elems)
    weights, weight_bits = weight_words(layer, fold)
    numbers = unit(layer, dsp=fold.dsp)
    groups = layer.rows // fold.pe
    memories: dict[str, int | str] = {
        "WEIGHT_FILE": made.image(
            f"{layer.name}_weights", weights, weight_bits, fold.memory, banked=True
        ),
        "THRESHOLD_FILE": "",
        "START": int(numbers.start[0]),
        "START_FILE": "",
    }
    if numbers.thresholds is not None:
        counting = Counting.of(layer.steps, spacing(layer, pe=fold.pe, simd=fold.simd))
        words = counting.words(numbers.thresholds, fold.pe)
        memories["THRESHOLD_FILE"] = made.image(
            f"{layer.name}_thresholds", words, numbers.acc_bits, threshold_memory(len(words))
        )
    if numbers.starts_differ:
        words = numbers.start.reshape(groups, fold.pe)
        memories["START_FILE"] = made.image(f"{layer.name}_start", words, numbers.acc_bits, "logic")
    made.add(
        "nn_mvtu",
        layer.name,
        Stream(elems=fold.pe, bits=layer.out_bits),
        {
            "ROWS": layer.rows,
            "COLS": layer.cols,
            "PE": fold.pe,
            "SIMD": fold.simd,
            "IN_ELEMS": elems,
            "AGAIN": int(sliding),
            "W_BITS": weight_bits,
            "A_BITS": layer.in_bits,
            "TERNARY": int(numbers.ternary),
            "CHAIN": plan_of(layer, fold.pe).chain if fold.dsp else 0,
            "ACC_W": numbers.acc_bits,
            "THRESHOLDS": layer.steps,
            "OUT_W": layer.out_bits,
            **memories,
            "MEMORY": STYLES[fold.memory],
        },
    )


def _add_unrolled(made: Design, layer: Mvtu, fold: Fold) -> None:
    """The layer for each pixel of a beat: all their inputs and rows make one unit."""
    numbers, module = constants(layer, fold.slice_bits), f"{layer.name}_unit"
    cols, outputs = fold.pixels * layer.cols, fold.pixels * layer.rows
    _feed(made, layer.name, cols)
    rows = []
    for pixel in range(fold.pixels):
        for index, (terms, copy) in enumerate(zip(numbers.terms, numbers.copies, strict=True)):
            signs = np.array([3 if term.negative else 1 for term in terms], np.int64)
            places = np.array(numbers.places(index), np.int64)
            rows.append(
                {
                    "copy_index": copy,
                    "cols": [pixel * layer.cols + term.col for term in terms],
                    "signs": f"{pack(signs, 2):x}",
                    "places": f"{pack(places, 16):x}",
                }
            )
    counting = Counting.of(layer.steps, numbers.steps)
    thresholds = counting.words(np.tile(numbers.thresholds, (fold.pixels, 1)), outputs)
    made.unrolled[module] = {
        "module": module,
        "name": layer.name,
        "rows": rows,
        "cols": cols,
        "in_bits": layer.in_bits,
        "out_bits": layer.out_bits,
        "slice": fold.slice_bits,
        "copies": 1 + max(numbers.copies),
        "sum_bits": numbers.sum_bits,
        "acc_bits": numbers.acc_bits,
        "latency": numbers.latency,
        "thresholds": layer.steps,
        "threshold_file": made.image(
            f"{layer.name}_thresholds",
            thresholds,
            numbers.acc_bits,
            threshold_memory(len(thresholds)),
        ),
    }
    made.add(module, layer.name, Stream(elems=outputs, bits=layer.out_bits), {})


def _add_argmax(made: Design, layer: Layer, folding: Folding) -> None:
    assert isinstance(layer, Argmax)
    numbers, file = scoring(layer), f"{layer.name}_gains"
    if numbers.words:
        made.listing(file, [numbers.words])
    shape = {"CLASSES": layer.classes, "IN_ELEMS": made.stream.elems, "LOGIT_W": layer.bits}
    made.add(
        "nn_argmax",
        layer.name,
        Stream(elems=1, bits=OUTPUT_BITS),
        {**shape, **numbers.parameters(file, dsp=folding.followed[layer.name].dsp)},
        m_axis_tlast="m_axis_tlast",
    )


_ADD = {
    Lookup: _add_lookup,
    MaxPool: _add_pool,
    Mvtu: _add_mvtu,
    Argmax: _add_argmax,
}
