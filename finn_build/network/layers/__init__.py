"""The kinds of layers, a file for each, and the parts of their hardware."""

from finn_build.network.layers.add import Add
from finn_build.network.layers.argmax import SCORE_BITS, Argmax
from finn_build.network.layers.base import Floats, Integers, Ints, Layer, Place, Shape
from finn_build.network.layers.concat import Concat
from finn_build.network.layers.end import OUTPUT_BITS, End
from finn_build.network.layers.lookup import Lookup
from finn_build.network.layers.max_pool import MaxPool
from finn_build.network.layers.mvtu import Mvtu
from finn_build.network.layers.residual import Residual
from finn_build.network.layers.sum_pool import SumPool
from finn_build.network.layers.upsample import Upsample
from finn_build.network.layers.values import Values
from finn_build.network.layers.window import Window

# Kinds of layers by their names in stored networks.
KINDS: dict[str, type[Layer]] = {
    kind.kind: kind
    for kind in (
        Lookup,
        Window,
        MaxPool,
        SumPool,
        Upsample,
        Mvtu,
        Residual,
        Concat,
        Add,
        Argmax,
        Values,
    )
}

__all__ = [
    "KINDS",
    "OUTPUT_BITS",
    "SCORE_BITS",
    "Add",
    "Argmax",
    "Concat",
    "End",
    "Floats",
    "Integers",
    "Ints",
    "Layer",
    "Lookup",
    "MaxPool",
    "Mvtu",
    "Place",
    "Residual",
    "Shape",
    "SumPool",
    "Upsample",
    "Values",
    "Window",
]
