import sqlite3

import pytest

from sweep.config import Space
from sweep.design import Trial, designs
from sweep.errors import TableError
from sweep.job import Outcome
from sweep.table import NAME, Table


def trials():
    return [Trial(design=d, seed=s) for d in designs(Space(networks=("tiny",))) for s in (1, 2)]


def test_rows_and_results_stay(tmp_path):
    with Table(tmp_path, {"a": [1]}) as table:
        table.add(trials())
        table.keep("cost", Outcome(id="x", seconds=2.0, result={"fps": 1.5}))
        table.keep("cost", Outcome(id="y", seconds=1.0, error="broke"))
        table.update([(trials()[0], {"state": "costed", "fps": 3.0})])
    with Table(tmp_path, {"a": [1]}) as table:
        table.add(trials())
        assert table.results() == {"x": {"fps": 1.5}}
        assert table.seconds() == {"cost": (1, 2.0)}
        rows = table.rows()
        assert [row.id for row in rows] == [trial.id for trial in trials()]
        assert [(row.state, row.values["fps"]) for row in rows] == [
            ("costed", 3.0),
            ("waiting", None),
        ]
        table.keep("cost", Outcome(id="y", seconds=1.0, result={}))
        assert table.results() == {"x": {"fps": 1.5}, "y": {}}


def test_half_an_update_is_none(tmp_path):
    first, second = trials()
    with Table(tmp_path, {}) as table:
        table.add(trials())
        with pytest.raises(sqlite3.OperationalError):
            table.update([(first, {"state": "costed"}), (second, {"no_column": 1})])
        assert {row.state for row in table.rows()} == {"waiting"}


def test_a_table_of_another_sweep(tmp_path):
    Table(tmp_path, {"space.bits.weights": [1, 2]}).close()
    with pytest.raises(TableError) as raised:
        Table(tmp_path, {"space.bits.weights": [2]})
    assert str(raised.value) == (
        f"{tmp_path / NAME}: of another sweep: its space.bits.weights is [1, 2], here it is [2]; "
        "use another --out, or the sweep.toml that it was made with"
    )
    # The lock went back.
    Table(tmp_path, {"space.bits.weights": [1, 2]}).close()


def test_two_at_once(tmp_path):
    with Table(tmp_path, {}), pytest.raises(TableError, match="another sweep is at work on it"):
        Table(tmp_path, {})


def test_no_table(tmp_path):
    (tmp_path / NAME).write_bytes(b"something else entirely" * 100)
    with pytest.raises(TableError, match="not a trial table .* remove it, or use another --out"):
        Table(tmp_path, {})
