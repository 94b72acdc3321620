from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quant import benchmark as benchmark_module
from quant import cli
from quant.benchmark import BAR, Benchmark, benchmark
from quant.config import preset
from quant.topologies import get_network


def test_runs_both_ways_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = benchmark(
        get_network("tiny"), preset("w2a2"), batch=4, steps=3, blocks=2, compiled=False
    )
    assert len(found.plain) == len(found.twin) == 2
    assert min(found.plain + found.twin) > 0
    assert "tiny w2a2, batch 4, cpu, 1 thread, 2 blocks of 3 steps each" in str(found)
    assert list(tmp_path.iterdir()) == []


def test_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    plain = benchmark_module.benchmark

    def uncompiled(*arguments: Any, **options: Any) -> Benchmark:
        return plain(*arguments, **options, compiled=False)

    monkeypatch.setattr(benchmark_module, "benchmark", uncompiled)
    cli.benchmark("tiny", "w4a4", steps=1, blocks=1, batch=2, device="cpu")
    assert capsys.readouterr().out.startswith("tiny w4a4, batch 2, cpu, 1 thread, 1 blocks of 1")


def test_medians_and_spread() -> None:
    found = Benchmark(
        network="n",
        bits="w2a2",
        plain=(100.0, 90.0, 500.0),
        twin=(150.0, 200.0, 1250.0),
        batch=8,
        steps=4,
        device="cpu, 2 threads",
    )
    assert found.ratio == 2.0
    assert str(found).splitlines() == [
        "n w2a2, batch 8, cpu, 2 threads, 3 blocks of 4 steps each, alternating",
        "eager Brevitas  100 images/s, 90 to 500",
        "compiled twin   200 images/s, 150 to 1,250",
        f"ratio           2.00, at least {BAR} wanted",
    ]
