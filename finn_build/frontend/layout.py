"""How the dimensions of a tensor lie over the rows, columns and channels of a stream.

The stream always goes pixel by pixel with all channels of a pixel together. What a file does with
the axes (channels first or last, images transposed, flattened) only changes how it names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A tensor without its batch: for each dimension, the axes (h, w, c) that are merged in it.

    Axes of size 1 are left out.
    """

    height: int
    width: int
    channels: int
    dims: tuple[str, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Size of each axis."""
        return {"h": self.height, "w": self.width, "c": self.channels}

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions."""
        return tuple(prod(self.sizes[axis] for axis in dim) for dim in self.dims)

    @property
    def order(self) -> str:
        """The axes from the slowest to the fastest."""
        return "".join(self.dims)

    def transposed(self, permutation: Sequence[int]) -> Layout:
        """The layout after a permutation of the dimensions; 0 is the batch, which stays first."""
        return replace(self, dims=tuple(self.dims[p - 1] for p in permutation[1:]))

    def reshaped(self, target: Sequence[int]) -> Layout | None:
        """The layout with the axes grouped to other dimensions; None if an axis would be split."""
        sizes, total = list(target), prod(self.shape)
        if -1 in sizes:
            rest = prod(n for n in sizes if n != -1)
            if not rest or total % rest:
                return None
            sizes[sizes.index(-1)] = total // rest
        if prod(sizes) != total:
            return None
        axes, dims = list(self.order), []
        for size in sizes:
            dim = ""
            while axes and prod(self.sizes[a] for a in dim) < size:
                dim += axes.pop(0)
            if prod(self.sizes[a] for a in dim) != size:
                return None
            dims.append(dim)
        return replace(self, dims=tuple(dims))

    def image(self) -> tuple[bool, int] | None:
        """Whether the image is transposed, and how many dimensions it has, with channels first.

        None unless the dimensions are the channels and then one or two of an image.
        """
        if len(self.dims) not in (2, 3) or self.dims[0] not in ("", "c"):
            return None
        rest = self.dims[1:]
        if any(len(dim) > 1 or dim == "c" for dim in rest):
            return None
        if len(rest) == 1:
            return rest[0] == "h", 1
        return rest[0] == "w" or rest[1] == "h", 2

    def with_image(self, height: int, width: int, channels: int, *, flipped: bool) -> Layout:
        """A tensor of another size with the dimensions of this one, channels first."""
        spatial = ["w", "h"] if flipped else ["h", "w"]
        if len(self.dims) == 2:
            del spatial[0]
        return of_axes(height, width, channels, ("c", *spatial))

    def channel_of(self, values: NDArray[np.object_] | NDArray[np.float64]) -> list[int] | None:
        """Where each channel's value is in a constant that is broadcast to the tensor.

        values: of any shape that can be. Returns the flat index of every channel's value, [0] if
        one serves all; None where the values of a channel differ.
        """
        if values.size == 1:
            return [0]
        shape = (1, *self.shape)
        try:
            wide = np.broadcast_to(np.arange(values.size).reshape(values.shape), shape)
        except ValueError:
            return None
        stream = self.to_stream(wide).reshape(-1, self.channels)
        flat = values.ravel()
        first = flat[stream[0]]
        if any((flat[row] != first).any() for row in stream[1:]):
            return None
        return [int(i) for i in stream[0]]

    def to_stream(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """A tensor (N, ...) as (N, HEIGHT, WIDTH, CHANNELS)."""
        spread = values.reshape(len(values), *(self.sizes[axis] for axis in self.order))
        present = [1 + self.order.index(axis) for axis in "hwc" if axis in self.order]
        ordered = spread.transpose(0, *present)
        return ordered.reshape(len(values), self.height, self.width, self.channels)

    def from_stream(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """The inverse of `to_stream`, which says the shapes."""
        ordered = values.transpose(0, *(1 + "hwc".index(axis) for axis in self.order_of_all))
        return ordered.reshape(len(values), *self.shape)

    @property
    def order_of_all(self) -> str:
        """The order of the axes, those of size 1 at the end."""
        return self.order + "".join(axis for axis in "hwc" if axis not in self.order)


def of_axes(height: int, width: int, channels: int, dims: Sequence[str]) -> Layout:
    """A layout whose dimensions are single axes; those of size 1 are left out."""
    sizes = {"h": height, "w": width, "c": channels}
    kept = tuple("".join(a for a in dim if sizes[a] > 1) for dim in dims)
    return Layout(height=height, width=width, channels=channels, dims=kept)
