"""One small network through every step, from QONNX to a report, with the real tools."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from models import hand_made
from tiers import every

import finn_build
from finn_build.backends import yosys
from finn_build.errors import ConfigError
from finn_build.folding.fold import Fold
from finn_build.folding.folding import make
from finn_build.pages.report import html, read
from finn_build.rtl import accelerator, emit, emitted
from finn_build.system.files import load_json, save_json

ASKED = ("--images", "12", "--netlist-images", "2", "--target-fps", "200000")


def build(folder, model, *more, tool="none", programs=None):
    """Run a build; programs: a folder put in front of PATH."""
    command = [sys.executable, "-m", "headrace", "pynq-z2", "--model", model, *more]
    command += ["--tool", tool]
    path = os.pathsep.join([*([str(programs)] if programs else []), os.environ["PATH"]])
    environment = {k: v for k, v in os.environ.items() if k != "XILINX_VIVADO"} | {"PATH": path}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory, tiny_onnx):
    folder = tmp_path_factory.mktemp("build")
    shutil.copy(tiny_onnx, folder / "tiny.onnx")
    done = build(folder, "tiny.onnx", *ASKED)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder / "build" / "pynq-z2" / "tiny", done.stdout


@pytest.fixture(scope="module")
def report(built):
    return json.loads((built[0] / "report.json").read_text())


def test_every_step_has_its_line(built):
    lines = built[1].splitlines()
    assert [line.split("]")[0] for line in lines] == [f"[{i}/13" for i in range(1, 14)]
    assert all(re.search(r"\d s  \S", line) for line in lines)


def test_nothing_differs_anywhere(report):
    ladder = [(v["stage"], v["against"]) for v in report["verification"]]
    assert ladder == [
        ("qonnx", "golden"),
        ("streamlined", "golden"),
        ("lowered", "golden"),
        ("qonnx", "golden"),  # logits, on all images there are
        ("golden", "rtl"),
        ("golden", "netlist"),
    ]
    assert all(v["mismatches"] == v["explained"] for v in report["verification"])
    assert all(f["depth"] <= max(2, 2 * f["most"]) for f in report["rtl_sim"]["fifos"])
    assert report["rtl_sim"]["images"] == 12 and report["rtl_sim"]["mismatches"] == 0


def test_a_model_of_an_unknown_task_has_no_accuracy_and_no_names(report, built):
    line = next(text for text in built[1].splitlines() if "accuracy" in text)
    assert "accuracy: not known, no images with labels of this model's classes; 100 im" in line
    assert report["accuracy"]["hardware"]["value"] is None and report["model"]["classes"] is None
    assert load_json(built[0] / "deploy" / "manifest.json")["classes"] is None
    text = (built[0] / "report.html").read_text()
    assert "not known" in text and "airplane" not in text


def test_the_report_keeps_its_contract(report):
    contract = {
        "model": {"name", "weight_bits", "act_bits", "parameters", "macs", "filters"},
        "board": {"name", "part"},
        "accuracy": {"hardware"},
        "rtl_sim": {
            "images",
            "mismatches",
            "cycles_per_frame",
            "latency_cycles",
            "frames_per_second_of_simulation",
        },
        "resources": {"lut", "ff", "bram36", "dsp", "source"},
        "clock": {"target_mhz", "achieved_mhz", "fclk_mhz", "source"},
        "fps": {"predicted", "simulated"},
        "bitstream": {"path", "reason"},
    }
    for name, fields in contract.items():
        assert fields <= set(report[name]), name
    fold = {"layer", "kind", "pe", "simd", "pixels", "cycles", "lut", "bram18", "dsp", "memory"}
    fold |= {"slice_bits"}
    assert all(fold <= set(row) for row in report["folding"])
    assert report["model"]["filters"] == [4, 6]
    assert report["bitstream"]["path"] is None and report["bitstream"]["reason"]
    assert set(report["seconds"]) >= {"export", "simulate", "synthesise"}


def test_the_rates_follow_from_the_cycles(report):
    slowest = max(row["cycles"] for row in report["folding"])
    assert report["fps"]["predicted"] == pytest.approx(1e8 / slowest)
    assert report["fps"]["predicted"] >= 200_000
    assert report["rtl_sim"]["cycles_per_frame"] <= 1.03 * slowest
    assert report["fps"]["simulated"] == pytest.approx(1e8 / report["rtl_sim"]["cycles_per_frame"])


def test_the_resources_come_from_synthesis(report, built):
    used = report["resources"]
    parts = [load_json(path) for path in (built[0] / "synthesise").glob("*.json")]
    cells = [part["num_cells_by_type"] for part in parts if "num_cells_by_type" in part]
    instances = load_json(built[0] / "emit" / "instances.json")
    assert len(cells) == len(instances)
    assert used["source"] == "yosys" and used["dsp"] == sum(row["dsp"] for row in report["folding"])
    assert used["ff"] == sum(n for c in cells for name, n in c.items() if name.startswith("FD"))
    luts = sum(n for c in cells for name, n in c.items() if re.fullmatch(r"LUT\d", name))
    assert used["lut"] >= luts > 0
    assert not [name for c in cells for name in c if name.startswith(("nn_", "$"))]
    assert 0 < used["lut_levels"] <= 4 and used["carry_chains"] == 1


def test_lanes_are_counted_as_often_as_they_are(tmp_path):
    network = hand_made()
    folds = {
        "conv0": Fold(pe=2, simd=6, memory="logic"),
        "dense0": Fold(pe=3, simd=8, memory="block"),
    }
    rtl = tmp_path / "rtl"
    emit.write(accelerator.design(network, make(network, folds)), rtl)
    unit = next(i for i in emitted.read_instances(rtl) if i.name == "conv0")
    flat = dict(unit.parameters)
    script = (
        "import pathlib, sys; from pyosys import libyosys as y;"
        "from finn_build.backends import xilinx, yosys as b; out = pathlib.Path(sys.argv[1]);"
        "d = y.Design(); s = ' '.join(f'-G {k}={b._literal(v)}' for k, v in "
        f"{flat!r}.items()); y.run_pass(b.READ.format(top='nn_mvtu') + ' ' + s, d);"
        "xilinx.synthesise(d, 'nn_mvtu', out); y.run_pass(f'tee -q -o {out} stat -json', d)"
    )
    out = tmp_path / "flat.json"
    command = [sys.executable, "-c", script, str(out)]
    subprocess.run(command, cwd=rtl, check=True, capture_output=True)
    whole = yosys.count(load_json(out)["design"]["num_cells_by_type"])
    lanes = yosys.synthesise(rtl, [unit], tmp_path, log=tmp_path / "log")["conv0"]
    assert lanes.bram36 == whole.bram36 and lanes.dsp == whole.dsp
    # The mapper may find a LUT less in one of the two than in the other.
    assert 0.99 * whole.lut <= lanes.lut <= 1.15 * whole.lut
    assert whole.ff <= lanes.ff <= 1.15 * whole.ff


def test_the_page_is_that_of_the_report(report, built):
    assert read(built[0]) == report
    assert (built[0] / "report.html").read_text() == html(report)


def test_every_layer_says_what_leaves_it_and_what_it_takes(report):
    out = {row["layer"]: (row["out"]["shape"], row["out"]["bits"]) for row in report["folding"]}
    assert out["conv0_window"] == ([8, 8, 27], 8) and out["conv0"] == ([8, 8, 4], 2)
    assert out["pool0"] == ([4, 4, 4], 2) and out["dense0"] == ([8], 2)
    assert out["argmax"] == ([6], 32) and out["dense1"][0] == [5]
    for key in ("lut", "ff", "bram36", "dsp"):
        parts = sum(row["counted"][key] for row in report["folding"])
        assert 0.9 * report["resources"][key] <= parts <= report["resources"][key], key


def test_the_board_gets_vectors_that_it_can_check(built):
    with np.load(built[0] / "deploy" / "golden.npz", allow_pickle=False) as stored:
        assert len(stored["images"]) == len(stored["labels"]) == len(stored["logits"]) == 100
        assert np.array_equal(stored["logits"].argmax(axis=1), stored["labels"])
    manifest = json.loads((built[0] / "deploy" / "manifest.json").read_text())
    assert re.fullmatch("[0-9a-f]{32}", manifest["model_hash"])
    assert manifest["input"]["shape"] == [8, 8, 3]
    assert manifest["board"] == "pynq-z2" and manifest["clock"]["divisors"] == [10, 1]
    assert {"README.md", "golden.npz"} <= set(manifest["files"])
    assert (built[0] / "tiny-pynq-z2.tar.gz").is_file()
    assert manifest["predicted"]["cycles_per_frame"] == max(
        row["cycles"] for row in json.loads((built[0] / "report.json").read_text())["folding"]
    )
    registers = json.loads((built[0] / "deploy" / "registers.json").read_text())
    assert registers["hash"] == {**registers["hash"], "offset": 16, "count": 4}


def test_the_board_gets_the_driver(built):
    """It says why it cannot run here; on a board there is a pynq, and a bitstream."""
    command = [sys.executable, "-B", built[0] / "deploy" / "run.py", "self-test"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "this build made no bitstream" in done.stderr


def test_a_second_run_changes_nothing_and_a_folding_can_be_fed_back(built):
    folder = built[0].parents[2]
    again = build(folder, "tiny.onnx", *ASKED)
    assert again.stdout.count("unchanged") == 13, again.stdout
    mine = folder / "mine.json"
    folds = json.loads((built[0] / "fold" / "folding.json").read_text())
    folds["conv1"] = {"pe": 1, "simd": 4, "memory": "logic"}
    mine.write_text(json.dumps(folds))
    done = build(folder, "tiny.onnx", "--folding", "mine.json", "--images", "12", "--to", "fold")
    assert "bottleneck conv1, 864 cycles" in done.stdout, done.stdout + done.stderr


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Fakes of Vivado, of FINN's build and of Vitis HLS."""
    here, folder = Path(__file__).parent, tmp_path_factory.mktemp("tools") / "bin"
    folder.mkdir()
    for name in ("vivado", "finn"):
        text = (here / f"fake_{name}.py").read_text()
        (folder / name).write_text(f"#!{sys.executable}\n{text}")
    (folder / "vitis_hls").write_text("#!/bin/sh\n")
    for path in folder.iterdir():
        path.chmod(0o755)
    save_json(folder / "plan.json", {"reports": str(here)})
    return folder


