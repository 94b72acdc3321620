from hypothesis import given
from hypothesis import strategies as st

from sweep.pareto import best, dominates, fronts

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=14)


@given(POINTS)
def test_fronts_are_what_nobody_left_dominates(points):
    left = set(range(len(points)))
    for front in fronts(points):
        assert front
        for n in left:
            beaten = any(dominates(points[other], points[n]) for other in left)
            assert beaten == (n not in front)
        left -= set(front)
    assert not left


@given(POINTS, st.integers(0, 20))
def test_the_best_are_as_many_as_asked_and_no_one_left_out_beats_them(points, count):
    chosen = best(points, count)
    assert len(chosen) == min(count, len(points)) == len(set(chosen))
    out = set(range(len(points))) - set(chosen)
    assert not any(dominates(points[n], points[kept]) for n in out for kept in chosen)


def test_of_a_front_the_ends_and_the_loneliest_stay():
    line = [(0.0, 10.0), (1.0, 9.0), (1.1, 8.9), (5.0, 5.0), (10.0, 0.0)]
    assert best(line, 3) == [0, 3, 4]


def test_equal_points_do_not_beat_each_other():
    assert best([(1.0, 1.0), (1.0, 1.0)], 2) == [0, 1]
    assert not dominates((1.0, 1.0), (1.0, 1.0))
    assert not dominates((2.0, 0.0), (1.0, 1.0))
