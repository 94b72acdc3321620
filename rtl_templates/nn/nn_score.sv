// nn_score - what a class counts for: its gain times its logit, plus its bias, at least the floor.
// y[k] = {max(GAIN[k]*x[k] + BIAS[k], FLOOR), x[k]}, the logit in the least significant bits
// Stream: one signed logit per beat, the classes in turn; out the same with its score.
// Rate:   one logit per cycle; latency ceil(GAIN_W/2) + 2 cycles without DSPs, ceil(GAIN_W/17) + 2
//         with them, 0 if GAIN_W and BIAS_W are; one more where there is a floor.
// Needs:  GAIN_FILE as mem_part says: word k of part 0 holds the gain of class k, and its bias
//         above that, both two's complement. GAIN_W 0: the gain is 1; BIAS_W 0: the bias is 0;
//         neither is then in the file. SCORE_W >= LOGIT_W + GAIN_W, SCORE_W >= BIAS_W, and every
//         score fits.
//
// The gain is multiplied piece by piece, one in each cycle, the lowest first: 17 bits of it in a
// DSP slice, or two by an adder. Only the last piece has a sign.
`default_nettype none

module nn_score #(
  parameter int unsigned CLASSES   = 10,
  parameter int unsigned LOGIT_W   = 16,
  parameter int unsigned GAIN_W    = 8,
  parameter int unsigned BIAS_W    = 16,
  parameter int unsigned SCORE_W   = 25,
  parameter              GAIN_FILE = "",
  parameter int unsigned DSP       = 0,
  parameter int unsigned FLOORED   = 0,
  parameter int          FLOOR     = 0
) (
  input  wire                        clk,
  input  wire                        rst_n,

  input  wire  [LOGIT_W-1:0]         s_axis_tdata,
  input  wire                        s_axis_tvalid,
  output logic                       s_axis_tready,

  output logic [SCORE_W+LOGIT_W-1:0] m_axis_tdata,
  output logic                       m_axis_tvalid,
  input  wire                        m_axis_tready
);

  localparam bit          TABLE   = GAIN_W + BIAS_W > 0;
  localparam int unsigned MOST    = (DSP != 0) ? 17 : 2;
  localparam int unsigned PIECE   = (GAIN_W < MOST) ? GAIN_W : MOST;
  localparam int unsigned PIECES  = (GAIN_W > 0) ? (GAIN_W + MOST - 1) / MOST : 0;
  // Cycles after which the table's word is there, and then the sum, and all.
  localparam int unsigned READ    = TABLE ? 1 : 0;
  localparam int unsigned SUMMED  = READ + ((GAIN_W > 0) ? PIECES + 1 : READ);
  localparam int unsigned LATENCY = SUMMED + ((FLOORED != 0) ? 1 : 0);

  if (LOGIT_W < 1 || LOGIT_W > 32) begin : gen_bad_logit_w
    $error("nn_score: LOGIT_W must be 1 to 32");
  end
  if (GAIN_W == 1 || BIAS_W == 1) begin : gen_bad_width
    $error("nn_score: GAIN_W and BIAS_W must be 0, or 2 or more");
  end
  if (TABLE && CLASSES < 2) begin : gen_bad_classes
    $error("nn_score: CLASSES must be at least 2 where they have gains or biases");
  end
  if (SCORE_W < LOGIT_W + GAIN_W || SCORE_W < BIAS_W || SCORE_W > 72) begin : gen_bad_score_w
    $error("nn_score: SCORE_W must be LOGIT_W + GAIN_W or more, BIAS_W or more, and up to 72");
  end
  if (LATENCY == 0) begin : gen_nothing
    $error("nn_score: GAIN_W, BIAS_W or FLOORED must not be 0");
  end

  // All registers take a step together, or none.
  logic               step;
  logic               vld_q   [LATENCY];
  logic [LOGIT_W-1:0] logit_q [LATENCY];
  logic [SCORE_W-1:0] sum, score;

  assign step          = !vld_q[LATENCY-1] || m_axis_tready;
  assign s_axis_tready = step;
  assign m_axis_tvalid = vld_q[LATENCY-1];
  assign m_axis_tdata  = {score, logit_q[LATENCY-1]};

  always_ff @(posedge clk) begin
    if (step) begin
      logit_q[0] <= s_axis_tdata;
      for (int i = 1; i < int'(LATENCY); i++) logit_q[i] <= logit_q[i-1];
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      for (int i = 0; i < int'(LATENCY); i++) vld_q[i] <= 1'b0;
    end else if (step) begin
      vld_q[0] <= s_axis_tvalid;
      for (int i = 1; i < int'(LATENCY); i++) vld_q[i] <= vld_q[i-1];
    end
  end

  if (TABLE) begin : gen_table
    localparam int unsigned CLASS_W = (CLASSES > 1) ? $clog2(CLASSES) : 1;
    localparam int unsigned WORD_W  = GAIN_W + BIAS_W;
    logic [CLASS_W-1:0] class_q;
    logic [WORD_W-1:0]  word_q;
    // Where the sum begins, beside the first product.
    logic [SCORE_W-1:0] begin_sum;

    always_ff @(posedge clk) begin
      if (!rst_n) class_q <= '0;
      else if (step && s_axis_tvalid) begin
        class_q <= (32'(class_q) == CLASSES - 1) ? '0 : class_q + 1'b1;
      end
    end

    mem_part #(
      .WIDTH    (WORD_W),
      .DEPTH    (CLASSES),
      .INIT_FILE(GAIN_FILE),
      .PART     (0),
      .STYLE    ((CLASSES > 64) ? 2 : 1)
    ) u_table (
      .clk (clk),
      .en  (step),
      .addr(class_q),
      .dout(word_q)
    );

    if (BIAS_W > 0) begin : gen_bias
      logic [SCORE_W-1:0] bias;
      assign bias = {{(SCORE_W-BIAS_W+1){word_q[WORD_W-1]}}, word_q[WORD_W-2:GAIN_W]};
      if (GAIN_W > 0) begin : gen_wait
        always_ff @(posedge clk) if (step) begin_sum <= bias;
      end else begin : gen_at_once
        assign begin_sum = bias;
      end
    end else begin : gen_no_bias
      assign begin_sum = '0;
    end

    if (GAIN_W > 0) begin : gen_gain
      localparam int unsigned WHOLE_W   = PIECES * PIECE;
      localparam int unsigned PRODUCT_W = LOGIT_W + PIECE;
      // The gain; what it lacks to whole pieces repeats its sign.
      logic [WHOLE_W-1:0] gain;
      for (genvar i = 0; i < int'(WHOLE_W); i++) begin : gen_bit
        localparam int unsigned FROM = (i < GAIN_W) ? i : GAIN_W - 1;
        assign gain[i] = word_q[FROM];
      end

      for (genvar k = 0; k < int'(PIECES); k++) begin : gen_piece
        localparam int unsigned LEFT = WHOLE_W - k * PIECE;
        localparam bit          LAST = k == int'(PIECES) - 1;
        // The pieces from this one on, with the logit that they are for.
        logic [LEFT-1:0]             rest;
        logic signed [PRODUCT_W-1:0] x, product_d, product_q;
        logic [SCORE_W-1:0]          so_far, term, sum_q;

        assign x = {{PIECE{logit_q[k][LOGIT_W-1]}}, logit_q[k]};

        if (DSP != 0) begin : gen_dsp
          logic signed [PRODUCT_W-1:0] factor;
          assign factor    = {{LOGIT_W{LAST ? rest[PIECE-1] : 1'b0}}, rest[PIECE-1:0]};
          assign product_d = x * factor;
        end else begin : gen_adder
          logic [PRODUCT_W-1:0] once, twice;
          assign once      = {PRODUCT_W{rest[0]}} & x;
          assign twice     = {PRODUCT_W{rest[1]}} & {x[PRODUCT_W-2:0], 1'b0};
          assign product_d = LAST ? once - twice : once + twice;
        end

        if (k == 0) begin : gen_first
          assign rest   = gain;
          assign so_far = begin_sum;
        end else begin : gen_next
          always_ff @(posedge clk) if (step) rest <= gen_piece[k-1].rest[LEFT+PIECE-1:PIECE];
          assign so_far = gen_piece[k-1].sum_q;
        end

        assign term = {{(SCORE_W-PRODUCT_W+1){product_q[PRODUCT_W-1]}}, product_q[PRODUCT_W-2:0]};
        always_ff @(posedge clk) begin
          if (step) begin
            product_q <= product_d;
            sum_q     <= so_far + (term << (k * PIECE));
          end
        end
      end

      assign sum = gen_piece[PIECES-1].sum_q;
    end else begin : gen_no_gain
      logic [SCORE_W-1:0] x, sum_q;
      if (SCORE_W > LOGIT_W) begin : gen_wider
        assign x = {{(SCORE_W-LOGIT_W){logit_q[0][LOGIT_W-1]}}, logit_q[0]};
      end else begin : gen_as_wide
        assign x = logit_q[0];
      end
      always_ff @(posedge clk) if (step) sum_q <= begin_sum + x;
      assign sum = sum_q;
    end
  end else if (SCORE_W > LOGIT_W) begin : gen_wider
    assign sum = {{(SCORE_W-LOGIT_W){s_axis_tdata[LOGIT_W-1]}}, s_axis_tdata};
  end else begin : gen_as_wide
    assign sum = s_axis_tdata;
  end

  if (FLOORED != 0) begin : gen_floor
    localparam logic [103:0]               WIDE  = {{72{FLOOR[31]}}, FLOOR};
    localparam logic signed [SCORE_W-1:0]  LEAST = WIDE[SCORE_W-1:0];
    logic signed [SCORE_W-1:0] signed_sum;
    logic [SCORE_W-1:0]        score_q;
    assign signed_sum = sum;
    always_ff @(posedge clk) if (step) score_q <= (signed_sum < LEAST) ? LEAST : sum;
    assign score = score_q;
  end else begin : gen_no_floor
    assign score = sum;
  end

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(SCORE_W + LOGIT_W)) u_checker (.*);
`endif

endmodule

`default_nettype wire
