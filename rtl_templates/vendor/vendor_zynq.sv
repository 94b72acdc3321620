// vendor_zynq - a Zynq-7000 around an accelerator: processing system, registers and DMA.
// clk and rst_n drive the accelerator.
// Stream: beats of WIDTH bits out, FRAME_BYTES bytes per frame; 32-bit words in, RESULT_WORDS per
//         frame, tlast on the last.
// Needs:  HASH says which model the accelerator is.
`default_nettype none

module vendor_zynq #(
  parameter int unsigned  WIDTH        = 64,
  parameter int unsigned  FRAME_BYTES  = 3072,
  parameter int unsigned  RESULT_WORDS = 11,
  parameter logic [127:0] HASH         = '0
) (
  output logic             clk,
  output logic             rst_n,

  output logic [WIDTH-1:0] m_axis_tdata,
  output logic             m_axis_tvalid,
  input  wire              m_axis_tready,

  input  wire  [31:0]      s_axis_tdata,
  input  wire              s_axis_tvalid,
  input  wire              s_axis_tlast,
  output logic             s_axis_tready
);

  logic ps7_rst_n, irq;
  logic [31:0]  gp0_awaddr, gp0_wdata, gp0_araddr, gp0_rdata;
  logic [11:0]  gp0_awid, gp0_bid, gp0_arid, gp0_rid;
  logic [3:0]   gp0_awlen, gp0_wstrb, gp0_arlen;
  logic [1:0]   gp0_awsize, gp0_awburst, gp0_bresp, gp0_arsize, gp0_arburst, gp0_rresp;
  logic         gp0_awvalid, gp0_awready, gp0_wvalid, gp0_wready, gp0_bvalid, gp0_bready,
                gp0_arvalid, gp0_arready, gp0_rlast, gp0_rvalid, gp0_rready;
  logic [63:0]  hp0_rdata, hp0_wdata;
  logic [31:0]  hp0_araddr, hp0_awaddr;
  logic [7:0]   hp0_wstrb;
  logic [3:0]   hp0_arlen, hp0_awlen;
  logic [1:0]   hp0_rresp, hp0_bresp;
  logic         hp0_arvalid, hp0_arready, hp0_rlast, hp0_rvalid, hp0_rready, hp0_awvalid,
                hp0_awready, hp0_wlast, hp0_wvalid, hp0_wready, hp0_bvalid, hp0_bready;

  vendor_ps7 u_ps7 (
    .clk          (clk),
    .rst_n        (ps7_rst_n),
    .irq          (irq),
    .m_axi_awid   (gp0_awid),
    .m_axi_awaddr (gp0_awaddr),
    .m_axi_awlen  (gp0_awlen),
    .m_axi_awsize (gp0_awsize),
    .m_axi_awburst(gp0_awburst),
    .m_axi_awvalid(gp0_awvalid),
    .m_axi_awready(gp0_awready),
    .m_axi_wdata  (gp0_wdata),
    .m_axi_wstrb  (gp0_wstrb),
    .m_axi_wvalid (gp0_wvalid),
    .m_axi_wready (gp0_wready),
    .m_axi_bid    (gp0_bid),
    .m_axi_bresp  (gp0_bresp),
    .m_axi_bvalid (gp0_bvalid),
    .m_axi_bready (gp0_bready),
    .m_axi_arid   (gp0_arid),
    .m_axi_araddr (gp0_araddr),
    .m_axi_arlen  (gp0_arlen),
    .m_axi_arsize (gp0_arsize),
    .m_axi_arburst(gp0_arburst),
    .m_axi_arvalid(gp0_arvalid),
    .m_axi_arready(gp0_arready),
    .m_axi_rid    (gp0_rid),
    .m_axi_rdata  (gp0_rdata),
    .m_axi_rresp  (gp0_rresp),
    .m_axi_rlast  (gp0_rlast),
    .m_axi_rvalid (gp0_rvalid),
    .m_axi_rready (gp0_rready),
    .s_axi_araddr (hp0_araddr),
    .s_axi_arlen  (hp0_arlen),
    .s_axi_arvalid(hp0_arvalid),
    .s_axi_arready(hp0_arready),
    .s_axi_rdata  (hp0_rdata),
    .s_axi_rresp  (hp0_rresp),
    .s_axi_rlast  (hp0_rlast),
    .s_axi_rvalid (hp0_rvalid),
    .s_axi_rready (hp0_rready),
    .s_axi_awaddr (hp0_awaddr),
    .s_axi_awlen  (hp0_awlen),
    .s_axi_awvalid(hp0_awvalid),
    .s_axi_awready(hp0_awready),
    .s_axi_wdata  (hp0_wdata),
    .s_axi_wstrb  (hp0_wstrb),
    .s_axi_wlast  (hp0_wlast),
    .s_axi_wvalid (hp0_wvalid),
    .s_axi_wready (hp0_wready),
    .s_axi_bresp  (hp0_bresp),
    .s_axi_bvalid (hp0_bvalid),
    .s_axi_bready (hp0_bready)
  );

  axi_shell #(
    .WIDTH       (WIDTH),
    .FRAME_BYTES (FRAME_BYTES),
    .RESULT_WORDS(RESULT_WORDS),
    .HASH        (HASH)
  ) u_shell (
    .clk          (clk),
    .rst_n        (ps7_rst_n),
    .core_rst_n   (rst_n),
    .irq          (irq),
    .s_axi_awid   (gp0_awid),
    .s_axi_awaddr (gp0_awaddr[29:2]),
    .s_axi_awlen  (gp0_awlen),
    .s_axi_awsize (gp0_awsize),
    .s_axi_awburst(gp0_awburst),
    .s_axi_awvalid(gp0_awvalid),
    .s_axi_awready(gp0_awready),
    .s_axi_wdata  (gp0_wdata),
    .s_axi_wstrb  (gp0_wstrb),
    .s_axi_wvalid (gp0_wvalid),
    .s_axi_wready (gp0_wready),
    .s_axi_bid    (gp0_bid),
    .s_axi_bresp  (gp0_bresp),
    .s_axi_bvalid (gp0_bvalid),
    .s_axi_bready (gp0_bready),
    .s_axi_arid   (gp0_arid),
    .s_axi_araddr (gp0_araddr[29:2]),
    .s_axi_arlen  (gp0_arlen),
    .s_axi_arsize (gp0_arsize),
    .s_axi_arburst(gp0_arburst),
    .s_axi_arvalid(gp0_arvalid),
    .s_axi_arready(gp0_arready),
    .s_axi_rid    (gp0_rid),
    .s_axi_rdata  (gp0_rdata),
    .s_axi_rresp  (gp0_rresp),
    .s_axi_rlast  (gp0_rlast),
    .s_axi_rvalid (gp0_rvalid),
    .s_axi_rready (gp0_rready),
    .m_axi_araddr (hp0_araddr),
    .m_axi_arlen  (hp0_arlen),
    .m_axi_arvalid(hp0_arvalid),
    .m_axi_arready(hp0_arready),
    .m_axi_rdata  (hp0_rdata),
    .m_axi_rresp  (hp0_rresp),
    .m_axi_rlast  (hp0_rlast),
    .m_axi_rvalid (hp0_rvalid),
    .m_axi_rready (hp0_rready),
    .m_axi_awaddr (hp0_awaddr),
    .m_axi_awlen  (hp0_awlen),
    .m_axi_awvalid(hp0_awvalid),
    .m_axi_awready(hp0_awready),
    .m_axi_wdata  (hp0_wdata),
    .m_axi_wstrb  (hp0_wstrb),
    .m_axi_wlast  (hp0_wlast),
    .m_axi_wvalid (hp0_wvalid),
    .m_axi_wready (hp0_wready),
    .m_axi_bresp  (hp0_bresp),
    .m_axi_bvalid (hp0_bvalid),
    .m_axi_bready (hp0_bready),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready),
    .s_axis_tdata (s_axis_tdata),
    .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tlast (s_axis_tlast),
    .s_axis_tready(s_axis_tready)
  );

  // The window's own address, and the bytes of a word.
  logic unused;
  assign unused = &{1'b0, gp0_awaddr[31:30], gp0_awaddr[1:0], gp0_araddr[31:30], gp0_araddr[1:0]};

endmodule

`default_nettype wire
