"""Windows over an image, which a unit takes whole or piece by piece."""

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, gcd, prod

import numpy as np

from finn_build.errors import ModelError
from finn_build.folding.beats import FRAMES, WIDTH, WINDOW, Beats, Times, Timing, in_turn
from finn_build.folding.cost import Cost, bram18_count, divisors, lutram
from finn_build.folding.fold import CONSTANT, Fold
from finn_build.network.layers.base import Codes, Integers, Ints, Layer, Place, Shape
from finn_build.network.layers.window_times import moves
from finn_build.rtl.design import STYLES, Design, Stream, several

_PADS = ("PAD_TOP", "PAD_LEFT", "PAD_BOTTOM", "PAD_RIGHT")


def windows(
    x: Integers,
    *,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int, int, int],
    fill: int = 0,
    groups: int = 1,
) -> Integers:
    """Cut windows of (KH, KW) pixels out of images padded with `fill`.

    x: (N, H, W, C); stride: (rows, columns); pad: (top, left, bottom, right). Returns
    (N, OH, OW, KH*KW*C) in the order (group, kh, kw, c of the group), c fastest, of x's dtype.
    """
    top, left, bottom, right = pad
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
    views = views[:, :: stride[0], :: stride[1]]
    parts = views.reshape(*views.shape[:3], groups, x.shape[3] // groups, *kernel)
    parts = parts.transpose(0, 1, 2, 3, 5, 6, 4)
    return parts.reshape(*views.shape[:3], -1)


@dataclass(frozen=True, kw_only=True)
class Window(Layer):
    """Padded windows over an image of HEIGHT x WIDTH x CHANNELS.

    kernel: rows and columns of a window; stride: rows and columns from one window to the next; pad:
    rows and columns around the image, (top, left, bottom, right); fill: the padding's code, that of
    zero; groups: of channels, with windows one after another; filters: a group's rows of the unit.
    """

    kind = "window"
    stage = "before"
    height: int
    width: int
    channels: int
    bits: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int, int, int]
    fill: int = 0
    groups: int = 1
    filters: int = 1

    def __post_init__(self) -> None:
        """Raise ModelError for windows that do not fit the padded image, or may be all padding."""
        if self.groups not in divisors(self.channels):
            raise ModelError(
                f"{self.name}: {self.channels} channels in {self.groups} groups; use "
                f"{', '.join(map(str, divisors(self.channels)))}"
            )
        top, left, bottom, right = self.pad
        sides = (
            ("rows", self.height, self.kernel[0], self.stride[0], (top, bottom)),
            ("columns", self.width, self.kernel[1], self.stride[1], (left, right)),
        )
        for what, size, kernel, stride, pads in sides:
            if size < 1 or kernel < 1 or stride < 1:
                raise ModelError(
                    f"{self.name}: {size} {what}, windows of {kernel} and a stride of {stride}; "
                    "use 1 or more"
                )
            if not all(0 <= pad < kernel for pad in pads):
                raise ModelError(
                    f"{self.name}: padding of {pads[0]} and {pads[1]} {what} for windows of "
                    f"{kernel}; use 0 to {kernel - 1}"
                )
            if size + sum(pads) < kernel:
                raise ModelError(
                    f"{self.name}: {size} {what} with {sum(pads)} of padding hold no window of "
                    f"{kernel}; use a smaller kernel or more padding"
                )

    @property
    def out_height(self) -> int:
        """Rows of output positions."""
        return (self.height + self.pad[0] + self.pad[2] - self.kernel[0]) // self.stride[0] + 1

    @property
    def out_width(self) -> int:
        """Columns of output positions."""
        return (self.width + self.pad[1] + self.pad[3] - self.kernel[1]) // self.stride[1] + 1

    @property
    def elements(self) -> int:
        """Elements of a window."""
        return self.kernel[0] * self.kernel[1] * self.channels

    @property
    def same(self) -> bool:
        """Whether every pixel is the middle of a window."""
        top, left = self.pad[:2]
        both = self.pad == (top, left, top, left)
        return both and self.stride == (1, 1) and self.kernel == (2 * top + 1, 2 * left + 1)

    @property
    def positions(self) -> int:
        """Windows of an image."""
        return self.out_height * self.out_width

    def _reach(self, pixels: int) -> tuple[int, int]:
        """How many rows down and beats to the right of the first pixel the first window reaches."""
        return self.kernel[0] - 1 - self.pad[0], ceil((self.kernel[1] - 1 - self.pad[1]) / pixels)

    def grid(self, pixels: int) -> tuple[int, int]:
        """Rows of a frame and beats of a row in the hardware (rtl_templates: nn_window).

        These are the image's rows and beats, and as many more without pixels as there must be for
        windows that begin beyond the image, and for the first window to end.
        """
        below, after = self._reach(pixels)
        down, right = self.out_height - 1, self.out_width // pixels - 1
        cols = max(self.width // pixels, right * self.stride[1] + 1, 2)
        rows = max(self.height, down * self.stride[0] + 1, below + after // cols + 1)
        return rows, cols

    def lag(self, pixels: int) -> int:
        """Beats of the grid between a window's place in it and the window's last beat."""
        below, after = self._reach(pixels)
        return below * self.grid(pixels)[1] + after

    def shape(self, *before: Shape) -> Shape:
        """Windows in place of pixels."""
        (image,) = before
        return Shape(sizes=(self.out_height, self.out_width, self.elements), bits=image.bits)

    def compute(self, *x: Integers) -> Integers:
        """Every window of images (N, H, W, C), as (N, OH, OW, KH*KW*C)."""
        (image,) = x
        return self._cut(image, self.fill)

    def _cut(self, image: Integers, fill: int) -> Integers:
        return windows(
            image,
            kernel=self.kernel,
            stride=self.stride,
            pad=self.pad,
            fill=fill,
            groups=self.groups,
        )

    def doubt(self, *steps: Codes) -> Codes:
        """A window is unsure where its codes are."""
        (step,) = steps
        unsure = self._cut(step.unsure.astype(np.uint8), 0)
        return Codes(codes=self.compute(step.codes), unsure=unsure.astype(bool))

    @property
    def coded(self) -> bool:
        """Other stages have no windows to compare."""
        return False

    @property
    def legal_pixels(self) -> tuple[int, ...]:
        """Numbers of windows that can be gathered at once (rtl_templates: nn_window)."""
        if self.stride[1] > 1:
            return (1,)
        legal = divisors(gcd(self.width, self.out_width))
        # A row needs two beats or more: a single beat would take as long as two.
        return tuple(n for n in legal if n == 1 or 2 * n <= self.width)

    def slides(self, fold: Fold) -> bool:
        """Whether the unit gets its windows piece by piece as it takes them, instead of whole."""
        square = self.same and self.kernel[0] == self.kernel[1] > 1
        channels = self.channels // self.groups
        pieces = divisors(channels) if self.lanes(fold) == 1 else (channels,)
        return fold.memory != CONSTANT and square and fold.simd in pieces

    def lanes(self, fold: Fold) -> int:
        """Groups that the unit works on at once."""
        return min(self.groups, max(1, fold.pe // self.filters))

    def piece(self, fold: Fold) -> int:
        """Channels of a piece, if windows come in pieces."""
        return self.lanes(fold) * fold.simd

    def memory(self, fold: Fold) -> str | None:
        """The memory of its lines."""
        return fold.lines

    def simd(self, fold: Fold) -> int | None:
        """Channels of a piece, if windows come in pieces."""
        return self.piece(fold) if self.slides(fold) else None

    def needs_begun(self, fold: Fold) -> bool:
        """A window generator does: the next frame's first beats push out a frame's last windows."""
        return not self.slides(fold)

    def cost(self, place: Place) -> Cost:
        """Cost of a sliding window unit, or of a window generator, with its FIFO."""
        fold = place.fold
        if self.slides(fold):
            return self._sliding_cost(self.piece(fold))
        return self.whole_cost(fold.pixels, fold.lines)

    def whole_cost(self, pixels: int, lines: str) -> Cost:
        """Cost of a window generator: a beat per cycle, KH-1 lines, and a FIFO of a line."""
        (high, wide), left = self.kernel, self.pad[1]
        rows, beats = self.grid(pixels)
        cycles, bits = rows * beats, pixels * self.channels * self.bits
        fifo, width = lutram(beats, bits) + 50, (high - 1) * bits
        span = wide + pixels - 1
        reach = ceil((wide - 1 - left) / pixels) + 1
        if self.stride[1] > 1:
            reach += ceil(left / pixels)
        taps = high * span * self.channels * self.bits
        ff = reach * high * bits + taps + bits + 60
        if lines == "block":
            return Cost(cycles=cycles, lut=fifo, ff=ff, bram18=bram18_count(beats, width))
        return Cost(cycles=cycles, lut=fifo + lutram(beats, width), ff=ff)

    def _sliding_cost(self, simd: int) -> Cost:
        """Cost of a sliding window unit with its FIFO: a buffer of K-1 lines in LUTRAM."""
        beats = self.height * self.width * self.channels // simd
        memory = lutram(self.sliding_words(simd), simd * self.bits)
        return Cost(cycles=beats, lut=memory + 75, ff=2 * simd * self.bits + 110)

    def sliding_words(self, simd: int) -> int:
        """Words of SIMD elements that a sliding window unit holds (rtl_templates: nn_swu)."""
        span = (2 * self.pad[0] * (self.width + 1) + 3) * (self.channels // simd)
        return max(32, 1 << (span - 1).bit_length())

    def times(self, place: Place, timing: Timing, *streams: Beats) -> Beats:
        """The pixels as they come; the unit that takes the windows decides when these come."""
        return streams[0]

    def taken(self, beats: Beats, place: Place, timing: Timing) -> Times:
        """When the unit begins to work on each window."""
        if self.slides(place.fold):
            pieces = beats.in_pieces(self.piece(place.fold))
            started, taken = self._slide(pieces, place, timing.frames)
        else:
            pixels = place.fold.pixels
            pieces = beats.in_pieces(pixels * self.channels)
            every = place.brought / (self.height * self.width // pixels)
            gathered = _fewest(self, pixels, place.spent, timing.cycles, every)
            if gathered:
                timing.waits[place.unit.name] = gathered
            started, taken = self.gather(pieces, pixels, place.spent, timing.frames, gathered)
        timing.waits[self.name] = beats.before(pieces, taken, taken)
        return started

    def gather(
        self,
        beats: Beats,
        pixels: int,
        spent: float,
        frames: int,
        gathered: int = 0,
        every: float = 0,
    ) -> tuple[Times, Times]:
        """When the work on each beat of windows begins, and when each beat of pixels is taken.

        spent: cycles of a window's work; gathered: windows that the FIFO before the unit holds, 0
        without one; every: cycles between beats, which all stand still while one waits.
        """
        grid, needed = self.grid(pixels), self._needed(pixels)
        due = (np.arange(frames)[:, None] * prod(grid) + needed).ravel()
        # Beats of the grid beyond the image do not wait for a pixel.
        image = np.zeros((frames, *grid), bool)
        image[:, : self.height, : self.width // pixels] = True
        come = beats.times[np.cumsum(image) - 1]
        # After the last frame the unit drains by itself.
        drained = np.full(max(0, int(due[-1]) + 1 - len(come)), come[-1])
        times = np.append(come, drained)
        steps = np.append(np.where(image.ravel(), every, 0), np.full(len(drained), every))
        started, pushed = moves(due, times, steps, spent, gathered)
        return started + WIDTH, pushed[: image.size][image.ravel()]

    def _needed(self, pixels: int) -> Ints:
        """The beat of the grid that completes each beat of windows.

        Beats are counted on into the next frame, whose beats complete the last windows.
        """
        rows = np.arange(self.out_height) * self.stride[0]
        cols = np.arange(self.out_width // pixels) * self.stride[1]
        return (rows[:, None] * self.grid(pixels)[1] + cols + self.lag(pixels)).ravel()

    def _slide(self, beats: Beats, place: Place, frames: int) -> tuple[Times, Times]:
        """When the work on each window begins, and when each piece of a pixel is taken (nn_swu)."""
        # Sliding windows are square, and every pixel is the middle of one.
        pieces, pad, spent = self.channels // beats.elems, self.pad[0], place.spent
        blocks = self.groups // self.lanes(place.fold)
        held = self.sliding_words(beats.elems)
        # How far the last window that needs a pixel is after it, and the last pixel of each window.
        lead = pad * (self.width + 1)
        rows = np.minimum(np.arange(self.height) + pad, self.height - 1)
        cols = np.minimum(np.arange(self.width) + pad, self.width - 1)
        newest = (rows[:, None] * self.width + cols).ravel()
        # How far the work on a window is when its last pixel's piece is first taken, in each block.
        below = rows + pad - np.arange(self.height)
        right = cols + pad - np.arange(self.width)
        done = (below[:, None] * (2 * pad + 1) + right + 1).ravel() * (pieces // blocks) - 1
        before = np.arange(blocks) * (spent / blocks)
        pixels = len(newest)
        arrivals = beats.times.reshape(frames * pixels, pieces)
        pushed, started = np.empty_like(arrivals), np.empty(frames * pixels)
        now, busy, window = -np.inf, -np.inf, 0
        for n, arrived in enumerate(arrivals):
            ended = ((n + 1) * pieces - 1 - held) // pieces + lead
            free = started[ended] + spent + 1 if 0 <= ended < window else -np.inf
            pushed[n] = in_turn(np.maximum(arrived, max(now + 1, free)), 1)
            now = pushed[n, -1]
            while window < n + 1 and window // pixels * pixels + newest[window % pixels] <= n:
                come = pushed[n].reshape(blocks, -1)[:, -1] - before
                started[window] = max(come.max() + WINDOW - done[window % pixels], busy)
                busy = started[window] + spent
                window += 1
        return started, pushed.ravel()

    def build(self, design: Design, place: Place) -> None:
        """Add a window generator, or a sliding window unit."""
        fold, unit = place.fold, place.unit
        if self.slides(fold):
            piece, blocks = self.piece(fold), self.groups // self.lanes(fold)
            design.feed(self.name, piece)
            design.add(
                "nn_swu",
                self.name,
                Stream(elems=piece, bits=self.bits),
                {
                    "ELEM_W": self.bits,
                    "CHANNELS": self.channels,
                    "SIMD": piece,
                    "HEIGHT": self.height,
                    "WIDTH": self.width,
                    "KERNEL": self.kernel[0],
                    "PAD": self.pad[0],
                    "FILL": self.fill,
                    "REPEAT": unit.rows // fold.pe // blocks,
                    **several("BLOCKS", blocks),
                },
            )
            return
        design.feed(self.name, fold.pixels * self.channels)
        # Windows may follow each other in every cycle if a FIFO takes them, or the unit does.
        prompt = unit.name in design.depths or place.spent == 1
        self.whole(design, fold.pixels, fold.lines, prompt=prompt)

    def whole(self, design: Design, pixels: int, lines: str, *, prompt: bool) -> None:
        """Add a window generator; prompt: windows may follow each other in every cycle."""
        design.add(
            "nn_window",
            self.name,
            Stream(elems=pixels * self.elements, bits=self.bits),
            {
                "ELEM_W": self.bits,
                "CHANNELS": self.channels,
                "HEIGHT": self.height,
                "WIDTH": self.width,
                **dict(zip(("KERNEL_H", "KERNEL_W"), self.kernel, strict=True)),
                **dict(zip(("STRIDE_H", "STRIDE_W"), self.stride, strict=True)),
                **dict(zip(_PADS, self.pad, strict=True)),
                "FILL": self.fill,
                "PIXELS": pixels,
                "PROMPT": int(prompt),
                "RAM_STYLE": STYLES[lines],
                **several("GROUPS", self.groups),
            },
            begun="begun",
        )


@lru_cache(maxsize=1024)
def _fewest(window: Window, pixels: int, spent: float, cycles: int, every: float) -> int:
    """The fewest windows that a FIFO must hold so that the unit keeps up.

    They are its work while pixels come that complete no window. every: cycles from one pixel to the
    next; 0 if a pixel is always there.
    """
    beats, count = window.height * window.width // pixels, window.positions // pixels
    source = Beats(times=np.zeros(FRAMES * beats), elems=pixels * window.channels)

    def rate(gathered: int) -> float:
        started, _ = window.gather(source, pixels, spent, FRAMES, gathered, every)
        return float(started[-1] - started[-1 - count])

    best = max(cycles, rate(count))  # never more than the windows of a frame wait
    return bisect_left(range(count), True, key=lambda gathered: rate(gathered) <= best)