@pytest.mark.parametrize(("tool", "luts"), every(2, [("vivado", 31412), ("finn", 21000)]))
def test_a_vendors_tool_fills_the_same_report(built, programs, tool, luts):
    more = ("--images", "12", "--target-fps", "200000")
    done = build(built[0].parents[2], "tiny.onnx", *more, tool=tool, programs=programs)
    assert done.returncode == 0, done.stderr + done.stdout
    assert re.search(r"synthesise +unchanged", done.stdout), done.stdout
    made = load_json(built[0] / "report.json")
    assert (made["resources"]["source"], made["resources"]["lut"]) == (tool, luts)
    assert made["clock"]["achieved_mhz"] == 102.438
    assert made["clock"]["source"] == "routed clock by Vivado's timing analysis"
    assert made["bitstream"]["tool"] == tool
    ours = tool == "vivado"
    assert (made["fps"]["simulated"] is not None) == ours
    assert made["accelerator"] == ("headrace" if ours else "finn")
    assert f"{luts:,}" in (built[0] / "report.html").read_text()
    files = load_json(built[0] / "deploy" / "manifest.json")["files"]
    assert files["tiny.bit"] == made["bitstream"]["sha256"]
    assert ("driver/settings.json" in files) != ours


def test_a_build_can_be_asked_from_python(built):
    made = finn_build.load(built[0])
    report = json.loads((built[0] / "report.json").read_text())
    assert made.report == report and made.done == ()
    stored = np.load(built[0] / "export" / "vectors.npz", allow_pickle=False)
    images = stored["images"][:6]
    expected, simulated = made.predict(images), made.simulate(images, stall=64)
    assert np.array_equal(simulated.words, expected.words) and len(expected.labels) == 6
    assert made.folding.cycles == max(row["cycles"] for row in report["folding"])
    slower = made.fold(cycles=4 * made.folding.cycles)
    assert made.folding.cycles < slower.cycles <= 4 * made.folding.cycles
    assert slower.total.lut < made.folding.total.lut
    assert made.fold(objective="latency").cycles <= slower.cycles


