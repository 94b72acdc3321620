"""FINN's own build: its steps that need no Vivado are run, the rest has a fake."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import mashumaro.exceptions
import numpy as np
import pytest
from finn.builder.build_dataflow_config import DataflowBuildConfig, default_build_dataflow_steps
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from samples import load

from finn_build import frontend
from finn_build.backends import bitfile, registry
from finn_build.backends.finn import dataflow as finn
from finn_build.backends.finn import steps as finn_steps
from finn_build.config import Options
from finn_build.errors import ConfigError, ModelError, ToolError
from finn_build.flow.pipeline import Build
from finn_build.flow.steps import bitstream as bitstream_step
from finn_build.flow.steps import route as route_step
from finn_build.folding.fold import Fold
from finn_build.folding.folding import make
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.system.files import load_json, save_json, save_npz

HERE = Path(__file__).parent
FOLDS = {
    "conv0": Fold(pe=4, simd=27, memory="constant", slice_bits=2),
    "conv1": Fold(pe=2, simd=12, memory="block"),
    "dense0": Fold(pe=2, simd=6, memory="logic"),
    "dense1": Fold(pe=5, simd=2, memory="logic"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory, tiny_onnx):
    """A build's folder up to emit, as far as FINN needs it."""
    folder = tmp_path_factory.mktemp("built")
    for name in ("export", "golden", "fold"):
        (folder / name).mkdir()
    shutil.copyfile(tiny_onnx, folder / "export" / "model.onnx")
    images = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    save_npz(folder / "export" / "vectors.npz", images=images)
    network = frontend.read(frontend.load(tiny_onnx), "tiny").network
    network.save(folder / "golden" / "network.npz")
    make(network, FOLDS).save(folder / "fold" / "folding.json")
    return folder


@pytest.fixture(scope="module")
def prepared(built, tmp_path_factory):
    """The folder in which FINN's steps were run."""
    out = tmp_path_factory.mktemp("finn")
    network = built / "golden" / "network.npz"
    with np.load(built / "export" / "vectors.npz", allow_pickle=False) as stored:
        images = stored["images"]
    finn.prepare(
        built / "export" / "model.onnx",
        network,
        built / "fold" / "folding.json",
        out,
        settings=finn.config("pynq-z2", 125),
        images=images,
        labels=golden.run(Network.load(network), images).labels,
        log=out / "log",
    )
    return out


def test_the_configuration_is_one_of_finns(tmp_path):
    settings = finn.config("pynq-z1", 125)
    save_json(tmp_path / "config.json", settings)
    save_json(tmp_path / "folding.json", {})
    made = DataflowBuildConfig.construct_from(tmp_path / "config.json")
    assert made.board == "Pynq-Z1" and made.synth_clk_period_ns == 8.0
    assert made._resolve_fpga_part() == "xc7z020clg400-1"
    assert made._resolve_driver_platform() == "zynq-iodma"
    assert set(settings["verify_steps"]) == {step.value for step in made.verify_steps}
    assert set(settings["inject_steps_after"]) <= set(default_build_dataflow_steps)
    save_json(tmp_path / "config.json", settings | {"clock": 8})
    with pytest.raises(mashumaro.exceptions.ExtraKeysError):
        DataflowBuildConfig.construct_from(tmp_path / "config.json")


def test_finns_steps_run_and_give_the_golden_labels(prepared):
    last = default_build_dataflow_steps.index(finn_steps.LAST)
    wanted = default_build_dataflow_steps[: last + 1]
    wanted.insert(wanted.index("step_streamline") + 1, "step_integer_bias")
    assert list(load_json(prepared / "steps.json")) == wanted
    compared = sorted(p.name for p in (prepared / "output" / "verification_output").iterdir())
    assert compared == [
        f"verify_{stage}_python_{i}_SUCCESS.npy"
        for stage in ("finn_onnx", "initial", "streamlined")
        for i in range(2)
    ]
    graph = ModelWrapper(str(prepared / "estimated.onnx")).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds[-2:] == ["ElementwiseAdd_hls", "LabelSelect_hls"] and "ElementwiseMul" not in kinds
    assert all(node.domain.startswith("finn.custom_op.fpgadataflow") for node in graph.node)


def test_our_folding_is_in_finns_terms(prepared):
    folds = load_json(prepared / "folding.json")
    units = {name: fold for name, fold in folds.items() if name.startswith("MVAU")}
    assert [(f["PE"], f["SIMD"], f["ram_style"]) for f in units.values()] == [
        (1, 27, "distributed"),  # constant, four cycles of two bits: a fourth of all outputs
        (2, 12, "block"),
        (2, 6, "distributed"),
        (5, 2, "distributed"),
    ]
    model = ModelWrapper(str(prepared / "estimated.onnx"))
    for node in model.graph.node:
        if node.name in units:
            unit = getCustomOp(node)
            assert {k: unit.get_nodeattr(k) for k in units[node.name]} == units[node.name]
    assert finn.cycles(prepared) == 256


