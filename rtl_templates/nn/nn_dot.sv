// nn_dot - PE dot products of one vector of activations with PE rows of weights.
// sum[p] = OFFSET + sum_s w[p][s] * x[s]  (mod 2^SUM_W)
// Stream: none; a pipeline that always runs, its result LATENCY cycles after its operands.
// Rate:   PE*SIMD multiply-accumulates per cycle.
// Needs:  LATENCY >= the registers on the way. Activations are unsigned, weights two's complement;
//         with W_BITS == 1 a one is +1 and a zero is -1.
//
// COUNTERS == 1 sums bits (nn_heap, for few-bit operands; OFFSET == SIMD * 2^(W_BITS-1) *
// (2^A_BITS-1), or 0 with W_BITS == 1); COUNTERS == 0 multiplies and adds (OFFSET == 0).
`default_nettype none

module nn_dot #(
  parameter int unsigned PE       = 2,
  parameter int unsigned SIMD     = 4,
  parameter int unsigned W_BITS   = 2,
  parameter int unsigned A_BITS   = 2,
  parameter int unsigned SUM_W    = 8,
  parameter int unsigned COUNTERS = 1,
  parameter int unsigned LATENCY  = 4
) (
  input  wire                       clk,
  input  wire  [SIMD*A_BITS-1:0]    x,
  input  wire  [PE*SIMD*W_BITS-1:0] w,
  output logic [PE*SUM_W-1:0]       sum
);

  if (PE < 1 || SIMD < 1 || W_BITS < 1 || A_BITS < 1 || SUM_W < 1) begin : gen_bad_size
    $error("nn_dot: PE, SIMD, W_BITS, A_BITS and SUM_W must be at least 1");
  end
  if (COUNTERS > 1) begin : gen_bad_counters
    $error("nn_dot: COUNTERS must be 0 or 1");
  end

  if (COUNTERS != 0 && W_BITS > 1) begin : gen_heap
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
  end else if (COUNTERS != 0) begin : gen_binary_heap
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
  end else begin : gen_tree
    localparam int unsigned LEVELS = (SIMD > 1) ? $clog2(SIMD) : 0;
    localparam int unsigned STAGES = 1 + (LEVELS + 1) / 2;
    localparam int unsigned PROD_W = W_BITS + A_BITS + 1;

    if (LATENCY < STAGES) begin : gen_bad_latency
      $error("nn_dot: LATENCY must be at least 1 + ceil(ceil(log2(SIMD)) / 2)");
    end

    for (genvar p = 0; p < int'(PE); p++) begin : gen_pe
      // gen_level[l].node: the sums of 2^l neighbouring products, in a register at even levels.
      for (genvar l = 0; l <= int'(LEVELS); l++) begin : gen_level
        localparam int unsigned COUNT  = (SIMD + (1 << l) - 1) >> l;
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
            assign value = NODE_W'(gen_level[l-1].node[2*i])
                         + NODE_W'(gen_level[l-1].node[2*i+1]);
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

      // Wait for the caller's latency.
      logic [SUM_W-1:0] wait_q [LATENCY-STAGES+1];
      assign wait_q[0] = SUM_W'(gen_level[LEVELS].node[0]);
      for (genvar k = 1; k <= int'(LATENCY - STAGES); k++) begin : gen_wait
        always_ff @(posedge clk) wait_q[k] <= wait_q[k-1];
      end
      assign sum[p*SUM_W +: SUM_W] = wait_q[LATENCY-STAGES];
    end
  end

endmodule

`default_nettype wire
