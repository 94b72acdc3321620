"""Real images through the simulated chip, with its results on the terminal and as a picture."""

import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypedDict, assert_never

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.columns import Columns
from rich.console import Console
from rich.progress import track
from rich.text import Text

from finn_build.config import VECTORS, Options
from finn_build.driver import Accelerator, DriverError
from finn_build.driver.outputs import Labels, Output, Values
from finn_build.errors import ConfigError, MismatchError, ToolError
from finn_build.flow import pipeline
from finn_build.flow.lock import alone
from finn_build.flow.steps import deploy
from finn_build.flow.steps.plan import STEPS
from finn_build.simulator import board
from headrace.names import printable
from headrace.terminal import line

NEEDED = ("export", "streamline", "golden", "fold", "emit")
SIDE = 16  # characters of a picture on the terminal
ACROSS = 5  # pictures in a row of the grid
BARS = 10  # logits below a picture, the largest where there are more


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown(ABC):
    """Images (N, H, W, C) and what the chip gave for them.

    values: what the chip's integers are in the trained network, a row for each image; latency_us:
    of single images; rate: frames per second of all in one call, both in the chip's time; seconds:
    what the simulation took per image.
    """

    what: ClassVar[str]
    model: str
    images: NDArray[np.uint8]
    values: NDArray[np.floating]
    latency_us: float
    rate: float
    seconds: float

    @abstractmethod
    def caption(self, index: int) -> str:
        """What the chip says of an image."""

    def more(self, index: int) -> str:
        """A line below that."""
        return ""

    def right(self, index: int) -> bool | None:
        """Whether that is right; None where it is not known."""
        return None

    @abstractmethod
    def draw(self, index: int, axes: Axes) -> None:
        """The results of an image, below its picture."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownLabels(Shown):
    """Labels (N,) and logits (N, CLASSES); names or numbers of classes; the images' own or None."""

    what = "labels and logits"
    truth: NDArray[np.int64] | None
    labels: NDArray[np.int32]
    names: tuple[str, ...]

    def caption(self, index: int) -> str:
        """What the chip says of an image, and its class where that is another one."""
        said = self.names[int(self.labels[index])]
        if self.truth is None or self.right(index):
            return said
        return f"{said}, not {self.names[self.truth[index]]}"

    def right(self, index: int) -> bool | None:
        """Whether the label is the image's class; None where that is not known."""
        return None if self.truth is None else bool(self.truth[index] == self.labels[index])

    def more(self, index: int) -> str:
        """The label's logit."""
        return f"logit {self.values[index, self.labels[index]]:.4g}"

    def draw(self, index: int, axes: Axes) -> None:
        """Bars of the largest logits."""
        values = self.values[index]
        largest = np.sort(np.argsort(-values, kind="stable")[:BARS])
        axes.barh(
            [_plain(self.names[k]) for k in largest],
            values[largest],
            color=["tab:blue" if k == self.labels[index] else "0.7" for k in largest],
        )
        axes.invert_yaxis()
        axes.set_xlabel("logit", fontsize=6)


@dataclass(frozen=True, kw_only=True, eq=False)
class ShownValues(Shown):
    """Values (N, ...) as the model's file has them; captions: of each image's."""

    what = "values"
    captions: tuple[str, ...]

    def caption(self, index: int) -> str:
        """All of a few, the range of many."""
        return self.captions[index]

    def draw(self, index: int, axes: Axes) -> None:
        """The values one after another."""
        axes.plot(self.values[index].ravel(), ".-", markersize=3, linewidth=0.5)
        axes.set_xlabel("value", fontsize=6)


def run(options: Options, count: int, console: Console) -> Path:
    """Simulate the whole chip of a build and classify; returns the picture's path.

    A finished build is taken as it is; otherwise the steps up to the sources are done. Raises
    ConfigError where --out is no finished build or `count` more than its images, MismatchError
    where the chip does not give the golden model's results.
    """
    if not 1 <= count <= VECTORS:
        raise ConfigError(f"--images {count}: use 1 to {VECTORS}")
    build = pipeline.Build(options=options)
    deployed, folder = build.path("deploy"), build.path("board")
    if not (deployed / "run.py").is_file():
        if options.out is not None:
            raise ConfigError(f"--out {options.out}: no finished build; leave it out, or build")
        steps = [step for step in STEPS if step.name in NEEDED]
        build = pipeline.run(steps, options, console=console)
        deployed = folder / "deploy.partial"
        deployed.mkdir(parents=True, exist_ok=True)
        deploy.write(build, deployed, bitstream=None, critical_path=None)
    with alone(build.folder):
        return _classified(build, deployed, count, console)


def _classified(build: pipeline.Build, deployed: Path, count: int, console: Console) -> Path:
    folder = build.path("board")
    with console.status("compiling the chip, minutes the first time"):
        library = board.build(build.path("emit"), folder / "model", log=build.log("board"))
    board.furnish(deployed, library, folder / "deploy")
    try:
        shown = classify(folder / "deploy", count, console)
    except DriverError as error:
        raise ToolError(f"the simulated board: {error}") from error
    show(shown, console)
    path = folder / "demo.png"
    picture(shown, path)
    line(console, f"deploy folder of the simulated board: {folder / 'deploy'}")
    line(console, f"picture: {path}")
    return path