def test_waves_need_a_folder(tmp_path):
    """Verilator says nothing of a file that it cannot open."""
    made, images = finn_build.Built(folder=tmp_path), np.zeros((1, 2, 2, 3), np.uint8)
    with pytest.raises(ConfigError, match=r"some\.vcd: there is no folder .*none; make it first"):
        made.trace(images, tmp_path / "none" / "some.vcd")


def test_waves_are_those_of_the_simulation(built, tmp_path):
    """Each beat of a frame is taken at an edge, and words leave when the simulation says."""
    reader = pytest.importorskip("vcdvcd")
    made = finn_build.load(built[0])
    stored = np.load(built[0] / "export" / "vectors.npz", allow_pickle=False)
    images = stored["images"][:2]
    ran = made.simulate(images)
    waves = reader.VCDVCD(str(made.trace(images, tmp_path / "some.vcd")))

    def moves(stream):
        valid, ready = (waves[f"TOP.top.{stream}_axis_t{part}"] for part in ("valid", "ready"))
        cycles = range(int(ran.last_out[-1]) + 1)
        return [n for n in cycles if valid[10 * n] == ready[10 * n] == "1"]

    words, beats = moves("m"), moves("s")
    assert len(beats) == images.nbytes // made.network.input_bytes
    assert beats[0] == ran.first_in[0]
    assert words[made.network.end.words - 1 :: made.network.end.words] == ran.last_out.tolist()
    assert any(name.startswith("TOP.top.conv0_i.m_axis_tdata") for name in waves.signals)


