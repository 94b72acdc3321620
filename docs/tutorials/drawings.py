"""Pictures of the tutorials: images, the accuracy of a training, the dataflow, waves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from vcdvcd import VCDVCD

from finn_build import Built

INK, BLUE, ORANGE, PALE = "#333333", "#3b6ea5", "#d9772b", "#dde6f0"
CYCLE = 10  # ns in a wave
WIDE = 13  # inches of waves, and the characters that fit into one
CHARACTERS = 16
plt.rcParams.update({"figure.dpi": 80, "font.size": 9, "axes.spines.top": False})
plt.rcParams.update({"axes.spines.right": False, "axes.edgecolor": INK})


def gallery(images: NDArray[np.uint8], titles: Sequence[str], *, columns: int = 10) -> Figure:
    """Images (N, H, W) or (N, H, W, C) uint8 in rows, each below its title."""
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(columns, 1.3 * rows), squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for place, image, title in zip(axes.flat, images, titles, strict=False):
        place.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
        place.set_title(title, fontsize=9)
    figure.tight_layout()
    plt.close(figure)
    return figure


def learning(curve: Mapping[str, Sequence[tuple[float, float | None]]]) -> Figure:
    """Accuracy after each epoch: float training, then quantised."""
    figure, axes = plt.subplots(figsize=(7, 2.8))
    start = 1
    for phase, colour in (("float", BLUE), ("quantised", ORANGE)):
        held = [100 * (point[1] or 0) for point in curve[phase]]
        axes.plot(range(start, start + len(held)), held, "o-", ms=4, color=colour, label=phase)
        start += len(held)
    axes.set(xlabel="epoch", ylabel="% of held-out images", ylim=(None, 100))
    axes.legend(frameon=False, loc="lower right")
    axes.grid(axis="y", color="#eeeeee")
    plt.close(figure)
    return figure


def dataflow(built: Built) -> Figure:
    """The layers as the stream meets them: parallelism, cycles per frame, LUTs."""
    network, folding = built.network, built.folding
    layers, places = network.layers, np.arange(len(network.layers))
    figure, (boxes, cycles, luts) = plt.subplots(
        3, 1, figsize=(1 + 1.25 * len(layers), 4.6), sharex=True, height_ratios=[1.1, 1, 1]
    )
    for place, layer in enumerate(layers):
        fold, unit = folding.fold(layer), layer.stage == "unit"
        what = f"\nPE {fold.pe}\nSIMD {fold.simd}" if unit else ""
        style = {"boxstyle": "round,pad=0.25", "fc": PALE if unit else "white", "ec": BLUE}
        text = "\n".join(layer.name.split("_")) + what
        boxes.text(place, 0.5, text, ha="center", va="center", bbox=style, fontsize=8)
        if place:
            arrow = {"arrowstyle": "-|>", "fc": INK}
            boxes.annotate("", (place - 0.36, 0.5), (place - 0.64, 0.5), arrowprops=arrow)
    boxes.axis("off")
    used = [folding.costs[layer.name].cycles for layer in layers]
    colours = [ORANGE if count == folding.cycles else BLUE for count in used]
    _bars(cycles, places, used, colours, "cycles per frame")
    _bars(luts, places, [folding.costs[layer.name].lut for layer in layers], BLUE, "LUTs")
    luts.set_xticks(places, [layer.name for layer in layers], rotation=25, ha="right")
    figure.tight_layout()
    plt.close(figure)
    return figure


def _bars(
    axes: Axes,
    places: NDArray[np.intp],
    values: Sequence[float],
    colours: str | list[str],
    label: str,
) -> None:
    bars = axes.bar(places, values, color=colours, width=0.6)
    axes.bar_label(bars, [f"{value:,.0f}" if value else "" for value in values], fontsize=8)
    axes.set(ylabel=label, ylim=(0, 1.25 * max(values)))


def waves(
    file: Path, streams: Mapping[str, str], *, start: int, stop: int, scope: str = "TOP.top"
) -> Figure:
    """Valid, ready and data of streams between two cycles of a VCD file; beats that move are blue.

    streams: a title, and the name that goes before tvalid, tready and tdata, below `scope`.
    """
    wave = VCDVCD(str(file))
    names = {name.partition("[")[0]: name for name in wave.signals}
    figure, axes = plt.subplots(figsize=(WIDE, 0.95 * len(streams) + 0.4))
    for row, (title, prefix) in enumerate(streams.items()):
        signal = {
            part: [wave[names[f"{scope}.{prefix}_{part}"]][CYCLE * n] for n in range(start, stop)]
            for part in ("tvalid", "tready", "tdata")
        }
        base = -3.2 * row
        valid, ready = (np.array(signal[part]) == "1" for part in ("tvalid", "tready"))
        for height, part, bits in ((2, "valid", valid), (1, "ready", ready)):
            levels = base + height + 0.7 * np.append(bits, bits[-1])
            axes.step(range(start, stop + 1), levels, where="post", color=INK, lw=1)
            axes.text(start - 0.3, base + height + 0.2, part, ha="right", fontsize=8)
        axes.text(start - 0.3, base + 0.25, title, ha="right", weight="bold", fontsize=8)
        _values(axes, base, start, stop, signal["tdata"], valid, ready)
    axes.set(xlim=(start - 6, stop), xlabel="clock cycle", yticks=[])
    axes.spines["left"].set_visible(False)
    axes.set_xticks(range(start, stop + 1, 4))
    plt.close(figure)
    return figure


def _values(
    axes: Axes,
    base: float,
    start: int,
    stop: int,
    data: Sequence[str],
    valid: NDArray[np.bool_],
    ready: NDArray[np.bool_],
) -> None:
    """A stream's data: a box for each beat, blue in the cycle in which it moves."""
    begin = 0
    for cycle, bits in enumerate(data):
        moves, last = valid[cycle] and ready[cycle], cycle + 1 == len(data)
        if not valid[cycle]:
            begin = cycle + 1
            continue
        axes.fill_between(
            [start + cycle, start + cycle + 1], base, base + 0.8, color=BLUE if moves else PALE
        )
        if moves or last or not valid[cycle + 1]:
            width = cycle + 1 - begin
            room = int(width * WIDE * CHARACTERS / (stop - start + 6))
            text = f"{int(bits, 2):x}" if set(bits) <= {"0", "1"} else bits
            text = text if len(text) <= room else f"{text[: room - 1]}…" if room > 4 else ""
            box = [start + begin, start + cycle + 1]
            axes.plot([*box, box[1]], [base, base, base + 0.8], color="white", lw=1)
            colour = "white" if width == 1 else INK
            middle = {"ha": "center", "va": "center", "fontsize": 6}
            axes.text(sum(box) / 2, base + 0.4, text, color=colour, **middle)
            begin = cycle + 1
