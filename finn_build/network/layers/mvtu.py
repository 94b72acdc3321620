"""A matrix-vector-threshold unit: the product of a convolution or a dense layer in hardware."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import ceil

import numpy as np

from finn_build.folding.beats import RESULTS, Beats, Times, Timing, in_turn
from finn_build.folding.cost import Cost, divisors
from finn_build.folding.fold import CONSTANT, Fold
from finn_build.network.layers import constant_weights, in_memory
from finn_build.network.layers.base import Place
from finn_build.network.layers.hardware import Hardware
from finn_build.network.layers.matrix import Matrix
from finn_build.network.layers.window import Window
from finn_build.rtl.design import Design


@dataclass(frozen=True, kw_only=True, eq=False)
class Mvtu(Matrix):
    """A product with its hardware, whose weights are in a memory or constant."""

    def hardware(self, fold: Fold, window: Window | None = None) -> Hardware:
        """The hardware for a fold; its windows come from `window`."""
        if fold.memory == CONSTANT:
            return constant_weights.ConstantWeights(layer=self, fold=fold)
        sliding = window is not None and window.slides(fold)
        return in_memory.InMemory(layer=self, fold=fold, sliding=sliding)

    def legal_pixels(self, window: Window | None) -> tuple[int, ...]:
        """Numbers of positions that it can take at once with constant weights."""
        return divisors(self.positions) if window is None else window.legal_pixels

    def folds(self, window: Window | None, *, dsp: bool, cycles: float) -> Iterator[Fold]:
        """Folds that a search tries, with DSPs or without.

        cycles: leave out folds that take more per frame, if that is known before their cost.
        """
        return chain(
            in_memory.folds(self, dsp=dsp, cycles=cycles),
            constant_weights.folds(self, self.legal_pixels(window)),
        )

    def memory(self, fold: Fold) -> str | None:
        """The memory of its weights."""
        return fold.memory

    def simd(self, fold: Fold) -> int | None:
        """Columns per cycle."""
        return fold.simd

    def cost(self, place: Place) -> Cost:
        """Cycles per frame and resources."""
        return self.hardware(place.fold, place.window).cost()

    def times(self, place: Place, timing: Timing, *streams: Beats) -> Beats:
        """When the results of its vectors come."""
        (beats,) = streams
        later = self.hardware(place.fold, place.window).latency()
        if not self.windowed:
            started = self._dense(beats, place, timing)
            return self._burst(started + later, place.fold)
        if place.window is not None:
            started = place.window.taken(beats, place, timing)
        else:
            pieces = beats.in_pieces(place.fold.pixels * self.inputs)
            started = in_turn(pieces.times, place.spent)
            left = np.maximum(pieces.times, started - 1)
            timing.waits[self.name] = beats.before(pieces, left, started + place.spent - 1)
        return self._trickle(started + later, later, place)

    def _dense(self, beats: Beats, place: Place, timing: Timing) -> Times:
        """When the work on the last piece of each vector begins."""
        simd = place.fold.simd
        pieces = self.cols // simd
        step = place.spent / pieces
        # The beat that brings each piece's last element; the piece with each beat's first element.
        brings = (np.arange(1, timing.frames * pieces + 1) * simd - 1) // beats.elems
        takes = np.arange(len(beats.times)) * beats.elems // simd
        started = in_turn(beats.times[brings], step)
        # A width converter holds a beat while the piece before its own is being worked on.
        ahead = int(simd != beats.elems)
        left = np.where(takes >= ahead, started[takes - ahead] - 1, -np.inf)
        left, taken = np.maximum(beats.times, left), started + step - 1
        if ahead:
            taken = beats.split(simd, taken)
        timing.waits[self.name] = beats.depth(left, taken)
        return started[pieces - 1 :: pieces]

    def _burst(self, times: Times, fold: Fold) -> Beats:
        """The results of a dense layer's vectors: from these times on, a group in every cycle."""
        groups = np.arange(1, self.rows // fold.pe + 1)
        return Beats(times=(times[:, None] + groups).ravel(), elems=fold.pe)

    def _trickle(self, started: Times, later: int, place: Place) -> Beats:
        """The results of a windowed layer's vectors: a group whenever its work is done."""
        fold, spent = place.fold, place.spent
        groups = self.rows // fold.pe
        done = started[:, None] + np.arange(1, groups + 1) * (spent / groups)
        spare = max(0, RESULTS - ceil((later + 1) * groups / spent))
        return Beats(times=done.ravel(), elems=fold.pixels * fold.pe, spare=spare)

    def build(self, design: Design, place: Place) -> None:
        """Add the unit."""
        self.hardware(place.fold, place.window).build(design)