def test_what_python_asks_for_is_checked_as_on_the_command_line(built, tmp_path):
    made = finn_build.load(built[0])
    network = made.network
    with pytest.raises(ConfigError, match=r"images \(2, 3, 3, 3\) of float64: want \(N, "):
        made.predict(np.zeros((2, 3, 3, 3)))
    with pytest.raises(ConfigError, match="want"):
        made.simulate(np.zeros((0, network.height, network.width, network.channels), np.uint8))
    with pytest.raises(ConfigError, match="latency has no cycles"):
        made.fold(cycles=9, objective="latency")
    with pytest.raises(ConfigError, match=r"network.npz: not there; the build has not come"):
        finn_build.load(tmp_path)
    with pytest.raises(ConfigError, match="unknown options fps; known: board, model"):
        finn_build.build("pynq-z2", model="arch1_w2a2", fps=3)


def test_a_build_from_python_does_what_is_left_to_do(tiny_onnx, tmp_path):
    """Steps that are done are not done again, and progress is told."""
    ticks = []
    asked = {"model": tiny_onnx, "out": tmp_path / "out", "tool": "none", "last": "emit"}
    first = finn_build.build("pynq-z2", **asked, progress=lambda *tick: ticks.append(tick))
    assert first.done == ("export", "streamline", "golden", "accuracy", "fold", "emit")
    assert first.folder == tmp_path / "out" and {step for step, *_ in ticks} <= set(first.done)
    assert ticks and all(0 <= done <= total for _, done, total in ticks)
    cycles = first.folding.cycles
    again = finn_build.build("pynq-z2", **asked, target_fps=1000)
    assert again.done == ("fold", "emit") and again.folding.cycles > cycles
    with pytest.raises(ConfigError, match="report.json: not there"):
        _ = again.report
