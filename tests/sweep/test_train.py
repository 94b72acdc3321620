"""Real trainings of the smallest network on made-up images, through the jobs that a sweep makes."""

import json

import pytest
import torch

from quant.float_model import load_float
from quant.zoo import load_trained
from sweep import engine
from sweep.config import load
from sweep.design import Trial, designs
from sweep.engine import OneProcess
from sweep.job import Place
from sweep.plan import Plan
from sweep.work import execute


@pytest.fixture
def place(tmp_path, data):
    return Place(
        root=tmp_path / "out",
        data=data,
        cache=tmp_path / "cache",
        command="test",
        device="cpu",
        compiled=False,
    )


def do(place, *jobs):
    """Results by job id, and the ids in the order in which jobs ended."""
    done, order = {}, []
    failed = engine.run(jobs, done, OneProcess(place), lambda job, _: order.append(job.id))
    assert not failed, failed
    return done, order


def trial_of(sweep, **wanted):
    found = [d for d in designs(sweep.space) if all(getattr(d, k) == v for k, v in wanted.items())]
    return Trial(design=found[0], seed=1)


def test_float_pruned_tuned_quantised_and_further(write, place):
    sweep = load(write())
    plan, trial = Plan(sweep), trial_of(sweep, iterations=2, weights=2)
    done, order = do(place, plan.quantised(trial, 1))
    assert [job.partition("-")[0] for job in order] == [
        "float",
        "prune",
        "prune",
        "tune",
        "quantise",
        "quantise",
    ]
    # 4, 6 filters in blocks of 2, 30 % of them twice.
    assert [done[job]["filters"] for job in order] == [[4, 6], [2, 4], *4 * [[2, 2]]]
    # The epochs of all ancestors add up.
    assert [done[job]["epochs"] for job in order] == [1, 2, 3, 4, 1, 2]
    made = load_trained(str(place.root / done[order[-1]]["weights"]))
    assert made.network.filters == [2, 2]
    assert made.record["epochs"] == {"float": 4, "quantised": 2}
    assert made.record["training"]["pruning"][0]["filters"] == [[2, 4]]
    assert 0 <= done[order[-1]]["validation"] <= 1


def test_a_ranking_may_take_from_any_layer(write, place):
    sweep = load(write(("block = 2", 'schedules = ["ranked"]\nrankings = ["l1"]\nblock = 2')))
    trial = trial_of(sweep, iterations=2)
    done, order = do(place, Plan(sweep).ancestor(trial))
    # 30 % of all filters, rounded: 10, 7, 5.
    assert [sum(done[job]["filters"]) for job in order] == [10, 7, 5, 5]


def test_for_the_folding_the_network_gets_the_filters_that_fit(write, place):
    sweep = load(
        write(
            ("block = 2", 'block = 2\nschedules = ["folding"]'),
            ("seeds = [1, 2]", "seeds = [1, 2]\ntarget_fps = [200000.0]"),
            ("iterations = [0, 2]", "iterations = [2]"),
            ("[engine]", "[constraints]\nmax_lut = 4000\n[engine]"),
        )
    )
    plan, trial = Plan(sweep), trial_of(sweep, weights=2)
    ancestor = plan.ancestor(trial)
    done, order = do(place, ancestor)
    assert [job.partition("-")[0] for job in order] == ["float", "probe", "fit", "prune", "tune"]
    probe, fitted = done[order[1]], done[order[2]]
    assert [layer["count"] for layer in probe["layers"]] == [2, 4]
    assert fitted["fits"] and sum(fitted["filters"]) < 10
    assert done[ancestor.id]["filters"] == fitted["filters"]
    cost = plan.cost(trial.design, fitted["filters"])
    costed, _ = do(place, cost)
    assert costed[cost.id]["fits"]


def test_the_strongest_filters_stay(write, place):
    sweep = load(
        write(
            ("block = 2", 'rankings = ["l1"]\nblock = 2'),
            ("iterations = [0, 2]", "iterations = [1]"),
        )
    )
    ancestor = Plan(sweep).ancestor(trial_of(sweep))
    done, order = do(place, ancestor)
    before = load_float(place.root / done[order[0]]["weights"], "cpu").model.body.conv0.weight
    state = place.folder(order[1]) / "prune1-state.safetensors"
    assert state.is_file()
    sizes = before.detach().abs().mean((1, 2, 3))
    kept = sizes.argsort()[-2:].sort().values
    after = load_float(place.root / done[order[1]]["weights"], "cpu").model.body.conv0.weight
    # An epoch of recovery moves them little: each is still nearest to the filter that it was.
    flat = before.detach().flatten(1)
    nearest = torch.cdist(after.detach().flatten(1), flat).argmin(1)
    assert nearest.tolist() == kept.tolist()


def test_a_result_that_is_there_is_not_made_again(write, place):
    sweep = load(write())
    job = Plan(sweep).ancestor(trial_of(sweep, iterations=0))
    done, _ = do(place, job)
    path = place.folder(job.id) / "result.json"
    path.write_text(json.dumps({**done[job.id], "mark": 1}))
    again, _ = do(place, job)
    assert again[job.id]["mark"] == 1


def test_a_training_that_was_cut_off_goes_on_to_the_same_result(
    write, place, tmp_path, monkeypatch
):
    sweep = load(write(("float_epochs = 1", "float_epochs = 3")))
    job = Plan(sweep).ancestor(trial_of(sweep, iterations=0))
    whole, _ = do(place, job)

    from quant.checkpoint import Checkpoint

    saves = []
    save = Checkpoint.save

    def stop(self, status):
        save(self, status)
        saves.append(status.epoch)
        if len(saves) == 2:
            raise KeyboardInterrupt

    elsewhere = Place(**{**vars(place), "root": tmp_path / "cut"})
    monkeypatch.setattr(Checkpoint, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        do(elsewhere, job)
    resumed, _ = do(elsewhere, job)
    assert saves == [1, 2, 3]
    assert resumed[job.id] == whole[job.id]


def test_too_few_images(write, place):
    sweep = load(write(("images = 60", "images = 600")))
    job = Plan(sweep).ancestor(trial_of(sweep, iterations=0))
    failed = engine.run([job], {}, OneProcess(place), lambda job, _: None)
    assert "100 train images, the sweep wants 620 with those held out" in failed[job.id]


@pytest.mark.slow
def test_several_processes_train_one_network(write, place):
    sweep = load(write())
    job = Plan(sweep).ancestor(trial_of(sweep, iterations=0))
    two = Place(**{**vars(place), "processes": 2, "cpus": 2})
    from sweep.job import Request

    outcome = execute(Request(id=job.id, kind=job.kind, settings=job.settings), two)
    assert outcome.error is None
    assert outcome.result["filters"] == [4, 6]
    record = json.loads((place.folder(job.id) / "float.json").read_text())
    assert "2 processes" in record["device"]
