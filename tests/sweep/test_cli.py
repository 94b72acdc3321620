"""The command line from sweep.toml to an exported model, on real tiny trainings."""

import json
import sqlite3

import pytest

from quant.zoo import load_trained
from sweep import cli

FINAL = {"front", "beaten", "skipped", "stopped", "built"}


@pytest.fixture
def sweep(monkeypatch, capsys, data, tmp_path):
    """Run `sweep` with arguments in one process; gives exit code, stdout and stderr."""

    def sweep_(*arguments, folder=data, workers=1):
        words = [str(each) for each in arguments]
        if words[0] not in ("export", "compare"):
            words += ["--workers", str(workers)]
            words += ["--data", str(folder), "--cache", str(tmp_path / "cache")]
        monkeypatch.setattr("sys.argv", ["sweep", *words])
        monkeypatch.setenv("COLUMNS", "160")
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return sweep_


def jobs(out):
    with sqlite3.connect(out / "trials.sqlite") as base:
        return dict(base.execute("SELECT id, seconds FROM jobs"))


def test_a_sweep_resumes_and_its_trial_is_exported(write, sweep, tmp_path):
    file, out = write(), tmp_path / "out"
    code, text, err = sweep(file, "--out", out)
    assert code == 0, err
    assert "training 1, 1 epochs: " in text and "predicted" in text
    assert "trials: 2 front, 4 skipped, 2 stopped" in text
    made = json.loads((out / "front.json").read_text())
    assert set(made["states"]) <= FINAL
    assert sum(made["states"].values()) == 8
    front = made["front"][0][0]
    page = (out / "front.html").read_text()
    assert "FINN CNV-W2A2" in page and front["label"] in page and "<script" not in page

    before = jobs(out)
    code, text, _ = sweep(file, "--out", out)
    assert code == 0
    assert "training" not in text
    assert jobs(out) == before
    assert json.loads((out / "front.json").read_text()) == made

    code, text, _ = sweep("export", file, front["id"], "mine", "--out", out, "--into", tmp_path)
    assert code == 0
    trained = load_trained(str(tmp_path / "mine.safetensors"))
    assert trained.network.filters == list(map(int, front["filters"].split()))
    assert trained.record["accuracy"]["quantised"] == front["accuracy"]
    assert f"./build.sh pynq-z2 --model {tmp_path}/mine.safetensors --clock-mhz 100" in text

    code, text, _ = sweep("compare", out / "front.json", "--picture", tmp_path / "front.png")
    assert code == 0
    assert text.startswith("**out**; epochs: float 1,")
    assert f"| {front['label']} | {sum(map(int, front['filters'].split()))} | " in text
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")


def test_hardware_alone_trains_nothing(write, sweep, tmp_path):
    code, text, _ = sweep(write(), "--out", tmp_path / "out", "--hardware")
    assert code == 0
    assert not (tmp_path / "out" / "runs").exists()
    assert "tiny, W4-2-4 A2" in text
    assert "Nothing was trained to the end." in (tmp_path / "out" / "front.html").read_text()


def test_a_table_of_another_sweep(write, sweep, tmp_path):
    sweep(write(), "--out", tmp_path / "out", "--hardware")
    other = write(("weights = [1, 2]", "weights = [2]"))
    code, _, err = sweep(other, "--out", tmp_path / "out", "--hardware")
    assert code == 2
    assert "of another sweep: its space.bits.weights is [1, 2], here it is [2]" in err


def test_constraints_may_change_between_runs(write, sweep, tmp_path):
    sweep(write(), "--out", tmp_path / "out", "--hardware")
    tighter = write(("[engine]", "[constraints]\nmin_fps = 1e6\n[engine]"))
    code, _, err = sweep(tighter, "--out", tmp_path / "out", "--hardware")
    assert code == 2
    assert "none of 4 candidates reaches 1,000,000 frames/s; the nearest is tiny" in err
    assert "fewer than min_fps = 1,000,000" in (tmp_path / "out" / "front.html").read_text()


def test_wrong_words(write, sweep, tmp_path, monkeypatch):
    code, _, err = sweep(tmp_path / "none.toml")
    assert code == 2 and "docs/sweep.md says how to write one" in err
    code, _, err = sweep("export", write(), "x-1", "mine", "--out", tmp_path / "out")
    assert code == 2 and "x-1: no trial of" in err
    sweep(write(), "--out", tmp_path / "out", "--hardware")
    trial = sqlite3.connect(tmp_path / "out" / "trials.sqlite").execute("SELECT id FROM trials")
    code, _, err = sweep("export", write(), trial.fetchone()[0], "mine", "--out", tmp_path / "out")
    assert code == 2 and "was not trained, " in err


def test_workers_that_cannot_be_had(write, sweep, tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.cluster.installed", lambda: False)
    file, out = write(), tmp_path / "out"
    code, _, err = sweep(file, "--out", out, workers=2)
    assert code == 2 and "Ray is not installed; `pip install 'headrace[cluster]'`" in err
    code, _, err = sweep(file, "--out", out, "--address", "localhost:1")
    assert code == 2 and "--workers 1: use 1 or more, and leave --address out" in err
    code, _, err = sweep(file, "--out", out, workers=0)
    assert code == 2 and "--workers 0: use 1 or more" in err


def test_trials_that_all_fail_say_why_and_are_tried_again(write, sweep, data, tmp_path):
    file, out = write(), tmp_path / "out"
    code, _, err = sweep(file, "--out", out, folder=tmp_path / "nowhere")
    assert code == 2
    assert "no trial was finished, 4 of 8 failed; the first, tiny, W4-2-4 A2" in err
    assert "nowhere: no such folder, so no images" in err
    code, _, err = sweep(file, "--out", out)
    assert code == 0, err


@pytest.mark.slow
def test_the_front_is_built(write, sweep, data_folder, tmp_path):
    """Of a slow folding, which Yosys soon has synthesised. A build wants the whole test set."""
    slow = ("seeds = [1, 2]", "seeds = [1]\ntarget_fps = [10_000]")
    file = write(("builds = 0", "builds = 1\nimages = 4"), slow)
    code, _, err = sweep(file, "--out", tmp_path / "out", folder=data_folder)
    assert code == 0, err
    made = json.loads((tmp_path / "out" / "front.json").read_text())
    rows = [row for group in made["front"] for row in group]
    assert [row["why"] for row in rows if row["why"]] == []
    (built,) = [row for row in rows if row["state"] == "built"]
    report = json.loads((tmp_path / "out" / built["report"]).read_text())
    assert built["simulated_fps"] == report["fps"]["simulated"]
    assert built["simulated_fps"] == pytest.approx(built["fps"], rel=0.01)
    assert report["rtl_sim"]["mismatches"] == 0
