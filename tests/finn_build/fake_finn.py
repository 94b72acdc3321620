"""Stands in for `finn build`: checks what it gets, leaves what FINN's build would; ends with 0.

A file plan.json beside it holds {"reports": folder of recorded reports} and perhaps "status", what
the build ends with, and "wns" in ns.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
from finn.builder.build_dataflow_config import DataflowBuildConfig

from finn_build.backends.bitfile import SYNC, Bitfile

PLAN = json.loads((Path(sys.argv[0]).parent / "plan.json").read_text())


def main() -> None:
    wanted = ["build", "config.json", "model.onnx", "--batch", "--build-path", "scratch"]
    assert sys.argv[1:] == wanted, sys.argv
    assert Path(os.environ["XILINX_VIVADO"], "bin", "vivado").is_file()
    config = DataflowBuildConfig.construct_from(Path(sys.argv[2]))
    assert Path(sys.argv[3]).is_file() and config.shell_flow_type == "vivado_zynq"
    folds = json.loads(config.folding_config_file.read_text())
    assert {"MVAU_hls_0", "FMPadding_rtl_0"} <= set(folds)
    images, labels = np.load(config.verify_input_npy), np.load(config.verify_expected_output_npy)
    assert len(images) == len(labels) == 2 and images.dtype == np.float32
    output = Path(config.output_dir)
    report, bitfile, deploy = output / "report", output / "bitfile", output / "deploy"
    for folder in (report, bitfile, deploy / "driver"):
        folder.mkdir(parents=True, exist_ok=True)
    status = PLAN.get("status", "ok")
    (report / "metadata_builder.json").write_text(json.dumps({"status": status}))
    if status != "ok":
        print("FINN INTERNAL COMPILER ERROR: HLS synthesis failed")
        return
    top = {"LUT": 21000, "SRL": 300, "FF": 25000, "BRAM_36K": 30, "BRAM_18K": 5, "DSP": 7}
    (report / "post_synth_resources.json").write_text(json.dumps({"(top)": top}))
    period, wns = config.synth_clk_period_ns, PLAN.get("wns", 0.238)
    text = (Path(PLAN["reports"]) / "vivado_timing.txt").read_text()
    slacks = {"wns": wns, "whs": 0.02, "wpws": 3.75, "state": "MET", "no_clock": 0}
    clock = {"period": period, "half": period / 2, "mhz": 1000 / period}
    (report / "post_route_timing.rpt").write_text(text.format(**slacks, **clock))
    data = bytearray(4_045_564)
    data[48:52] = SYNC
    texts = {"design": "top_wrapper", "part": "7z020clg400", "date": "2026/11/23", "time": "1:2:3"}
    Bitfile(**texts, data=bytes(data)).write(bitfile / "finn-accel.bit")
    (deploy / "driver" / "settings.json").write_text("{}")


main()
