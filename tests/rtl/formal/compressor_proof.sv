// compressor_proof - the tree of nn_compressor and the formula that simulations run in its place.
// Both are pipelines without feedback: if no operands make them differ LATENCY cycles later,
// whatever was in their registers before, nothing ever does.
`default_nettype none

module compressor_proof #(
  parameter int unsigned  SIMD    = 3,
  parameter int unsigned  W_BITS  = 2,
  parameter int unsigned  A_BITS  = 2,
  parameter bit           TERNARY = 0,
  parameter int unsigned  SUM_W   = 8,
  parameter int unsigned  LATENCY = 6,
  parameter logic [143:0] PLACES  = 144'(SIMD)
) (
  input wire                   clk,
  input wire [SIMD*A_BITS-1:0] x,
  input wire [SIMD*W_BITS-1:0] w
);

  logic [SUM_W-1:0] tree, formula;

  nn_compressor #(
    .SIMD(SIMD), .W_BITS(W_BITS), .A_BITS(A_BITS), .TERNARY(TERNARY), .SUM_W(SUM_W),
    .LATENCY(LATENCY), .PLACES(PLACES)
  ) tree_i (.clk(clk), .x(x), .w(w), .sum(tree));

  nn_compressor_formula #(
    .SIMD(SIMD), .W_BITS(W_BITS), .A_BITS(A_BITS), .TERNARY(TERNARY), .SUM_W(SUM_W),
    .LATENCY(LATENCY), .PLACES(PLACES)
  ) formula_i (.clk(clk), .x(x), .w(w), .sum(formula));

  logic [7:0] age_q;
  initial age_q = '0;
  always_ff @(posedge clk) if (32'(age_q) < LATENCY) age_q <= age_q + 1'b1;

  always_comb begin
    for (int s = 0; s < int'(SIMD); s++) begin
      if (TERNARY) assume (w[s*int'(W_BITS) +: W_BITS] != W_BITS'(2));
    end
    if (32'(age_q) == LATENCY) assert (tree == formula);
  end

endmodule

`default_nettype wire
