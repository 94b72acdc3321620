from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from trainings import dataset

from quant import cli, paper_page
from quant.checkpoint import Checkpoint
from quant.data import Labelled
from quant.files import read_json, write_json
from quant.models import build_float
from quant.paper import TOPOLOGIES
from quant.paper_page import CURVES, MISSING, STEPS, built_parameters
from quant.places import PAPER_LIST, PAPER_PAGE, README, ZOO
from quant.prune_plan import PrunePlan
from quant.record import Entry, Records
from quant.results import Pages
from quant.series import chosen, read_series
from quant.topologies import NETWORKS

REPO = Path(__file__).parents[2]
LIST = """
[defaults]
network = "tiny"
bits = "float"
recipe = "paper"
batch = 64
float_epochs = 2

[[training]]
name = "arch1_plain"
stage_dropout = 0.0
dense_dropout = 0.0

[[training]]
name = "arch2_slim_plain"

[[training]]
name = "arch2_slim_pruned"
command = "prune"
from = "arch2_slim_plain"
recipe = "paper"
batch = 64
iterations = 2
share = 0.2
epochs = 0
"""


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """The pages as they are, and no records."""
    made = Pages(records=tmp_path / "kept", readme=tmp_path / "R.md", paper=tmp_path / "p.md")
    made.records.mkdir()
    shutil.copy(REPO / README, made.readme)
    shutil.copy(REPO / PAPER_PAGE, made.paper)
    return made


def section(page: Path, name: str) -> str:
    return page.read_text().split(f"<!-- paper-{name} -->")[1].split(f"<!-- /paper-{name} -->")[0]


def row(table: str, *start: str) -> list[str]:
    (line,) = [x for x in table.splitlines() if x.startswith(f"| {' | '.join(start)} |")]
    return line.strip("| ").split(" | ")


