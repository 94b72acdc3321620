// nn_dot - PE dot products of one vector of activations with PE rows of weights.
// sum[p] = OFFSET + sum_s w[p][s] * x[s]  (mod 2^SUM_W),
//          OFFSET = SIMD * 2^(W_BITS-1) * (2^A_BITS-1), or 0 with W_BITS == 1
// Stream: none; a pipeline that always runs, its result LATENCY cycles after its operands.
// Rate:   PE*SIMD multiply-accumulates per cycle.
// Needs:  LATENCY as nn_heap needs it, one more with W_BITS == 1. Activations are unsigned,
//         weights two's complement; with W_BITS == 1 a one is +1 and a zero is -1.
`default_nettype none

module nn_dot #(
  parameter int unsigned PE      = 2,
  parameter int unsigned SIMD    = 4,
  parameter int unsigned W_BITS  = 2,
  parameter int unsigned A_BITS  = 2,
  parameter int unsigned SUM_W   = 8,
  parameter int unsigned LATENCY = 4
) (
  input  wire                       clk,
  input  wire  [SIMD*A_BITS-1:0]    x,
  input  wire  [PE*SIMD*W_BITS-1:0] w,
  output logic [PE*SUM_W-1:0]       sum
);

  if (PE < 1 || SIMD < 1 || W_BITS < 1 || A_BITS < 1 || SUM_W < 1) begin : gen_bad_size
    $error("nn_dot: PE, SIMD, W_BITS, A_BITS and SUM_W must be at least 1");
  end
  if (W_BITS > 1) begin : gen_signed
    for (genvar p = 0; p < int'(PE); p++) begin : gen_pe
      nn_heap #(
        .SIMD   (SIMD),
        .W_BITS (W_BITS),
        .A_BITS (A_BITS),
        .SUM_W  (SUM_W),
        .LATENCY(LATENCY)
      ) u_heap (
        .clk(clk),
        .x  (x),
        .w  (w[p*SIMD*W_BITS +: SIMD*W_BITS]),
        .sum(sum[p*SUM_W +: SUM_W])
      );
    end
  end else begin : gen_binary
    // +-1 is 2*w - 1: twice the sum over the ones, less the sum of all activations.
    logic [SUM_W-1:0]    total;
    logic [PE*SUM_W-1:0] sum_q;

    nn_heap #(
      .SIMD   (SIMD),
      .W_BITS (1),
      .A_BITS (A_BITS),
      .SUM_W  (SUM_W),
      .LATENCY(LATENCY - 1)
    ) u_total (
      .clk(clk),
      .x  (x),
      .w  ({SIMD{1'b1}}),
      .sum(total)
    );

    for (genvar p = 0; p < int'(PE); p++) begin : gen_pe
      logic [SUM_W-1:0] ones;
      nn_heap #(
        .SIMD   (SIMD),
        .W_BITS (1),
        .A_BITS (A_BITS),
        .SUM_W  (SUM_W),
        .LATENCY(LATENCY - 1)
      ) u_heap (
        .clk(clk),
        .x  (x),
        .w  (w[p*SIMD +: SIMD]),
        .sum(ones)
      );
      always_ff @(posedge clk) sum_q[p*SUM_W +: SUM_W] <= (ones << 1) - total;
    end

    assign sum = sum_q;
  end

endmodule

`default_nettype wire
