"""Several sweeps in one table, from made-up results."""

import json

import pytest

from sweep.compare import load, markdown, plot
from sweep.errors import ConfigError
from sweep.result import FORMAT, VERSION

SETTINGS = {
    "training.float_epochs": 8,
    "training.tune_epochs": 1,
    "training.pruned_epochs": 2,
    "training.rungs": [1, 3],
    "training.images": 12000,
    "space.pruning.iterations": [0, 5],
}


def row(**changes):
    made = {"label": "net, W2", "filters": "8 16", "fps": 1000.0, "simulated_fps": None}
    return {**made, "accuracy": 0.8, "lut": 5000, **changes}


@pytest.fixture
def result(tmp_path):
    def write(name="first.json", **changes):
        made = {
            "format": FORMAT,
            "version": VERSION,
            "sweep": SETTINGS,
            "front": [[row(), row(fps=1200.0, accuracy=0.82, filters="8 18")]],
            "beaten": [[row(label="net, W3", accuracy=0.7)]],
            "seconds": {"float": 90.0, "quantise": 30.0},
        }
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({**made, **changes}))
        return path

    return write


def test_seeds_have_their_mean_and_spread(result):
    lines = markdown([load(result())]).splitlines()
    assert lines[0] == (
        "**first**; epochs: float 8, pruned 1 an iteration and 2, quantised 1 + 3, of 12,000 "
        "images; 2 minutes in all"
    )
    assert lines[4:6] == [
        "| net, W2 | 25 (24 to 26) | 1,100 (1,000 to 1,200) | predicted "
        "| 81.00 % (80.00 % to 82.00 %) | 2 | 5,000 | yes |",
        "| net, W3 | 24 | 1,000 | predicted | 70.00 % | 1 | 5,000 |  |",
    ]


def test_what_was_simulated_counts(result):
    path = result("sweep-a/front.json", front=[[row(simulated_fps=900.0)]])
    text = markdown([load(path)])
    assert text.startswith("**sweep-a**")
    assert "| 900 | simulated |" in text


def test_a_picture_of_two(result, tmp_path):
    plot([load(result()), load(result("second.json"))], tmp_path / "both.png")
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "other 1, not headrace-sweep 1"),
        ({"sweep": None, "front": 3}, "no result of a sweep"),
        ({"front": [], "beaten": []}, "nothing was trained to the end"),
    ],
)
def test_what_is_no_result(result, changes, message):
    with pytest.raises(ConfigError, match=message):
        load(result(**changes))


def test_no_file(tmp_path):
    with pytest.raises(ConfigError, match="no result of a sweep"):
        load(tmp_path / "front.json")
