"""Fronts and the best of them, against definitions that are this file's own."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from sweep.pareto import best, dominates, fronts

FIGURES = st.integers(0, 6)
POINTS = st.one_of(
    st.lists(st.tuples(FIGURES, FIGURES), max_size=14),
    st.lists(st.tuples(FIGURES, FIGURES, FIGURES), max_size=14),
)


def beats(one, other):
    """Whether `one` is better in some figure and worse in none, figure by figure."""
    better = worse = False
    for a, b in zip(one, other, strict=True):
        if a > b:
            better = True
        if a < b:
            worse = True
    return better and not worse


def depths(points):
    """Of each point the most that beat each other in a row down to it: its front, from 0."""
    found = {}
    # What beats a point has the larger sum.
    for n in sorted(range(len(points)), key=lambda n: -sum(points[n])):
        found[n] = max((1 + found[m] for m in found if beats(points[m], points[n])), default=0)
    return found


def test_one_dominates_another_as_the_definition_says():
    for one, other in product(product(range(3), repeat=2), repeat=2):
        assert dominates(one, other) == beats(one, other), (one, other)
    for one, other in product(product(range(2), repeat=3), repeat=2):
        assert dominates(one, other) == beats(one, other), (one, other)


@given(POINTS)
def test_fronts_are_the_longest_chains_of_points_that_beat_each_other(points):
    deep = depths(points)
    expected = [
        [n for n in sorted(deep) if deep[n] == front] for front in sorted(set(deep.values()))
    ]
    assert list(fronts(points)) == expected


@given(POINTS, st.integers(0, 20))
def test_the_best_are_as_many_as_asked_and_no_one_left_out_beats_them(points, count):
    chosen = best(points, count)
    assert chosen == sorted(set(chosen)) and len(chosen) == min(count, len(points))
    deep = depths(points)
    out = deep.keys() - set(chosen)
    assert max((deep[n] for n in chosen), default=-1) <= min((deep[n] for n in out), default=99)


def test_of_a_front_the_ends_and_the_loneliest_stay():
    line = [(0.0, 10.0), (1.0, 9.0), (1.1, 8.9), (5.0, 5.0), (10.0, 0.0)]
    assert best(line, 3) == [0, 3, 4]


def test_equal_points_do_not_beat_each_other():
    assert best([(1.0, 1.0), (1.0, 1.0)], 2) == [0, 1]
    assert not dominates((1.0, 1.0), (1.0, 1.0))
    assert not dominates((2.0, 0.0), (1.0, 1.0))
