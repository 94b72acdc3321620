"""How fast the search makes the networks that matter, by their shapes: weights are drawn."""

from dataclasses import replace

import numpy as np
import pytest

from finn_build.boards import find_board
from finn_build.folding import search
from finn_build.folding.calibration import Case, measure, random_unit
from finn_build.folding.fold import Fold
from finn_build.folding.folding import fits
from finn_build.folding.schedule import latency
from finn_build.folding.search import Search
from finn_build.network.graph import Network
from finn_build.network.layers import Argmax, Layer, MaxPool, Window

BOARD = find_board("pynq-z2")
PRUNED = (16, 32, 0, 40, 56, 0, 80, 104, 0)
SLIM = (32, 32, 0, 64, 64, 0, 128, 128, 0)
ARCH3 = (*SLIM, 256, 256, 0)


def network(
    layers: tuple[int, ...], weight_bits: int, neurons: tuple[int, ...] = (512,)
) -> Network:
    """Padded 3 x 3 convolutions, pools (0) and dense layers for CIFAR-10, with 2-bit activations.

    The first and the last layer have weights of 4 bits.
    """
    draw = np.random.default_rng(1)
    side, channels, bits = 32, 3, 8
    made: list[Layer] = []

    def unit(rows: int, cols: int, *, positions: int = 1, last: bool = False) -> None:
        wide = last or bits == 8
        layer = random_unit(
            draw, (rows, cols), weight_bits=4 if wide else weight_bits, in_bits=bits,
            low=-7 if wide else -1, positions=positions, windowed=positions > 1,
        )  # fmt: skip
        steps = None if last else np.sort(draw.integers(*layer.reach, (rows, 3)), axis=1)
        made.append(replace(layer, name=f"unit{len(made)}", thresholds=steps))

    for filters in layers:
        shape = {"height": side, "width": side, "channels": channels, "bits": bits}
        if not filters:
            made.append(MaxPool(name=f"pool{len(made)}", kernel=(2, 2), stride=(2, 2), **shape))
            side //= 2
            continue
        same = {"kernel": (3, 3), "stride": (1, 1), "pad": (1, 1, 1, 1)}
        made.append(Window(name=f"window{len(made)}", **same, **shape))
        unit(filters, 9 * channels, positions=side * side)
        channels, bits = filters, 2
    cols = channels * side * side
    for rows in neurons:
        unit(rows, cols)
        cols = rows
    unit(10, cols, last=True)
    made.append(Argmax(name="argmax", classes=10, bits=20))
    return Network(name="shape", height=32, width=32, channels=3, scale=1.0, layers=tuple(made))


@pytest.mark.parametrize(
    ("layers", "weight_bits", "tool", "most"),
    [
        (PRUNED, 2, "vivado", 4_655),
        (PRUNED, 1, "vivado", 3_105),
        (SLIM, 2, "vivado", 8_275),
        (PRUNED, 2, "openxc7", 7_000),
    ],
    ids=["w2a2", "w1a2", "not pruned", "openxc7"],
)
def test_cycles_per_frame(layers, weight_bits, tool, most):
    budget = BOARD.budget[tool]
    made = Search(network(layers, weight_bits), budget).fastest()
    assert made.cycles <= most
    assert fits(made.total, budget)
    assert budget.lut <= 0.8 * BOARD.chip.lut and budget.bram36 <= 0.9 * BOARD.chip.bram36


@pytest.mark.slow
def test_a_single_image_takes_a_tenth_of_a_millisecond_at_100_mhz():
    shape = network(PRUNED, 2)
    assert latency(shape, Search(shape, BOARD.budget["vivado"]).quickest()) <= 10_000


def test_the_largest_network_takes_few_and_small_integer_programs(monkeypatch):
    """Of an idle core they take less than ten seconds."""
    sizes, solve = [], search.milp

    def counted(values, **named):
        sizes.append(len(values))
        return solve(values, **named)

    monkeypatch.setattr(search, "milp", counted)
    made = Search(network(ARCH3, 2, (1024, 512)), BOARD.budget["vivado"])
    assert made.step_up(made.fastest())
    assert 0 < len(sizes) <= 12 and max(sizes) <= 300, sizes


@pytest.mark.parametrize(("weight_bits", "most"), [(2, 6.5), (1, 4.5)])
def test_luts_of_a_unit_for_each_multiply_accumulate(weight_bits, most):
    """A unit with thresholds, its weights in block RAM, as Yosys counts it."""
    fold = Fold(pe=8, simd=72, memory="block")
    case = Case(
        rows=64, cols=576, weight_bits=weight_bits, in_bits=2, out_bits=2, low=-1, fold=fold
    )
    assert measure(case, 1).lut[1] <= most * fold.pe * fold.simd
