// nn_dot - PE dot products of one vector of activations with PE rows of weights.
// sum[p] = sum_s w[p][s] * x[s]  (mod 2^SUM_W)
// Stream: none; a pipeline that always runs, its result LATENCY cycles after its operands.
// Rate:   PE*SIMD multiply-accumulates per cycle.
// Needs:  LATENCY as computed here (the caller aligns its control with it). Activations are
//         unsigned, weights two's complement; with W_BITS == 1 a one is +1 and a zero is -1.
`default_nettype none

module nn_dot #(
  parameter int unsigned PE      = 2,
  parameter int unsigned SIMD    = 4,
  parameter int unsigned W_BITS  = 2,
  parameter int unsigned A_BITS  = 2,
  parameter int unsigned SUM_W   = 8,
  parameter int unsigned LATENCY = 2
) (
  input  wire                       clk,
  input  wire  [SIMD*A_BITS-1:0]    x,
  input  wire  [PE*SIMD*W_BITS-1:0] w,
  output logic [PE*SUM_W-1:0]       sum
);

  localparam int unsigned LEVELS = (SIMD > 1) ? $clog2(SIMD) : 1;

  if (PE < 1 || SIMD < 1 || W_BITS < 1 || A_BITS < 1 || SUM_W < 1) begin : gen_bad_size
    $error("nn_dot: PE, SIMD, W_BITS, A_BITS and SUM_W must be at least 1");
  end
  if (LATENCY != 1 + (LEVELS + 1) / 2) begin : gen_bad_latency
    $error("nn_dot: LATENCY must be 1 + ceil(max(1, log2(SIMD)) / 2)");
  end

  localparam int unsigned PROD_W = W_BITS + A_BITS + 1;

  for (genvar p = 0; p < int'(PE); p++) begin : gen_pe
    for (genvar l = 0; l <= int'(LEVELS); l++) begin : gen_level
      localparam int unsigned COUNT = (SIMD + (1 << l) - 1) >> l;
      localparam int unsigned NODE_W = PROD_W + l;
      logic signed [NODE_W-1:0] node [COUNT];
      for (genvar i = 0; i < int'(COUNT); i++) begin : gen_node
        logic signed [NODE_W-1:0] value;
        if (l == 0) begin : gen_product
          logic signed [A_BITS:0] act;
          assign act = signed'({1'b0, x[i*A_BITS +: A_BITS]});
          if (W_BITS == 1) begin : gen_binary
            assign value = w[p*SIMD+i] ? NODE_W'(act) : -NODE_W'(act);
          end else begin : gen_signed
            logic signed [W_BITS-1:0] weight;
            assign weight = signed'(w[(p*SIMD+i)*W_BITS +: W_BITS]);
            assign value  = NODE_W'(weight) * NODE_W'(act);
          end
        end else if (2 * i + 1 < (int'(SIMD) + (1 << (l-1)) - 1) >> (l-1)) begin : gen_add
          assign value = NODE_W'(gen_level[l-1].node[2*i]) + NODE_W'(gen_level[l-1].node[2*i+1]);
        end else begin : gen_pass
          assign value = NODE_W'(gen_level[l-1].node[2*i]);
        end
        if (l % 2 == 0 || l == int'(LEVELS)) begin : gen_reg
          logic signed [NODE_W-1:0] node_q;
          always_ff @(posedge clk) node_q <= value;
          assign node[i] = node_q;
        end else begin : gen_wire
          assign node[i] = value;
        end
      end
    end
    assign sum[p*SUM_W +: SUM_W] = SUM_W'(gen_level[LEVELS].node[0]);
  end

endmodule

`default_nettype wire
