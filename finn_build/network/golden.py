"""The integer arithmetic that defines what the hardware computes.

Every function takes and returns integer NumPy arrays. Products run through BLAS in float32 where
every partial sum stays below 2**24 and in float64 below 2**53, both of which are exact for
integers; a sum that could be larger is refused.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finn_build.network.layers import Argmax, Lookup, MaxPool, Mvtu, Network, Window

Ints = NDArray[np.integer]

_CHUNK_ELEMENTS = 1 << 24  # bounds the memory of one block of windows


def lookup(x: Ints, tables: Ints) -> Ints:
    """Replace every element by its channel's table entry.

    x: (N, H, W, C), tables: (C, ENTRIES). Returns (N, H, W, C) uint8 (uint16 if entries need it).
    """
    entries: Ints = tables.astype(np.uint8 if tables.max() <= 255 else np.uint16)
    return entries[np.arange(len(tables)), x]


def addresses(layer: Lookup, x: Ints) -> Ints:
    """What a layer's tables are looked up with: (N, H, W, C), of C * PARTS neighbours."""
    if layer.parts == 1:
        return x
    parts = x.reshape(*x.shape[:-1], layer.channels, layer.parts).astype(np.int64)
    shifts = np.arange(layer.parts) * (layer.in_bits // layer.parts)
    return np.asarray((parts << shifts).sum(axis=-1))


def window(
    x: Ints,
    *,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int, int, int],
    fill: int = 0,
) -> Ints:
    """Cut windows of (KH, KW) pixels out of images padded with `fill`.

    x: (N, H, W, C); stride: (rows, columns); pad: (top, left, bottom, right). Returns
    (N, OH, OW, KH*KW*C) in the order (kh, kw, c), c fastest, of x's dtype.
    """
    top, left, bottom, right = pad
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
    views = views[:, :: stride[0], :: stride[1]].transpose(0, 1, 2, 4, 5, 3)
    return views.reshape(*views.shape[:3], -1)


def matvec(v: Ints, weights: Ints, bias: Ints | None = None) -> NDArray[np.int64]:
    """Exact product of vectors with a matrix.

    v: (..., COLS) unsigned or signed, weights: (ROWS, COLS), bias: (ROWS,) or None.
    Returns (..., ROWS) int64. Raises OverflowError if a sum could leave float64's exact range.
    """
    bound = int(np.abs(weights.astype(np.int64)).sum(axis=1).max(initial=0)) * int(
        np.abs(v).max(initial=0)
    )
    if bound >= 1 << 53:
        raise OverflowError(f"an accumulator may reach {bound}, more than float64 holds exactly")
    carrier: type[np.floating] = np.float32 if bound < 1 << 24 else np.float64
    flat = v.reshape(-1, v.shape[-1])
    out = np.empty((flat.shape[0], weights.shape[0]), np.int64)
    matrix = weights.T.astype(carrier)
    rows = max(1, _CHUNK_ELEMENTS // v.shape[-1])
    for start in range(0, flat.shape[0], rows):
        out[start : start + rows] = flat[start : start + rows].astype(carrier) @ matrix
    if bias is not None:
        out += bias.astype(np.int64)
    return out.reshape(*v.shape[:-1], weights.shape[0])


def threshold(acc: Ints, thresholds: Ints) -> Ints:
    """Count the thresholds that each accumulator reaches.

    acc: (..., ROWS), thresholds: (ROWS, T). Returns (..., ROWS) uint8 (uint16 if T > 255).
    """
    steps = thresholds.shape[1]
    out = np.zeros(acc.shape, np.uint8 if steps <= 255 else np.uint16)
    for t in range(steps):
        out += acc >= thresholds[:, t]
    return out


def max_pool(
    x: Ints,
    *,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> Ints:
    """Maximum of every window of images padded with zeros; a ragged rest is dropped.

    x: (N, H, W, C) unsigned; pad: top, left, bottom, right. Returns (N, OH, OW, C) of x's dtype.
    """
    top, left, bottom, right = pad
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
    return np.asarray(views[:, :: stride[0], :: stride[1]].max(axis=(4, 5)))


def argmax(logits: Ints) -> NDArray[np.int64]:
    """Index of the largest logit, the lowest among equals. logits: (N, CLASSES); returns (N,)."""
    return np.asarray(np.argmax(logits, axis=-1), dtype=np.int64)


def scores(
    logits: Ints, *, gains: Ints | None = None, biases: Ints | None = None, floor: int | None = None
) -> NDArray[np.int64]:
    """What each class counts for when the label is found: gain times logit plus bias.

    logits: (..., CLASSES); gains, biases: (CLASSES,), or None for 1 and 0; floor: the lowest score,
    or None. Returns (..., CLASSES) int64.
    """
    made = logits.astype(np.int64)
    if gains is not None:
        made = made * gains
    if biases is not None:
        made = made + biases
    return made if floor is None else np.maximum(made, floor)


def classify(logits: Ints, layer: Argmax) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels (N,) of logits (N, CLASSES), and the logits as they are put out."""
    scored = scores(logits, gains=layer.gains, biases=layer.biases, floor=layer.floor)
    return argmax(scored), logits.astype(np.int64) if layer.scored else scored


@dataclass(frozen=True, kw_only=True, eq=False)
class Outputs:
    """What a network gives for N images.

    labels: (N,) int64; logits: (N, CLASSES) int64 in accumulator units, as they are put out;
    activations: the output of every lookup, pool and thresholded layer by name, (N, H, W, C) or
    (N, ROWS).
    """

    labels: NDArray[np.int64]
    logits: NDArray[np.int64]
    activations: dict[str, Ints]


def accumulate(layer: Mvtu, x: Ints) -> NDArray[np.int64]:
    """Accumulators of one layer for the stream that enters it: (N, ..., COLS) or (N, H, W, C)."""
    if not layer.windowed:
        x = x.reshape(x.shape[0], layer.cols)
    return matvec(x, layer.weights, layer.bias)


def feed(layer: Window | MaxPool, x: Ints) -> Ints:
    """Pass images (N, H, W, C) through a layer without weights."""
    if isinstance(layer, Window):
        return window(x, kernel=layer.kernel, stride=layer.stride, pad=layer.pad, fill=layer.fill)
    return max_pool(x, kernel=layer.kernel, stride=layer.stride, pad=layer.pad)


def run(network: Network, images: Ints, *, batch: int = 50) -> Outputs:
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


def _run(network: Network, x: Ints) -> Outputs:
    activations: dict[str, Ints] = {}
    labels, logits = np.zeros(len(x), np.int64), np.zeros((len(x), 0), np.int64)
    for layer in network.layers:
        if isinstance(layer, Mvtu):
            acc = accumulate(layer, x)
            if layer.thresholds is None:
                logits = acc
            else:
                x = activations[layer.name] = threshold(acc, layer.thresholds)
        elif isinstance(layer, Lookup):
            x = activations[layer.name] = lookup(addresses(layer, x), layer.tables)
        elif isinstance(layer, MaxPool):
            x = activations[layer.name] = feed(layer, x)
        elif isinstance(layer, Argmax):
            labels, logits = classify(logits, layer)
        else:
            x = feed(layer, x)
    return Outputs(labels=labels, logits=logits, activations=activations)
