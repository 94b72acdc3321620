// nn_add - adds the elements of two streams that nn_join put beside each other by turns.
// y[c] = START + A_GAIN*x[2c] + B_GAIN*x[2c+1], of which A_W and B_W bits count
// Stream: one beat of CHANNELS pairs of unsigned elements per beat of CHANNELS elements out.
// Rate:   one beat per cycle; latency one cycle.
// Needs:  0 <= y < 2^OUT_W for all elements.
`default_nettype none

module nn_add #(
  parameter int unsigned CHANNELS = 2,
  parameter int unsigned IN_W     = 4,
  parameter int unsigned A_W      = 4,
  parameter int unsigned B_W      = 4,
  parameter int unsigned OUT_W    = 5,
  parameter int          A_GAIN   = 1,
  parameter int          B_GAIN   = 1,
  parameter int          START    = 0
) (
  input  wire                        clk,
  input  wire                        rst_n,

  input  wire  [2*CHANNELS*IN_W-1:0] s_axis_tdata,
  input  wire                        s_axis_tvalid,
  output logic                       s_axis_tready,

  output logic [CHANNELS*OUT_W-1:0]  m_axis_tdata,
  output logic                       m_axis_tvalid,
  input  wire                        m_axis_tready
);

  if (CHANNELS < 1 || A_W < 1 || B_W < 1 || IN_W < A_W || IN_W < B_W) begin : gen_bad_size
    $error("nn_add: CHANNELS, A_W and B_W must be at least 1, and IN_W at least A_W and B_W");
  end

  localparam longint A_END = longint'(A_GAIN) * ((longint'(1) << A_W) - 1);
  localparam longint B_END = longint'(B_GAIN) * ((longint'(1) << B_W) - 1);
  localparam longint LOW   = ((A_END < 0) ? A_END : 0) + ((B_END < 0) ? B_END : 0);
  localparam longint HIGH  = ((A_END > 0) ? A_END : 0) + ((B_END > 0) ? B_END : 0);

  if (longint'(START) + LOW < 0 || (longint'(START) + HIGH) >> OUT_W != 0) begin : gen_bad_out_w
    $error("nn_add: START and OUT_W must hold every sum without a sign");
  end

  logic [CHANNELS*OUT_W-1:0] sum, out_q;
  logic                      out_vld_q;

  for (genvar c = 0; c < int'(CHANNELS); c++) begin : gen_channel
    nn_weigh #(
      .A_W   (A_W),
      .B_W   (B_W),
      .OUT_W (OUT_W),
      .A_GAIN(A_GAIN),
      .B_GAIN(B_GAIN),
      .START (START)
    ) u_weigh (
      .a(s_axis_tdata[2*c*IN_W +: A_W]),
      .b(s_axis_tdata[(2*c+1)*IN_W +: B_W]),
      .y(sum[c*OUT_W +: OUT_W])
    );
  end

  // The narrower elements leave bits unread.
  logic unused;
  assign unused = &{1'b0, s_axis_tdata};

  always_ff @(posedge clk) begin
    if (s_axis_tready) out_q <= sum;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) out_vld_q <= 1'b0;
    else if (s_axis_tready) out_vld_q <= s_axis_tvalid;
  end

  assign s_axis_tready = !out_vld_q || m_axis_tready;
  assign m_axis_tdata  = out_q;
  assign m_axis_tvalid = out_vld_q;

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(CHANNELS * OUT_W)) u_checker (.*);
`endif

endmodule

`default_nettype wire
