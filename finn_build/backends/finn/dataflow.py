"""The same QONNX through FINN's own dataflow build: its configuration, its run, its results.

finn-plus' `finn build` makes HLS and RTL of FINN's, so that both accelerators of a network can be
compared. What needs no Vivado is run first, by `steps`: it translates the folding.
"""

import json
import os
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.insert_topk import InsertTopK

from finn_build.backends import tools
from finn_build.backends.base import Routed
from finn_build.backends.finn import steps
from finn_build.backends.vivado import batch, reports
from finn_build.errors import ToolError
from finn_build.system.files import load_json, save_json

BOARDS = {"pynq-z1": "Pynq-Z1", "pynq-z2": "Pynq-Z2"}
CONFIG, MODEL, OUTPUT = "config.json", "model.onnx", "output"
BITFILE = f"{OUTPUT}/bitfile/finn-accel.bit"
VERIFIED = 2  # images that FINN compares at each of its stages
_COMPILERS = ("vitis_hls", "vitis-run")


def config(board: str, mhz: float) -> dict[str, Any]:
    """FINN's DataflowBuildConfig as JSON; the files that it names lie beside it."""
    return {
        "output_dir": OUTPUT,
        "board": BOARDS[board],
        "shell_flow_type": "vivado_zynq",
        "synth_clk_period_ns": 1000 / mhz,
        "folding_config_file": steps.FOLDING,
        "generate_outputs": [
            "estimate_reports",
            "stitched_ip",
            "bitfile",
            "pynq_driver",
            "deployment_package",
        ],
        "verify_steps": [
            "finn_onnx_python",
            "initial_python",
            "streamlined_python",
            "stitched_ip_rtlsim",
        ],
        "verify_input_npy": "input.npy",
        "verify_expected_output_npy": "expected.npy",
        "inject_steps_after": {"step_streamline": [steps.BIAS_STEP]},
    }


def prepare(
    model: Path,
    network: Path,
    folding: Path,
    out: Path,
    *,
    settings: dict[str, Any],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    log: Path,
) -> None:
    """Leave all that `finn build` takes in `out`, and run FINN's steps that need no Vivado.

    model: a QONNX file that takes bytes; network, folding: ours; images: (N, H, W, C), labels: (N,)
    of the golden model. Raises ToolError where a step of FINN's fails, or does not give the labels.
    """
    wrapped = ModelWrapper(str(model))
    wrapped.set_tensor_datatype(wrapped.graph.input[0].name, DataType["UINT8"])
    wrapped.transform(InsertTopK(k=1)).save(str(out / MODEL))
    np.save(out / "input.npy", images[:VERIFIED].transpose(0, 3, 1, 2).astype(np.float32))
    np.save(out / "expected.npy", labels[:VERIFIED, None].astype(np.int64))
    save_json(out / CONFIG, settings)
    save_json(out / steps.FOLDING, {"Defaults": {}})
    job = {"network": str(network.resolve()), "folding": str(folding.resolve())}
    tools.run_module("finn_build.backends.finn.steps", json.dumps(job), cwd=out, log=log)
    _check_verified(out)


def _check_verified(out: Path) -> None:
    failed = sorted((out / OUTPUT / "verification_output").glob("*FAIL*"))
    if failed:
        raise ToolError(f"FINN's graph gives other labels than the golden model: {failed[0]}")


def build(setup: batch.Setup, out: Path, *, log: Path) -> None:
    """Run `finn build` in a folder that `prepare` left; takes hours.

    Raises ToolError where a compiler is missing or FINN's build did not end well.
    """
    folder = setup.program.parent
    search = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
    find_compiler(search)
    program = shutil.which("finn") or str(Path(sys.executable).with_name("finn"))
    tools.run(
        [program, "build", CONFIG, MODEL, "--batch", "--build-path", "scratch"],
        cwd=out,
        log=log,
        path=folder,
        extra={"XILINX_VIVADO": str(folder.parent)},
    )
    state = out / OUTPUT / "report" / "metadata_builder.json"
    # finn build exits with 0 even where it failed.
    if not state.is_file() or load_json(state)["status"] != "ok" or not (out / BITFILE).is_file():
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise ToolError(f"finn build failed; {log}:\n{tail}")
    _check_verified(out)


def find_compiler(search: str | None = None) -> Path:
    """Look for Vitis HLS, on PATH where no other is given. Raises ToolError."""
    found = next(filter(None, (shutil.which(name, path=search) for name in _COMPILERS)), None)
    if found is None:
        raise ToolError(
            f"{' or '.join(_COMPILERS)} is not on PATH: install Vitis HLS of Vivado's version, and "
            "source its settings64.sh"
        )
    return Path(found)


def version(setup: batch.Setup) -> str:
    """Versions of finn-plus and Vivado."""
    return f"finn-plus {metadata.version('finn-plus')}, {batch.version(setup)}"


def read(out: Path) -> tuple[Routed, dict[str, float], int]:
    """The critical path, report.json's resources, and cycles per frame as FINN estimates them."""
    report = out / OUTPUT / "report"
    top = load_json(report / "post_synth_resources.json")["(top)"]
    resources = {
        "lut": top["LUT"],
        "ff": top["FF"],
        "bram36": top["BRAM_36K"] + top["BRAM_18K"] / 2,
        "dsp": top["DSP"],
    }
    return reports.timing(report / "post_route_timing.rpt"), resources, cycles(out)


def cycles(out: Path) -> int:
    """Cycles per frame of FINN's slowest layer, by its own estimate."""
    found = load_json(out / OUTPUT / "report" / "estimate_network_performance.json")
    return int(found["max_cycles"])