def test_the_command_stops_resumes_and_fills_the_page(
    images: Labelled,
    pages: Pages,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    many = Labelled(images=np.tile(images.images, (14, 1, 1, 1)), labels=np.tile(images.labels, 14))
    monkeypatch.setattr("quant.starting.open_data", lambda *_, **__: dataset(many))
    file = tmp_path / "list.toml"
    file.write_text(LIST)

    def call(*only: str) -> int:
        words = ["quant", "paper", *only, "--list", str(file), "--records", str(pages.records)]
        words += ["--page", str(pages.paper), "--readme", str(pages.readme)]
        words += ["--out", str(tmp_path / "out"), "--no-compile", "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", words)
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    # One step alone, its row filled and no other.
    assert call("arch1_plain") == 0
    record = read_json(pages.records / "arch1_plain.json")
    accuracy = f"{100 * record['accuracy']['float']:.2f} %"
    steps = section(pages.paper, "trainings")
    assert row(steps, "arch1_plain")[2:5] == [accuracy, "1,120", "2"]
    assert row(steps, "arch2_plain")[2] == MISSING
    assert row(section(pages.paper, "accuracy"), "arch1")[5:7] == ["72.38 %", accuracy]
    assert accuracy in pages.readme.read_text()
    assert len(record["curve"]["float"]) == 2
    held_out = f"{100 * record['curve']['float'][-1][1]:.2f} %"
    assert row(section(pages.paper, "curves"), STEPS["arch1_plain"])[2] == held_out
    assert pages.paper.with_suffix(".png").read_bytes().startswith(b"\x89PNG")

    # Cut in the pruning, which brings the training that it begins with.
    save = Checkpoint.save

    def stopping(checkpoint: Checkpoint, status: object) -> None:
        save(checkpoint, status)
        if checkpoint.path.stem == "prune1-state":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", stopping)
        assert call("arch2_slim_pruned") == 130
    assert {path.name for path in pages.records.iterdir()} == {
        *("arch1_plain.json", "arch2_slim_plain.json")
    }
    begun = (tmp_path / "out" / "arch2_slim_plain" / "float.safetensors").stat().st_mtime_ns
    assert call() == 0
    assert (tmp_path / "out" / "arch2_slim_plain" / "float.safetensors").stat().st_mtime_ns == begun
    rows = read_json(pages.records / "arch2_slim_pruned.pruning.json")["rows"]
    assert [r["total"] for r in rows] == [10, 8, 6]
    table = section(pages.paper, "pruning")
    for index, made in enumerate(rows):
        assert row(table, str(index))[-2:] == [
            f"{100 * made[key]:.2f} %" for key in ("test", "validation")
        ]
    assert row(table, "3")[-2:] == [MISSING, MISSING]
    # Nothing follows the last iteration, so that its score is the model's.
    pruned = read_json(pages.records / "arch2_slim_pruned.json")
    assert pruned["accuracy"]["float"] == rows[-1]["test"]
    assert pruned["epochs"]["float"] == 4 == len(pruned["curve"]["float"])

    # A page without marks is refused before anything is trained.
    pages.paper.write_text("nothing")
    monkeypatch.setattr("quant.starting.open_data", None)
    assert call() == 2
    assert "p.md: the marks <!-- paper-layers --> and" in capsys.readouterr().err


def test_without_records_every_cell_of_ours_is_missing(pages: Pages) -> None:
    pages.write()
    for name in STEPS:
        assert row(section(pages.paper, "trainings"), name)[2] == MISSING
    for paper in TOPOLOGIES:
        cells = row(section(pages.paper, "accuracy"), paper.network)
        assert cells[8] == MISSING
        assert cells[9].startswith(MISSING)
    for index in range(11):
        assert row(section(pages.paper, "pruning"), str(index))[-2:] == [MISSING, MISSING]
    assert "![" not in section(pages.paper, "curves")
    assert not pages.paper.with_suffix(".png").exists()


def test_the_pages_that_are_committed_are_of_the_records(tmp_path: Path) -> None:
    made = Pages(readme=tmp_path / README.name, paper=tmp_path / PAPER_PAGE.name)
    shutil.copy(REPO / README, made.readme)
    shutil.copy(REPO / PAPER_PAGE, made.paper)
    made.write()
    for page in (README, PAPER_PAGE):
        same = (tmp_path / page.name).read_text() == (REPO / page).read_text()
        assert same, f"{page} is stale: run ./build.sh results"


def test_the_list_is_what_the_page_shows(tmp_path: Path) -> None:
    plans = read_series(REPO / PAPER_LIST, tmp_path)
    assert [planned.name for planned in plans] == list(STEPS)
    assert set(CURVES) < set(STEPS)
    for planned in plans:
        plan, (network, kind) = planned.plan, planned.name.rsplit("_", 1)
        if isinstance(plan, PrunePlan):
            assert (plan.iterations, plan.share) == (10, 0.05)
            continue
        shape, training = plan.shape(), plan.first()
        assert training.epochs == 34
        assert shape.name == network
        dropped = {"plain": (0.0, 0.0), "dropout": (0.2, 0.5), "ours": (0.0, 0.2)}[kind]
        assert (shape.dropout.stage, shape.dropout.dense) == dropped
        if kind != "ours":
            assert shape.batch_norm == NETWORKS[network].batch_norm
            assert not training.flip and not training.translate_px
    both = chosen(plans, ["arch2_slim_pruned"])
    assert [planned.name for planned in both] == ["arch2_slim_plain", "arch2_slim_pruned"]


def test_layers_are_the_papers_and_built_ones_have_no_bias_before_batch_norm() -> None:
    for paper in TOPOLOGIES:
        network = NETWORKS[paper.network]
        assert tuple(product.parameters for product in network.products()) == paper.layers
        assert f"| all |  | {paper.parameters:,} | {paper.parameters:,} |" in paper_page.layers(
            paper
        )
    for network in (NETWORKS["arch2_slim"], replace(NETWORKS["arch1"], batch_norm="all")):
        weights = build_float(network).parameters()
        assert sum(parameter.numel() for parameter in weights) == built_parameters(network)
    assert "| arch2_slim | dense | 1,342,250 | 1,341,738 |" in paper_page.built()


def test_curves_say_where_they_are_best(tmp_path: Path) -> None:
    source = read_json(ZOO / "arch1_w2a2.json")
    source["curve"] = {"float": [[0.5, 0.6], [0.9, 0.7], [1.0, 0.65]]}
    source["epochs"]["float"] = 3
    write_json(tmp_path / "arch1_plain.json", source)
    entry = Entry.load(tmp_path / "arch1_plain.json")
    assert entry.watched
    cells = row(paper_page.curves([entry], "x.png"), STEPS["arch1_plain"])
    assert cells[1:] == ["100.00 %", "65.00 %", "35.0", "70.00 %, epoch 2", "5.0"]
    # One that was watched from its middle on is not drawn.
    write_json(tmp_path / "arch1_plain.json", {**source, "epochs": {"float": 4, "quantised": 0}})
    assert not Records.load(tmp_path).entries["arch1_plain"].watched
