// vendor_ps7 - the processing system of a Zynq-7000: clock, reset, registers' bus, memory's bus.
// m_axi is GP0 (0x4000_0000 to 0x7fff_ffff, AXI3), s_axi is HP0 (AXI3, 64 bits; one ID, hence
// everything in order). clk is FCLK0, rst_n its reset, synchronised. irq is IRQF2P[0], number
// 61 (Zynq-7000 Technical Reference Manual, UG585).
// Needs:  the FSBL or Linux to have set up FCLK0, and HP0 to be 64 bits wide.
`default_nettype none

module vendor_ps7 (
  output logic        clk,
  output logic        rst_n,
  input  wire         irq,

  output logic [11:0] m_axi_awid,
  output logic [31:0] m_axi_awaddr,
  output logic [3:0]  m_axi_awlen,
  output logic [1:0]  m_axi_awsize,
  output logic [1:0]  m_axi_awburst,
  output logic        m_axi_awvalid,
  input  wire         m_axi_awready,
  output logic [31:0] m_axi_wdata,
  output logic [3:0]  m_axi_wstrb,
  output logic        m_axi_wvalid,
  input  wire         m_axi_wready,
  input  wire  [11:0] m_axi_bid,
  input  wire  [1:0]  m_axi_bresp,
  input  wire         m_axi_bvalid,
  output logic        m_axi_bready,
  output logic [11:0] m_axi_arid,
  output logic [31:0] m_axi_araddr,
  output logic [3:0]  m_axi_arlen,
  output logic [1:0]  m_axi_arsize,
  output logic [1:0]  m_axi_arburst,
  output logic        m_axi_arvalid,
  input  wire         m_axi_arready,
  input  wire  [11:0] m_axi_rid,
  input  wire  [31:0] m_axi_rdata,
  input  wire  [1:0]  m_axi_rresp,
  input  wire         m_axi_rlast,
  input  wire         m_axi_rvalid,
  output logic        m_axi_rready,

  input  wire  [31:0] s_axi_araddr,
  input  wire  [3:0]  s_axi_arlen,
  input  wire         s_axi_arvalid,
  output logic        s_axi_arready,
  output logic [63:0] s_axi_rdata,
  output logic [1:0]  s_axi_rresp,
  output logic        s_axi_rlast,
  output logic        s_axi_rvalid,
  input  wire         s_axi_rready,
  input  wire  [31:0] s_axi_awaddr,
  input  wire  [3:0]  s_axi_awlen,
  input  wire         s_axi_awvalid,
  output logic        s_axi_awready,
  input  wire  [63:0] s_axi_wdata,
  input  wire  [7:0]  s_axi_wstrb,
  input  wire         s_axi_wlast,
  input  wire         s_axi_wvalid,
  output logic        s_axi_wready,
  output logic [1:0]  s_axi_bresp,
  output logic        s_axi_bvalid,
  input  wire         s_axi_bready
);

  // Bursts of whole beats, addresses going up; normal memory, modifiable and bufferable.
  localparam logic [1:0] INCR = 2'd1, BEAT = 2'd3;
  localparam logic [3:0] CACHE = 4'b0011;

  logic [3:0] clocks, resets_n;

  BUFG u_clock (
    .I(clocks[0]),
    .O(clk)
  );

  // The reset comes at any time: two registers for the synchroniser, one for what it drives. They
  // start at zero, as every register of the chip does.
  // verilator lint_off PROCASSINIT
  (* ASYNC_REG = "TRUE" *) logic [1:0] sync_q = '0;
  logic reset_q = 1'b0;
  // verilator lint_on PROCASSINIT
  always_ff @(posedge clk) begin
    sync_q  <= {sync_q[0], resets_n[0]};
    reset_q <= sync_q[1];
  end
  assign rst_n = reset_q;

  // Without a port, nothing else keeps the chip from being removed as unused.
  (* DONT_TOUCH = "yes" *)
  PS7 u_ps7 (
    .FCLKCLK        (clocks),
    .FCLKRESETN     (resets_n),
    .IRQF2P         ({19'd0, irq}),

    .MAXIGP0ACLK    (clk),
    .MAXIGP0AWID    (m_axi_awid),
    .MAXIGP0AWADDR  (m_axi_awaddr),
    .MAXIGP0AWLEN   (m_axi_awlen),
    .MAXIGP0AWSIZE  (m_axi_awsize),
    .MAXIGP0AWBURST (m_axi_awburst),
    .MAXIGP0AWVALID (m_axi_awvalid),
    .MAXIGP0AWREADY (m_axi_awready),
    .MAXIGP0WDATA   (m_axi_wdata),
    .MAXIGP0WSTRB   (m_axi_wstrb),
    .MAXIGP0WVALID  (m_axi_wvalid),
    .MAXIGP0WREADY  (m_axi_wready),
    .MAXIGP0BID     (m_axi_bid),
    .MAXIGP0BRESP   (m_axi_bresp),
    .MAXIGP0BVALID  (m_axi_bvalid),
    .MAXIGP0BREADY  (m_axi_bready),
    .MAXIGP0ARID    (m_axi_arid),
    .MAXIGP0ARADDR  (m_axi_araddr),
    .MAXIGP0ARLEN   (m_axi_arlen),
    .MAXIGP0ARSIZE  (m_axi_arsize),
    .MAXIGP0ARBURST (m_axi_arburst),
    .MAXIGP0ARVALID (m_axi_arvalid),
    .MAXIGP0ARREADY (m_axi_arready),
    .MAXIGP0RID     (m_axi_rid),
    .MAXIGP0RDATA   (m_axi_rdata),
    .MAXIGP0RRESP   (m_axi_rresp),
    .MAXIGP0RLAST   (m_axi_rlast),
    .MAXIGP0RVALID  (m_axi_rvalid),
    .MAXIGP0RREADY  (m_axi_rready),

    .SAXIHP0ACLK         (clk),
    .SAXIHP0RDISSUECAP1EN(1'b0),
    .SAXIHP0WRISSUECAP1EN(1'b0),
    .SAXIHP0ARID         (6'd0),
    .SAXIHP0ARADDR       (s_axi_araddr),
    .SAXIHP0ARLEN        (s_axi_arlen),
    .SAXIHP0ARSIZE       (BEAT),
    .SAXIHP0ARBURST      (INCR),
    .SAXIHP0ARLOCK       (2'd0),
    .SAXIHP0ARCACHE      (CACHE),
    .SAXIHP0ARPROT       (3'd0),
    .SAXIHP0ARQOS        (4'd0),
    .SAXIHP0ARVALID      (s_axi_arvalid),
    .SAXIHP0ARREADY      (s_axi_arready),
    .SAXIHP0RDATA        (s_axi_rdata),
    .SAXIHP0RRESP        (s_axi_rresp),
    .SAXIHP0RLAST        (s_axi_rlast),
    .SAXIHP0RVALID       (s_axi_rvalid),
    .SAXIHP0RREADY       (s_axi_rready),
    .SAXIHP0AWID         (6'd0),
    .SAXIHP0AWADDR       (s_axi_awaddr),
    .SAXIHP0AWLEN        (s_axi_awlen),
    .SAXIHP0AWSIZE       (BEAT),
    .SAXIHP0AWBURST      (INCR),
    .SAXIHP0AWLOCK       (2'd0),
    .SAXIHP0AWCACHE      (CACHE),
    .SAXIHP0AWPROT       (3'd0),
    .SAXIHP0AWQOS        (4'd0),
    .SAXIHP0AWVALID      (s_axi_awvalid),
    .SAXIHP0AWREADY      (s_axi_awready),
    .SAXIHP0WID          (6'd0),
    .SAXIHP0WDATA        (s_axi_wdata),
    .SAXIHP0WSTRB        (s_axi_wstrb),
    .SAXIHP0WLAST        (s_axi_wlast),
    .SAXIHP0WVALID       (s_axi_wvalid),
    .SAXIHP0WREADY       (s_axi_wready),
    .SAXIHP0BRESP        (s_axi_bresp),
    .SAXIHP0BVALID       (s_axi_bvalid),
    .SAXIHP0BREADY       (s_axi_bready)
  );

  logic unused;
  assign unused = &{1'b0, clocks[3:1], resets_n[3:1]};

endmodule

`default_nettype wire
