// nn_lookup - replaces every element by an entry of its channel's table.
// y[c] = TABLE[x[c]][c]
// Stream: one pixel of CHANNELS elements per beat, in and out.
// Rate:   one beat per cycle; latency one cycle.
// Needs:  TABLE_FILE as mem_part says: word v of part c is the entry of the value v of channel c.
`default_nettype none

module nn_lookup #(
  parameter int unsigned CHANNELS   = 3,
  parameter int unsigned IN_W       = 8,
  parameter int unsigned OUT_W      = 8,
  parameter              TABLE_FILE = ""
) (
  input  wire                       clk,
  input  wire                       rst_n,

  input  wire  [CHANNELS*IN_W-1:0]  s_axis_tdata,
  input  wire                       s_axis_tvalid,
  output logic                      s_axis_tready,

  output logic [CHANNELS*OUT_W-1:0] m_axis_tdata,
  output logic                      m_axis_tvalid,
  input  wire                       m_axis_tready
);

  if (CHANNELS < 1 || IN_W < 1 || OUT_W < 1) begin : gen_bad_size
    $error("nn_lookup: CHANNELS, IN_W and OUT_W must be at least 1");
  end

  logic out_vld_q;

  for (genvar c = 0; c < int'(CHANNELS); c++) begin : gen_channel
    mem_part #(
      .WIDTH    (OUT_W),
      .DEPTH    (1 << IN_W),
      .INIT_FILE(TABLE_FILE),
      .PART     (c),
      .STYLE    (1)
    ) u_table (
      .clk (clk),
      .en  (s_axis_tready),
      .addr(s_axis_tdata[c*IN_W +: IN_W]),
      .dout(m_axis_tdata[c*OUT_W +: OUT_W])
    );
  end

  always_ff @(posedge clk) begin
    if (!rst_n) out_vld_q <= 1'b0;
    else if (s_axis_tready) out_vld_q <= s_axis_tvalid;
  end

  assign s_axis_tready = !out_vld_q || m_axis_tready;
  assign m_axis_tvalid = out_vld_q;

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(CHANNELS * OUT_W)) u_checker (.*);
`endif

endmodule

`default_nettype wire
