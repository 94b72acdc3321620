// PS7 - stands in for the processing system of Zynq-7000 in lint and simulation (Xilinx UG585).
// Only the ports that vendor_ps7 uses. A bench plays the processor's side through the registers and
// wires below: gp0_* and hp0_*, as wide as AXI4 has them, the clock fclk, its reset fclk_reset_n and
// the interrupt irq.
`default_nettype none

(* blackbox *)
module PS7 (
  output wire [3:0]  FCLKCLK,
  output wire [3:0]  FCLKRESETN,
  input  wire [19:0] IRQF2P,
  input  wire        MAXIGP0ACLK,
  output wire [11:0] MAXIGP0AWID,
  output wire [31:0] MAXIGP0AWADDR,
  output wire [3:0]  MAXIGP0AWLEN,
  output wire [1:0]  MAXIGP0AWSIZE,
  output wire [1:0]  MAXIGP0AWBURST,
  output wire        MAXIGP0AWVALID,
  input  wire        MAXIGP0AWREADY,
  output wire [31:0] MAXIGP0WDATA,
  output wire [3:0]  MAXIGP0WSTRB,
  output wire        MAXIGP0WVALID,
  input  wire        MAXIGP0WREADY,
  input  wire [11:0] MAXIGP0BID,
  input  wire [1:0]  MAXIGP0BRESP,
  input  wire        MAXIGP0BVALID,
  output wire        MAXIGP0BREADY,
  output wire [11:0] MAXIGP0ARID,
  output wire [31:0] MAXIGP0ARADDR,
  output wire [3:0]  MAXIGP0ARLEN,
  output wire [1:0]  MAXIGP0ARSIZE,
  output wire [1:0]  MAXIGP0ARBURST,
  output wire        MAXIGP0ARVALID,
  input  wire        MAXIGP0ARREADY,
  input  wire [11:0] MAXIGP0RID,
  input  wire [31:0] MAXIGP0RDATA,
  input  wire [1:0]  MAXIGP0RRESP,
  input  wire        MAXIGP0RLAST,
  input  wire        MAXIGP0RVALID,
  output wire        MAXIGP0RREADY,
  input  wire        SAXIHP0ACLK,
  input  wire        SAXIHP0RDISSUECAP1EN,
  input  wire        SAXIHP0WRISSUECAP1EN,
  input  wire [5:0]  SAXIHP0ARID,
  input  wire [31:0] SAXIHP0ARADDR,
  input  wire [3:0]  SAXIHP0ARLEN,
  input  wire [1:0]  SAXIHP0ARSIZE,
  input  wire [1:0]  SAXIHP0ARBURST,
  input  wire [1:0]  SAXIHP0ARLOCK,
  input  wire [3:0]  SAXIHP0ARCACHE,
  input  wire [2:0]  SAXIHP0ARPROT,
  input  wire [3:0]  SAXIHP0ARQOS,
  input  wire        SAXIHP0ARVALID,
  output wire        SAXIHP0ARREADY,
  output wire [63:0] SAXIHP0RDATA,
  output wire [1:0]  SAXIHP0RRESP,
  output wire        SAXIHP0RLAST,
  output wire        SAXIHP0RVALID,
  input  wire        SAXIHP0RREADY,
  input  wire [5:0]  SAXIHP0AWID,
  input  wire [31:0] SAXIHP0AWADDR,
  input  wire [3:0]  SAXIHP0AWLEN,
  input  wire [1:0]  SAXIHP0AWSIZE,
  input  wire [1:0]  SAXIHP0AWBURST,
  input  wire [1:0]  SAXIHP0AWLOCK,
  input  wire [3:0]  SAXIHP0AWCACHE,
  input  wire [2:0]  SAXIHP0AWPROT,
  input  wire [3:0]  SAXIHP0AWQOS,
  input  wire        SAXIHP0AWVALID,
  output wire        SAXIHP0AWREADY,
  input  wire [5:0]  SAXIHP0WID,
  input  wire [63:0] SAXIHP0WDATA,
  input  wire [7:0]  SAXIHP0WSTRB,
  input  wire        SAXIHP0WLAST,
  input  wire        SAXIHP0WVALID,
  output wire        SAXIHP0WREADY,
  output wire [1:0]  SAXIHP0BRESP,
  output wire        SAXIHP0BVALID,
  input  wire        SAXIHP0BREADY
);

`ifndef SYNTHESIS
  reg         fclk /* verilator public_flat_rw */ = 0;
  reg         fclk_reset_n /* verilator public_flat_rw */ = 0;
  wire        irq /* verilator public_flat_rd */ = IRQF2P[0];
  reg  [11:0] gp0_awid /* verilator public_flat_rw */ = 0;
  reg  [31:0] gp0_awaddr /* verilator public_flat_rw */ = 0;
  reg  [7:0]  gp0_awlen /* verilator public_flat_rw */ = 0;
  reg  [2:0]  gp0_awsize /* verilator public_flat_rw */ = 0;
  reg  [1:0]  gp0_awburst /* verilator public_flat_rw */ = 0;
  reg         gp0_awvalid /* verilator public_flat_rw */ = 0;
  wire        gp0_awready /* verilator public_flat_rd */ = MAXIGP0AWREADY;
  reg  [31:0] gp0_wdata /* verilator public_flat_rw */ = 0;
  reg  [3:0]  gp0_wstrb /* verilator public_flat_rw */ = 0;
  reg         gp0_wlast /* verilator public_flat_rw */ = 0;
  reg         gp0_wvalid /* verilator public_flat_rw */ = 0;
  wire        gp0_wready /* verilator public_flat_rd */ = MAXIGP0WREADY;
  wire [11:0] gp0_bid /* verilator public_flat_rd */ = MAXIGP0BID;
  wire [1:0]  gp0_bresp /* verilator public_flat_rd */ = MAXIGP0BRESP;
  wire        gp0_bvalid /* verilator public_flat_rd */ = MAXIGP0BVALID;
  reg         gp0_bready /* verilator public_flat_rw */ = 0;
  reg  [11:0] gp0_arid /* verilator public_flat_rw */ = 0;
  reg  [31:0] gp0_araddr /* verilator public_flat_rw */ = 0;
  reg  [7:0]  gp0_arlen /* verilator public_flat_rw */ = 0;
  reg  [2:0]  gp0_arsize /* verilator public_flat_rw */ = 0;
  reg  [1:0]  gp0_arburst /* verilator public_flat_rw */ = 0;
  reg         gp0_arvalid /* verilator public_flat_rw */ = 0;
  wire        gp0_arready /* verilator public_flat_rd */ = MAXIGP0ARREADY;
  wire [11:0] gp0_rid /* verilator public_flat_rd */ = MAXIGP0RID;
  wire [31:0] gp0_rdata /* verilator public_flat_rd */ = MAXIGP0RDATA;
  wire [1:0]  gp0_rresp /* verilator public_flat_rd */ = MAXIGP0RRESP;
  wire        gp0_rlast /* verilator public_flat_rd */ = MAXIGP0RLAST;
  wire        gp0_rvalid /* verilator public_flat_rd */ = MAXIGP0RVALID;
  reg         gp0_rready /* verilator public_flat_rw */ = 0;
  wire [5:0]  hp0_arid /* verilator public_flat_rd */ = SAXIHP0ARID;
  wire [31:0] hp0_araddr /* verilator public_flat_rd */ = SAXIHP0ARADDR;
  wire [7:0]  hp0_arlen /* verilator public_flat_rd */ = {4'd0, SAXIHP0ARLEN};
  wire [2:0]  hp0_arsize /* verilator public_flat_rd */ = {1'b0, SAXIHP0ARSIZE};
  wire [1:0]  hp0_arburst /* verilator public_flat_rd */ = SAXIHP0ARBURST;
  wire        hp0_arlock /* verilator public_flat_rd */ = SAXIHP0ARLOCK[0];
  wire [3:0]  hp0_arcache /* verilator public_flat_rd */ = SAXIHP0ARCACHE;
  wire [2:0]  hp0_arprot /* verilator public_flat_rd */ = SAXIHP0ARPROT;
  wire [3:0]  hp0_arqos /* verilator public_flat_rd */ = SAXIHP0ARQOS;
  wire        hp0_arvalid /* verilator public_flat_rd */ = SAXIHP0ARVALID;
  reg         hp0_arready /* verilator public_flat_rw */ = 0;
  reg  [5:0]  hp0_rid /* verilator public_flat_rw */ = 0;
  reg  [63:0] hp0_rdata /* verilator public_flat_rw */ = 0;
  reg  [1:0]  hp0_rresp /* verilator public_flat_rw */ = 0;
  reg         hp0_rlast /* verilator public_flat_rw */ = 0;
  reg         hp0_rvalid /* verilator public_flat_rw */ = 0;
  wire        hp0_rready /* verilator public_flat_rd */ = SAXIHP0RREADY;
  wire [5:0]  hp0_awid /* verilator public_flat_rd */ = SAXIHP0AWID;
  wire [31:0] hp0_awaddr /* verilator public_flat_rd */ = SAXIHP0AWADDR;
  wire [7:0]  hp0_awlen /* verilator public_flat_rd */ = {4'd0, SAXIHP0AWLEN};
  wire [2:0]  hp0_awsize /* verilator public_flat_rd */ = {1'b0, SAXIHP0AWSIZE};
  wire [1:0]  hp0_awburst /* verilator public_flat_rd */ = SAXIHP0AWBURST;
  wire        hp0_awlock /* verilator public_flat_rd */ = SAXIHP0AWLOCK[0];
  wire [3:0]  hp0_awcache /* verilator public_flat_rd */ = SAXIHP0AWCACHE;
  wire [2:0]  hp0_awprot /* verilator public_flat_rd */ = SAXIHP0AWPROT;
  wire [3:0]  hp0_awqos /* verilator public_flat_rd */ = SAXIHP0AWQOS;
  wire        hp0_awvalid /* verilator public_flat_rd */ = SAXIHP0AWVALID;
  reg         hp0_awready /* verilator public_flat_rw */ = 0;
  wire [5:0]  hp0_wid /* verilator public_flat_rd */ = SAXIHP0WID;
  wire [63:0] hp0_wdata /* verilator public_flat_rd */ = SAXIHP0WDATA;
  wire [7:0]  hp0_wstrb /* verilator public_flat_rd */ = SAXIHP0WSTRB;
  wire        hp0_wlast /* verilator public_flat_rd */ = SAXIHP0WLAST;
  wire        hp0_wvalid /* verilator public_flat_rd */ = SAXIHP0WVALID;
  reg         hp0_wready /* verilator public_flat_rw */ = 0;
  reg  [5:0]  hp0_bid /* verilator public_flat_rw */ = 0;
  reg  [1:0]  hp0_bresp /* verilator public_flat_rw */ = 0;
  reg         hp0_bvalid /* verilator public_flat_rw */ = 0;
  wire        hp0_bready /* verilator public_flat_rd */ = SAXIHP0BREADY;

  assign FCLKCLK = {3'd0, fclk};
  assign FCLKRESETN = {3'd0, fclk_reset_n};
  assign MAXIGP0AWID = gp0_awid;
  assign MAXIGP0AWADDR = gp0_awaddr;
  assign MAXIGP0AWLEN = gp0_awlen[3:0];
  assign MAXIGP0AWSIZE = gp0_awsize[1:0];
  assign MAXIGP0AWBURST = gp0_awburst;
  assign MAXIGP0AWVALID = gp0_awvalid;
  assign MAXIGP0WDATA = gp0_wdata;
  assign MAXIGP0WSTRB = gp0_wstrb;
  assign MAXIGP0WVALID = gp0_wvalid;
  assign MAXIGP0BREADY = gp0_bready;
  assign MAXIGP0ARID = gp0_arid;
  assign MAXIGP0ARADDR = gp0_araddr;
  assign MAXIGP0ARLEN = gp0_arlen[3:0];
  assign MAXIGP0ARSIZE = gp0_arsize[1:0];
  assign MAXIGP0ARBURST = gp0_arburst;
  assign MAXIGP0ARVALID = gp0_arvalid;
  assign MAXIGP0RREADY = gp0_rready;
  assign SAXIHP0ARREADY = hp0_arready;
  assign SAXIHP0RDATA = hp0_rdata;
  assign SAXIHP0RRESP = hp0_rresp;
  assign SAXIHP0RLAST = hp0_rlast;
  assign SAXIHP0RVALID = hp0_rvalid;
  assign SAXIHP0AWREADY = hp0_awready;
  assign SAXIHP0WREADY = hp0_wready;
  assign SAXIHP0BRESP = hp0_bresp;
  assign SAXIHP0BVALID = hp0_bvalid;

  wire unused = &{1'b0, IRQF2P[19:1], MAXIGP0ACLK, SAXIHP0ACLK, SAXIHP0RDISSUECAP1EN,
    SAXIHP0WRISSUECAP1EN, SAXIHP0ARLOCK[1], SAXIHP0AWLOCK[1]};
`endif

endmodule

`default_nettype wire
