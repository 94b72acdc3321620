// nn_join - puts the elements of two streams beside each other, all of the same width.
// y = a[0], a[1], ..., b[0], b[1], ...; with BY_TURNS a[0], b[0], a[1], b[1], ...
// Stream: one beat of A_ELEMS and one of B_ELEMS unsigned elements per beat of A_ELEMS + B_ELEMS
//         out, in order.
// Rate:   one beat per cycle while both inputs have one; latency one cycle. An input is two beats
//         ahead of the other at most: what runs further ahead needs a FIFO before it.
// Needs:  A_W <= OUT_W, B_W <= OUT_W; with BY_TURNS A_ELEMS == B_ELEMS; as many beats of a as of b.
`default_nettype none

module nn_join #(
  parameter int unsigned A_ELEMS  = 2,
  parameter int unsigned B_ELEMS  = 2,
  parameter int unsigned A_W      = 2,
  parameter int unsigned B_W      = 2,
  parameter int unsigned OUT_W    = 2,
  parameter bit          BY_TURNS = 0
) (
  input  wire                                clk,
  input  wire                                rst_n,

  input  wire  [A_ELEMS*A_W-1:0]             a_axis_tdata,
  input  wire                                a_axis_tvalid,
  output logic                               a_axis_tready,

  input  wire  [B_ELEMS*B_W-1:0]             b_axis_tdata,
  input  wire                                b_axis_tvalid,
  output logic                               b_axis_tready,

  output logic [(A_ELEMS+B_ELEMS)*OUT_W-1:0] m_axis_tdata,
  output logic                               m_axis_tvalid,
  input  wire                                m_axis_tready
);

  if (A_ELEMS < 1 || B_ELEMS < 1 || A_W < 1 || B_W < 1) begin : gen_bad_size
    $error("nn_join: A_ELEMS, B_ELEMS, A_W and B_W must be at least 1");
  end
  if (OUT_W < A_W || OUT_W < B_W) begin : gen_bad_out_w
    $error("nn_join: OUT_W must be at least A_W and B_W");
  end
  if (BY_TURNS && A_ELEMS != B_ELEMS) begin : gen_bad_turns
    $error("nn_join: with BY_TURNS, A_ELEMS must be B_ELEMS");
  end

  logic [A_ELEMS*A_W-1:0] a;
  logic [B_ELEMS*B_W-1:0] b;

  axis_join #(
    .A_W(A_ELEMS * A_W),
    .B_W(B_ELEMS * B_W)
  ) u_join (
    .clk          (clk),
    .rst_n        (rst_n),
    .a_axis_tdata (a_axis_tdata),
    .a_axis_tvalid(a_axis_tvalid),
    .a_axis_tready(a_axis_tready),
    .b_axis_tdata (b_axis_tdata),
    .b_axis_tvalid(b_axis_tvalid),
    .b_axis_tready(b_axis_tready),
    .m_axis_tdata ({b, a}),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

  for (genvar i = 0; i < int'(A_ELEMS); i++) begin : gen_a
    localparam int unsigned AT = BY_TURNS ? 2 * i : i;
    assign m_axis_tdata[AT*OUT_W +: OUT_W] = OUT_W'(a[i*A_W +: A_W]);
  end

  for (genvar i = 0; i < int'(B_ELEMS); i++) begin : gen_b
    localparam int unsigned AT = BY_TURNS ? 2 * i + 1 : int'(A_ELEMS) + i;
    assign m_axis_tdata[AT*OUT_W +: OUT_W] = OUT_W'(b[i*B_W +: B_W]);
  end

endmodule

`default_nettype wire
