// nn_dsp - dot products of several rows with the same activations, in DSP48E1 slices.
// sums[p] = sum_s w[p][s] * x[s]  (mod 2^SUM_W)
// Stream: none; a pipeline that always runs, its result CHAIN + 2 + $clog2(ceil(SIMD/CHAIN)) cycles
//         after its operands.
// Rate:   PE * SIMD multiply-accumulates per cycle, in GROUPS * SIMD slices, with the GROUPS below.
// Needs:  activations unsigned. Of a group's rows the first's weights are two's complement; in the
//         others' a weight is one less where that of the row before, as coded, is negative.
//
// A multiplier is wide enough for the weights of MOST rows beside each other, K bits apart: their
// number, times one activation, holds the products of all (Fu et al., WP486, 2017; Sommer et al.,
// DSP-Packing, 2022). A row's weight, as coded, is what its field of that number holds: the sign of
// the rows below it is taken off beforehand. CHAIN slices add up, one cycle after the other; then
// fields are sums from -2^(K-1) to 2^(K-1) - 1, and since 2^(K-1) is added to each, none takes from
// the next. A tree sums the chains.
`default_nettype none

module nn_dsp #(
  parameter int unsigned PE      = 4,
  parameter int unsigned SIMD    = 9,
  parameter int unsigned W_BITS  = 4,
  parameter int unsigned A_BITS  = 4,
  parameter int unsigned SUM_W   = 12,
  parameter int unsigned CHAIN   = 4
) (
  input  wire                       clk,
  input  wire  [SIMD*A_BITS-1:0]    x,
  input  wire  [PE*SIMD*W_BITS-1:0] w,
  output logic [PE*SUM_W-1:0]       sums
);

  if (PE < 1 || SIMD < 1 || SUM_W < 1) begin : gen_bad_size
    $error("nn_dsp: PE, SIMD and SUM_W must be at least 1");
  end
  if (W_BITS < 2 || W_BITS > 9 || A_BITS < 1 || A_BITS > 8) begin : gen_bad_bits
    $error("nn_dsp: W_BITS must be 2 to 9 and A_BITS 1 to 8");
  end

  // The multiplier's wider port is signed and has 25 bits.
  localparam int unsigned K      = W_BITS + A_BITS + $clog2(CHAIN);
  localparam int unsigned MOST   = (25 - W_BITS) / K + 1;
  localparam int unsigned GROUPS = (PE + MOST - 1) / MOST;
  localparam int unsigned CHAINS = (SIMD + CHAIN - 1) / CHAIN;
  localparam int unsigned LEVELS = $clog2(CHAINS);

  for (genvar g = 0; g < int'(GROUPS); g++) begin : gen_group
    localparam int unsigned FIRST = g * PE / GROUPS;
    localparam int unsigned ROWS  = (g + 1) * PE / GROUPS - FIRST;
    localparam int unsigned A_W   = (ROWS - 1) * K + W_BITS;
    localparam int unsigned P_W   = ROWS * K;
    localparam logic [P_W-1:0] HALVES = {ROWS{1'b1, {(K-1){1'b0}}}};
    // Sums of the chains, a field for each row.
    logic [P_W-1:0] fields [CHAINS];

    for (genvar c = 0; c < int'(CHAINS); c++) begin : gen_chain
      localparam int unsigned TAPS = ((SIMD - c * CHAIN) < CHAIN) ? SIMD - c * CHAIN : CHAIN;
      assign fields[c] = gen_tap[TAPS-1].p_q;

      for (genvar t = 0; t < int'(TAPS); t++) begin : gen_tap
        // A slice takes its operands so many cycles late that all chains end together.
        localparam int unsigned LATE = CHAIN - TAPS + t;
        localparam int unsigned S    = c * CHAIN + t;
        logic [ROWS*W_BITS-1:0] weights, late_w;
        logic [A_BITS-1:0]      late_x;
        logic signed [A_W-1:0]  a;
        // The registers of a slice, named as there.
        logic signed [A_W-1:0]  a_q;
        logic signed [A_BITS:0] b_q;
        logic signed [P_W-1:0]  m_q, p_q, p_before;

        for (genvar r = 0; r < int'(ROWS); r++) begin : gen_row
          localparam int unsigned FIELD = (r == ROWS - 1) ? W_BITS : K;
          assign weights[r*W_BITS +: W_BITS] = w[((FIRST + r)*SIMD + S)*W_BITS +: W_BITS];
          assign a[r*K +: FIELD] = FIELD'(signed'(late_w[r*W_BITS +: W_BITS]));
        end

        if (LATE == 0) begin : gen_prompt
          assign late_w = weights;
          assign late_x = x[S*A_BITS +: A_BITS];
        end else begin : gen_late
          logic [ROWS*W_BITS-1:0] w_q [LATE];
          logic [A_BITS-1:0]      x_q [LATE];
          always_ff @(posedge clk) begin
            w_q[0] <= weights;
            x_q[0] <= x[S*A_BITS +: A_BITS];
            for (int k = 1; k < int'(LATE); k++) begin
              w_q[k] <= w_q[k-1];
              x_q[k] <= x_q[k-1];
            end
          end
          assign late_w = w_q[LATE-1];
          assign late_x = x_q[LATE-1];
        end

        if (t == 0) begin : gen_first
          assign p_before = HALVES;
        end else begin : gen_next
          assign p_before = gen_tap[t-1].p_q;
        end

        always_ff @(posedge clk) begin
          a_q <= a;
          b_q <= signed'({1'b0, late_x});
          m_q <= P_W'(a_q) * P_W'(b_q);
          p_q <= m_q + p_before;
        end
      end
    end

    for (genvar r = 0; r < int'(ROWS); r++) begin : gen_tree
      for (genvar l = 0; l <= int'(LEVELS); l++) begin : gen_level
        // Sums that are left, two of the level before in each.
        localparam int unsigned LEFT  = (CHAINS + (1 << l) - 1) >> l;
        localparam int unsigned WIDTH = (K + l < SUM_W) ? K + l : SUM_W;
        logic signed [WIDTH-1:0] sum [LEFT];
        for (genvar i = 0; i < int'(LEFT); i++) begin : gen_sum
          if (l == 0) begin : gen_field
            // Without its half a field is a number in two's complement.
            assign sum[i] = WIDTH'({~fields[i][r*K + K-1], fields[i][r*K +: K-1]});
          end else if (2 * i + 1 < ((CHAINS + (1 << (l - 1)) - 1) >> (l - 1))) begin : gen_add
            always_ff @(posedge clk) begin
              sum[i] <= WIDTH'(gen_level[l-1].sum[2*i]) + WIDTH'(gen_level[l-1].sum[2*i+1]);
            end
          end else begin : gen_pass
            always_ff @(posedge clk) sum[i] <= WIDTH'(gen_level[l-1].sum[2*i]);
          end
        end
      end
      assign sums[(FIRST + r)*SUM_W +: SUM_W] = SUM_W'(gen_level[LEVELS].sum[0]);
    end
  end

endmodule

`default_nettype wire
