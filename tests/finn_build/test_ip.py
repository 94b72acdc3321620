"""The accelerator as a block in a stranger's design, which FuseSoC puts together."""

import os
import re
import subprocess
import sys
from pathlib import Path

import models
import numpy as np
import pytest

from finn_build.backends import verilator
from finn_build.folding.folding import make
from finn_build.network import golden
from finn_build.rtl import accelerator, ip

FRAMES = 3
CORE = """CAPI=2:
name: someone:designs:camera:0.1
filesets:
  bench:
    file_type: systemVerilogSource
    files: [bench.sv, pixels.hex: {{file_type: user, copyto: pixels.hex}}]
    depend: [headrace:accelerators:{name}]
targets:
  sim:
    filesets: [bench]
    toplevel: bench
    flow: sim
    flow_options:
      tool: verilator
      mode: binary
      verilator_options: [--timing, -Wno-fatal, -CFLAGS, -std=c++20]
"""
BENCH = """module bench;
  logic clk = 0, rst_n = 0, valid = 0, last;
  logic [{width}-1:0] beat;
  logic [{width}-1:0] beats [{beats}];
  wire ready, out_valid;
  wire [31:0] word;
  int sent = 0, frames = 0;
  always #5 clk = !clk;
  headrace_{name} u_block (
    .aclk(clk), .aresetn(rst_n),
    .s_axis_tdata(beats[sent]), .s_axis_tvalid(valid), .s_axis_tready(ready),
    .m_axis_tdata(word), .m_axis_tvalid(out_valid), .m_axis_tlast(last), .m_axis_tready(1'b1)
  );
  initial begin
    $readmemh("pixels.hex", beats);
    repeat (4) @(negedge clk);
    rst_n = 1;
    valid = 1;
  end
  always @(posedge clk) if (rst_n) begin
    if (valid && ready) begin
      if (sent == {beats} - 1) valid <= 0;
      else sent <= sent + 1;
    end
    if (out_valid) begin
      $display("word %0d %0d", $signed(word), last);
      if (last) frames <= frames + 1;
    end
    if (frames == {frames}) $finish;
  end
  initial #1000000 $fatal(1, "no end");
endmodule
"""


@pytest.fixture(scope="module")
def block(tmp_path_factory):
    """A network and the folder of its block."""
    network = models.hand_made()
    folder = tmp_path_factory.mktemp("block") / "ip"
    folding = make(network, {m.name: models.lowest_fold(m) for m in network.mvtus})
    return network, ip.write(accelerator.design(network, folding), folder)


def fusesoc(folder, *arguments):
    tools = verilator.binaries()
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        [sys.executable, "-m", "fusesoc.main", *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path, "VERILATOR_ROOT": str(tools.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_fusesoc_lints_the_block(block, tmp_path):
    network, files = block
    name = f"headrace:accelerators:{network.name}"
    done = fusesoc(tmp_path, "--cores-root", str(files[0].parent), "run", "--target", "lint", name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_design_with_the_block_gives_what_the_golden_model_gives(block, tmp_path):
    network, files = block
    images = np.random.default_rng(0).integers(
        0, 256, (FRAMES, network.height, network.width, network.channels), np.uint8
    )
    beats = images.reshape(-1, network.input_bytes)
    (tmp_path / "pixels.hex").write_text("".join(b[::-1].tobytes().hex() + "\n" for b in beats))
    numbers = {"name": network.name, "width": 8 * network.input_bytes, "beats": len(beats)}
    (tmp_path / "bench.sv").write_text(BENCH.format(frames=FRAMES, **numbers))
    (tmp_path / "camera.core").write_text(CORE.format(name=network.name))
    done = fusesoc(
        tmp_path,
        *("--cores-root", str(files[0].parent), "--cores-root", str(tmp_path)),
        *("run", "--target", "sim", "someone:designs:camera"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = [[int(n) for n in pair] for pair in re.findall(r"word (-?\d+) (\d)", done.stdout)]
    words = golden.run(network, images).words
    assert [word for word, _ in told] == words.ravel().tolist()
    assert [last for _, last in told] == ([0] * (words.shape[1] - 1) + [1]) * FRAMES


def test_block_designers_find_the_interfaces(block):
    _, files = block
    text = next(path for path in files if path.suffix == ".v").read_text()
    for port, what in re.findall(r'axis:1.0 (\w+) (\w+)" \*\)', text):
        assert re.search(rf"\b{port}_{what.lower()}\b", text)
    assert text.count("X_INTERFACE_INFO") == 9
    assert "ASSOCIATED_BUSIF s_axis:m_axis" in text and "ACTIVE_LOW" in text
