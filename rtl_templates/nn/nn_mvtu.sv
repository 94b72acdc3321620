// nn_mvtu - matrix-vector product, then threshold count.
// y[r] = sum_t( T[r][t] <= acc[r] ),
//        acc[r] = start[r] + sum_c( W[r][c]*x[g*COLS + c] + lift(W[r][c]) ), g = r/(ROWS/GROUPS)
//        with nn_compressor's lift, which start and thresholds make up for, or none with nn_dsp
// Stream: GROUPS*COLS/IN_ELEMS beats of unsigned activations in per vector, or with AGAIN for every
//         PE rows the groups that these see, SIMD elements of each a beat; ROWS/PE beats of PE
//         elements out, in row order. THRESHOLDS == 0: the accumulators themselves, sign-extended
//         to OUT_W.
// Rate:   one vector per (COLS/SIMD)*(ROWS/PE) cycles.
// Needs:  ROWS % PE == 0, COLS % IN_ELEMS == 0, IN_ELEMS % SIMD == 0, with AGAIN IN_ELEMS == SIMD;
//         where GROUPS > 1, PE a multiple or a divisor of the rows of a group, COLS % SIMD == 0 and
//         IN_ELEMS == GROUPS*COLS, or with AGAIN SIMD for each group that PE rows see;
//         with thresholds, every acc[r] in 0..2^ACC_W-1 at the end of its vector, whatever it is on
//         the way.
//
// Memory images (mem_rom, element 0 in the least significant bits of a word):
//   WEIGHT_FILE     word ((beat*RF + group)*SF + sub): element p*SIMD + s is the weight of row
//                   group*PE + p, column beat*IN_ELEMS + sub*SIMD + s, coded as nn_compressor says,
//                   or nn_dsp where CHAIN is not 0.
//   THRESHOLD_FILE  as nn_threshold says.
//   START_FILE      as nn_accumulate says; "" means START for all rows.
// MEMORY: of the weights, 1 for logic, 2 for block RAM.
`default_nettype none

module nn_mvtu #(
  parameter int unsigned ROWS           = 8,
  parameter int unsigned COLS           = 16,
  parameter int unsigned PE             = 2,
  parameter int unsigned SIMD           = 4,
  parameter int unsigned IN_ELEMS       = 8,
  parameter bit          AGAIN          = 0,
  parameter int unsigned W_BITS         = 2,
  parameter int unsigned A_BITS         = 2,
  parameter bit          TERNARY        = 0,
  parameter int unsigned CHAIN          = 0,
  parameter int unsigned ACC_W          = 8,
  parameter int unsigned THRESHOLDS     = 3,
  parameter int unsigned OUT_W          = 2,
  parameter              WEIGHT_FILE    = "",
  parameter              THRESHOLD_FILE = "",
  parameter int          START          = 0,
  parameter              START_FILE     = "",
  parameter int unsigned MEMORY         = 1,
  parameter int unsigned GROUPS         = 1
) (
  input  wire                        clk,
  input  wire                        rst_n,

  input  wire  [IN_ELEMS*A_BITS-1:0] s_axis_tdata,
  input  wire                        s_axis_tvalid,
  output logic                       s_axis_tready,

  output logic [PE*OUT_W-1:0]        m_axis_tdata,
  output logic                       m_axis_tvalid,
  input  wire                        m_axis_tready
);

  // Rows of a group; groups that are worked on at once, in lanes with operands of their own; the
  // rows of each at once; row groups that take the same groups one after the other.
  localparam int unsigned FILTERS = (GROUPS > 0) ? ROWS / GROUPS : 1;
  localparam int unsigned LANES   = (PE > FILTERS) ? PE / FILTERS : 1;
  localparam int unsigned EACH    = PE / LANES;
  localparam int unsigned TURNS   = FILTERS / EACH;

  if (PE < 1 || ROWS < 1 || ROWS % PE != 0) begin : gen_bad_pe
    $error("nn_mvtu: PE must divide ROWS");
  end
  if (GROUPS < 1 || ROWS % GROUPS != 0 || (PE % FILTERS != 0 && FILTERS % PE != 0)) begin
    : gen_bad_groups
    $error("nn_mvtu: GROUPS must divide ROWS, and PE be a multiple or a divisor of ROWS/GROUPS");
  end
  if (IN_ELEMS < 1 || COLS < 1 || (GROUPS == 1 ? COLS % IN_ELEMS != 0
                                 : !AGAIN && IN_ELEMS != GROUPS * COLS)) begin : gen_bad_in_elems
    $error("nn_mvtu: IN_ELEMS must divide COLS, or be GROUPS*COLS");
  end
  if (SIMD < 1 || IN_ELEMS % SIMD != 0 || COLS % SIMD != 0) begin : gen_bad_simd
    $error("nn_mvtu: SIMD must divide IN_ELEMS and COLS");
  end
  if (AGAIN && IN_ELEMS != LANES * SIMD) begin : gen_bad_again
    $error("nn_mvtu: with AGAIN, IN_ELEMS must be SIMD, for each group that is worked on at once");
  end
  if (W_BITS < 1 || A_BITS < 1 || ACC_W < 1) begin : gen_bad_width
    $error("nn_mvtu: W_BITS, A_BITS and ACC_W must be at least 1");
  end
  if (THRESHOLDS == 0 && OUT_W < ACC_W) begin : gen_bad_out_w
    $error("nn_mvtu: without thresholds OUT_W must be at least ACC_W");
  end
  if (THRESHOLDS != 0 && (THRESHOLDS >> OUT_W) != 0) begin : gen_bad_count_w
    $error("nn_mvtu: OUT_W is too small for THRESHOLDS");
  end

  localparam bit          WHOLE  = AGAIN || GROUPS > 1;
  localparam int unsigned RF     = ROWS / PE;
  localparam int unsigned SF     = (WHOLE ? COLS : IN_ELEMS) / SIMD;
  localparam int unsigned BEATS  = WHOLE ? 1 : COLS / IN_ELEMS;
  localparam int unsigned DEPTH  = BEATS * RF * SF;
  // Operands in a beat: with AGAIN of one step, else all; those of a group.
  localparam int unsigned CHUNKS = IN_ELEMS / (LANES * SIMD);
  localparam int unsigned PIECES = AGAIN ? 1 : SF;

  localparam int unsigned ADDR_W  = (DEPTH > 1) ? $clog2(DEPTH) : 1;
  localparam int unsigned SUB_W   = (SF > 1) ? $clog2(SF) : 1;
  localparam int unsigned CHUNK_W = (CHUNKS > 1) ? $clog2(CHUNKS) : 1;
  localparam int unsigned GRP_W   = (RF > 1) ? $clog2(RF) : 1;
  localparam int unsigned BEAT_W  = (BEATS > 1) ? $clog2(BEATS) : 1;

  // LUTs that a register drives. LUTs of a row that a bit of an activation goes to, rows that share
  // the activation's register, registers for all rows.
  localparam int unsigned DRIVEN = 24;
  localparam int unsigned USES   = TERNARY ? 1 : 2 * W_BITS;
  localparam int unsigned SHARED = (USES < DRIVEN) ? DRIVEN / USES : 1;
  localparam int unsigned COPIES = (CHAIN == 0) ? (EACH + SHARED - 1) / SHARED : 1;

  // Levels of counters in the dot product, or a few more than it has (it complains about less).
  localparam int unsigned MIN_BITS = (W_BITS < A_BITS) ? W_BITS : A_BITS;
  localparam int unsigned MAX_BITS = (W_BITS < A_BITS) ? A_BITS : W_BITS;
  localparam int unsigned LEVELS   = $clog2(SIMD) + $clog2(MIN_BITS) + ((MAX_BITS > 2) ? 2 : 1);
  localparam int unsigned SLICES   = (CHAIN == 0) ? 1 : CHAIN;
  localparam int unsigned LATENCY  =
      (CHAIN == 0) ? LEVELS + 1 : CHAIN + 2 + $clog2((SIMD + SLICES - 1) / SLICES);

  // A block RAM needs no register after its own, though the rest needs the time of one if the dot
  // product is very short; many words in logic take another one.
  localparam int unsigned OUT_REG  =
      (MEMORY == 2 && LATENCY > 2) ? 0 : (MEMORY == 1 && DEPTH > 256) ? 2 : 1;
  localparam int unsigned PREV     = (OUT_REG > 0) ? OUT_REG - 1 : 0;

  // Cycles from the issue of a step until it is announced to the accumulators, which is three
  // cycles before its sums.
  localparam int unsigned AT_STEP  = 1 + OUT_REG + LATENCY - 3;

  // ---------------------------------------------------------------- schedule
  // A beat stays at the input for all its steps and is taken with the last; with AGAIN, a step is a
  // beat of its own.
  logic [ADDR_W-1:0] addr_q;
  logic [SUB_W-1:0]  sub_q;
  logic [GRP_W-1:0]  grp_q;
  logic [BEAT_W-1:0] beat_q;
  // Whether each counter is at its end, the step the last one of its beat or of a row group's sum,
  // and whether the output takes another result: straight from a register each, since all the rest
  // waits for them, before this unit, too.
  logic              addr_last_q, sub_last_q, grp_last_q, beat_last_q, step_last_q, emits_q, room;
  logic [SUB_W-1:0]  sub_d;
  logic              sub_last_d, grp_last_d, beat_last_d;
  logic              issue, sub_ends, grp_ends;

  assign issue    = s_axis_tvalid && (!emits_q || room);
  assign sub_ends = issue && sub_last_q;
  assign grp_ends = issue && step_last_q;

  assign s_axis_tready = AGAIN ? issue : grp_ends;

  assign sub_d       = !issue    ? sub_q       : sub_last_q  ? '0 : sub_q + 1'b1;
  assign sub_last_d  = !issue    ? sub_last_q  : sub_last_q  ? SF == 1 : 32'(sub_q) == SF - 2;
  assign grp_last_d  = !sub_ends ? grp_last_q  : grp_last_q  ? RF == 1 : 32'(grp_q) == RF - 2;
  assign beat_last_d = !grp_ends ? beat_last_q : beat_last_q ? BEATS == 1
                                               : 32'(beat_q) == BEATS - 2;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      addr_q      <= '0;
      sub_q       <= '0;
      grp_q       <= '0;
      beat_q      <= '0;
      addr_last_q <= DEPTH == 1;
      sub_last_q  <= SF == 1;
      grp_last_q  <= RF == 1;
      beat_last_q <= BEATS == 1;
      step_last_q <= SF == 1 && RF == 1;
      emits_q     <= SF == 1 && BEATS == 1;
    end else begin
      if (issue) begin
        addr_q      <= addr_last_q ? '0 : addr_q + 1'b1;
        addr_last_q <= addr_last_q ? DEPTH == 1 : 32'(addr_q) == DEPTH - 2;
      end
      sub_q <= sub_d;
      if (sub_ends) grp_q <= grp_last_q ? '0 : grp_q + 1'b1;
      if (grp_ends) beat_q <= beat_last_q ? '0 : beat_q + 1'b1;
      sub_last_q  <= sub_last_d;
      grp_last_q  <= grp_last_d;
      beat_last_q <= beat_last_d;
      step_last_q <= sub_last_d && grp_last_d;
      emits_q     <= sub_last_d && beat_last_d;
    end
  end

  // What the accumulators have to know of a step; [k] is k cycles after issue.
  logic [AT_STEP:1] run_q, emit_q, first_q, fresh_q;
  logic [GRP_W-1:0] tag_q [1:AT_STEP];

  always_ff @(posedge clk) begin
    first_q  <= AT_STEP'({first_q, sub_q == '0});
    fresh_q  <= AT_STEP'({fresh_q, beat_q == '0});
    tag_q[1] <= grp_q;
    for (int k = 2; k <= int'(AT_STEP); k++) tag_q[k] <= tag_q[k-1];
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      run_q  <= '0;
      emit_q <= '0;
    end else begin
      run_q  <= AT_STEP'({run_q, issue});
      emit_q <= AT_STEP'({emit_q, issue && emits_q});
    end
  end

  // ---------------------------------------------------------------- operands and dot products
  localparam int unsigned LANE_W = SIMD * A_BITS;
  logic [LANES*LANE_W-1:0]    x_sub, x_q [OUT_REG+1], x_copy [COPIES];
  logic [PE*SIMD*W_BITS-1:0]  weights;
  logic [PE*ACC_W-1:0]        sums;
  logic [IN_ELEMS*A_BITS-1:0] chunks;
  logic [CHUNK_W-1:0]         chunk_d;

  // A chunk has a piece of every lane's group.
  for (genvar c = 0; c < int'(CHUNKS); c++) begin : gen_chunk
    for (genvar l = 0; l < int'(LANES); l++) begin : gen_lane
      localparam int unsigned AT = (c / PIECES * LANES + l) * PIECES + c % PIECES;
      assign chunks[(c*LANES+l)*LANE_W +: LANE_W] = s_axis_tdata[AT*LANE_W +: LANE_W];
    end
  end

  if (CHUNKS == PIECES) begin : gen_same
    assign chunk_d = sub_d[CHUNK_W-1:0];
  end else begin : gen_by_group
    // Every row group of some groups goes over their chunks, then come the next ones.
    localparam int unsigned TURN_W = (TURNS > 1) ? $clog2(TURNS) : 1;
    logic [CHUNK_W-1:0] chunk_q;
    logic [TURN_W-1:0]  turn_q;
    logic               turns_end;
    assign turns_end = 32'(turn_q) == TURNS - 1;
    assign chunk_d   = !issue ? chunk_q : grp_ends ? '0 : (sub_last_q && !turns_end)
                     ? chunk_q - CHUNK_W'(SF - 1) : chunk_q + 1'b1;
    always_ff @(posedge clk) begin
      if (!rst_n) begin
        chunk_q <= '0;
        turn_q  <= '0;
      end else begin
        chunk_q <= chunk_d;
        if (sub_ends) turn_q <= turns_end ? '0 : turn_q + 1'b1;
      end
    end
  end

  nn_choose #(
    .WORD_W(LANES * LANE_W),
    .WORDS (CHUNKS)
  ) u_chunk (
    .clk  (clk),
    .rst_n(rst_n),
    .next (chunk_d),
    .x    (chunks),
    .y    (x_sub)
  );

  always_ff @(posedge clk) begin
    x_q[0] <= x_sub;
    for (int k = 1; k <= int'(OUT_REG); k++) x_q[k] <= x_q[k-1];
  end

  if (COPIES > 1) begin : gen_copies
    for (genvar c = 0; c < int'(COPIES); c++) begin : gen_copy
      (* keep = "true" *) logic [LANES*LANE_W-1:0] copy_q;
      always_ff @(posedge clk) copy_q <= (OUT_REG == 0) ? x_sub : x_q[PREV];
      assign x_copy[c] = copy_q;
    end
  end else begin : gen_only
    assign x_copy[0] = x_q[OUT_REG];
  end

  mem_rom #(
    .WIDTH    (PE * SIMD * W_BITS),
    .DEPTH    (DEPTH),
    .INIT_FILE(WEIGHT_FILE),
    .STYLE    (MEMORY),
    .OUT_REG  (OUT_REG)
  ) u_weights (
    .clk (clk),
    .addr(addr_q),
    .dout(weights)
  );

  if (CHAIN != 0) begin : gen_dsp
    for (genvar l = 0; l < int'(LANES); l++) begin : gen_lane
      nn_dsp #(
        .PE    (EACH),
        .SIMD  (SIMD),
        .W_BITS(W_BITS),
        .A_BITS(A_BITS),
        .SUM_W (ACC_W),
        .CHAIN (CHAIN)
      ) u_dsp (
        .clk (clk),
        .x   (x_copy[0][l*LANE_W +: LANE_W]),
        .w   (weights[l*EACH*SIMD*W_BITS +: EACH*SIMD*W_BITS]),
        .sums(sums[l*EACH*ACC_W +: EACH*ACC_W])
      );
    end
  end else begin : gen_lut
    for (genvar p = 0; p < int'(PE); p++) begin : gen_dot
      nn_compressor #(
        .SIMD   (SIMD),
        .W_BITS (W_BITS),
        .A_BITS (A_BITS),
        .TERNARY(TERNARY),
        .SUM_W  (ACC_W),
        .LATENCY(LATENCY)
      ) u_compressor (
        .clk(clk),
        .x  (x_copy[p%int'(EACH)/int'(SHARED)][p/int'(EACH)*LANE_W +: LANE_W]),
        .w  (weights[p*SIMD*W_BITS +: SIMD*W_BITS]),
        .sum(sums[p*ACC_W +: ACC_W])
      );
    end
  end

  // ---------------------------------------------------------------- accumulators
  logic [PE*ACC_W-1:0] acc;
  logic [GRP_W-1:0]    acc_group;
  logic                acc_valid;

  nn_accumulate #(
    .PE        (PE),
    .GROUPS    (RF),
    .STEPS     (SF),
    .BEATS     (BEATS),
    .ACC_W     (ACC_W),
    .START     (START),
    .START_FILE(START_FILE)
  ) u_accumulate (
    .clk       (clk),
    .rst_n     (rst_n),
    .step_valid(run_q[AT_STEP]),
    .step_group(tag_q[AT_STEP]),
    .step_first(first_q[AT_STEP]),
    .step_fresh(fresh_q[AT_STEP]),
    .step_last (emit_q[AT_STEP]),
    .sums      (sums),
    .acc       (acc),
    .acc_group (acc_group),
    .acc_valid (acc_valid)
  );

  // ---------------------------------------------------------------- thresholds
  logic [PE*OUT_W-1:0] result;
  logic                result_vld;

  if (THRESHOLDS != 0) begin : gen_thresholds
    // A row group's last step comes SF cycles after that of the one before; a vector's only one
    // comes a vector later.
    nn_threshold #(
      .PE        (PE),
      .GROUPS    (RF),
      .ACC_W     (ACC_W),
      .THRESHOLDS(THRESHOLDS),
      .OUT_W     (OUT_W),
      .SPACING   ((RF == 1) ? DEPTH : SF),
      .INIT_FILE (THRESHOLD_FILE)
    ) u_threshold (
      .clk      (clk),
      .rst_n    (rst_n),
      .acc      (acc),
      .group    (acc_group),
      .acc_valid(acc_valid),
      .out      (result),
      .out_valid(result_vld)
    );
  end else begin : gen_raw
    for (genvar p = 0; p < int'(PE); p++) begin : gen_extend
      assign result[p*OUT_W +: ACC_W] = acc[p*ACC_W +: ACC_W];
      if (OUT_W > ACC_W) begin : gen_sign
        assign result[p*OUT_W+ACC_W +: OUT_W-ACC_W] = {(OUT_W-ACC_W){acc[p*ACC_W+ACC_W-1]}};
      end
    end
    assign result_vld = acc_valid;
    logic unused;
    assign unused = &{1'b0, acc_group};
  end

  // ---------------------------------------------------------------- output
  axis_reserve #(
    .DATA_W(PE * OUT_W),
    .DEPTH (32)
  ) u_output (
    .clk          (clk),
    .rst_n        (rst_n),
    .reserve      (issue && emits_q),
    .room         (room),
    .s_axis_tdata (result),
    .s_axis_tvalid(result_vld),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

endmodule

`default_nettype wire
