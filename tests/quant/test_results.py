from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from quant.cli import app
from quant.config import Dropout, LayerBits, Network, Quantisation
from quant.config_json import network_to_json
from quant.errors import CheckpointError, ConfigError
from quant.networks import NETWORKS
from quant.paper import TABLE_5, TOPOLOGIES
from quant.results import (
    BEGIN,
    END,
    RECORDS,
    Entry,
    insert,
    markdown,
    models,
    read_growing,
    read_pruning,
    topologies,
)
from quant.zoo import ZOO


def record(
    network: Network, bits: Quantisation | None, plain: float, quantised: float | None
) -> dict[str, Any]:
    return {
        "accuracy": {"float": plain, "quantised": quantised},
        "test_images": 10_000,
        "epochs": {"float": 7, "quantised": 5 if bits else 0},
        "device": "a small one",
        "layers": network_to_json(network),
        "quantisation": asdict(bits) if bits else None,
    }


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))
    return path


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    arch2 = NETWORKS["arch2"]
    dropped = replace(arch2, batch_norm="all", dropout=Dropout(stage=0.2))
    eight = Quantisation(first_weight_bits=8, weight_bits=8, last_weight_bits=8, act_bits=8)
    made = {
        "plain/float": record(arch2, None, 0.7012, None),
        "wide": record(dropped, eight, 0.8123, 0.8),
        "slim": record(dropped, Quantisation(weight_bits=3, act_bits=2), 0.8123, 0.7899),
        "other": record(replace(NETWORKS["tiny"], name="arch2"), Quantisation(), 0.5, 0.4),
    }
    return [Entry.load(write(tmp_path / f"{name}.json", made[name])) for name in made]


def row(table: str, start: str) -> str:
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {start} ")]
    return line


def test_the_paper_s_networks_have_a_row_for_each_float_training(entries: list[Entry]) -> None:
    table = topologies(entries)
    assert row(table, "arch1") == (
        "| arch1 |  | 582,026 |  | 16.976682 |  | 72.38 % |  | 78.02 % |  |  |"
    )
    assert row(table, "arch2 | none") == (
        "| arch2 | none | 2,915,114 | 2,915,114 | 82.522058 | 82.522058 "
        "| 72.87 % | 70.12 % | 81.50 % |  |  |"
    )
    assert row(table, "arch2 | all") == (
        "| arch2 | all | 2,915,114 | 2,919,082 | 82.522058 | 82.522058 "
        "| 72.87 % |  | 81.50 % | 81.23 % | 80.00 % (W8 A8), 78.99 % (W4-3-4 A2) |"
    )
    assert row(table, "arch3") == (
        "| arch3 |  | 2,751,786 |  | 108.736970 |  |  |  | 79.21 % |  |  |"
    )


def test_every_record_is_a_model(entries: list[Entry]) -> None:
    table = models(entries)
    assert len(table.splitlines()) == 2 + len(entries)
    assert row(table, "plain") == (
        "| plain | float | 32, 32, 64, 64, 128, 128 | 2,915,114 | 41,260,032 "
        "| 70.12 % |  | 7 + 0 | a small one |"
    )
    assert row(table, "other") == (
        "| other | W4-2-4 A2 | 4, 6 | 3,504 | 169,040 | 50.00 % | 40.00 % | 7 + 5 | a small one |"
    )


def test_layers_with_bits_of_their_own_are_written_out(tmp_path: Path) -> None:
    own = (LayerBits(name="conv1", weight_bits=1), LayerBits(name="dense0", act_bits=3))
    made = record(NETWORKS["tiny"], Quantisation(layers=own), 0.5, 0.4)
    assert Entry.load(write(tmp_path / "x.json", made)).bits == "W4-1-2-4 A2-2-3"


def pruning(count: int) -> list[dict[str, Any]]:
    return [
        {"total": 448 - n, "filters": [n, 448], "parameters": 9, "macs": 8, "validation": 0.8125}
        for n in range(count)
    ]


