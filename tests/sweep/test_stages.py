"""The search over made-up trainings: hardware costs are real, accuracies follow from the bits."""

import pytest

from sweep.config import load
from sweep.engine import OneProcess
from sweep.errors import UnreachableError
from sweep.job import Outcome, Place
from sweep.stages import Search
from sweep.table import Table


class MadeUp(OneProcess):
    """Costs as they are; a float network keeps its filters, a quantised one is as good as its bits.

    broken: seeds whose trainings fail; folded: changes of what a trained design costs; asked: kinds
    of the jobs in the order in which they came.
    """

    def __init__(self, place, broken=(), folded=None):
        super().__init__(place)
        self.broken, self.folded, self.asked = broken, folded or {}, []

    def submit(self, request):
        self.asked.append(request.kind)
        super().submit(request)

    def wait(self):
        request = self._taken[0]
        if request.kind in ("cost", "fit"):
            return super().wait()
        self._taken.popleft()
        settings = request.settings
        if settings.get("seed") in self.broken:
            return [Outcome(id=request.id, seconds=0.0, error="the disk is full")]
        return [Outcome(id=request.id, seconds=0.0, result=self.result(request, settings))]

    def result(self, request, settings):
        if request.kind == "build":
            figures = {"cycles": 4, "latency_us": 1.0, "lut": 5, "bram36": 6.0, "dsp": 7}
            return {"fps": 123.0, "report": "runs/x/build/report.json", **figures}
        if request.kind == "fold":
            figures = {"cycles": 4, "latency_us": 1.0, "lut": 5, "bram36": 6.0, "dsp": 7}
            return {"fits": True, "why": "", "fps": 123.0, **figures, **self.folded}
        if request.kind == "probe":
            counts = [[1.0] * n for n in request.parents[0]["filters"]]
            layers = [{"scores": c, "count": max(2, len(c) - 2), "kept": 0.7} for c in counts]
            return {"base": 0.8, "least": 0.01, "layers": layers}
        if request.kind == "float":
            filters = [x["filters"] for x in settings["network"]["layers"] if x["kind"] == "conv"]
        elif request.kind == "prune" and settings["counts"]:
            filters = settings["counts"]
        elif request.kind == "prune" and settings["iterations"]:
            filters = request.parents[1]["filters"]
        elif request.kind == "prune":
            filters = [n - 1 for n in request.parents[0]["filters"]]
        else:
            filters = request.parents[0]["filters"]
        bits = settings.get("quantisation", {}).get("weight_bits", 4)
        longer = 0.01 * len(request.parents)
        return {
            "weights": f"runs/{request.id}/x.safetensors",
            "filters": filters,
            "epochs": 1,
            "validation": 0.5 + 0.05 * bits + 0.01 * sum(filters) + longer,
            "accuracy": 0.5 + 0.05 * bits,
            "test_images": 10_000,
        }


@pytest.fixture
def search(write, tmp_path):
    """Run a changed tiny sweep; gives its front, its rows by state, and the workers."""

    def search_(*changes, broken=(), folded=None, planned=False):
        sweep = load(write(*changes))
        root = tmp_path / "out"
        place = Place(root=root, data=tmp_path, cache=tmp_path, command="test")
        workers = MadeUp(place, broken, folded)
        with Table(root, {}) as table:
            made = Search(
                sweep, table, workers, begin=lambda stage, jobs: None, ended=lambda job, out: None
            )
            try:
                front = made.planned() if planned else made.run()
            finally:
                states = {}
                for row in table.rows():
                    states.setdefault(row.state, []).append(row)
                search_.states = states
        return front, states, workers

    return search_


def test_costs_come_before_any_training(search):
    _, states, workers = search(planned=True)
    assert set(workers.asked) == {"cost"}
    # 2 widths x (all filters, pruned); the seeds cost the same.
    assert len(workers.asked) == 4
    assert sum(map(len, states.values())) == 8
    for row in states["costed"]:
        assert row.values["fps"] > 0 and row.values["lut"] > 0


def test_what_is_no_faster_and_has_less_is_not_trained(search):
    # At one pixel beat a cycle all are equally fast: more bits and all filters are no slower.
    _, states, _ = search(planned=True)
    fps = {row.label: row.values["fps"] for rows in states.values() for row in rows}
    assert len(set(fps.values())) == 1
    assert {row.label for row in states["costed"]} == {"tiny, W4-2-4 A2, vivado 100 MHz"} | {
        row.label for row in states["costed"] if "even" in row.label
    }
    skipped = [row for row in states["skipped"] if row.label == "tiny, W4-1-4 A2, vivado 100 MHz"]
    assert skipped[0].why == (
        "no faster than tiny, W4-2-4 A2, vivado 100 MHz, which has all its bits and filters"
    )


