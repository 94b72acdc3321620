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
  typedef enum logic [13:0] {
    GET_READ   = 14'b1 << 0,
    GET_WRITE  = 14'b1 << 1,
    READ_CHECK = 14'b1 << 2,
    READ_ADDR  = 14'b1 << 3,
    READ_DATA  = 14'b1 << 4,
    READ_GIVE  = 14'b1 << 5,
    WRITE_WAIT = 14'b1 << 6,
    WRITE_ADDR = 14'b1 << 7,
    WRITE_DATA = 14'b1 << 8,
    WRITE_POP  = 14'b1 << 9,
    WRITE_RESP = 14'b1 << 10,
    WRITE_NEXT = 14'b1 << 11,
    WRITE_GIVE = 14'b1 << 12,
    START      = 14'b1 << 13
  } state_t;
  state_t state_q;

  logic [ID_W-1:0]            id_q;
  logic [WINDOW_W-1:ADDR_W]   above_q;
  logic [ADDR_W-1:2]          word_q;
  logic [3:0]                 left_q;
  logic [1:0]                 size_q, burst_q, resp_q;
  logic [31:0]                data_q;
  logic                       outside, refused;

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
    if ((state_q == READ_GIVE && s_axi_rready) || state_q == WRITE_NEXT) begin
      word_q <= word_q + 1'b1;
      left_q <= left_q - 1'b1;
    end
    if (state_q == READ_CHECK || state_q == WRITE_WAIT) begin
      if (refused) resp_q <= SLVERR;
      else if (outside) resp_q <= DECERR;
    end
    if (state_q == READ_CHECK) data_q <= '0;
    if (m_axil_rready && m_axil_rvalid) begin
      data_q <= m_axil_rdata;
      resp_q <= m_axil_rresp;
    end
    if (m_axil_bready && m_axil_bvalid && m_axil_bresp != OKAY) resp_q <= m_axil_bresp;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q <= START;
    end else begin
      unique case (state_q)
        GET_READ:   state_q <= s_axi_arvalid ? READ_CHECK : GET_WRITE;
        GET_WRITE:  state_q <= s_axi_awvalid ? WRITE_WAIT : GET_READ;
        READ_CHECK: state_q <= (refused || outside) ? READ_GIVE : READ_ADDR;
        READ_ADDR:  if (m_axil_arready) state_q <= READ_DATA;
        READ_DATA:  if (m_axil_rvalid) state_q <= READ_GIVE;
        READ_GIVE:  if (s_axi_rready) state_q <= (left_q == '0) ? GET_WRITE : READ_CHECK;
        WRITE_WAIT: if (s_axi_wvalid) state_q <= (refused || outside) ? WRITE_POP : WRITE_ADDR;
        WRITE_ADDR: if (m_axil_awready) state_q <= WRITE_DATA;
        WRITE_DATA: if (m_axil_wready) state_q <= WRITE_RESP;
        WRITE_RESP: if (m_axil_bvalid) state_q <= WRITE_POP;
        WRITE_POP:  state_q <= WRITE_NEXT;
        WRITE_NEXT: state_q <= (left_q == '0) ? WRITE_GIVE : WRITE_WAIT;
        WRITE_GIVE: if (s_axi_bready) state_q <= GET_READ;
        default:    state_q <= GET_READ;
      endcase
    end
  end

  assign s_axi_arready = state_q[0];
  assign s_axi_awready = state_q[1];
  assign s_axi_wready  = state_q[9];
  assign s_axi_rvalid  = state_q[5];
  assign s_axi_bvalid  = state_q[12];
  assign s_axi_rid     = id_q;
  assign s_axi_bid     = id_q;
  assign s_axi_rdata   = data_q;
  assign s_axi_rresp   = resp_q;
  assign s_axi_bresp   = resp_q;
  assign s_axi_rlast   = left_q == '0;

  assign m_axil_araddr  = {word_q, 2'b00};
  assign m_axil_awaddr  = {word_q, 2'b00};
  assign m_axil_arvalid = state_q[3];
  assign m_axil_rready  = state_q[4];
  assign m_axil_awvalid = state_q[7];
  assign m_axil_wvalid  = state_q[8];
  assign m_axil_bready  = state_q[10];
  // The beat on the slave side stays until WRITE_POP takes it.
  assign m_axil_wdata = s_axi_wdata;
  assign m_axil_wstrb = s_axi_wstrb;

endmodule

`default_nettype wire