def test_constant_weights_get_the_least_that_keeps_their_cycles(network):
    conv = network.mvtus[0]  # 4 rows of 18 inputs at 16 positions
    fold = Fold(pe=4, simd=18, memory="constant", slice_bits=2)
    assert finn_steps.parallelism(conv, fold, 64) == (1, 18)
    assert finn_steps.parallelism(conv, fold, 16 * 18) == (2, 2)
    assert finn_steps.parallelism(conv, fold, 8) == (4, 18)
    assert finn_steps.parallelism(conv, Fold(pe=2, simd=9, memory="logic"), 1) == (2, 9)


def test_a_network_of_other_units_is_refused(prepared, network):
    model = ModelWrapper(str(prepared / "estimated.onnx"))
    folding = make(network, {m.name: Fold(pe=1, simd=1, memory="logic") for m in network.mvtus})
    with pytest.raises(ModelError, match=r"FINN's matrix units are \[.4, 27., .*not the network's"):
        finn_steps.translate(model, network, folding)


def test_labels_that_differ_are_an_error(prepared):
    failed = prepared / "output" / "verification_output" / "verify_initial_python_1_FAIL.npy"
    failed.write_bytes(b"")
    try:
        with pytest.raises(ToolError, match="other labels than the golden model: .*_1_FAIL.npy"):
            finn._check_verified(prepared)
    finally:
        failed.unlink()


@pytest.fixture
def tools(monkeypatch, tmp_path):
    """Fakes of finn, Vivado and Vitis HLS on PATH; returns what writes their plan."""
    folder = tmp_path / "2023.2" / "bin"
    folder.mkdir(parents=True)
    for name, text in (("finn", (HERE / "fake_finn.py").read_text()), ("vitis_hls", "")):
        (folder / name).write_text(f"#!{sys.executable}\n{text}")
        (folder / name).chmod(0o755)
    (folder / "vivado").write_text("#!/bin/sh\necho 'Vivado v2023.2 (64-bit)'\n")
    (folder / "vivado").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    monkeypatch.delenv("XILINX_VIVADO", raising=False)

    def write(**changes):
        save_json(folder / "plan.json", {"reports": str(HERE)} | changes)

    write()
    return write


def options(built, **changes):
    return Options(board="pynq-z2", model="tiny", data=built, out=built, tool="finn", **changes)


@pytest.fixture
def steps(monkeypatch, built, prepared):
    """Runs route and bitstream; FINN's own steps were run before."""

    def prepare(model, network, folding, out, *, settings, images, labels, log):
        assert model.is_file() and network.is_file() and folding.is_file()
        assert len(images) == len(labels) and settings == finn.config("pynq-z2", 100)
        shutil.copytree(prepared, out, dirs_exist_ok=True)
        save_json(out / "config.json", settings)

    monkeypatch.setattr(finn, "prepare", prepare)

    def run():
        build = Build(options=options(built))
        lines = []
        for name, step in (("route", route_step), ("bitstream", bitstream_step)):
            shutil.rmtree(build.path(name), ignore_errors=True)
            build.path(name).mkdir(parents=True)
            lines.append(step.run(build, build.path(name)))
        return build, lines

    return run


def test_what_finn_makes_is_collected(steps, tools):
    build, lines = steps()
    result = load_json(build.path("route", "result.json"))
    assert result["resources"] == {"lut": 21000, "ff": 25000, "bram36": 32.5, "dsp": 7}
    assert (result["tool"], result["cycles"]) == ("finn", 256)
    assert result["tool_version"].startswith("finn-plus 1.") and "Vivado" in result["tool_version"]
    assert lines[0].startswith("102.4 MHz by Vivado's timing analysis, 21,000 LUTs, 25,000 FFs")
    made = bitfile.read(build.path("bitstream", "tiny.bit"))
    assert (made.design, made.part, len(made.data)) == ("tiny", "xc7z020clg400-1", 4_045_564)


def test_a_build_of_finns_that_fails_shows_the_end_of_its_log(steps, tools):
    tools(status="failed")
    with pytest.raises(ToolError, match="finn build failed; .*finn.log:\n.*HLS synthesis failed"):
        steps()


def test_without_vivado_the_estimates_stay(monkeypatch, steps, built, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="vivado is not on PATH.*\nFINN's estimates, 256 cycles"):
        steps()
    assert (built / "route" / "output" / "report" / "estimate_layer_resources.json").is_file()


def test_without_vitis_hls_it_says_so(steps, tools, tmp_path):
    (tmp_path / "2023.2" / "bin" / "vitis_hls").unlink()
    with pytest.raises(ToolError, match="vitis_hls or vitis-run is not on PATH: install Vitis HLS"):
        steps()


def test_a_board_that_finn_does_not_have_is_refused(tmp_path):
    asked = Options(board="zedboard", model="m", data=tmp_path, tool="finn")
    with pytest.raises(ConfigError, match="FINN has no zedboard; use pynq-z1 or pynq-z2"):
        registry.choose(asked)


def test_a_network_that_ends_in_values_is_not_built(tmp_path):
    _, reading = load("values_map", tmp_path)
    reading.network.save(tmp_path / "network.npz")
    build = SimpleNamespace(options=None, path=lambda *_: tmp_path / "network.npz")
    with pytest.raises(ToolError, match="ends in a label, and this network ends in values"):
        registry.backend("finn").place_and_route(build, tmp_path)
