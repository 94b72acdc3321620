// axi_bridge - AXI3 slave in front of an AXI4-Lite slave, one access at a time.
// Answers everything: each beat of a burst of whole words is an access of its own; a beat outside
// of the SIZE bytes at the start of the window gets DECERR, any other kind of burst SLVERR, and
// neither gets through. IDs are echoed.
// Stream: the five channels of AXI3 in, those of AXI4-Lite out (no protection bits).
// Rate:   a word in some ten cycles; what the slave side drives comes from registers.
// Needs:  SIZE a multiple of 4 below 2**ADDR_W; write data in the order of addresses.
`default_nettype none

module axi_bridge #(
  parameter int unsigned ID_W     = 12,
  parameter int unsigned WINDOW_W = 30,
  parameter int unsigned ADDR_W   = 7,
  parameter int unsigned SIZE     = 84
) (
  input  wire                 clk,
  input  wire                 rst_n,

  input  wire  [ID_W-1:0]     s_axi_awid,
  input  wire  [WINDOW_W-1:2] s_axi_awaddr,
  input  wire  [3:0]          s_axi_awlen,
  input  wire  [1:0]          s_axi_awsize,
  input  wire  [1:0]          s_axi_awburst,
  input  wire                 s_axi_awvalid,
  output logic                s_axi_awready,
  input  wire  [31:0]         s_axi_wdata,
  input  wire  [3:0]          s_axi_wstrb,
  input  wire                 s_axi_wvalid,
  output logic                s_axi_wready,
  output logic [ID_W-1:0]     s_axi_bid,
  output logic [1:0]          s_axi_bresp,
  output logic                s_axi_bvalid,
  input  wire                 s_axi_bready,
  input  wire  [ID_W-1:0]     s_axi_arid,
  input  wire  [WINDOW_W-1:2] s_axi_araddr,
  input  wire  [3:0]          s_axi_arlen,
  input  wire  [1:0]          s_axi_arsize,
  input  wire  [1:0]          s_axi_arburst,
  input  wire                 s_axi_arvalid,
  output logic                s_axi_arready,
  output logic [ID_W-1:0]     s_axi_rid,
  output logic [31:0]         s_axi_rdata,
  output logic [1:0]          s_axi_rresp,
  output logic                s_axi_rlast,
  output logic                s_axi_rvalid,
  input  wire                 s_axi_rready,

  output logic [ADDR_W-1:0]   m_axil_awaddr,
  output logic                m_axil_awvalid,
  input  wire                 m_axil_awready,
  output logic [31:0]         m_axil_wdata,
  output logic [3:0]          m_axil_wstrb,
  output logic                m_axil_wvalid,
  input  wire                 m_axil_wready,
  input  wire  [1:0]          m_axil_bresp,
  input  wire                 m_axil_bvalid,
  output logic                m_axil_bready,
  output logic [ADDR_W-1:0]   m_axil_araddr,
  output logic                m_axil_arvalid,
  input  wire                 m_axil_arready,
  input  wire  [31:0]         m_axil_rdata,
  input  wire  [1:0]          m_axil_rresp,
  input  wire                 m_axil_rvalid,
  output logic                m_axil_rready
);

  if (ADDR_W < 3 || WINDOW_W <= ADDR_W) begin : gen_bad_addr_w
    $error("axi_bridge: ADDR_W must be at least 3 and less than WINDOW_W");
  end
  if (SIZE % 4 != 0 || SIZE < 4 || SIZE >= 1 << ADDR_W) begin : gen_bad_size
    $error("axi_bridge: SIZE must be a multiple of 4 below 2**ADDR_W");
  end

  localparam logic [1:0] OKAY = 2'd0, SLVERR = 2'd2, DECERR = 2'd3;
  localparam logic [1:0] INCR = 2'd1, WORD = 2'd2;

  // One bit per state, so that what leaves is a register.
  localparam int unsigned START = 0, GET_READ = 1, GET_WRITE = 2;
  localparam int unsigned READ_CHECK = 3, READ_PICK = 4, READ_ADDR = 5, READ_DATA = 6;
  localparam int unsigned READ_GIVE = 7, WRITE_CHECK = 8, WRITE_WAIT = 9, WRITE_ADDR = 10;
  localparam int unsigned WRITE_DATA = 11, WRITE_RESP = 12, WRITE_POP = 13, WRITE_NEXT = 14;
  localparam int unsigned WRITE_GIVE = 15;
  logic [15:0] state_q, state_d;

  logic [ID_W-1:0]            id_q;
  logic [WINDOW_W-1:ADDR_W]   above_q;
  logic [ADDR_W-1:2]          word_q;
  logic [3:0]                 left_q;
  logic [1:0]                 size_q, burst_q, resp_q;
  logic [31:0]                data_q;
  logic                       outside, refused, denied_q, final_beat;

  // Once outside, a burst stays there: the word's address does not get round to the registers.
  assign outside = (above_q != '0) || (32'(word_q) >= SIZE / 4) || resp_q == DECERR;
  assign refused = (left_q != '0 && (burst_q != INCR || size_q != WORD)) || resp_q == SLVERR;

  always_ff @(posedge clk) begin
    if (s_axi_arready) begin
      id_q    <= s_axi_arid;
      above_q <= s_axi_araddr[WINDOW_W-1:ADDR_W];
      word_q  <= s_axi_araddr[ADDR_W-1:2];
      left_q  <= s_axi_arlen;
      size_q  <= s_axi_arsize;
      burst_q <= s_axi_arburst;
      resp_q  <= OKAY;
    end
    if (s_axi_awready) begin
      id_q    <= s_axi_awid;
      above_q <= s_axi_awaddr[WINDOW_W-1:ADDR_W];
      word_q  <= s_axi_awaddr[ADDR_W-1:2];
      left_q  <= s_axi_awlen;
      size_q  <= s_axi_awsize;
      burst_q <= s_axi_awburst;
      resp_q  <= OKAY;
    end
    if ((state_q[READ_GIVE] && s_axi_rready) || state_q[WRITE_NEXT]) begin
      word_q <= word_q + 1'b1;
      left_q <= left_q - 1'b1;
    end
    if (state_q[READ_CHECK]) data_q <= '0;
    if (state_q[READ_CHECK] || state_q[WRITE_CHECK]) begin
      denied_q <= outside || refused;
      if (refused) resp_q <= SLVERR;
      else if (outside) resp_q <= DECERR;
    end
    if (state_q[READ_DATA] && m_axil_rvalid) begin
      data_q <= m_axil_rdata;
      resp_q <= m_axil_rresp;
    end
    if (state_q[WRITE_RESP] && m_axil_bvalid) resp_q <= m_axil_bresp;
  end

  assign final_beat = left_q == '0;

  always_comb begin
    state_d = '0;
    state_d[GET_READ] = state_q[START] || (state_q[GET_WRITE] && !s_axi_awvalid)
      || (state_q[WRITE_GIVE] && s_axi_bready);
    state_d[GET_WRITE] = (state_q[GET_READ] && !s_axi_arvalid)
      || (state_q[READ_GIVE] && s_axi_rready && final_beat);

    state_d[READ_CHECK] = (state_q[GET_READ] && s_axi_arvalid)
      || (state_q[READ_GIVE] && s_axi_rready && !final_beat);
    state_d[READ_PICK] = state_q[READ_CHECK];
    state_d[READ_ADDR] = (state_q[READ_PICK] && !denied_q)
      || (state_q[READ_ADDR] && !m_axil_arready);
    state_d[READ_DATA] = (state_q[READ_ADDR] && m_axil_arready)
      || (state_q[READ_DATA] && !m_axil_rvalid);
    state_d[READ_GIVE] = (state_q[READ_PICK] && denied_q)
      || (state_q[READ_DATA] && m_axil_rvalid) || (state_q[READ_GIVE] && !s_axi_rready);

    state_d[WRITE_CHECK] = (state_q[GET_WRITE] && s_axi_awvalid)
      || (state_q[WRITE_NEXT] && !final_beat);
    state_d[WRITE_WAIT] = state_q[WRITE_CHECK] || (state_q[WRITE_WAIT] && !s_axi_wvalid);
    state_d[WRITE_ADDR] = (state_q[WRITE_WAIT] && s_axi_wvalid && !denied_q)
      || (state_q[WRITE_ADDR] && !m_axil_awready);
    state_d[WRITE_DATA] = (state_q[WRITE_ADDR] && m_axil_awready)
      || (state_q[WRITE_DATA] && !m_axil_wready);
    state_d[WRITE_RESP] = (state_q[WRITE_DATA] && m_axil_wready)
      || (state_q[WRITE_RESP] && !m_axil_bvalid);
    state_d[WRITE_POP] = (state_q[WRITE_WAIT] && s_axi_wvalid && denied_q)
      || (state_q[WRITE_RESP] && m_axil_bvalid);
    state_d[WRITE_NEXT] = state_q[WRITE_POP];
    state_d[WRITE_GIVE] = (state_q[WRITE_NEXT] && final_beat)
      || (state_q[WRITE_GIVE] && !s_axi_bready);
  end

  always_ff @(posedge clk) begin
    if (!rst_n) state_q <= 16'b1 << START;
    else state_q <= state_d;
  end

  assign s_axi_arready = state_q[GET_READ];
  assign s_axi_awready = state_q[GET_WRITE];
  assign s_axi_wready  = state_q[WRITE_POP];
  assign s_axi_rvalid  = state_q[READ_GIVE];
  assign s_axi_bvalid  = state_q[WRITE_GIVE];
  assign s_axi_rid     = id_q;
  assign s_axi_bid     = id_q;
  assign s_axi_rdata   = data_q;
  assign s_axi_rresp   = resp_q;
  assign s_axi_bresp   = resp_q;
  assign s_axi_rlast   = final_beat;

  assign m_axil_araddr  = {word_q, 2'b00};
  assign m_axil_awaddr  = {word_q, 2'b00};
  assign m_axil_arvalid = state_q[READ_ADDR];
  assign m_axil_rready  = state_q[READ_DATA];
  assign m_axil_awvalid = state_q[WRITE_ADDR];
  assign m_axil_wvalid  = state_q[WRITE_DATA];
  assign m_axil_bready  = state_q[WRITE_RESP];
  // The beat on the slave side stays until WRITE_POP takes it.
  assign m_axil_wdata = s_axi_wdata;
  assign m_axil_wstrb = s_axi_wstrb;

endmodule

`default_nettype wire
