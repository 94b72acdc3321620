"""A chip's netlist out of its synthesised parts, and the real open tools on it."""

import os
from pathlib import Path

import pytest
from open_chip import PART, pynq_header

from finn_build.backends import netlist, yosys
from finn_build.backends.openxc7 import fasm, routed
from finn_build.backends.openxc7 import toolchain as openxc7
from finn_build.errors import ToolError
from finn_build.rtl import accelerator, emit
from finn_build.rtl.design import Stream
from finn_build.system.files import load_json

CHIP = """
module chip;
  wire [3:0] clocks, resets_n;
  wire clk, ready, valid;
  wire [31:0] address, data;
  wire [63:0] words;
  logic [63:0] pixels_q;
  logic [31:0] data_q;
  logic rst_n_q;
  (* rom_style = "block" *) logic [71:0] rom [512];
  logic [71:0] word_q;
  initial for (int i = 0; i < 512; i++) rom[i] = {3{24'(i * 40503)}};
  BUFG u_clock (.I(clocks[0]), .O(clk));
  PS7 u_ps7 (
    .FCLKCLK(clocks), .FCLKRESETN(resets_n), .MAXIGP0ACLK(clk), .MAXIGP0WDATA(data),
    .MAXIGP0AWADDR(address), .MAXIGP0RDATA(data_q), .MAXIGP0RVALID(valid), .MAXIGP0WREADY(ready)
  );
  always_ff @(posedge clk) begin
    rst_n_q  <= resets_n[0];
    word_q   <= rom[address[8:0]];
    pixels_q <= {address, data};
    data_q   <= words[31:0] ^ words[63:32] ^ word_q[31:0] ^ word_q[63:32] ^ 32'(word_q[71:64]);
  end
  top top_i (
    .clk(clk), .rst_n(rst_n_q), .s_axis_tdata(pixels_q), .s_axis_tvalid(address[9]),
    .s_axis_tready(ready), .m_axis_tdata(words), .m_axis_tvalid(valid), .m_axis_tready(address[10]),
    .m_axis_tlast()
  );
endmodule
"""


@pytest.fixture(scope="module")
def assembled(tmp_path_factory):
    """Netlist of a chip around two FIFOs, its folder and its counts, and those of the FIFOs."""
    folder = tmp_path_factory.mktemp("chip")
    made = accelerator.Design(name="two", source=Stream(elems=8, bits=8), depths={})
    for name, style in (("a", 1), ("b", 2)):
        parameters = {"DATA_W": 64, "DEPTH": 32, "RAM_STYLE": style}
        made.add("axis_fifo", name, made.stream, parameters)
    rtl = folder / "rtl"
    emit.write(made, rtl)
    (rtl / "chip.sv").write_text(CHIP)
    (rtl / "chip.f").write_text("-f files.f\nchip.sv\n")
    parts = folder / "parts"
    parts.mkdir()
    counted = yosys.synthesise(rtl, made.instances, parts, log=folder / "yosys.log")
    out = folder / "out"
    out.mkdir()
    whole = netlist.assemble(rtl, parts, out, files="chip.f", top="chip", log=folder / "log")
    return out, whole, yosys.total(counted)


def test_the_chip_is_made_of_what_was_counted(assembled):
    out, whole, parts = assembled
    assert (whole.lut - parts.lut, whole.lutram - parts.lutram) == (32, 0)
    assert whole.ff - parts.ff == 64 + 32 + 1 and whole.bram36 - parts.bram36 == 1
    module = load_json(out / "chip.json")["modules"]["chip"]
    assert routed.clocks(module) == ["clk"]
    names = [name for name in module["netnames"] if name.startswith("top_i.b_i.")]
    assert "top_i.b_i.count_q" in names and sorted(p.name for p in out.iterdir()) == ["chip.json"]


@pytest.mark.openxc7
def test_the_real_tools_make_a_bitstream(assembled, tmp_path):
    folders = (os.environ.get(name) for name in ("NEXTPNR_XILINX_DIR", "PRJXRAY_DB_DIR"))
    chipdb, database = (each and Path(each) for each in folders)
    try:
        setup = openxc7.find(PART, chipdb=chipdb, prjxray_db=database)
    except ToolError as error:
        pytest.skip(str(error))
    (tmp_path / "chip.json").write_bytes((assembled[0] / "chip.json").read_bytes())
    module = load_json(tmp_path / "chip.json")["modules"]["chip"]
    made = openxc7.place_and_route(
        setup, tmp_path, module, layers=["a", "b"], mhz=125, seeds=1, log=tmp_path / "nextpnr.log"
    )
    assert made[0].mhz > 100 and made[0].used["RAMB36E1_RAMB36E1"][0] == 2
    source = tmp_path / "seed1.fasm"
    fasm.check(module["cells"], source)
    path = tmp_path / "chip.bit"
    openxc7.bitstream(
        setup, source, path, design="chip", size=4_045_564, log=tmp_path / "frames.log"
    )
    assert pynq_header(path.read_bytes()) == {"design": "chip", "part": PART}
