// axis_join - puts the beats of two streams side by side, in lockstep.
// y = {b, a}
// Stream: one beat of each input per beat out, in order.
// Rate:   one beat per cycle while both inputs have one; latency one cycle. An input is two beats
//         ahead of the other at most: what runs further ahead needs a FIFO before it.
// Needs:  as many beats of a as of b.
`default_nettype none

module axis_join #(
  parameter int unsigned A_W = 8,
  parameter int unsigned B_W = 8
) (
  input  wire                clk,
  input  wire                rst_n,

  input  wire  [A_W-1:0]     a_axis_tdata,
  input  wire                a_axis_tvalid,
  output logic               a_axis_tready,

  input  wire  [B_W-1:0]     b_axis_tdata,
  input  wire                b_axis_tvalid,
  output logic               b_axis_tready,

  output logic [A_W+B_W-1:0] m_axis_tdata,
  output logic               m_axis_tvalid,
  input  wire                m_axis_tready
);

  if (A_W < 1 || B_W < 1) begin : gen_bad_width
    $error("axis_join: A_W and B_W must be at least 1");
  end

  logic [A_W-1:0] a;
  logic [B_W-1:0] b;
  logic           a_vld, b_vld, taken;

  // The buffers' registers end the paths from one input to the other's ready, before the producers.
  axis_skid #(
    .DATA_W(A_W)
  ) u_a (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (a_axis_tdata),
    .s_axis_tvalid(a_axis_tvalid),
    .s_axis_tready(a_axis_tready),
    .m_axis_tdata (a),
    .m_axis_tvalid(a_vld),
    .m_axis_tready(taken)
  );

  axis_skid #(
    .DATA_W(B_W)
  ) u_b (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (b_axis_tdata),
    .s_axis_tvalid(b_axis_tvalid),
    .s_axis_tready(b_axis_tready),
    .m_axis_tdata (b),
    .m_axis_tvalid(b_vld),
    .m_axis_tready(taken)
  );

  assign m_axis_tdata  = {b, a};
  assign m_axis_tvalid = a_vld && b_vld;
  assign taken         = m_axis_tvalid && m_axis_tready;

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(A_W + B_W)) u_checker (.*);
`endif

endmodule

`default_nettype wire
