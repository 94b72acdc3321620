"""MLPerf Tiny's networks, whole: read, compared, folded, simulated."""

from pathlib import Path

import mlperf_tiny
import models
import numpy as np
import pytest
from onnx import ModelProto

from finn_build import boards, frontend
from finn_build.folding import search
from finn_build.folding.search import Search
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.network.verify import compare


def read(name: str, folder: Path, **size: int) -> tuple[Network, ModelProto]:
    """The network, and its file's tidy graph."""
    path = folder / f"{name}.onnx"
    path.write_bytes(getattr(mlperf_tiny, name)(**size).SerializeToString())
    graph = frontend.load(path)
    return frontend.read(graph, name).network, graph


@pytest.mark.parametrize(
    ("name", "macs", "weights", "cycles"),
    [
        ("ds_cnn", 2_656_768, 22_016, 2_000),
        ("mobilenet", 7_489_664, 208_112, 9_216),
        ("resnet8", 12_501_632, 77_360, 2_048),
        ("autoencoder", 264_192, 264_192, 641),
    ],
)
def test_it_fits_on_the_chip_by_few_and_small_integer_programs(
    name, macs, weights, cycles, tmp_path, monkeypatch
):
    """Which an idle core solves in seconds."""
    network, _ = read(name, tmp_path)
    assert network.macs == macs and sum(m.weights.size for m in network.mvtus) == weights
    sizes, solve = [], search.milp

    def counted(values, **named):
        sizes.append(len(values))
        return solve(values, **named)

    monkeypatch.setattr(search, "milp", counted)
    folding = Search(network, boards.find_board("pynq-z2").budget["vivado"]).fastest()
    assert folding.cycles <= cycles
    assert 0 < len(sizes) <= 8 and max(sizes) <= 350, sizes


@pytest.mark.parametrize(
    ("name", "size"), [("ds_cnn", {}), ("mobilenet", {"size": 32}), ("autoencoder", {})]
)
def test_it_is_what_qonnx_computes(name, size, tmp_path):
    network, graph = read(name, tmp_path, **size)
    shape = (8, network.height, network.width, network.channels)
    images = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    _, ran = models.by_qonnx(graph, images)
    made = compare(
        network, images, names=("qonnx", "golden"), first=ran["qonnx"], second=ran["golden"]
    )
    assert made.mismatches == made.explained <= 2
    assert len(np.unique(ran["golden"].logits, axis=0)) == len(images)


@pytest.mark.slow
def test_the_accelerator_hears_the_same_keywords(tmp_path):
    network, _ = read("ds_cnn", tmp_path)
    images = np.random.default_rng(2).integers(0, 256, (3, 49, 10, 1)).astype(np.uint8)
    ran = models.simulate(network, images, tmp_path)
    assert np.array_equal(ran.logits, golden.run(network, images).logits)
