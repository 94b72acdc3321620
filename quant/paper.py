"""The figures of "Optimization of CNN model for image classification".

By Dhouibi, Ben Salem and Ben Saoud, for CIFAR-10; accuracies in percent of the 10,000 test images.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Topology:
    """A float network, trained without and with dropout; None where no figure is given.

    layers: parameters of each layer with weights, in order.
    """

    network: str
    layers: tuple[int, ...]
    parameters: int
    mflops: float
    plain: float | None
    dropout: float | None


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """An iteration of filter pruning."""

    filters: int
    parameters: int
    accuracy: float


_SIX_CONVOLUTIONS = (896, 9_248, 18_496, 36_928, 73_856, 147_584)
TOPOLOGIES = (
    Topology(
        network="arch1",
        layers=(896, 18_496, 36_928, 524_416, 1_290),
        parameters=582_026,
        mflops=16.976682,
        plain=72.38,
        dropout=78.02,
    ),
    Topology(
        network="arch2",
        layers=(*_SIX_CONVOLUTIONS, 2_098_176, 524_800, 5_130),
        parameters=2_915_114,
        mflops=82.522058,
        plain=72.87,
        dropout=81.50,
    ),
    Topology(
        network="arch3",
        layers=(*_SIX_CONVOLUTIONS, 295_168, 590_080, 1_049_600, 524_800, 5_130),
        parameters=2_751_786,
        mflops=108.73697,
        plain=None,
        dropout=79.21,
    ),
)

# Filter pruning: the network as it was, then iterations 1 to 10.
TABLE_5 = tuple(
    Pruned(filters=filters, parameters=parameters, accuracy=accuracy)
    for filters, parameters, accuracy in (
        (448, 1_342_250, 72.87),
        (426, 1_290_122, 79.03),
        (405, 1_248_743, 80.59),
        (385, 1_205_060, 82.72),
        (366, 1_183_603, 82.04),
        (348, 1_155_251, 82.28),
        (331, 1_141_025, 82.43),
        (314, 1_114_554, 82.18),
        (298, 1_096_663, 81.82),
        (283, 1_075_712, 81.59),
        (269, 1_057_021, 80.24),
    )
)
