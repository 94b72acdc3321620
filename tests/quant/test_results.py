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
from quant.markdown import insert
from quant.paper import TABLE_5, TOPOLOGIES
from quant.paper_page import growing, pruning
from quant.places import ZOO
from quant.record import Entry, Records, read_growing, read_pruning
from quant.results import markdown, models
from quant.results import paper as short
from quant.topologies import NETWORKS

NONE = Records(entries={}, prunings={}, growing=None)
BEGIN, END = "<!-- models -->", "<!-- /models -->"


def record(
    network: Network, bits: Quantisation | None, plain: float, quantised: float | None
) -> dict[str, Any]:
    return {
        "accuracy": {"float": plain, "quantised": quantised},
        "test_images": 10_000,
        "epochs": {"float": 7, "quantised": 5 if bits else 0},
        "seconds": {"float": 60.0, "quantised": 0.0},
        "device": "a small one",
        "seed": 1,
        "command": "train",
        "commit": "0123456789",
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


def test_the_readme_has_the_paper_in_short(entries: list[Entry]) -> None:
    plain = entries[0]
    rows = [{"test": n / 10} for n in range(7)]
    kept = Records(
        entries={"arch2_plain": plain, "arch3_dropout": replace(plain, accuracy=0.5)},
        prunings={"arch2_slim_pruned": rows},
        growing=None,
    )
    table = short(kept)
    assert row(table, "arch1") == (
        "| arch1 | 582,026 | 16.98 | 72.38 % | not trained yet | 78.02 % | not trained yet |"
    )
    assert row(table, "arch2") == (
        "| arch2 | 2,915,114 | 82.52 | 72.87 % | 70.12 % | 81.50 % | not trained yet |"
    )
    assert row(table, "arch3") == "| arch3 | 2,751,786 | 108.74 |  |  | 79.21 % | 50.00 % |"
    assert "| 82.43 % | 60.00 % |  |  |" in row(table, "arch2_slim, pruned to 331 filters")


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


def iterations(count: int) -> list[dict[str, Any]]:
    made = {"filters": [1, 448], "parameters": 9, "macs": 8, "validation": 0.8125, "test": 0.75}
    return [{**made, "total": 448 - n} for n in range(count)]


def test_pruning_stands_beside_table_5(tmp_path: Path) -> None:
    path = write(tmp_path / "pruning.json", {"rows": iterations(3)})
    text = pruning(read_pruning(path), whole=True)
    assert row(text, "2") == (
        "| 2 | 405 | 446 (1, 448) | 1,248,743 | 9 | 8 | 80.59 % | 75.00 % | 81.25 % |"
    )
    assert row(text, "10").startswith("| 10 | 269 | not trained yet | 1,057,021 | not trained yet")
    assert len(pruning(read_pruning(path)).splitlines()) == 2 + 3
    assert row(pruning(iterations(12)), "11").startswith("| 11 |  | 437 (1, 448) |  | 9 |")
    older = iterations(1)
    del older[0]["test"]
    assert row(pruning(older), "0").endswith("| not scored | 81.25 % |")
    assert read_pruning(tmp_path / "none.json") == []
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
    text = growing(read_growing(path))
    assert "3 networks, 2 epochs each" in text
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
    texts = {"models": markdown(entries, NONE)}
    insert(readme, texts)
    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\nThe paper's float networks")
    assert text.endswith(f"Written by `./build.sh results`.\n{END}\nafter\n")
    assert "stale" not in text
    stamp = readme.stat().st_mtime_ns
    insert(readme, texts)
    assert readme.stat().st_mtime_ns == stamp
    readme.write_text(f"{END} the wrong way {BEGIN}")
    with pytest.raises(ConfigError, match=r"README.md: the marks <!-- models --> and .* missing"):
        insert(readme, texts)
    with pytest.raises(ConfigError, match=r"none.md: no such file; name a Markdown file with the"):
        insert(tmp_path / "none.md", {})


def test_the_command_takes_the_zoo_and_what_it_is_given(tmp_path: Path) -> None:
    readme, page = tmp_path / "README.md", tmp_path / "paper.md"
    readme.write_text(f"{BEGIN}\n{END}\n")
    page.write_text((Path(__file__).parents[2] / "docs" / "paper.md").read_text())
    mine = write(tmp_path / "mine.json", record(NETWORKS["tiny"], Quantisation(), 0.5, 0.4))
    words = ["results", str(mine), "--readme", str(readme), "--page", str(page)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    names = [*sorted(path.stem for path in ZOO.glob("*.safetensors")), "mine"]
    assert done.stdout.startswith(f"{readme}, {page}: {len(names)} models, ")
    table = readme.read_text().split("The models.")[1]
    rows = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| ")]
    assert rows[2:] == [f"| {name}" for name in names]


def test_other_files_are_refused(tmp_path: Path) -> None:
    good = record(NETWORKS["tiny"], Quantisation(), 0.5, 0.4)
    for key in good:
        path = write(tmp_path / "x.json", {name: good[name] for name in good if name != key})
        with pytest.raises(CheckpointError, match=rf"x.json: .*{key}.* missing; use a record that"):
            Entry.load(path)
    path = write(tmp_path / "x.json", {**good, "layers": {"layers": []}})
    with pytest.raises(CheckpointError, match=r"x.json: layers: name is missing; use a text"):
        Entry.load(path)
