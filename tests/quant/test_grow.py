from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from quant import grow as module
from quant.config import Conv, Dense, Network, Pool, Training
from quant.data import Labelled
from quant.errors import CheckpointError, ConfigError
from quant.files import read_json
from quant.grow import Growing, candidates, grow, growing_table, minimal, required, topology
from quant.plots import plot_growing
from quant.setting import Setting

TRAINING = Training(epochs=1, batch=16, average=0.5)


@pytest.fixture
def setting(images: Labelled) -> Setting:
    return Setting.of(images, images, validation=16, compiled=False)


def plan(**options: object) -> Growing:
    return Growing(**{"start": minimal(2), "training": TRAINING, "most_steps": 2, **options})


def test_candidates_of_the_minimal_network() -> None:
    grown = dict(candidates(minimal(32), 60_000_000))
    assert {name: topology(net) for name, net in grown.items()} == {
        "convolution": "32, 32, P",
        "stage": "32, P, 64, P",
        "dense": "32, P | 128",
    }


def test_candidates_stop_at_their_limits() -> None:
    layers = (Conv(filters=4), Conv(filters=4), Pool(size=32), Dense(neurons=1024))
    network = Network(name="full", layers=layers)
    assert list(candidates(network, 60_000_000)) == []
    wide = Network(name="wide", layers=(*layers[:3], Dense(neurons=512)))
    assert [name for name, _ in candidates(wide, 60_000_000)] == ["neurons"]
    assert list(candidates(wide, wide.macs)) == []


def test_required_gain_rises_with_the_operations() -> None:
    one = minimal(8)
    more = dict(candidates(one, 60_000_000))
    need = {name: required(plan(), one, net) for name, net in more.items()}
    assert need["convolution"] > need["stage"] > need["dense"] > 0.002
    assert required(plan(), one, one) == 0.002


def scripted(monkeypatch: pytest.MonkeyPatch, scores: dict[str, float]) -> list[str]:
    """Give topologies these accuracies without any training; returns those asked for."""
    asked: list[str] = []

    def train(self: object, setting: Setting, plan: Growing, network: Network) -> dict[str, object]:
        name = topology(network)
        asked.append(name)
        return {
            "topology": name,
            "parameters": network.parameters,
            "macs": network.macs,
            "flops": network.flops,
            "validation": scores.get(name, 0.1),
            "seconds": 1.0,
        }

    monkeypatch.setattr(module._Rows, "_train", train)
    return asked


def test_takes_the_step_that_pays_most_until_none_does(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {"2, P": 0.5, "2, 2, P": 0.6, "2, P, 4, P": 0.58, "2, 2, P | 128": 0.601}
    asked = scripted(monkeypatch, scores)
    network, rows = grow(setting, plan(), tmp_path)
    # The convolution gains more, but the stage needs fewer operations for nearly as much.
    gains = {"2, 2, P": 0.6, "2, P, 4, P": 0.58}
    steps = dict(candidates(minimal(2), 60_000_000))
    surplus = {
        topology(net): gains[topology(net)] - 0.5 - required(plan(), minimal(2), net)
        for name, net in steps.items()
        if name != "dense"
    }
    assert topology(network) == max(surplus, key=lambda name: surplus[name])
    assert [row["topology"] for row in rows if row["taken"]] == ["2, P", topology(network)]
    assert read_json(tmp_path / "growing.json")["rows"] == rows
    count = len(asked)
    assert grow(setting, plan(), tmp_path) == (network, rows)
    assert len(asked) == count  # read back, not trained again
    with pytest.raises(CheckpointError, match="from a search with other settings"):
        grow(setting, plan(least_gain=0.1), tmp_path)


def test_trains_resumes_and_shows(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = grow(setting, plan(most_steps=1, gain_per_doubling=0.0), tmp_path / "whole")
    train = module._Rows._train
    left = [2]

    def cut(*arguments: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return train(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module._Rows, "_train", cut)
    with pytest.raises(KeyboardInterrupt):
        grow(setting, plan(most_steps=1, gain_per_doubling=0.0), tmp_path / "cut")
    assert len(read_json(tmp_path / "cut" / "growing.json")["rows"]) == 2
    monkeypatch.undo()
    again = grow(setting, plan(most_steps=1, gain_per_doubling=0.0), tmp_path / "cut")

    def without_time(rows: list[dict[str, object]]) -> list[dict[str, object]]:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]

    assert without_time(again[1]) == without_time(whole[1])
    plot_growing(tmp_path / "cut" / "growing.json", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    console = Console(width=120)
    with console.capture() as shown:
        console.print(growing_table(again[1]))
    assert "2, P, 4, P" in shown.get()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"least_gain": -0.1}, "least_gain=-0.1; use 0.0"), ({"most_steps": 0}, "use 1 or more")],
)
def test_illegal_plans(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(**wrong)
