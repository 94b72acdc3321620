"""What a matrix-vector unit (rtl_templates: nn_mvtu) holds in place of a layer's numbers.

Its dot product lifts every product w * x to zero or more, so that it sums positive bits only. The
rows' starts and thresholds take off again what that adds: the unit costs nothing for it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from finn_build.layers import Ints, Mvtu


@dataclass(frozen=True, kw_only=True, eq=False)
class Unit:
    """Numbers of a unit.

    ternary: its weights are -1, 0 and 1 in two bits;
    acc_bits: width of its accumulators, unsigned with thresholds, two's complement without;
    start: (ROWS,) int64, where each row's accumulator starts;
    thresholds: (ROWS, T) int64 in 0..2^acc_bits - 1, or None.
    """

    ternary: bool
    acc_bits: int
    start: Ints
    thresholds: Ints | None

    @property
    def starts_differ(self) -> bool:
        """Whether the rows do not all start alike."""
        return bool(np.ptp(self.start))


@lru_cache(maxsize=64)
def unit(layer: Mvtu) -> Unit:
    """The numbers of the unit that computes a layer."""
    ternary = layer.weight_bits == 2 and int(layer.weights.min()) >= -1
    lift = _lift(layer, only_signs=ternary or layer.weight_bits == 1)
    bias = np.zeros(layer.rows, np.int64) if layer.bias is None else layer.bias
    if layer.thresholds is None:
        return Unit(ternary=ternary, acc_bits=layer.acc_bits, start=bias - lift, thresholds=None)
    top = (1 << layer.in_bits) - 1
    low = lift + np.minimum(layer.weights, 0).sum(axis=1) * top
    high = lift + np.maximum(layer.weights, 0).sum(axis=1) * top
    start = -int(low.min())
    # One more than the highest sum is a threshold that none reaches.
    most = int(high.max()) + start + 1
    return Unit(
        ternary=ternary,
        acc_bits=most.bit_length(),
        start=np.full(layer.rows, start),
        thresholds=np.clip(layer.thresholds + (lift - bias + start)[:, None], 0, most),
    )


def _lift(layer: Mvtu, *, only_signs: bool) -> Ints:
    """(ROWS,) what the dot product adds to each row's sum of products: nn_heap's lift, summed."""
    top = (1 << layer.in_bits) - 1
    if only_signs:
        negative: Ints = (layer.weights < 0).sum(axis=1)
        return negative * top
    return np.full(layer.rows, layer.cols * (top << (layer.weight_bits - 1)))