def test_pruning_stands_beside_table_5(tmp_path: Path) -> None:
    path = write(tmp_path / "pruning.json", {"rows": pruning(3)})
    text = markdown([], [read_pruning(path)])
    assert row(text, "2") == "| 2 | 405 | 446 (2, 448) | 1,248,743 | 9 | 8 | 80.59 % | 81.25 % |"
    assert row(text, "10") == "| 10 | 269 |  | 1,057,021 |  |  | 80.24 % |  |"
    assert row(markdown([], [pruning(12)]), "11").startswith("| 11 |  | 437 (11, 448) |  | 9 |")
    assert read_pruning(tmp_path / "none.json") == []
    assert "pruning" not in markdown([])
    write(path, {"rows": [{"total": 3}]})
    with pytest.raises(CheckpointError, match=r"pruning.json: not a record of a pruning; use one"):
        read_pruning(path)


def test_growing_shows_the_steps_taken(tmp_path: Path) -> None:
    first = {
        "step": 0,
        "change": "start",
        "topology": "32, P",
        "parameters": 82_826,
        "flops": 2_049_066,
        "validation": 0.5,
        "taken": True,
    }
    wider = {**first, "step": 1, "change": "dense", "topology": "32, P | 128", "validation": 0.6}
    rows = [first, wider, {**wider, "topology": "32, 32, P", "taken": False}]
    path = write(tmp_path / "growing.json", {"plan": {"training": {"epochs": 2}}, "rows": rows})
    text = markdown([], growing=read_growing(path))
    assert "of 3 networks trained for 2 epochs each" in text
    assert row(text, "0") == "| 0 | start | 32, P | 82,826 | 2.049 | 50.00 % |"
    assert row(text, "1") == "| 1 | dense | 32, P \\| 128 | 82,826 | 2.049 | 60.00 % |"
    assert "32, 32, P" not in text
    assert read_growing(tmp_path / "none.json") is None
    write(path, {"plan": {}, "rows": [{"step": 3}]})
    with pytest.raises(CheckpointError, match=r"growing.json: not a record of growing; use one"):
        read_growing(path)


def test_the_paper_s_figures_agree_with_each_other() -> None:
    for paper in TOPOLOGIES:
        network = NETWORKS[paper.network]
        assert network.parameters == paper.parameters
        assert network.flops / 1e6 == pytest.approx(paper.mflops, abs=1e-9)
    assert sum(NETWORKS["arch2_slim"].filters) == TABLE_5[0].filters
    assert NETWORKS["arch2_slim"].parameters == TABLE_5[0].parameters
    for before, after in pairwise(TABLE_5):
        assert after.filters == round(before.filters * 0.95)


def test_tables_go_between_the_marks(tmp_path: Path, entries: list[Entry]) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nstale\n{END}\nafter\n")
    insert(readme, markdown(entries))
    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\nThe paper's networks")
    assert text.endswith(f"Written by `./build.sh results`.\n{END}\nafter\n")
    assert "stale" not in text
    stamp = readme.stat().st_mtime_ns
    insert(readme, markdown(entries))
    assert readme.stat().st_mtime_ns == stamp
    readme.write_text(f"{END} the wrong way {BEGIN}")
    with pytest.raises(ConfigError, match=r"README.md: the marks <!-- models --> and .* missing"):
        insert(readme, "")
    with pytest.raises(ConfigError, match=r"none.md: no such file; name a Markdown file with --in"):
        insert(tmp_path / "none.md", "")


def test_the_command_takes_the_zoo_and_what_it_is_given(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}\n{END}\n")
    mine = write(tmp_path / "mine.json", record(NETWORKS["tiny"], Quantisation(), 0.5, 0.4))
    done = CliRunner().invoke(app, ["results", str(mine), "--into", str(readme)])
    assert done.exit_code == 0
    records = [path.stem for each in (ZOO, RECORDS) for path in sorted(each.glob("*.json"))]
    names = [*(name for name in records if name not in ("pruning", "growing", "teacher")), "mine"]
    assert done.stdout == f"{readme}: {len(names)} models\n"
    table = readme.read_text().split("The models.")[1]
    rows = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| ")]
    assert rows[2 : 2 + len(names)] == [f"| {name}" for name in names]


def test_other_files_are_refused(tmp_path: Path) -> None:
    good = record(NETWORKS["tiny"], Quantisation(), 0.5, 0.4)
    for key in good:
        path = write(tmp_path / "x.json", {name: good[name] for name in good if name != key})
        with pytest.raises(CheckpointError, match=rf"x.json: .*{key}.* missing; use a record that"):
            Entry.load(path)
    path = write(tmp_path / "x.json", {**good, "layers": {"layers": []}})
    with pytest.raises(CheckpointError, match=r"x.json: layers: name is missing; use a text"):
        Entry.load(path)
