"""The commands of run.py: what they print and write, and what they refuse before any work."""

from __future__ import annotations

import json
import sys

import pytest

from finn_build.driver import results
from finn_build.driver.command import main
from finn_build.system.files import load_json, save_json

# Fields of a results.json, but for its parts.
WHOLE = {
    "format": "headrace-results", "version": 1, "model": "tiny", "model_hash": "", "board": "",
    "where": "measured", "device": "", "date": "", "fclk_mhz": 100, "software": {},
    "predicted": None,
}  # fmt: skip


def test_commands_fill_one_file(chip, folder, odd, tmp_path, capsys):
    path = tmp_path / "results.json"
    assert main(folder, ["--results", str(path), "accuracy", "--images", "40"]) == 0
    right = (odd.expected.labels[:40] == odd.truth[:40]).mean()
    assert f"{100 * right:.2f} % of 40 images right" in capsys.readouterr().out
    more = ["benchmark", "--repeats", "1", "--singles", "4"]
    assert main(folder, ["--results", str(path), *more]) == 0
    text = capsys.readouterr().out
    made = results.load(path)
    assert made["where"] == "measured" and made["device"] == "plain"
    assert made["accuracy"]["value"] == right and len(made["accuracy"]["confusion"]) == 10
    assert [row["batch"] for row in made["throughput"]] == [1, 10, 100, 1000, 10000]
    for row in made["throughput"]:
        assert row["counters"]["cycles"] == 384 * row["batch"]
        assert row["fabric_frames_per_second"] == pytest.approx(1e8 / 384)
        assert f"{row['frames_per_second']:,.0f}" in text
        assert row["range"] == [row["frames_per_second"]] * 2, "of a single call"
    assert made["latency"]["fabric_us"] == 3.84 and made["latency"]["images"] == 4
    predicted = load_json(folder / "manifest.json")["predicted"]
    assert made["predicted"] == predicted
    assert f"the build predicts {predicted['frames_per_second']:,.0f} frames/s" in text


def test_a_terminal_sees_how_far_it_is(chip, folder, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(folder, ["--batch", "4", "accuracy", "--images", "96"]) == 0
    lines = capsys.readouterr().err.split("\r")[1:]
    assert lines[0] == f"accuracy [{'#' * 10}{'.' * 20}] 32/96"
    assert lines[-1] == f"accuracy [{'#' * 30}] 96/96\n" and len(lines) == 3
    assert main(folder, ["benchmark", "--batches", "1", "--repeats", "2", "--singles", "1"]) == 0
    assert "benchmark [" in capsys.readouterr().err


def test_results_of_another_chip_start_anew(chip, folder, tmp_path):
    path = tmp_path / "results.json"
    run = ["--results", str(path), "benchmark", "--batches", "1", "--singles", "1"]
    assert main(folder, ["--results", str(path), "accuracy"]) == 0
    save_json(path, {**load_json(path), "fclk_mhz": 50.0})
    assert main(folder, run) == 0
    assert results.load(path)["accuracy"] is None and results.load(path)["throughput"]


def test_the_self_test_command_fails_with_the_chip(chip, folder, capsys):
    assert main(folder, ["self-test"]) == 0
    chip.answer = lambda pixels: 0
    assert main(folder, ["self-test"]) == 1
    assert "suspect: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("{", "not readable as JSON"),
        ("[]", "no results of headrace"),
        (
            '{"format": "headrace-results", "version": 2}',
            "version 2 of the results, this one",
        ),
        ('{"format": "headrace-results", "version": 1}', "model, date"),
        (
            json.dumps({**WHOLE, "accuracy": {"value": 1}, "throughput": [3], "latency": None}),
            "accuracy.images, throughput.batch, throughput.frames_per_second missing",
        ),
    ],
)
def test_other_results_are_refused_before_the_work(
    chip, folder, tmp_path, capsys, contents, message
):
    path = tmp_path / "results.json"
    path.write_text(contents)
    assert main(folder, ["--results", str(path), "accuracy"]) == 2
    shown = capsys.readouterr().err
    assert message in shown and "run `python3 run.py benchmark` again" in shown
    assert path.read_text() == contents and not chip.loaded


def test_results_that_cannot_be_written_are_refused(chip, folder, tmp_path, capsys):
    assert main(folder, ["--results", str(tmp_path / "lost" / "r.json"), "accuracy"]) == 2
    assert "r.json: no such folder; make it, or name another" in capsys.readouterr().err
    assert not chip.loaded, "not before the work"
    (tmp_path / "results.part").mkdir()
    assert main(folder, ["--results", str(tmp_path / "results.json"), "accuracy"]) == 2
    assert "results.json: cannot be written (" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--batch=0", "--timeout=0", "--timeout=-1", "--timeout=nan"])
def test_options_that_make_no_sense_are_refused(folder, capsys, option):
    with pytest.raises(SystemExit):
        main(folder, [option, "accuracy"])
    assert "use 1 or more" in (shown := capsys.readouterr().err) or "use more than 0" in shown


@pytest.mark.parametrize("version", ["2.5.4", "2.6", "1.10"])
def test_an_old_pynq_is_refused(chip, folder, capsys, version):
    sys.modules["pynq"].__version__ = version
    assert main(folder, ["self-test"]) == 2
    shown = capsys.readouterr().err
    assert f"pynq {version} is too old; use a PYNQ image of version 2.7 or later" in shown


def test_without_pynq_it_says_where_to_run(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pynq", None)
    assert main(folder, ["self-test"]) == 2
    assert "pynq is not there" in capsys.readouterr().err
