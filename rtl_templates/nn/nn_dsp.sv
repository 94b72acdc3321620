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
      // What each slice of the chain has added up.
      logic signed [P_W-1:0] so_far [TAPS];
      assign fields[c] = so_far[TAPS-1];

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
        (* use_dsp = "yes" *) logic signed [P_W-1:0] m_q, p_q;
        logic signed [P_W-1:0]  p_before, a_wide, b_wide;
        assign so_far[t] = p_q;
        assign a_wide    = {{(P_W-A_W){a_q[A_W-1]}}, a_q};
        assign b_wide    = {{(P_W-A_BITS-1){b_q[A_BITS]}}, b_q};

        for (genvar r = 0; r < int'(ROWS); r++) begin : gen_row
          assign weights[r*W_BITS +: W_BITS] = w[((FIRST + r)*SIMD + S)*W_BITS +: W_BITS];
          assign a[r*K +: W_BITS] = late_w[r*W_BITS +: W_BITS];
          if (r != int'(ROWS) - 1) begin : gen_sign
            assign a[r*K+W_BITS +: K-W_BITS] = {(K-W_BITS){late_w[r*W_BITS+W_BITS-1]}};
          end
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
          assign p_before = so_far[t-1];
        end

        always_ff @(posedge clk) begin
          a_q <= a;
          b_q <= {1'b0, late_x};
          m_q <= a_wide * b_wide;
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
        if (l == 0) begin : gen_fields
          // Without its half a field is a number in two's complement.
          for (genvar i = 0; i < int'(LEFT); i++) begin : gen_field
            assign sum[i] = WIDTH'({~fields[i][r*K + K-1], fields[i][r*K +: K-1]});
          end
        end else begin : gen_sums
          localparam int unsigned TAKEN   = (CHAINS + (1 << (l - 1)) - 1) >> (l - 1);
          localparam int unsigned TAKEN_W = (K + l - 1 < SUM_W) ? K + l - 1 : SUM_W;
          logic signed [WIDTH-1:0] taken [TAKEN];
          for (genvar i = 0; i < int'(TAKEN); i++) begin : gen_taken
            if (WIDTH > TAKEN_W) begin : gen_wider
              assign taken[i] = {gen_level[l-1].sum[i][TAKEN_W-1], gen_level[l-1].sum[i]};
            end else begin : gen_as_wide
              assign taken[i] = gen_level[l-1].sum[i];
            end
          end
          for (genvar i = 0; i < int'(LEFT); i++) begin : gen_sum
            if (2 * i + 1 < int'(TAKEN)) begin : gen_add
              always_ff @(posedge clk) sum[i] <= taken[2*i] + taken[2*i+1];
            end else begin : gen_pass
              always_ff @(posedge clk) sum[i] <= taken[2*i];
            end
          end
        end
      end
      localparam int unsigned TOTAL_W = (K + LEVELS < SUM_W) ? K + LEVELS : SUM_W;
      logic signed [TOTAL_W-1:0] total;
      assign total = gen_level[LEVELS].sum[0];
      assign sums[(FIRST + r)*SUM_W +: TOTAL_W] = total;
      if (TOTAL_W < SUM_W) begin : gen_sign
        assign sums[(FIRST + r)*SUM_W+TOTAL_W +: SUM_W-TOTAL_W]
          = {(SUM_W-TOTAL_W){total[TOTAL_W-1]}};
      end
    end
  end

endmodule

`default_nettype wire
