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
from finn_build.files import save_npz

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lookup:
    """A table per channel, for an image of HEIGHT x WIDTH x CHANNELS.

    tables: (CHANNELS, 2**in_bits) int64, zero or more.
    """

    kind: ClassVar[str] = "lookup"
    name: str
    height: int
    width: int
    in_bits: int
    tables: Ints

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
    """Padded KERNEL x KERNEL windows over an image of HEIGHT x WIDTH x CHANNELS.

    fill: what the padding holds, the code of zero.
    """

    kind: ClassVar[str] = "window"
    name: str
    height: int
    width: int
    channels: int
    bits: int
    kernel: int
    stride: int
    pad: int
    fill: int = 0

    @property
    def out_height(self) -> int:
        """Rows of output positions."""
        return (self.height + 2 * self.pad - self.kernel) // self.stride + 1

    @property
    def out_width(self) -> int:
        """Columns of output positions."""
        return (self.width + 2 * self.pad - self.kernel) // self.stride + 1

    @property
    def same(self) -> bool:
        """Whether every pixel is the middle of a window."""
        return self.stride == 1 and self.kernel == 2 * self.pad + 1

    @property
    def positions(self) -> int:
        """Windows of an image."""
        return self.out_height * self.out_width

    def lag(self, pixels: int) -> int:
        """Beats of `pixels` that come between a window's place in the image and its last one."""
        reach = self.kernel - 1 - self.pad
        return reach * self.width // pixels + ceil(reach / pixels)


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
    def apart(self) -> bool:
        """Whether no pixel is in two windows and none is padding."""
        return self.stride == self.kernel and not any(self.pad)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mvtu:
    """Matrix-vector product with a threshold count, or with a bias (the last layer).

    weights: (ROWS, COLS) int64; thresholds: (ROWS, T) int64, ascending along T, or None;
    float_thresholds: the float64 values whose ceilings they are, to explain rounding;
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


@dataclass(frozen=True, kw_only=True)
class Argmax:
    """Label (lowest index of the largest logit) and the logits themselves."""

    kind: ClassVar[str] = "argmax"
    name: str
    classes: int
    bits: int


Layer = Lookup | Window | MaxPool | Mvtu | Argmax
_KINDS: dict[str, type[Layer]] = {c.kind: c for c in (Lookup, Window, MaxPool, Mvtu, Argmax)}


@dataclass(frozen=True, kw_only=True)
class Network:
    """A named chain of layers for images of HEIGHT x WIDTH x CHANNELS unsigned 8-bit pixels.

    scale: value of one logit unit in the trained network; offset: what is added to every logit.
    """

    name: str
    height: int
    width: int
    channels: int
    scale: float
    offset: float = 0.0
    layers: tuple[Layer, ...]

    @property
    def mvtus(self) -> tuple[Mvtu, ...]:
        """The layers that hold weights, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, Mvtu))

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
        described = []
        for layer in self.layers:
            record: dict[str, Any] = {"kind": layer.kind}
            for field in fields(layer):
                value = getattr(layer, field.name)
                if isinstance(value, np.ndarray):
                    arrays[f"{layer.name}.{field.name}"] = value
                    value = "array"
                record[field.name] = value
            described.append(record)
        head = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "layers"}
        text = json.dumps({**head, "layers": described})
        arrays["description"] = np.frombuffer(text.encode(), np.uint8)
        save_npz(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Network":
        """Read what `save` wrote. Raises ModelError for a file that is not such a network."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                head = json.loads(stored["description"].tobytes())
                layers = []
                for record in head.pop("layers"):
                    kind = _KINDS[record.pop("kind")]
                    for key, value in record.items():
                        if value == "array":
                            record[key] = stored[f"{record['name']}.{key}"]
                    layers.append(kind(**record))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"{path}: not a layer list ({error}); remove it and build again"
            ) from error
        return cls(layers=tuple(layers), **head)
