// nn_weigh - adds two numbers, each times a constant.
// y = START + A_GAIN*a + B_GAIN*b
// Stream: none; combinational.
// Needs:  y >= 0 for all a and b that occur, or a reader that takes y as two's complement; OUT_W
//         bits that hold y.
`default_nettype none

module nn_weigh #(
  parameter int unsigned A_W      = 4,
  parameter int unsigned B_W      = 4,
  parameter int unsigned OUT_W    = 5,
  parameter bit          A_SIGNED = 0,
  parameter bit          B_SIGNED = 0,
  parameter int          A_GAIN   = 1,
  parameter int          B_GAIN   = 1,
  parameter int          START    = 0
) (
  input  wire  [A_W-1:0]   a,
  input  wire  [B_W-1:0]   b,
  output logic [OUT_W-1:0] y
);

  if (A_W < 1 || B_W < 1 || OUT_W < A_W || OUT_W < B_W) begin : gen_bad_width
    $error("nn_weigh: A_W and B_W must be at least 1, and OUT_W at least both");
  end

  localparam int unsigned A_MORE = (OUT_W > A_W) ? OUT_W - A_W : 0;
  localparam int unsigned B_MORE = (OUT_W > B_W) ? OUT_W - B_W : 0;

  logic [OUT_W-1:0] wide_a, wide_b;

  if (A_MORE > 0) begin : gen_a
    assign wide_a = {{A_MORE{A_SIGNED && a[A_W-1]}}, a};
  end else begin : gen_bare_a
    assign wide_a = OUT_W'(a);
  end
  if (B_MORE > 0) begin : gen_b
    assign wide_b = {{B_MORE{B_SIGNED && b[B_W-1]}}, b};
  end else begin : gen_bare_b
    assign wide_b = OUT_W'(b);
  end

  localparam int unsigned A_SIZE = (A_GAIN < 0) ? -A_GAIN : A_GAIN;
  localparam int unsigned B_SIZE = (B_GAIN < 0) ? -B_GAIN : B_GAIN;
  localparam int unsigned S_SIZE = (START < 0) ? -START : START;

  logic [OUT_W-1:0] part_a, part_b;

  // The sums of a gain's digits: a multiplication would take a DSP slice.
  always_comb begin
    part_a = '0;
    part_b = '0;
    for (int i = 0; i < 32; i++) begin
      if (A_SIZE[i]) part_a = part_a + (wide_a << i);
      if (B_SIZE[i]) part_b = part_b + (wide_b << i);
    end
  end

  assign y = ((START < 0) ? -OUT_W'(S_SIZE) : OUT_W'(S_SIZE))
           + ((A_GAIN < 0) ? -part_a : part_a)
           + ((B_GAIN < 0) ? -part_b : part_b);

endmodule

`default_nettype wire
