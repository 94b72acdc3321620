"""ONNX's Resize and Upsample: by how much they repeat rows and columns, if that is all they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from finn_build.frontend.check import attributes, refuse
from finn_build.frontend.layout import Layout

HALF = Fraction(1, 2)
MOST_FACTOR = 64


def upsampling(
    node: NodeProto,
    numbers: Callable[[NodeProto, int], NDArray[Any] | None],
    layout: Layout,
) -> tuple[tuple[int, int], Layout]:
    """How often rows and columns of an image are repeated, and the layout of the larger image.

    numbers: gives the constant at an input of the node, if there is one. Raises ModelError for
    anything but whole factors of rows and columns by which each pixel goes to its nearest place.
    """
    said = {"mode": "nearest", **attributes(node)}
    if said["mode"] != "nearest":
        raise refuse(node, f"mode {said['mode']!r} computes pixels between others; use nearest")
    shape = layout.shape
    scales = _scales(node, said, numbers, shape)
    whole = len(scales) == 1 + len(shape) and scales[0] == 1
    if not whole or not all(scale in range(1, MOST_FACTOR + 1) for scale in scales):
        raise refuse(
            node,
            f"scales {[float(s) for s in scales]}; want 1 for the batch, whole numbers of 1 to "
            f"{MOST_FACTOR} for rows and columns",
        )
    found, dims = {"h": 1, "w": 1}, list(layout.dims)
    for place, factor in enumerate(int(scale) for scale in scales[1:]):
        if factor == 1:
            continue
        axis = dims[place] or _single(layout, dims)
        if axis not in found:
            raise refuse(node, "repeats something other than rows and columns")
        dims[place], found[axis], size = axis, factor, shape[place]
        places = range(size * factor)
        if any(_source(i, size, factor, node, said) != i // factor for i in places):
            raise refuse(
                node,
                "does not repeat every pixel equally often; use coordinate_transformation_mode "
                "asymmetric with nearest_mode floor",
            )
    factors = found["h"], found["w"]
    height, width = layout.height * factors[0], layout.width * factors[1]
    return factors, replace(layout, height=height, width=width, dims=tuple(dims))


def _single(layout: Layout, dims: Sequence[str]) -> str:
    """Which axis of one row or column a dimension of size 1 is: one that no dimension has."""
    sizes = {"h": layout.height, "w": layout.width}
    return next((axis for axis in sizes if sizes[axis] == 1 and axis not in dims), "")


def _scales(
    node: NodeProto,
    said: dict[str, Any],
    numbers: Callable[[NodeProto, int], NDArray[Any] | None],
    shape: Sequence[int],
) -> list[Fraction]:
    """The factor of each dimension, from an attribute, the scales, or the sizes."""
    if "scales" in said:
        return [Fraction(float(scale)) for scale in said["scales"]]
    if "axes" in said or said.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise refuse(node, "resizes some axes, or keeps a ratio; give scales of all dimensions")
    # Since version 11 Resize has a region of interest before its scales.
    places = (1,) if node.op_type == "Upsample" or len(node.input) == 2 else (2, 3)
    for place in places:
        values = numbers(node, place)
        if values is None or not values.size:
            continue
        given = [Fraction(float(value)) for value in np.asarray(values).ravel()]
        if place < 3:
            return given
        # The batch is one image, whatever the sizes say.
        return [Fraction(1), *(a / n for a, n in zip(given[1:], shape, strict=False))]
    raise refuse(node, "has neither scales nor sizes")


def _source(place: int, size: int, factor: int, node: NodeProto, said: dict[str, Any]) -> int:
    """The place that a place of the larger image is taken from, as ONNX's Resize says."""
    older = node.op_type == "Upsample" or len(node.input) == 2
    mode = said.get("coordinate_transformation_mode", "asymmetric" if older else "half_pixel")
    match mode:
        case "asymmetric":
            x = Fraction(place, factor)
        case "half_pixel" | "half_pixel_symmetric":
            x = (place + HALF) / factor - HALF
        case "pytorch_half_pixel":
            x = (place + HALF) / factor - HALF if size * factor > 1 else Fraction(0)
        case "align_corners":
            x = Fraction(place * (size - 1), max(1, size * factor - 1))
        case _:
            raise refuse(node, f"coordinate_transformation_mode {mode!r} is not supported")
    nearest = said.get("nearest_mode", "floor" if older else "round_prefer_floor")
    match nearest:
        case "floor":
            found = floor(x)
        case "ceil":
            found = ceil(x)
        case "round_prefer_floor":
            found = ceil(x - HALF)
        case "round_prefer_ceil":
            found = floor(x + HALF)
        case _:
            raise refuse(node, f"nearest_mode {nearest!r} is not known")
    return min(max(found, 0), size - 1)
