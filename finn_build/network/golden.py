"""The integer arithmetic, layer by layer, that defines what the hardware computes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finn_build.network.graph import IMAGE, Network
from finn_build.network.layers import Integers
from finn_build.network.layers.argmax import first_largest


@dataclass(frozen=True, kw_only=True, eq=False)
class Outputs:
    """What a network gives for N images.

    labels: (N,) int64, or (N, 0) where the network ends in values; logits: (N, CLASSES) int64 in
    accumulator units, or (N, VALUES) integers, as the accelerator gives them; activations: the
    output of every lookup, pool and thresholded layer by name, (N, H, W, C) or (N, ROWS).
    """

    labels: NDArray[np.int64]
    logits: NDArray[np.int64]
    activations: dict[str, Integers]

    @property
    def words(self) -> NDArray[np.int64]:
        """(N, WORDS) as they leave the accelerator."""
        return np.column_stack([self.labels, self.logits])


def run(network: Network, images: Integers, *, batch: int = 50) -> Outputs:
    """Run the network on images (N, H, W, C) uint8, `batch` at a time to stay in the cache."""
    parts = [_run(network, images[i : i + batch]) for i in range(0, len(images), batch)]
    return Outputs(
        labels=np.concatenate([p.labels for p in parts]),
        logits=np.concatenate([p.logits for p in parts]),
        activations={
            name: np.concatenate([p.activations[name] for p in parts])
            for name in parts[0].activations
        },
    )


def classify(network: Network, logits: Integers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels (N,) of logits (N, CLASSES), and the logits as the accelerator gives them."""
    if not network.ends:
        return first_largest(logits), logits.astype(np.int64)
    return network.end.split(network.end.compute(logits))


def _run(network: Network, x: Integers) -> Outputs:
    values: dict[str, Integers] = {IMAGE: x}
    last = {source: layer.name for layer, sources in network.walk() for source in sources}
    passing = {IMAGE, *(layer.name for layer in network.layers if not layer.coded)}
    for layer, sources in network.walk():
        values[layer.name] = layer.compute(*(values[source] for source in sources))
        for source in set(sources):
            if source in passing and last[source] == layer.name:
                del values[source]  # windows of large images take gigabytes
    end = network.layers[-1]
    labels: NDArray[np.int64] = np.zeros(len(x), np.int64)
    logits: NDArray[np.int64] = np.zeros((len(x), 0), np.int64)
    if network.ends:
        labels, logits = network.end.split(values[end.name])
    elif not end.coded:
        logits = values[end.name].astype(np.int64)
    return Outputs(
        labels=labels,
        logits=logits,
        activations={layer.name: values[layer.name] for layer in network.layers if layer.coded},
    )