def classify(folder: Path, count: int, console: Console) -> Shown:
    """Run `count` images of the deploy folder one by one, then all in one call.

    Raises MismatchError where a result is not the golden model's.
    """
    sys.path.insert(0, str(board.PYNQ))
    with Accelerator(folder) as accelerator:
        manifest = accelerator.manifest
        vectors = manifest.golden()
        picks = np.linspace(0, len(vectors["images"]) - 1, count).astype(int)
        images = vectors["images"][picks]
        start, single, times = time.monotonic(), [], []
        for image in track(images, "classifying", console=console, transient=True):
            began = accelerator.clock()
            single.append(accelerator.words(image[None])[0])
            times.append(accelerator.clock() - began)
        seconds = (time.monotonic() - start) / count
        began = accelerator.clock()
        words = accelerator.words(images)
        rate = count / (accelerator.clock() - began)
    expected = manifest.expected(vectors)[picks]
    wrong = (words != expected).any(axis=1) | (words != np.array(single)).any(axis=1)
    if wrong.any():
        raise MismatchError(
            f"{wrong.sum()} of {count} images: the chip does not give the golden model's results"
        )
    latency_us = 1e6 * float(np.median(times))
    told = _Told(model=manifest.model, latency_us=latency_us, rate=rate, seconds=seconds)
    truth = vectors["truth"][picks] if "truth" in vectors else None
    return _shown(manifest.output, words, images, truth, told)


class _Told(TypedDict):
    model: str
    latency_us: float
    rate: float
    seconds: float


def _shown(
    output: Output,
    words: NDArray[np.int32],
    images: NDArray[np.uint8],
    truth: NDArray[np.int64] | None,
    told: _Told,
) -> Shown:
    """What there is to show of the words (N, WORDS) that the chip gave."""
    match output:
        case Labels():
            labels, logits = output.results(words, True)
            return ShownLabels(
                images=images,
                truth=truth,
                labels=labels,
                values=output.values(logits),
                names=output.classes,
                **told,
            )
        case Values():
            captions = tuple(output.text(row) for row in words)
            return ShownValues(
                images=images, values=output.values(words), captions=captions, **told
            )
        case _:
            assert_never(output)


def show(shown: Shown, console: Console) -> None:
    """What the chip says of each image, on a terminal below its picture, and what it took."""
    styles = {True: "green", False: "red", None: "bold"}
    parts = []
    for i, image in enumerate(shown.images):
        caption = Text(printable(shown.caption(i)), styles[shown.right(i)])
        caption.append(f"\n{shown.more(i)}", "not bold default")
        parts.append(Text("\n").join([_blocks(image), caption]) if console.is_terminal else caption)
    console.print(Columns(parts, padding=(1, 2)))
    count = len(shown.images)
    right = [shown.right(i) for i in range(count)]
    score = "" if None in right else f"{sum(map(bool, right))} of {count} right; "
    console.print(
        f"{score}{shown.what} equal the golden model's. In the chip's time: one image "
        f"{shown.latency_us:,.1f} us, {count} in one call {shown.rate:,.0f} frames/s. The "
        f"simulation took {shown.seconds:.2f} s per image",
        highlight=False,
    )


def _seen(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image (H, W, 3) as it is; one of other channels in grey, as their mean."""
    if image.shape[2] == 3:
        return image
    return np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)


def _blocks(image: NDArray[np.uint8]) -> Text:
    """An image as text: two pixels to a character, one above the other."""
    rows = np.arange(SIDE) * image.shape[0] // SIDE
    columns = np.arange(SIDE) * image.shape[1] // SIDE
    pixels = _seen(image)[rows][:, columns]
    text = Text()
    for above, below in zip(pixels[::2], pixels[1::2], strict=True):
        for one, other in zip(above, below, strict=True):
            colours = ("#{:02x}{:02x}{:02x}".format(*colour) for colour in (one, other))
            text.append("▀", " on ".join(colours))
        text.append("\n")
    text.rstrip()
    return text


def picture(shown: Shown, path: Path) -> None:
    """Write a grid of the images with their results as PNG."""
    count = len(shown.images)
    down = -(-count // ACROSS)
    figure = Figure(figsize=(2.4 * ACROSS, 0.6 + 3.6 * down), layout="constrained")
    figure.suptitle(f"{shown.model} on the simulated board")
    grid = figure.subplots(2 * down, ACROSS, squeeze=False, height_ratios=[3, 2] * down)
    for axes in grid.flat:
        axes.axis("off")
    colours = {True: "tab:green", False: "tab:red", None: "black"}
    for i, image in enumerate(shown.images):
        above, below = (grid[2 * (i // ACROSS) + k, i % ACROSS] for k in (0, 1))
        above.imshow(_seen(image), aspect="equal" if image.shape[0] > 1 else "auto")
        above.set_title(_plain(shown.caption(i)), fontsize=9, color=colours[shown.right(i)])
        below.axis("on")
        shown.draw(i, below)
        below.tick_params(labelsize=6)
    figure.savefig(path, dpi=120)


def _plain(text: str) -> str:
    """Text in which Matplotlib sees no formula."""
    return text.replace("$", r"\$")
