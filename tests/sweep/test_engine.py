from sweep import engine
from sweep.job import Job, Outcome, in_order


class Reversed:
    """Does what it has in the wrong order, as a cluster may."""

    name = "reversed"

    def __init__(self, fails=()):
        self.taken, self.order, self.fails = [], [], fails

    def submit(self, request):
        self.taken.append(request)

    def wait(self):
        request = self.taken.pop()
        self.order.append(request)
        if request.settings["n"] in self.fails:
            return [Outcome(id=request.id, seconds=1.0, error="broke")]
        total = request.settings["n"] + sum(parent["sum"] for parent in request.parents)
        return [Outcome(id=request.id, seconds=1.0, result={"sum": total})]

    def close(self):
        pass


def diamond():
    top = Job.of("a", {"n": 1})
    left, right = Job.of("b", {"n": 2}, top), Job.of("c", {"n": 3}, top)
    return top, left, right, Job.of("d", {"n": 4}, left, right)


def test_parents_come_first_and_every_job_once():
    top, left, right, bottom = diamond()
    workers, done, ended = Reversed(), {}, []
    failed = engine.run([bottom, right, bottom], done, workers, lambda j, o: ended.append(j.id))
    assert not failed
    assert sorted(ended) == sorted(job.id for job in (top, left, right, bottom))
    assert ended[0] == top.id and ended[-1] == bottom.id
    assert done[bottom.id] == {"sum": 4 + (2 + 1) + (3 + 1)}


def test_what_is_done_is_not_done_again():
    top, left, right, bottom = diamond()
    workers, done = Reversed(), {top.id: {"sum": 100}, left.id: {"sum": 10}}
    engine.run([bottom], done, workers, lambda job, outcome: None)
    assert [request.id for request in workers.order] == [right.id, bottom.id]
    assert done[bottom.id] == {"sum": 4 + 10 + 103}


def test_a_failure_takes_along_only_what_needs_it():
    top, left, right, bottom = diamond()
    workers, done = Reversed(fails=(2,)), {}
    failed = engine.run([bottom, right], done, workers, lambda job, outcome: None)
    assert failed == {left.id: "broke", bottom.id: f"{left.id}: broke"}
    assert set(done) == {top.id, right.id}


def test_an_id_follows_from_settings_and_ancestors():
    top, left, _, bottom = diamond()
    assert top.id == Job.of("a", {"n": 1}).id
    other = Job.of("a", {"n": 7})
    assert Job.of("b", {"n": 2}, other).id != left.id
    assert [job.kind for job in in_order([bottom])] == ["a", "b", "c", "d"]
