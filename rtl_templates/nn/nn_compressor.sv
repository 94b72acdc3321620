// nn_compressor - dot product of few-bit operands, its bits summed by a compressor tree.
// sum = sum_s (w[s] * x[s] + lift(w[s]))  (mod 2^SUM_W), where lift(w) makes a product positive:
//       W_BITS == 1 or TERNARY:  2^A_BITS - 1 for w < 0, else 0
//         (with PLACES, both times 2^place of the operand)
//       else:                    2^(W_BITS-1) * (2^A_BITS - 1)
// Stream: none; a pipeline that always runs, its result LATENCY cycles after its operands.
// Rate:   SIMD multiply-accumulates per cycle.
// Needs:  LATENCY > the levels of counters; for 2 x 2 bits $clog2(SIMD) + 3 is enough. Activations
//         are unsigned, weights two's complement; at one bit a one is +1 and a zero is -1.
//         TERNARY: W_BITS == 2, and no weight is -2. PLACES, 16 bits for each place, says how many
//         operands count once, how many after them twice, four times and so on: SIMD in all; other
//         than SIMD at place 0 only with TERNARY.
//
// -x is ~x - (2^A_BITS - 1): a weight that is only a sign inverts the bits of its activation, and
// what is taken off depends on the weights alone, so that the unit that holds them corrects for
// it. A product thus has A_BITS bits, each of the weight and one bit of the activation. Wider
// weights are multiplied bit by bit; their top bit counts negatively, and -(w & x) is ~(w & x) - 1.
//
// Three products of two bits have six inputs, so that level 0 makes each bit of their sum in one
// LUT6; a ternary product has three inputs, and level 0 only makes it. The next levels reduce six
// bits of equal weight to a three-bit number (three LUT6) until no weight has more than two bits
// left, and one carry chain adds those. A register after each level keeps a synthesis tool from
// merging levels into something larger.
`default_nettype none

module nn_compressor #(
  parameter int unsigned SIMD    = 9,
  parameter int unsigned W_BITS  = 2,
  parameter int unsigned A_BITS  = 2,
  parameter bit          TERNARY = 0,
  parameter int unsigned SUM_W   = 8,
  parameter int unsigned LATENCY = 6,
  parameter logic [143:0] PLACES = 144'(SIMD)
) (
  input  wire                    clk,
  input  wire  [SIMD*A_BITS-1:0] x,
  input  wire  [SIMD*W_BITS-1:0] w,
  output logic [SUM_W-1:0]       sum
);

  if (SIMD < 1 || W_BITS < 1 || A_BITS < 1 || SUM_W < 1) begin : gen_bad_size
    $error("nn_compressor: SIMD, W_BITS, A_BITS and SUM_W must be at least 1");
  end
  if (TERNARY && W_BITS != 2) begin : gen_bad_ternary
    $error("nn_compressor: TERNARY needs W_BITS == 2");
  end

  localparam int unsigned MOST_PLACES = 9;

  // Operands before place k, each counted as often as the place says if it is `weighed`.
  function automatic int unsigned before_place(input int unsigned k, input bit weighed);
    before_place = 0;
    for (int i = 0; i < int'(k); i++) begin
      before_place = before_place + (32'(PLACES[i*16 +: 16]) << (weighed ? i : 0));
    end
  endfunction

  if (before_place(MOST_PLACES, 0) != SIMD || (!TERNARY && PLACES != 144'(SIMD))) begin
    : gen_bad_places
    $error("nn_compressor: PLACES must hold SIMD operands, with a place above 0 only for TERNARY");
  end

  // Weights that are no more than a sign or nothing.
  localparam bit          SIGNS    = TERNARY || (W_BITS == 1);
  localparam int unsigned TOP_ACT  = (1 << A_BITS) - 1;

`ifdef NN_COMPRESSOR_FORMULA
  // The same numbers at the same time, much faster to simulate: for long runs of whole networks.
  localparam int unsigned LIFT = TOP_ACT << (W_BITS - 1);
  logic [SUM_W-1:0] sum_q [LATENCY];

  always_ff @(posedge clk) begin
    int total, act, weight, place;
    total = 0;
    for (int s = 0; s < int'(SIMD); s++) begin
      act    = int'(x[s*A_BITS +: A_BITS]);
      weight = int'(signed'(w[s*W_BITS +: W_BITS]));
      if (W_BITS == 1) weight = 2 * int'(w[s*W_BITS]) - 1;
      place = 0;
      for (int k = 1; k < int'(MOST_PLACES); k++) begin
        if (s >= int'(before_place(k, 0))) place = k;
      end
      total = total + ((weight * act) <<< place);
      if (!SIGNS) total = total + int'(LIFT);
      else if (weight < 0) total = total + int'(TOP_ACT << place);
    end
    sum_q[0] <= SUM_W'(total);
    for (int k = 1; k < int'(LATENCY); k++) sum_q[k] <= sum_q[k-1];
  end

  assign sum = sum_q[LATENCY-1];
`else
  // Columns of bits of equal weight, as far as the sum reaches.
  localparam int unsigned WEIGHT =
    SIGNS ? before_place(MOST_PLACES, 1) : SIMD * ((1 << W_BITS) - 1);
  localparam int unsigned TOP_W  = $clog2(WEIGHT * TOP_ACT + 1);
  // Bits of a weight that an activation is multiplied with one by one, or places of signs.
  localparam int unsigned PLANES = SIGNS ? MOST_PLACES : W_BITS;
  localparam int unsigned COLS   = (TOP_W < SUM_W) ? TOP_W : SUM_W;

  // A number per column, 16 bits each.
  typedef logic [COLS*16-1:0] per_col_t;

  // What one level does to a column: counters of six, three and two bits, all its counters, the
  // bits that pass them by, and the bits that the next level finds there.
  localparam int unsigned SIXES    = 0;
  localparam int unsigned TRIPLES  = 1;
  localparam int unsigned PAIRS    = 2;
  localparam int unsigned COUNTERS = 3;
  localparam int unsigned PASSED   = 4;
  localparam int unsigned NEXT     = 5;

  function automatic int unsigned tallest(input per_col_t heights);
    tallest = 0;
    for (int c = 0; c < int'(COLS); c++) begin
      if (32'(heights[c*16 +: 16]) > tallest) tallest = 32'(heights[c*16 +: 16]);
    end
  endfunction

  // Operands of a plane.
  function automatic int unsigned width_of(input int unsigned plane);
    width_of = SIGNS ? 32'(PLACES[plane*16 +: 16]) : SIMD;
  endfunction

  // Partial products per column.
  function automatic per_col_t terms();
    terms = '0;
    for (int i = 0; i < int'(PLANES); i++) begin
      for (int j = 0; j < int'(A_BITS); j++) begin
        if (i + j < int'(COLS)) begin
          terms[(i+j)*16 +: 16] = terms[(i+j)*16 +: 16] + 16'(width_of(i));
        end
      end
    end
  endfunction

  // Plane of a column's term, or its operand: plane after plane, a bit of the activation each.
  function automatic int unsigned term(
    input int unsigned column, input int unsigned index, input bit operand
  );
    int unsigned rest;
    bit          found;
    rest  = index;
    found = 1'b0;
    term  = 0;
    for (int i = 0; i < int'(PLANES); i++) begin
      if (!found && i <= int'(column) && int'(column) < i + int'(A_BITS)) begin
        if (rest < width_of(i)) begin
          found = 1'b1;
          term  = operand ? rest + (SIGNS ? before_place(i, 0) : 0) : i;
        end else begin
          rest = rest - width_of(i);
        end
      end
    end
  endfunction

  function automatic per_col_t plan(
    input int unsigned level, input per_col_t heights, input int unsigned what
  );
    int unsigned most, rest, sixes, triples, pairs, counters, sixes_1, sixes_2, counters_1;
    most       = tallest(heights);
    sixes_1    = 0;
    sixes_2    = 0;
    counters_1 = 0;
    plan       = '0;
    for (int c = 0; c < int'(COLS); c++) begin
      rest    = 32'(heights[c*16 +: 16]);
      sixes   = 0;
      triples = 0;
      pairs   = 0;
      if (level == 0 && TERNARY) begin
        // Products with a register each.
      end else if (level == 0) begin
        // Products, three to a counter; two left over count as three.
        triples = (rest + 1) / 3;
        rest    = (rest % 3 == 1) ? 1 : 0;
      end else if (most > 3) begin
        sixes = (rest + 1) / 6;
        rest  = (rest % 6 == 5) ? 0 : rest % 6;
        if (rest >= 3 && most <= 6) begin
          triples = 1;
          rest    = rest - 3;
        end
      end else if (rest == 3) begin
        triples = 1;
        rest    = 0;
      end else if (rest == 2 && counters_1 != 0) begin
        pairs = 1;
        rest  = 0;
      end
      counters = sixes + triples + pairs;
      case (what)
        SIXES:    plan[c*16 +: 16] = 16'(sixes);
        TRIPLES:  plan[c*16 +: 16] = 16'(triples);
        PAIRS:    plan[c*16 +: 16] = 16'(pairs);
        COUNTERS: plan[c*16 +: 16] = 16'(counters);
        PASSED:   plan[c*16 +: 16] = 16'(rest);
        default:  plan[c*16 +: 16] = 16'(counters + rest + counters_1 + sixes_2);
      endcase
      sixes_2    = sixes_1;
      sixes_1    = sixes;
      counters_1 = counters;
    end
  endfunction

  function automatic per_col_t heights_at(input int unsigned level);
    heights_at = terms();
    for (int l = 0; l < int'(level); l++) heights_at = plan(32'(l), heights_at, NEXT);
  endfunction

  function automatic int unsigned count_levels();
    per_col_t heights;
    heights      = plan(0, terms(), NEXT);
    count_levels = 1;
    while (tallest(heights) > 2) begin
      heights      = plan(count_levels, heights, NEXT);
      count_levels = count_levels + 1;
    end
  endfunction

  localparam int unsigned LEVELS = count_levels();

  if (LATENCY < LEVELS + 1) begin : gen_bad_latency
    $error("nn_compressor: LATENCY is less than the pipeline has registers");
  end

  // Bit k of the number of ones among six bits.
  localparam logic [63:0] ONES  = 64'h6996_9669_9669_6996;
  localparam logic [63:0] TWOS  = 64'h8117_177e_177e_7ee8;
  localparam logic [63:0] FOURS = 64'hfee8_e880_e880_8000;

  // Level 0 makes the partial products and counts them; level l > 0 counts what level l-1 left.
  for (genvar l = 0; l <= int'(LEVELS); l++) begin : gen_level
    localparam per_col_t HEIGHTS = heights_at(l);
    localparam per_col_t SIX     = plan(l, HEIGHTS, SIXES);
    localparam per_col_t TRIPLE  = plan(l, HEIGHTS, TRIPLES);
    localparam per_col_t PAIR    = plan(l, HEIGHTS, PAIRS);
    localparam per_col_t ALL     = plan(l, HEIGHTS, COUNTERS);
    localparam per_col_t REST    = plan(l, HEIGHTS, PASSED);
    localparam int unsigned PREV = (l == 0) ? 0 : l - 1;
    localparam per_col_t BEFORE  = plan(PREV, heights_at(PREV), COUNTERS);
    localparam per_col_t PASSING = plan(PREV, heights_at(PREV), PASSED);

    for (genvar c = 0; c < int'(COLS); c++) begin : gen_col
      localparam int unsigned BITS  = 32'(HEIGHTS[c*16 +: 16]);
      localparam int unsigned N6    = 32'(SIX[c*16 +: 16]);
      localparam int unsigned N3    = 32'(TRIPLE[c*16 +: 16]);
      localparam int unsigned N2    = 32'(PAIR[c*16 +: 16]);
      localparam int unsigned COUNT = 32'(ALL[c*16 +: 16]);
      localparam int unsigned PASS  = 32'(REST[c*16 +: 16]);

      // This level's bits, and what its counters make of them; zeros behind the last.
      logic [BITS+5:0] bits;
      logic [COUNT:0]  ones, twos;
      logic [N6:0]     fours;
      logic [PASS:0]   pass;

      assign bits[BITS +: 6] = '0;
      assign ones[COUNT]     = 1'b0;
      assign twos[COUNT]     = 1'b0;
      assign fours[N6]       = 1'b0;
      assign pass[PASS]      = 1'b0;

      logic unused;  // the padding, and what the last level or the last column has no use for
      assign unused = &{1'b0, bits, ones, twos, fours, pass};

      if (l == 0) begin : gen_products
        // Bit I of the weights, or place I, with bit c - I of the activations.
        for (genvar t = 0; t < int'(BITS); t++) begin : gen_term
          localparam int unsigned I = term(c, t, 0);
          localparam int unsigned S = term(c, t, 1);
          logic act;
          assign act = x[S*A_BITS + c - I];
          if (TERNARY) begin : gen_ternary
            assign bits[t] = w[2*S] & (act ^ w[2*S+1]);
          end else if (W_BITS == 1) begin : gen_sign
            assign bits[t] = act ~^ w[S];
          end else begin : gen_and
            assign bits[t] = (w[S*W_BITS + I] & act) ^ (I == W_BITS - 1);
          end
        end
      end else begin : gen_gather
        localparam int unsigned P1 = (c > 0) ? c - 1 : 0;
        localparam int unsigned P2 = (c > 1) ? c - 2 : 0;
        // Where the sources of this column's bits begin: counters, passed bits, carries.
        localparam int unsigned AT_PASS  = 32'(BEFORE[c*16 +: 16]);
        localparam int unsigned AT_TWOS  = AT_PASS + 32'(PASSING[c*16 +: 16]);
        localparam int unsigned AT_FOURS = AT_TWOS + ((c > 0) ? 32'(BEFORE[P1*16 +: 16]) : 0);
        logic [BITS:0] made, made_q;
        assign made[BITS] = 1'b0;
        for (genvar b = 0; b < int'(BITS); b++) begin : gen_bit
          if (b < int'(AT_PASS)) begin : gen_ones
            assign made[b] = gen_level[l-1].gen_col[c].ones[b];
          end else if (b < int'(AT_TWOS)) begin : gen_pass
            assign made[b] = gen_level[l-1].gen_col[c].pass[b-int'(AT_PASS)];
          end else if (b < int'(AT_FOURS)) begin : gen_twos
            assign made[b] = gen_level[l-1].gen_col[P1].twos[b-int'(AT_TWOS)];
          end else begin : gen_fours
            assign made[b] = gen_level[l-1].gen_col[P2].fours[b-int'(AT_FOURS)];
          end
          assign bits[b] = made_q[b];
        end
        always_ff @(posedge clk) made_q <= made;
        logic unused_end;
        assign unused_end = made_q[BITS];
      end

      for (genvar g = 0; g < int'(N6); g++) begin : gen_six
        assign ones[g]  = ONES[bits[6*g +: 6]];
        assign twos[g]  = TWOS[bits[6*g +: 6]];
        assign fours[g] = FOURS[bits[6*g +: 6]];
      end
      for (genvar g = 0; g < int'(N3); g++) begin : gen_triple
        logic [2:0] three;
        assign three       = bits[6*N6 + 3*g +: 3];
        assign ones[N6+g] = ^three;
        assign twos[N6+g] = (three[0] & three[1]) | (three[2] & (three[0] | three[1]));
      end
      for (genvar g = 0; g < int'(N2); g++) begin : gen_pair
        assign ones[N6+N3+g] = ^bits[6*N6 + 3*N3 + 2*g +: 2];
        assign twos[N6+N3+g] = &bits[6*N6 + 3*N3 + 2*g +: 2];
      end
      for (genvar b = 0; b < int'(PASS); b++) begin : gen_rest
        assign pass[b] = bits[BITS-PASS+b];
      end
    end
  end

  // At most two bits per column are left.
  logic [COLS-1:0]  row_a, row_b;
  logic [SUM_W-1:0] sum_q [LATENCY-LEVELS];

  for (genvar c = 0; c < int'(COLS); c++) begin : gen_row
    assign {row_b[c], row_a[c]} = gen_level[LEVELS].gen_col[c].bits[1:0];
  end

  always_ff @(posedge clk) begin
    sum_q[0] <= SUM_W'(row_a) + SUM_W'(row_b);
    for (int k = 1; k < int'(LATENCY - LEVELS); k++) sum_q[k] <= sum_q[k-1];
  end

  assign sum = sum_q[LATENCY-LEVELS-1];
`endif

endmodule

`default_nettype wire
