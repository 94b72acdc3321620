// nn_heap - dot product of few-bit operands, its bits summed by counters written as tables.
// sum = OFFSET + sum_s w[s] * x[s]  (mod 2^SUM_W), OFFSET = SIMD * 2^(W_BITS-1) * (2^A_BITS-1);
//       with W_BITS == 1 the weights are 0 and 1 and OFFSET is 0.
// Stream: none; a pipeline that always runs, its result LATENCY cycles after its operands.
// Rate:   SIMD multiply-accumulates per cycle.
// Needs:  LATENCY > the levels of counters; for 2 x 2 bits $clog2(SIMD) + 2 is enough.
//
// Every bit of a weight and every bit of an activation give one partial product. The top bit of a
// weight counts negatively; -(w & x) == ~(w & x) - 1 makes it a positive bit and a constant, which
// is OFFSET. Three partial products have six inputs, so that level 0 makes each bit of their sum in
// one LUT6. The next levels reduce six bits of equal weight to a three-bit number (three LUT6)
// until no weight has more than two bits left, and one carry chain adds those. A register after
// each level keeps a synthesis tool from merging levels into something larger.
`default_nettype none

module nn_heap #(
  parameter int unsigned SIMD    = 9,
  parameter int unsigned W_BITS  = 2,
  parameter int unsigned A_BITS  = 2,
  parameter int unsigned SUM_W   = 8,
  parameter int unsigned LATENCY = 6
) (
  input  wire                    clk,
  input  wire  [SIMD*A_BITS-1:0] x,
  input  wire  [SIMD*W_BITS-1:0] w,
  output logic [SUM_W-1:0]       sum
);

  if (SIMD < 1 || W_BITS < 1 || A_BITS < 1 || SUM_W < 1) begin : gen_bad_size
    $error("nn_heap: SIMD, W_BITS, A_BITS and SUM_W must be at least 1");
  end

  // Columns of bits of equal weight, as far as the sum reaches.
  localparam int unsigned TOP    = SIMD * ((1 << W_BITS) - 1) * ((1 << A_BITS) - 1);
  localparam int unsigned TOP_W  = $clog2(TOP + 1);
  localparam int unsigned COLS   = (TOP_W < SUM_W) ? TOP_W : SUM_W;

  // A number per column, 16 bits each.
  typedef logic [COLS*16-1:0] per_col_t;

  // Counters by size, at one level: six bits, three bits, two bits.
  localparam int unsigned SIXES = 0;
  localparam int unsigned TRIPLES = 1;
  localparam int unsigned PAIRS = 2;
  localparam int unsigned NEXT = 3;

  function automatic int unsigned tallest(input per_col_t heights);
    tallest = 0;
    for (int c = 0; c < int'(COLS); c++) begin
      if (32'(heights[c*16 +: 16]) > tallest) tallest = 32'(heights[c*16 +: 16]);
    end
  endfunction

  // How a level reduces columns of these heights: the number of each kind of counter per column,
  // or the heights that it leaves.
  function automatic per_col_t plan(input per_col_t heights, input int unsigned what);
    int unsigned most, rest, sixes, triples, pairs, carries, carries2, carries2_q;
    most = tallest(heights);
    carries = 0;
    carries2 = 0;
    carries2_q = 0;
    plan = '0;
    for (int c = 0; c < int'(COLS); c++) begin
      sixes   = 32'(heights[c*16 +: 16]) / 6;
      rest    = 32'(heights[c*16 +: 16]) % 6;
      triples = 0;
      pairs   = 0;
      if (most > 3) begin
        if (rest == 5) begin
          sixes = sixes + 1;
          rest  = 0;
        end else if (rest >= 3 && most <= 6) begin
          triples = 1;
          rest    = rest - 3;
        end
      end else if (rest == 3) begin
        triples = 1;
        rest    = 0;
      end else if (rest == 2 && carries != 0) begin
        pairs = 1;
        rest  = 0;
      end
      case (what)
        SIXES:   plan[c*16 +: 16] = 16'(sixes);
        TRIPLES: plan[c*16 +: 16] = 16'(triples);
        PAIRS:   plan[c*16 +: 16] = 16'(pairs);
        default: plan[c*16 +: 16] = 16'(sixes + triples + pairs + rest + carries + carries2_q);
      endcase
      carries    = sixes + triples + pairs;
      carries2_q = carries2;
      carries2   = sixes;
    end
  endfunction

  function automatic int unsigned terms(input int unsigned c);
    terms = 0;
    for (int i = 0; i < int'(W_BITS); i++) begin
      for (int j = 0; j < int'(A_BITS); j++) if (32'(i + j) == c) terms = terms + SIMD;
    end
  endfunction

  // Level 0 takes the partial products three at a time, two left over count as three.
  function automatic int unsigned first_triples(input int unsigned c);
    first_triples = (terms(c) + 1) / 3;
  endfunction

  function automatic int unsigned first_singles(input int unsigned c);
    first_singles = (terms(c) % 3 == 1) ? 1 : 0;
  endfunction

  function automatic per_col_t first_heights();
    int unsigned carries;
    carries = 0;
    first_heights = '0;
    for (int c = 0; c < int'(COLS); c++) begin
      first_heights[c*16 +: 16] = 16'(first_triples(32'(c)) + first_singles(32'(c)) + carries);
      carries = first_triples(32'(c));
    end
  endfunction

  function automatic int unsigned count_levels();
    per_col_t heights;
    heights = first_heights();
    count_levels = 1;
    while (tallest(heights) > 2) begin
      heights = plan(heights, NEXT);
      count_levels = count_levels + 1;
    end
  endfunction

  function automatic per_col_t heights_at(input int unsigned level);
    heights_at = first_heights();
    for (int l = 1; l < int'(level); l++) heights_at = plan(heights_at, NEXT);
  endfunction

  // Counters of a column at a level, and the bits that pass them by.
  function automatic int unsigned counters_at(input int unsigned level, input int unsigned c);
    per_col_t heights;
    heights = heights_at(level);
    counters_at = (level == 0) ? first_triples(c)
                : 32'(16'(plan(heights, SIXES) >> (16*c))) + 32'(16'(plan(heights, TRIPLES) >> (16*c)))
                + 32'(16'(plan(heights, PAIRS) >> (16*c)));
  endfunction

  function automatic int unsigned passed_at(input int unsigned level, input int unsigned c);
    per_col_t heights;
    int unsigned bits, taken;
    heights = heights_at(level);
    bits    = 32'(heights[16*c +: 16]);
    taken   = 6 * 32'(16'(plan(heights, SIXES) >> (16*c)))
            + 3 * 32'(16'(plan(heights, TRIPLES) >> (16*c)))
            + 2 * 32'(16'(plan(heights, PAIRS) >> (16*c)));
    passed_at = (level == 0) ? first_singles(c) : (bits > taken) ? bits - taken : 0;
  endfunction

  localparam int unsigned LEVELS = count_levels();

  if (LATENCY < LEVELS + 1) begin : gen_bad_latency
    $error("nn_heap: LATENCY is less than the pipeline has registers");
  end

  // Bit k of the number of ones among six bits.
  localparam logic [63:0] ONES  = 64'h6996_9669_9669_6996;
  localparam logic [63:0] TWOS  = 64'h8117_177e_177e_7ee8;
  localparam logic [63:0] FOURS = 64'hfee8_e880_e880_8000;

  // Bits 0 and 1 of the number of ones among three products of two bits each.
  function automatic logic [127:0] product_table(input logic [2:0] inverted);
    logic [5:0] index;
    logic [1:0] count;
    for (int i = 0; i < 64; i++) begin
      index = 6'(i);
      count = {1'b0, inverted[0] ^ (&index[1:0])} + {1'b0, inverted[1] ^ (&index[3:2])}
            + {1'b0, inverted[2] ^ (&index[5:4])};
      product_table[i]      = count[0];
      product_table[64 + i] = count[1];
    end
  endfunction

  // Partial product t of a column: plane after plane. Its weight bit, and whether it is inverted.
  function automatic int unsigned term_bit(input int unsigned c, input int unsigned t);
    term_bit = t / SIMD + ((c >= A_BITS) ? c - A_BITS + 1 : 0);
  endfunction

  function automatic logic term_inverted(input int unsigned c, input int unsigned t);
    term_inverted = (t < terms(c)) && (W_BITS > 1) && (term_bit(c, t) == W_BITS - 1);
  endfunction

  // Level 0 makes the partial products and counts them; level l > 0 counts what level l-1 left.
  for (genvar l = 0; l <= int'(LEVELS); l++) begin : gen_level
    localparam per_col_t HEIGHTS = (l == 0) ? '0 : heights_at(l);
    localparam per_col_t SIX     = (l == 0) ? '0 : plan(HEIGHTS, SIXES);
    localparam per_col_t TRIPLE  = (l == 0) ? '0 : plan(HEIGHTS, TRIPLES);
    localparam per_col_t PAIR    = (l == 0) ? '0 : plan(HEIGHTS, PAIRS);

    for (genvar c = 0; c < int'(COLS); c++) begin : gen_col
      localparam int unsigned N6    = 32'(SIX[c*16 +: 16]);
      localparam int unsigned N3    = (l == 0) ? first_triples(c) : 32'(TRIPLE[c*16 +: 16]);
      localparam int unsigned N2    = 32'(PAIR[c*16 +: 16]);
      localparam int unsigned COUNT = N6 + N3 + N2;
      localparam int unsigned BITS  = (l == 0) ? terms(c) : 32'(HEIGHTS[c*16 +: 16]);
      localparam int unsigned PASS  = passed_at(l, c);

      // This level's bits, and what its counters make of them; zeros behind the last.
      logic [BITS+5:0]  bits;
      logic [COUNT:0]   ones, twos;
      logic [N6:0]      fours;
      logic [PASS:0]    pass;

      assign ones[COUNT] = 1'b0;
      assign twos[COUNT] = 1'b0;
      assign fours[N6]   = 1'b0;
      assign pass[PASS]  = 1'b0;

      logic unused;  // the padding, and what the last level or the last column has no use for
      assign unused = &{1'b0, bits, ones, twos, fours, pass};

      if (l == 0) begin : gen_products
        logic [2*BITS+5:0] factors;
        assign factors[2*BITS +: 6] = '0;
        assign bits                 = '0;
        logic unused_factors;
        assign unused_factors = &{1'b0, factors};
        for (genvar t = 0; t < int'(BITS); t++) begin : gen_term
          localparam int unsigned I = term_bit(c, t);
          localparam int unsigned S = t % SIMD;
          assign factors[2*t +: 2] = {w[S*W_BITS + I], x[S*A_BITS + c - I]};
        end
        for (genvar g = 0; g < int'(N3); g++) begin : gen_triple
          localparam logic [127:0] TABLE = product_table(
            {term_inverted(c, 3*g + 2), term_inverted(c, 3*g + 1), term_inverted(c, 3*g)});
          assign ones[g] = TABLE[{1'b0, factors[6*g +: 6]}];
          assign twos[g] = TABLE[{1'b1, factors[6*g +: 6]}];
        end
        if (PASS != 0) begin : gen_single
          assign pass[0] = term_inverted(c, BITS - 1) ^ (&factors[2*(BITS-1) +: 2]);
        end
      end else begin : gen_counters
        localparam int unsigned P1 = (c > 0) ? c - 1 : 0;
        localparam int unsigned P2 = (c > 1) ? c - 2 : 0;
        // Where the sources of this column's bits begin: counters, passed bits, carries.
        localparam int unsigned AT_PASS  = counters_at(l - 1, c);
        localparam int unsigned AT_TWOS  = AT_PASS + passed_at(l - 1, c);
        localparam int unsigned AT_FOURS = AT_TWOS
                                         + ((c > 0) ? counters_at(l - 1, P1) : 0);
        logic [BITS+5:0] made;
        assign made[BITS +: 6] = '0;
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
        end
        logic [BITS+5:0] bits_q;
        always_ff @(posedge clk) bits_q <= made;
        assign bits = bits_q;
        for (genvar g = 0; g < int'(N6); g++) begin : gen_six
          assign ones[g]  = ONES[bits[6*g +: 6]];
          assign twos[g]  = TWOS[bits[6*g +: 6]];
          assign fours[g] = FOURS[bits[6*g +: 6]];
        end
        if (N3 != 0) begin : gen_triple
          assign ones[N6] = ^bits[6*N6 +: 3];
          assign twos[N6] = (bits[6*N6] & bits[6*N6+1]) | (bits[6*N6+2] & (|bits[6*N6 +: 2]));
        end
        if (N2 != 0) begin : gen_pair
          assign ones[N6] = ^bits[6*N6 +: 2];
          assign twos[N6] = &bits[6*N6 +: 2];
        end
        for (genvar b = 0; b < int'(PASS); b++) begin : gen_pass
          assign pass[b] = bits[int'(BITS-PASS)+b];
        end
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

endmodule

`default_nettype wire
