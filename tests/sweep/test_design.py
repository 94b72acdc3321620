from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from quant.pruning import resized
from quant.topologies import get_network
from sweep.config import Bits, Pruning, Space
from sweep.counts import between, even, probed
from sweep.design import Trial, designs


def test_every_design_is_there_once_and_has_an_id_of_its_own():
    space = Space(
        networks=("tiny", "arch1"),
        bits=Bits(weights=(1, 2), acts=(1, 2), dense=(1, 2)),
        pruning=Pruning(
            iterations=(0, 1), schedules=("even", "ranked"), rankings=("l1", "bn"), block=2
        ),
        clocks_mhz=(100.0, 125.0),
        target_fps=(0.0, 1000.0),
    )
    made = list(designs(space))
    # Without an iteration there is nothing to schedule or to rank.
    assert len(made) == 2 * (2 * 2 * 2) * (1 + 2 * 2) * 2 * 2
    assert len({design.id for design in made}) == len(made)


def test_pruning_for_the_folding_has_a_rate():
    pruning = Pruning(iterations=(0, 2), schedules=("even", "folding"), block=2)
    made = list(designs(Space(networks=("tiny",), pruning=pruning, target_fps=(0.0, 5e4))))
    assert [(d.schedule, d.target_fps) for d in made] == [
        ("none", 0.0),
        ("none", 5e4),
        ("even", 0.0),
        ("even", 5e4),
        ("folding", 5e4),
    ]


def test_an_id_follows_from_the_settings_alone():
    one = next(designs(Space(networks=("tiny",))))
    assert one.id == next(designs(Space(networks=("tiny",)))).id == replace(one).id
    assert one.id == "6e183376d3d0"
    assert replace(one, clock_mhz=125.0).id != one.id
    assert Trial(design=one, seed=3).id == f"{one.id}-3"


def test_groups_of_layers_have_their_bits():
    bits = Bits(weights=(2,), acts=(3,), first=(4,), last=(5,), dense=(1,))
    design = next(designs(Space(networks=("tiny",), bits=bits)))
    names = ["conv0", "conv1", "dense0", "last"]
    widths = design.quantisation(get_network("tiny")).bits(names)
    assert widths == {"conv0": (4, 3), "conv1": (2, 3), "dense0": (1, 3), "last": (5, 3)}


@given(st.integers(1, 128), st.integers(1, 16), st.floats(0.01, 0.9), st.integers(0, 20))
def test_even_pruning_leaves_whole_blocks(filters, block, share, iterations):
    network = resized(get_network("tiny"), [filters, 2 * filters])
    pruning = Pruning(share=share, block=block)
    counts = even(network, pruning, iterations)
    for before, left in zip(network.filters, counts, strict=True):
        assert 1 <= left <= before
        assert left == before or left % block == 0
    more = even(network, pruning, iterations + 1)
    assert all(a >= b for a, b in zip(counts, more, strict=True))
    assert iterations or counts == network.filters


def test_several_iterations_end_where_they_should():
    assert between([32, 64], [8, 64], 2) == [[16, 64], [8, 64]]
    assert between([32], [24], 1) == [[24]]


@given(st.integers(1, 256), st.integers(1, 16))
def test_a_probe_takes_something_if_it_can(filters, block):
    left = probed(filters, block)
    assert left == filters if filters <= block else left < filters and left % block == 0 and left
