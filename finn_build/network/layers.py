"""The layer list: what the accelerator computes, as shapes, integer weights and thresholds.

A network is a tuple of layers in stream order. Activations travel as unsigned integers, pixel by
pixel in row-major order, all channels of a pixel together (NHWC).
"""

import json
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from finn_build.errors import ModelError
from finn_build.system.files import save_npz

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Words that leave the accelerator, and what int64 holds of a score with a bit to spare.
OUTPUT_BITS = 32
SCORE_BITS = 63


@dataclass(frozen=True, kw_only=True, eq=False)
class Lookup:
    """A table per channel, for an image of HEIGHT x WIDTH x CHANNELS.

    tables: (CHANNELS, 2**in_bits) int64, zero or more; unsure: of the same shape, the entries that
    float32 arithmetic may give otherwise, to explain rounding. parts: what so many neighbours of
    the stream make one address, the first in its low bits, as where two branches are added.
    """

    kind: ClassVar[str] = "lookup"
    name: str
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
        """Whether every value stays as it is, so that the hardware needs no table."""
        values = np.arange(1 << self.in_bits)
        return np.array_equal(self.tables, np.broadcast_to(values, self.tables.shape))


@dataclass(frozen=True, kw_only=True)
class Window:
    """Padded windows over an image of HEIGHT x WIDTH x CHANNELS.

    kernel: rows and columns of a window; stride: rows and columns from one window to the next; pad:
    rows and columns around the image, (top, left, bottom, right); fill: what they hold, the code of
    zero.
    """

    kind: ClassVar[str] = "window"
    name: str
    height: int
    width: int
    channels: int
    bits: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int, int, int]
    fill: int = 0

    def __post_init__(self) -> None:
        """Raise ModelError for windows that the padded image does not hold or that hold nothing."""
        top, left, bottom, right = self.pad
        sides = (
            ("rows", self.height, self.kernel[0], self.stride[0], (top, bottom)),
            ("columns", self.width, self.kernel[1], self.stride[1], (left, right)),
        )
        for what, size, kernel, stride, pads in sides:
            if size < 1 or kernel < 1 or stride < 1:
                raise ModelError(
                    f"{self.name}: {size} {what}, windows of {kernel} and a stride of {stride}; "
                    "use 1 or more"
                )
            if not all(0 <= pad < kernel for pad in pads):
                raise ModelError(
                    f"{self.name}: padding of {pads[0]} and {pads[1]} {what} for windows of "
                    f"{kernel}; use 0 to {kernel - 1}"
                )
            if size + sum(pads) < kernel:
                raise ModelError(
                    f"{self.name}: {size} {what} with {sum(pads)} of padding hold no window of "
                    f"{kernel}; use a smaller kernel or more padding"
                )

    @property
    def out_height(self) -> int:
        """Rows of output positions."""
        return (self.height + self.pad[0] + self.pad[2] - self.kernel[0]) // self.stride[0] + 1

    @property
    def out_width(self) -> int:
        """Columns of output positions."""
        return (self.width + self.pad[1] + self.pad[3] - self.kernel[1]) // self.stride[1] + 1

    @property
    def elements(self) -> int:
        """Elements of a window."""
        return self.kernel[0] * self.kernel[1] * self.channels

    @property
    def same(self) -> bool:
        """Whether every pixel is the middle of a window."""
        top, left = self.pad[:2]
        both = self.pad == (top, left, top, left)
        return both and self.stride == (1, 1) and self.kernel == (2 * top + 1, 2 * left + 1)

    @property
    def positions(self) -> int:
        """Windows of an image."""
        return self.out_height * self.out_width

    def _reach(self, pixels: int) -> tuple[int, int]:
        """Rows below and beats at the right of the first pixel that the first window reaches."""
        return self.kernel[0] - 1 - self.pad[0], ceil((self.kernel[1] - 1 - self.pad[1]) / pixels)

    def grid(self, pixels: int) -> tuple[int, int]:
        """Rows of a frame and beats of a row in the hardware (rtl_templates: nn_window).

        The image's, and as many more without a pixel as windows need that begin beyond its own rows
        and beats, or the first one to end.
        """
        below, after = self._reach(pixels)
        down, right = self.out_height - 1, self.out_width // pixels - 1
        cols = max(self.width // pixels, right * self.stride[1] + 1, 2)
        rows = max(self.height, down * self.stride[0] + 1, below + after // cols + 1)
        return rows, cols

    def lag(self, pixels: int) -> int:
        """Beats of the grid that come between a window's place in it and its last one."""
        below, after = self._reach(pixels)
        return below * self.grid(pixels)[1] + after


@dataclass(frozen=True, kw_only=True)
class MaxPool:
    """Maximum of every window of an image of HEIGHT x WIDTH x CHANNELS.

    kernel, stride: rows and columns; pad: rows above, columns at the left, rows below, columns at
    the right, all of them code 0, which is no more than any pixel. A ragged rest is dropped.
    """

    kind: ClassVar[str] = "maxpool"
    name: str
    height: int
    width: int
    channels: int
    bits: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        """Make tuples of what JSON has as lists. Raises ModelError for windows without a pixel."""
        for name in ("kernel", "stride", "pad"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        (kh, kw), (top, left, bottom, right) = self.kernel, self.pad
        if min(*self.kernel, *self.stride) < 1 or min(self.pad) < 0:
            raise ModelError(f"{self.name}: kernel and stride must be 1 or more, pads 0 or more")
        if max(top, bottom) >= kh or max(left, right) >= kw:
            raise ModelError(
                f"{self.name}: with pads {self.pad} some windows of {kh} x {kw} would be padding "
                "alone; use pads smaller than the window"
            )
        if self.out_height < 1 or self.out_width < 1:
            raise ModelError(
                f"{self.name}: a {kh} x {kw} window is larger than the {self.height} x "
                f"{self.width} image; use a smaller one"
            )

    @property
    def out_height(self) -> int:
        """Rows of windows."""
        top, _, bottom, _ = self.pad
        return (self.height + top + bottom - self.kernel[0]) // self.stride[0] + 1

    @property
    def out_width(self) -> int:
        """Windows of a row."""
        _, left, _, right = self.pad
        return (self.width + left + right - self.kernel[1]) // self.stride[1] + 1

    @property
    def window(self) -> Window | None:
        """What gathers windows that overlap or are padded; None where each pixel is in one."""
        if self.stride == self.kernel and not any(self.pad):
            return None
        shape = {f.name: getattr(self, f.name) for f in fields(self)}
        return Window(**{**shape, "name": f"{self.name}_windows"})


@dataclass(frozen=True, kw_only=True, eq=False)
class Mvtu:
    """Matrix-vector product with a threshold count, or with a bias (the last layer).

    weights: (ROWS, COLS) int64; thresholds: (ROWS, T) int64, ascending along T, or None;
    float_thresholds: the numbers that they follow from, as float64, infinite where no accumulator
    decides; slack: (ROWS,) how far from these, in accumulators, float32 arithmetic may err;
    bias: (ROWS,) int64 in accumulator units, or None. `positions` vectors make a frame. A
    `windowed` unit works on windows of an image; any other gets its vector in SIMD pieces.
    """

    kind: ClassVar[str] = "mvtu"
    name: str
    positions: int
    windowed: bool
    in_bits: int
    weight_bits: int
    weights: Ints
    thresholds: Ints | None = None
    float_thresholds: NDArray[np.float64] | None = None
    slack: NDArray[np.float64] | None = None
    bias: Ints | None = None

    def __post_init__(self) -> None:
        """Raise ModelError for weights that do not fit and thresholds that do not ascend."""
        most = (1 << (self.weight_bits - 1)) - 1
        right, legal = (
            (abs(self.weights) == 1, "-1 and 1")
            if self.weight_bits == 1
            else ((self.weights >= -most - 1) & (self.weights <= most), f"{-most - 1} to {most}")
        )
        if not right.all():
            row, col = np.argwhere(~right)[0]
            raise ModelError(
                f"{self.name}: weight {self.weights[row, col]} of row {row}, input {col} is "
                f"outside its {self.weight_bits} bits; use {legal}"
            )
        if self.thresholds is not None and (falls := np.diff(self.thresholds, axis=1) < 0).any():
            row, step = np.argwhere(falls)[0]
            raise ModelError(
                f"{self.name}: threshold {step + 1} of row {row}, "
                f"{self.thresholds[row, step + 1]}, is below the one before, "
                f"{self.thresholds[row, step]}; sort each row's"
            )

    @property
    def rows(self) -> int:
        """Outputs per vector."""
        return int(self.weights.shape[0])

    @property
    def cols(self) -> int:
        """Inputs per vector."""
        return int(self.weights.shape[1])

    @property
    def steps(self) -> int:
        """Thresholds per row; 0 where the accumulators themselves are the output."""
        return 0 if self.thresholds is None else int(self.thresholds.shape[1])

    @cached_property
    def reach(self) -> tuple[int, int]:
        """Lowest and highest value that any accumulator can hold, bias included."""
        top = (1 << self.in_bits) - 1
        bias = np.zeros(self.rows, np.int64) if self.bias is None else self.bias
        low = np.minimum(self.weights, 0).sum(axis=1) * top + np.minimum(bias, 0)
        high = np.maximum(self.weights, 0).sum(axis=1) * top + np.maximum(bias, 0)
        return int(low.min()), int(high.max())

    @property
    def acc_bits(self) -> int:
        """Two's complement width of an accumulator, and of a threshold that none can reach."""
        low, high = self.reach
        return max((-low - 1).bit_length() if low < 0 else 0, (high + 1).bit_length()) + 1

    @property
    def out_bits(self) -> int:
        """Width of one output: a count of thresholds, or the accumulator."""
        return self.steps.bit_length() if self.steps else self.acc_bits


@dataclass(frozen=True, kw_only=True, eq=False)
class Argmax:
    """Label (lowest index of the largest score) and the logits themselves.

    gains, biases: (CLASSES,) int64; the score of class k is gains[k] * logit[k] + biases[k], where
    None is a gain of 1 and a bias of 0, and at least `floor`. With neither gains nor biases the
    scores are put out as the logits.
    """

    kind: ClassVar[str] = "argmax"
    name: str
    classes: int
    bits: int
    gains: Ints | None = None
    biases: Ints | None = None
    floor: int | None = None

    def __post_init__(self) -> None:
        """Raise ModelError for gains or biases that are not one a class, and for wide scores."""
        if self.classes < 1:
            raise ModelError(f"{self.name}: {self.classes} classes; use 1 or more")
        for what, values in (("gains", self.gains), ("biases", self.biases)):
            if values is not None and values.shape != (self.classes,):
                raise ModelError(
                    f"{self.name}: {what} of shape {values.shape}; use one for each of the "
                    f"{self.classes} classes"
                )
        if self.score_bits > SCORE_BITS:
            low, high = self.reach
            raise ModelError(
                f"{self.name}: scores of {low} to {high} take {self.score_bits} bits, more than "
                f"{SCORE_BITS}; use smaller gains and biases"
            )
        if self.out_bits > OUTPUT_BITS:
            raise ModelError(
                f"{self.name}: logits of {self.out_bits} bits, more than the {OUTPUT_BITS} of an "
                "output word; use fewer bits, or a floor within them"
            )

    @property
    def scored(self) -> bool:
        """Whether scores are something else than the logits that are put out."""
        return self.gains is not None or self.biases is not None

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Lowest and highest score of each class that logits of so many bits give, unfloored."""
        ends = -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        gains = [1] * self.classes if self.gains is None else self.gains.tolist()
        biases = [0] * self.classes if self.biases is None else self.biases.tolist()
        found = []
        for gain, bias in zip(gains, biases, strict=True):
            one, other = (gain * end + bias for end in ends)
            found.append((min(one, other), max(one, other)))
        return found

    @property
    def reach(self) -> tuple[int, int]:
        """Lowest and highest of all scores and the floor."""
        lows, highs = zip(*self.ranges, strict=True)
        floor = () if self.floor is None else (self.floor,)
        return min((*lows, *floor)), max((*highs, *floor))

    @property
    def score_bits(self) -> int:
        """Two's complement width of a score, before the floor and after it."""
        return signed_bits(*self.reach)

    @property
    def out_bits(self) -> int:
        """Two's complement width of a logit that is put out."""
        return self.bits if self.scored else self.score_bits


def signed_bits(low: int, high: int) -> int:
    """Two's complement width of all numbers from `low` to `high`."""
    return 1 + max((end if end >= 0 else ~end).bit_length() for end in (low, high))


Layer = Lookup | Window | MaxPool | Mvtu | Argmax
_KINDS: dict[str, type[Layer]] = {c.kind: c for c in (Lookup, Window, MaxPool, Mvtu, Argmax)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A named chain of layers for images of HEIGHT x WIDTH x CHANNELS unsigned 8-bit pixels.

    scale: value of one logit unit in the trained network; offset: what is added to a logit's value;
    each (CLASSES,) float64 where classes differ. floor: the lowest value, or None.
    """

    name: str
    height: int
    width: int
    channels: int
    scale: float | Floats
    offset: float | Floats = 0.0
    floor: float | None = None
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        """Keep what all classes share as one float. Raises ModelError for another shape."""
        for what in ("scale", "offset"):
            values = np.asarray(getattr(self, what), np.float64)
            if values.ndim and values.shape not in [(end.classes,) for end in self.ends]:
                raise ModelError(
                    f"{self.name}: {what} of shape {values.shape}; use one number, or one a class"
                )
            shared = values.ndim == 0 or bool((values == values[0]).all())
            object.__setattr__(self, what, float(values.flat[0]) if shared else values)

    @property
    def mvtus(self) -> tuple[Mvtu, ...]:
        """The layers that hold weights, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, Mvtu))

    @property
    def ends(self) -> tuple[Argmax, ...]:
        """The layer that finds the label, if there is one."""
        return tuple(layer for layer in self.layers if isinstance(layer, Argmax))

    def values(self, logits: Ints) -> Floats:
        """What logits (N, CLASSES) stand for in the trained network."""
        values: Floats = np.asarray(logits, np.float64) * self.scale + self.offset
        return values if self.floor is None else np.maximum(values, self.floor)

    @property
    def windows(self) -> dict[str, Window]:
        """The window before each layer that has one, by the layer's name."""
        pairs = pairwise(self.layers)
        return {layer.name: window for window, layer in pairs if isinstance(window, Window)}

    @property
    def macs(self) -> int:
        """Multiply-accumulates per frame."""
        return sum(m.positions * m.rows * m.cols for m in self.mvtus)

    @property
    def frame_bytes(self) -> int:
        """Bytes of an image."""
        return self.height * self.width * self.channels

    @property
    def input_bytes(self) -> int:
        """Bytes per beat into the accelerator: the largest power of two up to 8 in a frame."""
        return next(n for n in (8, 4, 2, 1) if self.frame_bytes % n == 0)

    def save(self, path: Path) -> None:
        """Write the network as one .npz file: a JSON description and the arrays."""
        arrays: dict[str, NDArray[Any]] = {}

        def record(owner: Any, prefix: str) -> dict[str, Any]:
            """Fields as JSON holds them; an array has its place among the arrays instead."""
            made = {f.name: getattr(owner, f.name) for f in fields(owner) if f.name != "layers"}
            for key, value in made.items():
                if isinstance(value, np.ndarray):
                    arrays[f"{prefix}{key}"] = value
                    made[key] = "array"
            return made

        described = [
            {"kind": layer.kind, **record(layer, f"{layer.name}.")} for layer in self.layers
        ]
        text = json.dumps({**record(self, ""), "layers": described})
        arrays["description"] = np.frombuffer(text.encode(), np.uint8)
        save_npz(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Network":
        """Read what `save` wrote. Raises ModelError for a file that is not such a network."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = dict(stored)
            head = json.loads(arrays["description"].tobytes())

            def whole(record: dict[str, Any], prefix: str) -> dict[str, Any]:
                """Fields with their arrays in place, and tuples, which JSON has as lists."""
                held = {key: arrays.get(f"{prefix}{key}", v) for key, v in record.items()}
                return {k: tuple(v) if isinstance(v, list) else v for k, v in held.items()}

            layers = []
            for record in head.pop("layers"):
                kind = _KINDS[record.pop("kind")]
                layers.append(kind(**whole(record, f"{record['name']}.")))
            return cls(layers=tuple(layers), **whole(head, ""))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"{path}: not a layer list ({error}); remove it and build again"
            ) from error