def test_the_front_is_built_and_the_rest_has_its_reason(search):
    front, states, workers = search(("builds = 0", "builds = 1"))
    assert {each.design.label for each in front} == {"tiny, W4-2-4 A2, vivado 100 MHz"}
    (built,) = states["built"]
    assert built.values["simulated_fps"] == 123.0 and built.values["lut"] == 5
    assert workers.asked.count("build") == 1
    # The other seed of the front was not built; everything else says why.
    assert len(states["front"]) == 1
    for state in set(states) - {"built", "front"}:
        assert all(row.why for row in states[state]), state


def test_a_rung_lets_its_best_share_go_on(search):
    _, states, workers = search(("block = 2", 'block = 2\nrankings = ["l1", "taylor"]'))
    # Three designs, all filters and two rankings; half of them, rounded up, go on.
    assert {row.label for row in states["stopped"]} == {
        "tiny, even 2 taylor, W4-2-4 A2, vivado 100 MHz"
    }
    assert "not among the best 50%" in states["stopped"][0].why
    assert workers.asked.count("quantise") == 2 * (3 + 2)


def test_ancestors_are_shared(search):
    _, _, workers = search(
        ("weights = [1, 2]", "weights = [1, 2]\nacts = [1, 2]"), ("seeds = [1, 2]", "seeds = [1]")
    )
    assert workers.asked.count("float") == 1
    # Once for each iteration, however many designs come after it.
    assert workers.asked.count("prune") == 2
    assert workers.asked.count("tune") == 1


def test_only_so_many_are_trained(search):
    _, states, _ = search(
        ("block = 2", 'block = 2\nrankings = ["l1", "taylor"]'),
        ("builds = 0", "builds = 0\ntrials = 1"),
    )
    why = {row.why for row in states["skipped"]}
    assert "not among the best 1 in frames/s and bit operations" in why


def test_filters_that_training_leaves_are_costed_again(search):
    _, states, workers = search(
        ("block = 2", 'block = 2\nschedules = ["ranked"]'),
        ("iterations = [0, 2]", "iterations = [2]"),
        ("weights = [1, 2]", "weights = [2]"),
    )
    # Planned as [2, 2]; the made-up ranking takes one filter of each layer, twice.
    assert [row.values["filters"] for row in states["front"]] == ["2 4", "2 4"]
    assert workers.asked.count("cost") == 2


def test_a_trained_design_is_as_fast_as_its_own_weights_let_it(search):
    _, states, workers = search(folded={"fps": 99.0, "why": "5 LUTs too many for 100 frames/s"})
    assert {row.values["fps"] for row in states["front"]} == {99.0}
    assert {row.why for row in states["front"]} == {"5 LUTs too many for 100 frames/s"}
    # One of each seed of what was trained to the end.
    assert workers.asked.count("fold") == 2
    with pytest.raises(UnreachableError, match="reaches 1,000 frames/s; the nearest is tiny.*: 99"):
        search(("[search]", "[constraints]\nmin_fps = 1_000\n[search]"), folded={"fps": 99.0})


def test_pruning_for_the_folding_knows_its_filters_before_and_after(search):
    _, _, workers = search(
        ("block = 2", 'block = 2\nschedules = ["folding"]'),
        ("seeds = [1, 2]", "seeds = [1]\ntarget_fps = [200000.0]"),
        ("iterations = [0, 2]", "iterations = [2]"),
        ("[engine]", "[constraints]\nmax_lut = 5000\n[engine]"),
    )
    # Filters as planned, of which the second width's need no training to be worse; then the probe.
    assert workers.asked[:2] == ["fit", "fit"]
    assert {"probe", "fit", "prune"} <= set(workers.asked[4:])


def test_an_unreachable_rate_names_the_nearest(search):
    with pytest.raises(UnreachableError) as raised:
        search(("[engine]", "[constraints]\nmin_fps = 1e6\n[engine]"))
    text = str(raised.value)
    assert text.startswith("none of 4 candidates reaches 1,000,000 frames/s; the nearest is tiny")
    assert "260,417 frames/s" in text
    assert {row.state for row in search.states["skipped"]} == {"skipped"}
    assert "fewer than min_fps = 1,000,000" in search.states["skipped"][0].why


def test_an_unreachable_size_names_the_nearest(search):
    with pytest.raises(UnreachableError) as raised:
        search(("[engine]", "[constraints]\nmax_lut = 300\n[engine]"))
    assert "any rate with 300 LUTs; the nearest is tiny, even 2 taylor" in str(raised.value)


def test_an_unreachable_accuracy_names_the_nearest(search):
    with pytest.raises(UnreachableError) as raised:
        search(("[engine]", "[constraints]\nmin_accuracy = 0.99\n[engine]"))
    text = str(raised.value)
    assert "99.00% of the held-out images; the nearest is tiny, W4-2-4 A2" in text
    assert "less than min_accuracy = 99.00%" in search.states["skipped"][-1].why


def test_a_failed_trial_leaves_the_others_alone(search):
    front, states, _ = search(("weights = [1, 2]", "weights = [2]"), broken=(2,))
    assert front == []
    assert all("the disk is full" in row.why for row in states["failed"])
    front, _, _ = search(("seeds = [1, 2]", "seeds = [1]"), broken=(2,))
    assert front
