"""The network: layers in topological order, each with the layers whose streams it reads.

Activations travel as unsigned integers, pixel by pixel in row-major order, all channels of a pixel
together (NHWC).
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from finn_build.errors import ModelError
from finn_build.network.layers import KINDS, End, Floats, Ints, Layer, Mvtu, Shape, Window
from finn_build.system.files import save_npz

# What reading a foreign or truncated file raises.
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    BadZipFile,
    zlib.error,
)
# Fields of a network that its stored description holds in another form.
_GRAPH = ("layers", "reads")
# The source of a layer that reads the images themselves.
IMAGE = "image"


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Named layers for images of HEIGHT x WIDTH x CHANNELS unsigned 8-bit pixels.

    layers: each after the layers that it reads; reads: by a layer's name, the layers that it reads,
    or IMAGE; a layer that it leaves out reads the one before it. A stream that several layers read
    forks. scale: value of one logit unit in the trained network; offset: what is added to a logit's
    value; both are (CLASSES,) float64 if classes differ, or (CHANNELS,) or (VALUES,) where it ends
    in values. floor: the lowest value, or None.
    """

    name: str
    height: int
    width: int
    channels: int
    scale: float | Floats
    offset: float | Floats = 0.0
    floor: float | None = None
    layers: tuple[Layer, ...]
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Complete the edges; make a scale or offset that all classes share one float.

        Raises ModelError for a scale or offset of another shape, and for layers out of order.
        """
        object.__setattr__(self, "reads", self._edges())
        for what in ("scale", "offset"):
            values = np.asarray(getattr(self, what), np.float64)
            possible = [(n,) for end in self.ends for n in (end.period, end.integers)]
            if values.ndim and values.shape not in possible:
                raise ModelError(
                    f"{self.name}: {what} of shape {values.shape}; use one number, or one a class "
                    "or channel"
                )
            shared = values.ndim == 0 or bool((values == values[0]).all())
            object.__setattr__(self, what, float(values.flat[0]) if shared else values)

    def _edges(self) -> dict[str, tuple[str, ...]]:
        before = (IMAGE, *(layer.name for layer in self.layers))
        if len(set(before)) < len(before):
            raise ModelError(f"{self.name}: two layers have one name: {', '.join(before[1:])}")
        reads = {
            layer.name: tuple(self.reads.get(layer.name, (before[i],)))
            for i, layer in enumerate(self.layers)
        }
        for i, (name, sources) in enumerate(reads.items()):
            if unknown := [source for source in sources if source not in before[: i + 1]]:
                raise ModelError(
                    f"{self.name}: {name} reads {', '.join(unknown)}; a layer reads {IMAGE} or "
                    "layers before it"
                )
        for layer in self.layers:
            if len(sources := reads[layer.name]) != layer.arity:
                raise ModelError(
                    f"{self.name}: {layer.name} reads {', '.join(sources)}; a {layer.kind} reads "
                    f"{layer.arity}"
                )
        read = {source for sources in reads.values() for source in sources}
        if unread := [name for name in before[1:-1] if name not in read]:
            raise ModelError(
                f"{self.name}: nothing reads {', '.join(unread)}; only the last layer is the end"
            )
        return reads

    def walk(self) -> Iterator[tuple[Layer, tuple[str, ...]]]:
        """Each layer with the layers that it reads, which all come before it."""
        return ((layer, self.reads[layer.name]) for layer in self.layers)

    def readers(self, name: str) -> int:
        """How many inputs read the stream of a layer or of IMAGE; 1 for the network's output."""
        return max(1, sum(sources.count(name) for sources in self.reads.values()))

    def shapes(self) -> dict[str, Shape]:
        """The shape of the images and of each layer's output, by name."""
        shapes = {IMAGE: Shape(sizes=(self.height, self.width, self.channels), bits=8)}
        for layer, sources in self.walk():
            shapes[layer.name] = layer.shape(*(shapes[source] for source in sources))
        return shapes

    @property
    def mvtus(self) -> tuple[Mvtu, ...]:
        """The layers that hold weights, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, Mvtu))

    @property
    def ends(self) -> tuple[End, ...]:
        """The layer whose words leave the accelerator, if there is one."""
        return tuple(layer for layer in self.layers if isinstance(layer, End))

    @property
    def end(self) -> End:
        """The layer whose words leave the accelerator. Raises ModelError where there is none."""
        if not self.ends:
            raise ModelError(f"{self.name}: gives neither a label nor values; end in one of them")
        return self.ends[0]

    @property
    def reach(self) -> int:
        """The largest absolute value of the integers that the end reads, or of the last unit's."""
        source = self.reads[self.layers[-1].name][0] if self.ends else self.layers[-1].name
        layer = next(layer for layer in self.layers if layer.name == source)
        if isinstance(layer, Mvtu) and not layer.coded:
            return max(abs(value) for value in layer.reach)
        return (1 << self.shapes()[source].bits) - 1

    def scales(self, count: int) -> tuple[Floats, Floats]:
        """Scale and offset of each of the `count` integers of an image."""
        wide = (
            np.atleast_1d(np.asarray(numbers, np.float64)) for numbers in (self.scale, self.offset)
        )
        scale, offset = (np.tile(numbers, count // len(numbers)) for numbers in wide)
        return scale, offset

    def values(self, logits: Ints) -> Floats:
        """The values in the trained network that logits or other integers (N, ...) stand for."""
        scale, offset = self.scales(logits.shape[1])
        values: Floats = np.asarray(logits, np.float64) * scale + offset
        return values if self.floor is None else np.maximum(values, self.floor)

    @property
    def windows(self) -> dict[str, Window]:
        """The window before each layer that has one, by the layer's name."""
        named = {layer.name: layer for layer in self.layers if isinstance(layer, Window)}
        return {
            name: named[source]
            for name, sources in self.reads.items()
            for source in sources
            if source in named
        }

    @property
    def macs(self) -> int:
        """Multiply-accumulates per frame."""
        return sum(layer.macs for layer in self.layers)

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
            """Fields for JSON; arrays go to `arrays` and leave a placeholder."""
            values = {f.name: getattr(owner, f.name) for f in fields(owner) if f.name not in _GRAPH}
            for key, value in values.items():
                if isinstance(value, np.ndarray):
                    arrays[f"{prefix}{key}"] = value
                    values[key] = "array"
            return values

        described = [
            {"kind": layer.kind, "reads": sources, **record(layer, f"{layer.name}.")}
            for layer, sources in self.walk()
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
                """Fields with their arrays in place, and with tuples for JSON's lists."""
                held = {key: arrays.get(f"{prefix}{key}", v) for key, v in record.items()}
                return {k: tuple(v) if isinstance(v, list) else v for k, v in held.items()}

            layers, reads = [], {}
            for record in head.pop("layers"):
                kind, sources = KINDS[record.pop("kind")], record.pop("reads")
                layers.append(kind(**whole(record, f"{record['name']}.")))
                reads[record["name"]] = tuple(sources)
            return cls(layers=tuple(layers), reads=reads, **whole(head, ""))
        except _DAMAGE as error:
            raise ModelError(
                f"{path}: not a network that headrace stored ({error}); remove it and build again"
            ) from error
